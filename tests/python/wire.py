"""Checks the wire with AWS's own client library: python3 wire.py ENDPOINT ACCESS_KEY SECRET_KEY.

The keys must be good ones. Where the server trusts anybody, say so with a fourth argument, `anybody`.
"""
import datetime
import hashlib
import json
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, KEY, SECRET = sys.argv[1:4]
ANYBODY = sys.argv[4:] == ["anybody"]
SQS_NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"


def client(service, key=KEY, secret=SECRET, region="us-east-1", **more):
    config = Config(retries={"max_attempts": 0}, **more.pop("config", {}))
    return boto3.client(service, endpoint_url=ENDPOINT, region_name=region, aws_access_key_id=key,
                        aws_secret_access_key=secret, config=config, **more)


def refused(call, code, status, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        answer = error.response
        found = (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"])
        assert found == (code, status), (found, answer)
        assert answer["ResponseMetadata"]["RequestId"], answer
        return answer["Error"]
    raise AssertionError(f"not refused: {code}")


def http(method, target, body=b"", headers=None, service=None, key=KEY, secret=SECRET, region="us-east-1"):
    """Status, headers and body of a request, signed for `service` if there is one."""
    request = botocore.awsrequest.AWSRequest(method=method, url=ENDPOINT + target, data=body, headers=headers or {})
    if service:
        credentials = botocore.credentials.Credentials(key, secret)
        botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
    plain = urllib.request.Request(request.url, data=body or None, headers=dict(request.headers), method=method)
    try:
        with urllib.request.urlopen(plain) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def query(service, version, action, target="/", **parameters):
    """A request in the Query protocol, the way SDKs before JSON wrote it."""
    pairs = {"Action": action, "Version": version, **parameters}
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return http("POST", target, urllib.parse.urlencode(pairs).encode(), form, service)


def sqs_json():
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="wire-json", Attributes={"VisibilityTimeout": "45"}, tags={"team": "a"})["QueueUrl"]
    assert url == f"{ENDPOINT}/000000000000/wire-json", url
    assert sqs.get_queue_url(QueueName="wire-json")["QueueUrl"] == url
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "a"}
    attributes = {
        "a": {"DataType": "Number", "StringValue": "1"},
        "b": {"DataType": "Binary", "BinaryValue": b"\0\1"},
        "c": {"DataType": "String.custom", "StringValue": "x"},
    }
    body = "grüße <&> \r\n\t \U0001f4ee"
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    # boto3 checks MD5OfMessageBody itself.
    assert sent["MD5OfMessageAttributes"] == "dcfb54bfe506cdb07aed8daf2c8493b7", sent
    got = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5)
    (message,) = got["Messages"]
    assert message["Body"] == body and message["MessageAttributes"] == attributes, message
    assert message["Attributes"]["ApproximateReceiveCount"] == "1", message
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    (again,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert "MessageAttributes" not in again and "Attributes" not in again, again
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    entries = [{"Id": f"m{n}", "MessageBody": str(n)} for n in range(10)]
    entries[3]["MessageBody"] = "\x01"
    batch = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert len(batch["Successful"]) == 9 and [f["Id"] for f in batch["Failed"]] == ["m3"], batch
    assert batch["Failed"][0]["Code"] == "InvalidMessageContents" and batch["Failed"][0]["SenderFault"], batch
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "9" and counts["VisibilityTimeout"] == "45", counts
    missing = "AWS.SimpleQueueService.NonExistentQueue"
    error = refused(sqs.get_queue_url, missing, 400, QueueName="nowhere")
    assert error.get("QueryErrorCode") == "QueueDoesNotExist" and error["Type"] == "Sender", error
    refused(sqs.send_message_batch, "AWS.SimpleQueueService.EmptyBatchRequest", 400, QueueUrl=url, Entries=[])
    refused(sqs.delete_message, "ReceiptHandleIsInvalid", 404, QueueUrl=url, ReceiptHandle="x")
    refused(sqs.set_queue_attributes, "InvalidAttributeName", 400, QueueUrl=url, Attributes={"Nothing": "1"})
    refused(sqs.receive_message, "InvalidParameterValue", 400, QueueUrl=url, MaxNumberOfMessages=11)
    sqs.purge_queue(QueueUrl=url)
    refused(sqs.purge_queue, "AWS.SimpleQueueService.PurgeQueueInProgress", 403, QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    refused(sqs.send_message, missing, 400, QueueUrl=url, MessageBody="x")


def sqs_dead_letters():
    sqs = client("sqs")
    dead = sqs.create_queue(QueueName="wire-dead")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:wire-dead"
    assert "queueUrls" in sqs.list_dead_letter_source_queues(QueueUrl=dead)
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    source = sqs.create_queue(QueueName="wire-source", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [source]
    missing = "ResourceNotFoundException"
    error = refused(sqs.start_message_move_task, missing, 404, SourceArn=arn + "-not")
    assert error["Message"] == "The resource that you specified for the SourceArn parameter doesn't exist.", error
    refused(sqs.start_message_move_task, "InvalidParameterValue", 400, SourceArn=arn, MaxNumberOfMessagesPerSecond=501)
    handle = sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    (task,) = sqs.list_message_move_tasks(SourceArn=arn)["Results"]
    assert task.pop("StartedTimestamp") > 1_600_000_000_000, task
    assert task == {"TaskHandle": handle, "Status": "RUNNING", "SourceArn": arn, "MaxNumberOfMessagesPerSecond": 1,
                    "ApproximateNumberOfMessagesMoved": 0, "ApproximateNumberOfMessagesToMove": 0}, task

    def ask(action, **parameters):
        status, _, body = query("sqs", "2012-11-05", action, **parameters)
        return status, ElementTree.fromstring(body)

    def texts(tree, name):
        return [element.text for element in tree.iter(SQS_NAMESPACE + name)]

    status, tree = ask("ListDeadLetterSourceQueues", QueueUrl=dead)
    assert status == 200 and texts(tree, "QueueUrl") == [source], ElementTree.tostring(tree)
    status, tree = ask("ListMessageMoveTasks", SourceArn=arn, MaxResults="10")
    entry = tree.find(f"{SQS_NAMESPACE}ListMessageMoveTasksResult/{SQS_NAMESPACE}ListMessageMoveTasksResultEntry")
    assert status == 200 and texts(entry, "TaskHandle") == [handle], ElementTree.tostring(tree)
    status, tree = ask("StartMessageMoveTask", SourceArn=arn)
    assert status == 400 and texts(tree, "Code") == ["InvalidParameterValue"], ElementTree.tostring(tree)
    status, tree = ask("CancelMessageMoveTask", TaskHandle=handle)
    assert status == 200 and texts(tree, "ApproximateNumberOfMessagesMoved") == ["0"], ElementTree.tostring(tree)
    status, tree = ask("CancelMessageMoveTask", TaskHandle=handle)
    assert texts(tree, "Code") == ["AWS.SimpleQueueService.UnsupportedOperation"], ElementTree.tostring(tree)
    status, tree = ask("CancelMessageMoveTask", TaskHandle="x")
    assert texts(tree, "Message") == ["Value for parameter TaskHandle is invalid."], ElementTree.tostring(tree)
    status, tree = ask("ListMessageMoveTasks", SourceArn=arn + "-not")
    assert status == 404 and texts(tree, "Code") == [missing], ElementTree.tostring(tree)
    for url in (source, dead):
        sqs.delete_queue(QueueUrl=url)
    if not ANYBODY:
        error = refused(sqs.create_queue, "AWS.SimpleQueueService.QueueDeletedRecently", 400, QueueName="wire-dead")
        status, tree = ask("CreateQueue", QueueName="wire-dead")
        assert status == 400 and texts(tree, "Message") == [error["Message"]], ElementTree.tostring(tree)


def sqs_visibility_batch():
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="wire-visibility")["QueueUrl"]
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(3)])
    handles = [m["ReceiptHandle"] for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handles[2])
    expected = {"bad": "ReceiptHandleIsInvalid", "gone": "ReceiptHandleIsInvalid",
                "long": "InvalidParameterValue"}
    entries = [{"Id": "fine", "ReceiptHandle": handles[0], "VisibilityTimeout": 0},
               {"Id": "bad", "ReceiptHandle": "x", "VisibilityTimeout": 1},
               {"Id": "gone", "ReceiptHandle": handles[2], "VisibilityTimeout": 1},
               {"Id": "long", "ReceiptHandle": handles[1], "VisibilityTimeout": 43_201}]
    answer = sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    assert [e["Id"] for e in answer["Successful"]] == ["fine"], answer
    assert {e["Id"]: e["Code"] for e in answer["Failed"]} == expected, answer
    assert len(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]) == 1
    prefix = "ChangeMessageVisibilityBatchRequestEntry"
    form = {f"{prefix}.{n}.{key}": str(value) for n, entry in enumerate(entries[1:], 1) for key, value in entry.items()}
    form.update({f"{prefix}.9.Id": "fine", f"{prefix}.9.ReceiptHandle": handles[1], f"{prefix}.9.VisibilityTimeout": "0"})
    status, _, body = query("sqs", "2012-11-05", "ChangeMessageVisibilityBatch", QueueUrl=url, **form)
    result = ElementTree.fromstring(body).find(SQS_NAMESPACE + "ChangeMessageVisibilityBatchResult")
    failed = {e.findtext(SQS_NAMESPACE + "Id"): e.findtext(SQS_NAMESPACE + "Code")
              for e in result.iter(SQS_NAMESPACE + "BatchResultErrorEntry")}
    assert status == 200 and failed == expected, body
    done = result.findtext(f"{SQS_NAMESPACE}ChangeMessageVisibilityBatchResultEntry/{SQS_NAMESPACE}Id")
    assert done == "fine", body
    batch = "AWS.SimpleQueueService."
    for wrong, code in [([], "EmptyBatchRequest"), (entries[:1] * 11, "TooManyEntriesInBatchRequest"),
                        (entries[:1] * 2, "BatchEntryIdsNotDistinct"), ([{**entries[0], "Id": "a b"}], "InvalidBatchEntryId")]:
        refused(sqs.change_message_visibility_batch, batch + code, 400, QueueUrl=url, Entries=wrong)
        refused(sqs.delete_message_batch, batch + code, 400, QueueUrl=url,
                Entries=[{k: v for k, v in e.items() if k != "VisibilityTimeout"} for e in wrong])
    refused(sqs.change_message_visibility, "ReceiptHandleIsInvalid", 404, QueueUrl=url, ReceiptHandle="x",
            VisibilityTimeout=1)
    refused(sqs.change_message_visibility, "InvalidParameterValue", 400, QueueUrl=url, ReceiptHandle=handles[2],
            VisibilityTimeout=1)
    sqs.delete_queue(QueueUrl=url)
    gone = batch + "NonExistentQueue"
    refused(sqs.change_message_visibility_batch, gone, 400, QueueUrl=url, Entries=entries[:1])
    refused(sqs.list_dead_letter_source_queues, gone, 400, QueueUrl=url)


