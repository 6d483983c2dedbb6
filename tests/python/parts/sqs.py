"""Part 1: SQS, on JSON 1.0 as boto3 speaks it and on Query. boto3 itself checks the MD5 of every body and attribute."""
import hashlib
import threading
import time

from expect import refused

VERSION = "2012-11-05"
SQS_NS = "{http://queue.amazonaws.com/doc/2012-11-05/}"


def counts(sqs, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return tuple(int(got[name]) for name in names)


def check_queues(world):
    sqs = world.client("sqs")
    name = world.name("orders")
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "40"})["QueueUrl"]
    assert url == f"{world.server.endpoint}/{world.account}/{name}", url
    assert sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "40"})["QueueUrl"] == url
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert url in sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="nobody-has-this")
    all_of_it = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    expected = {"VisibilityTimeout": "40", "DelaySeconds": "0", "MaximumMessageSize": "1048576",
                "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0",
                "QueueArn": f"arn:aws:sqs:us-east-1:{world.account}:{name}"}
    assert expected.items() <= all_of_it.items(), all_of_it
    assert {"CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages"} <= all_of_it.keys()
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "1", "VisibilityTimeout": "10"})
    now = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds", "VisibilityTimeout"])["Attributes"]
    assert now == {"DelaySeconds": "1", "VisibilityTimeout": "10"}, now
    refused(("QueueAlreadyExists", "QueueNameExists"), lambda: sqs.create_queue(
        QueueName=name, Attributes={"VisibilityTimeout": "99"}), 400)
    refused("InvalidAttributeValue", lambda: sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"VisibilityTimeout": "43201"}), 400)
    refused("InvalidAttributeName", lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Nonsense": "1"}), 400)
    refused("InvalidParameterValue", lambda: sqs.create_queue(QueueName="no spaces"), 400)
    sqs.delete_queue(QueueUrl=url)
    gone = refused("AWS.SimpleQueueService.NonExistentQueue", lambda: sqs.get_queue_url(QueueName=name), 400)
    assert gone["Message"] == "The specified queue does not exist.", gone
    refused("AWS.SimpleQueueService.NonExistentQueue", lambda: sqs.send_message(QueueUrl=url, MessageBody="x"))


def check_messages(world):
    sqs = world.client("sqs")
    url, _ = world.queue(VisibilityTimeout="30")
    attributes = {"kind": {"DataType": "String", "StringValue": "grüße"},
                  "count": {"DataType": "Number.int", "StringValue": "3"},
                  "blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01\xff"}}
    body = "Grüße, 世界 \U0001f4ee & <tags>\ttab"
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()
    assert "MD5OfMessageAttributes" in sent and counts(sqs, url) == (1, 0, 0)
    [got] = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])["Messages"]
    assert got["Body"] == body and got["MessageId"] == sent["MessageId"] and got["MessageAttributes"] == attributes, got
    assert got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert got["Attributes"]["ApproximateReceiveCount"] == "1", got
    assert abs(int(got["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60
    assert counts(sqs, url) == (0, 1, 0)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    handle = got["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    [again] = sqs.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert again["Attributes"] == {"ApproximateReceiveCount": "2"} and again["ReceiptHandle"] != handle
    assert "MessageAttributes" not in again
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    assert counts(sqs, url) == (0, 0, 0)
    refused("ReceiptHandleIsInvalid", lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense"))
    refused("ReceiptHandleIsInvalid", lambda: sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle="nonsense", VisibilityTimeout=1))
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=2)
    assert counts(sqs, url) == (0, 0, 1)
    [late] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert late["Body"] == "later"
    for number in range(5):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    sqs.purge_queue(QueueUrl=url)
    assert counts(sqs, url) == (0, 0, 0)
    refused("AWS.SimpleQueueService.PurgeQueueInProgress", lambda: sqs.purge_queue(QueueUrl=url))


def check_long_poll_wakes(world):
    sqs, sender = world.client("sqs"), world.client("sqs")
    url, _ = world.queue()
    took = []

    def poll():
        got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        took.append((time.monotonic(), got["Messages"][0]["Body"]))
    waiting = threading.Thread(target=poll)
    waiting.start()
    waiting.join(0.7)
    assert not took, "nothing was sent yet"
    sender.send_message(QueueUrl=url, MessageBody="wake up")
    sent = time.monotonic()
    waiting.join(20)
    assert took and took[0][1] == "wake up", took
    assert took[0][0] - sent < 0.8, f"{took[0][0] - sent:.2f} s from the send to the answer"
    begun = time.monotonic()
    empty, _ = world.queue()
    assert "Messages" not in sqs.receive_message(QueueUrl=empty, WaitTimeSeconds=1)
    assert 0.9 < time.monotonic() - begun < 4


def check_batches(world):
    sqs = world.client("sqs")
    url, _ = world.queue()
    entries = [{"Id": "good", "MessageBody": "good"}, {"Id": "bad", "MessageBody": "\x01"},
               {"Id": "late", "MessageBody": "late", "DelaySeconds": 901}]
    sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in sent["Successful"]] == ["good"], sent
    failed = {entry["Id"]: entry for entry in sent["Failed"]}
    assert set(failed) == {"bad", "late"} and all(entry["SenderFault"] for entry in failed.values()), sent
    assert failed["bad"]["Code"] == "InvalidMessageContents" and failed["late"]["Code"] == "InvalidParameterValue", sent
    [got] = sqs.receive_message(QueueUrl=url)["Messages"]
    gone = sqs.delete_message_batch(QueueUrl=url, Entries=[
        {"Id": "a", "ReceiptHandle": got["ReceiptHandle"]}, {"Id": "b", "ReceiptHandle": "nonsense"}])
    assert [entry["Id"] for entry in gone["Successful"]] == ["a"], gone
    assert [(entry["Id"], entry["Code"]) for entry in gone["Failed"]] == [("b", "ReceiptHandleIsInvalid")], gone
    prefix = "AWS.SimpleQueueService."
    refused(prefix + "EmptyBatchRequest", lambda: sqs.send_message_batch(QueueUrl=url, Entries=[]))
    refused(prefix + "TooManyEntriesInBatchRequest", lambda: sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(11)]))
    refused(prefix + "BatchEntryIdsNotDistinct", lambda: sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": "x", "MessageBody": "x"}] * 2))
    refused(prefix + "InvalidBatchEntryId", lambda: sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": "a b", "MessageBody": "x"}]))
    refused(prefix + "BatchRequestTooLong", lambda: sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)]))
    assert counts(sqs, url) == (0, 0, 0), "a refused batch sends nothing"