def sqs_regions():
    west = client("sqs", region="eu-west-1")
    url = west.create_queue(QueueName="wire-west")["QueueUrl"]
    assert url == f"{ENDPOINT}/queue/eu-west-1/000000000000/wire-west", url
    assert west.list_queues(QueueNamePrefix="wire-west")["QueueUrls"] == [url]
    assert "QueueUrls" not in client("sqs").list_queues(QueueNamePrefix="wire-west")
    west.send_message(QueueUrl=url, MessageBody="x")
    west.delete_queue(QueueUrl=url)


def sqs_query():
    def ask(action, target="/", **parameters):
        status, headers, body = query("sqs", "2012-11-05", action, target, **parameters)
        assert headers["content-type"] == "text/xml" and headers["x-amzn-RequestId"], headers
        return status, ElementTree.fromstring(body)

    def text(tree, *path):
        return tree.findtext("/".join(SQS_NAMESPACE + part for part in path))

    create = {"QueueName": "wire-query", "Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "0", "Tag.1.Key": "k",
              "Tag.1.Value": "v"}
    status, tree = ask("CreateQueue", **create)
    assert status == 200 and tree.tag == SQS_NAMESPACE + "CreateQueueResponse", ElementTree.tostring(tree)
    url = text(tree, "CreateQueueResult", "QueueUrl")
    assert text(tree, "ResponseMetadata", "RequestId")
    path = urllib.parse.urlsplit(url).path
    # Old clients name the queue by the path alone.
    attribute = {"MessageAttribute.1.Name": "k", "MessageAttribute.1.Value.DataType": "String",
                 "MessageAttribute.1.Value.StringValue": "v"}
    status, tree = ask("SendMessage", path, MessageBody="hello", **attribute)
    result = "SendMessageResult"
    assert status == 200 and text(tree, result, "MD5OfMessageBody") == "5d41402abc4b2a76b9719d911017c592"
    assert text(tree, result, "MD5OfMessageAttributes") == "0a77b0642718c3d9dd47090567d11e0d"
    status, tree = ask("ReceiveMessage", QueueUrl=url, AttributeName="All", **{"MessageAttributeName.1": "All"})
    message = ["ReceiveMessageResult", "Message"]
    assert text(tree, *message, "Body") == "hello", ElementTree.tostring(tree)
    assert text(tree, *message, "MessageAttribute", "Value", "StringValue") == "v"
    assert text(tree, *message, "Attribute", "Name")
    entry = {"DeleteMessageBatchRequestEntry.1.Id": "a",
             "DeleteMessageBatchRequestEntry.1.ReceiptHandle": text(tree, *message, "ReceiptHandle"),
             "DeleteMessageBatchRequestEntry.2.Id": "b", "DeleteMessageBatchRequestEntry.2.ReceiptHandle": "bad"}
    status, tree = ask("DeleteMessageBatch", path, **entry)
    result = "DeleteMessageBatchResult"
    assert text(tree, result, "DeleteMessageBatchResultEntry", "Id") == "a", ElementTree.tostring(tree)
    assert text(tree, result, "BatchResultErrorEntry", "Code") == "ReceiptHandleIsInvalid"
    permission = {"Label": "friends", "AWSAccountId.1": "111111111111", "AWSAccountId.2": "222222222222",
                  "ActionName.1": "SendMessage", "ActionName.2": "ReceiveMessage"}
    status, tree = ask("AddPermission", path, **permission)
    assert status == 200 and tree.tag == SQS_NAMESPACE + "AddPermissionResponse", ElementTree.tostring(tree)
    status, tree = ask("GetQueueAttributes", path, **{"AttributeName.1": "Policy"})
    policy = json.loads(text(tree, "GetQueueAttributesResult", "Attribute", "Value"))["Statement"]
    assert len(policy) == 1 and policy[0]["Action"] == ["SQS:SendMessage", "SQS:ReceiveMessage"], policy
    assert policy[0]["Principal"]["AWS"] == ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"], policy
    status, tree = ask("AddPermission", path, **permission)
    assert status == 400 and text(tree, "Error", "Code") == "InvalidParameterValue", ElementTree.tostring(tree)
    status, tree = ask("RemovePermission", path, Label="friends")
    assert status == 200, ElementTree.tostring(tree)
    status, tree = ask("SetQueueAttributes", path, **{"Attribute.1.Name": "KmsMasterKeyId", "Attribute.1.Value": "alias/none"})
    assert status == 200, ElementTree.tostring(tree)
    status, tree = ask("SendMessage", path, MessageBody="hello")
    assert status == 400 and text(tree, "Error", "Code") == "KMS.NotFoundException", ElementTree.tostring(tree)
    status, tree = ask("DeleteQueue", path)
    assert status == 200 and tree.find(SQS_NAMESPACE + "DeleteQueueResult") is None
    status, tree = ask("SendMessage", path, MessageBody="hello")
    assert status == 400 and text(tree, "Error", "Code") == "AWS.SimpleQueueService.NonExistentQueue"
    assert tree.find(f"{SQS_NAMESPACE}Error/{SQS_NAMESPACE}Detail") is not None
    assert text(tree, "Error", "Type") == "Sender"
    status, tree = ask("NoSuchAction")
    assert status == 400 and text(tree, "Error", "Code") == "InvalidAction"
    status, tree = ask("GetQueueUrl")
    assert status == 400 and text(tree, "Error", "Code") == "InvalidParameterValue"