def check_query_protocol(world):
    def ask(action, path="/", expect=200, **fields):
        status, root = world.query("sqs", VERSION, action, path=path, **fields)
        assert status == expect, (status, [(e.tag, e.text) for e in root.iter()])
        return root

    def text(root, name):
        return root.find(f".//{SQS_NS}{name}").text

    name = world.name("query")
    made = ask("CreateQueue", QueueName=name, Attribute__1__Name="VisibilityTimeout", Attribute__1__Value="33")
    url = text(made, "QueueUrl")
    assert made.tag == SQS_NS + "CreateQueueResponse" and made.find(f"{SQS_NS}ResponseMetadata/{SQS_NS}RequestId").text
    assert text(ask("GetQueueUrl", QueueName=name), "QueueUrl") == url
    assert url in [e.text for e in ask("ListQueues", QueueNamePrefix=name).iter(SQS_NS + "QueueUrl")]
    path = url[len(world.server.endpoint):]
    ask("SetQueueAttributes", path, Attribute__Name="VisibilityTimeout", Attribute__Value="34")
    body = "a & b + ü"
    sent = ask("SendMessage", path, MessageBody=body, MessageAttribute__1__Name="k",
               MessageAttribute__1__Value__DataType="String", MessageAttribute__1__Value__StringValue="v")
    assert text(sent, "MD5OfMessageBody") == hashlib.md5(body.encode()).hexdigest()
    assert text(sent, "MD5OfMessageAttributes") == "0a77b0642718c3d9dd47090567d11e0d"
    # The URL may also be given as a field, at any path.
    got = ask("ReceiveMessage", QueueUrl=url, AttributeName__1="All", MessageAttributeName__1="All")
    assert text(got, "Body") == body and text(got, "MessageId") == text(sent, "MessageId")
    pairs = {e.find(SQS_NS + "Name").text: e.find(SQS_NS + "Value").text for e in got.iter(SQS_NS + "Attribute")}
    assert pairs["ApproximateReceiveCount"] == "1", pairs
    assert got.find(f".//{SQS_NS}MessageAttribute/{SQS_NS}Value/{SQS_NS}StringValue").text == "v"
    handle = text(got, "ReceiptHandle")
    ask("ChangeMessageVisibility", path, ReceiptHandle=handle, VisibilityTimeout="20")
    attributes = ask("GetQueueAttributes", path, AttributeName__1="All")
    pairs = {e.find(SQS_NS + "Name").text: e.find(SQS_NS + "Value").text for e in attributes.iter(SQS_NS + "Attribute")}
    assert (pairs["VisibilityTimeout"], pairs["ApproximateNumberOfMessagesNotVisible"]) == ("34", "1"), pairs
    ask("DeleteMessage", path, ReceiptHandle=handle)
    batch = ask("SendMessageBatch", path, SendMessageBatchRequestEntry__1__Id="a",
                SendMessageBatchRequestEntry__1__MessageBody="hello", SendMessageBatchRequestEntry__2__Id="b",
                SendMessageBatchRequestEntry__2__MessageBody="x", SendMessageBatchRequestEntry__2__DelaySeconds="901")
    assert batch.find(f".//{SQS_NS}SendMessageBatchResultEntry/{SQS_NS}Id").text == "a"
    assert text(batch, "MD5OfMessageBody") == "5d41402abc4b2a76b9719d911017c592"
    failed = batch.find(f".//{SQS_NS}BatchResultErrorEntry")
    assert failed.find(SQS_NS + "Id").text == "b" and failed.find(SQS_NS + "SenderFault").text == "true"
    handle = text(ask("ReceiveMessage", path), "ReceiptHandle")
    gone = ask("DeleteMessageBatch", path, DeleteMessageBatchRequestEntry__1__Id="a",
               DeleteMessageBatchRequestEntry__1__ReceiptHandle=handle)
    assert gone.find(f".//{SQS_NS}DeleteMessageBatchResultEntry/{SQS_NS}Id").text == "a"
    ask("PurgeQueue", path)
    ask("DeleteQueue", path)
    missing = ask("GetQueueUrl", expect=400, QueueName=name)
    assert missing.tag == SQS_NS + "ErrorResponse", missing.tag
    error = missing.find(SQS_NS + "Error")
    assert error.find(SQS_NS + "Code").text == "AWS.SimpleQueueService.NonExistentQueue"
    assert error.find(SQS_NS + "Type").text == "Sender" and error.find(SQS_NS + "Detail") is not None