def bad_bodies():
    target = {"x-amz-target": "AmazonSQS.SendMessage", "content-type": "application/x-amz-json-1.0"}

    def kind(body, headers=target):
        status, headers, answer = http("POST", "/", body, headers, "sqs")
        return status, json.loads(answer)["__type"].split("#")[1]

    for body in (b"{", b"[]", b'{"QueueUrl":1}', b"\xff", b'{"QueueUrl":"\\ud800"}', b"[" * 10000,
                 b'{"QueueUrl":"u","MessageBody":{}}'):
        assert kind(body) == (400, "SerializationException"), (body[:50], kind(body))
    assert kind(b"{}") == (400, "MissingRequiredParameterException")
    assert kind(b"{}", {**target, "x-amz-target": "AmazonSQS.Nothing"}) == (400, "UnknownOperationException")
    status, _, answer = http("POST", "/", b"Action=\xff", {}, "sqs")
    assert b"MalformedQueryString" in answer, answer
    status, _, answer = http("POST", "/", b"x" * (11 << 20), target, "sqs")
    assert status == 413, (status, answer)


def identity():
    arn = client("sts").get_caller_identity()["Arn"]
    assert arn == "arn:aws:iam::000000000000:root", arn


def signatures():
    for service, operation, unknown, mismatch in [
        ("sqs", "list_queues", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("sns", "list_topics", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("ses", "get_send_quota", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        # REST-JSON has other names for the same errors.
        ("sesv2", "get_account", "UnrecognizedClientException", "InvalidSignatureException"),
    ]:
        getattr(client(service), operation)()
        refused(getattr(client(service, key="AKIANOBODYKNOWSME"), operation), unknown, 403)
        refused(getattr(client(service, secret="wrong" * 8), operation), mismatch, 403)
        session = client(service, aws_session_token="token")
        refused(getattr(session, operation), unknown, 403)
    status, _, body = http("POST", "/", b"Action=ListQueues&Version=2012-11-05")
    assert status == 403 and b"MissingAuthenticationToken" in body, (status, body)
    status, _, body = http("POST", "/", b"Action=ListQueues&Version=2012-11-05", service="sns")
    assert status == 403 or b"InvalidAction" in body, (status, body)
    presigned = client("sns").generate_presigned_url("list_topics", ExpiresIn=60, HttpMethod="GET")
    status, _, body = http("GET", presigned.removeprefix(ENDPOINT))
    assert status == 200 and b"ListTopicsResponse" in body, (status, body)
    status, _, body = http("GET", presigned.removeprefix(ENDPOINT) + "&Extra=1")
    assert status == 403 and b"SignatureDoesNotMatch" in body, (status, body)


for check in [identity, sqs_json, sqs_dead_letters, sqs_visibility_batch, sqs_regions, sqs_query, bad_bodies] + ([] if ANYBODY else [signatures]):
    check()
    print(check.__name__, "ok")
