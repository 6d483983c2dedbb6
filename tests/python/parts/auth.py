"""Part 6: who may call, and what they see: signatures, skew, presigned links, accounts and regions."""
import datetime
import urllib.parse
from unittest import mock

import botocore.auth

from expect import refused
from server import wait_for

STS = {"Content-Type": "application/x-www-form-urlencoded"}
WHO = b"Action=GetCallerIdentity&Version=2011-06-15"


def at_another_time(seconds):
    """Signs as a machine whose clock is wrong by `seconds`."""
    shifted = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return mock.patch.object(botocore.auth, "get_current_datetime", lambda **_: shifted)


def check_caller_identity(world):
    who = world.client("sts").get_caller_identity()
    assert who["Account"] == world.account and who["Arn"].startswith(f"arn:aws:iam::{world.account}:"), who
    other = world.client("sts", world.other_keys).get_caller_identity()
    assert other["Account"] == world.other_account, other


def check_bad_signatures(world):
    if world.dev:
        # Any credentials do, and an access key of 12 digits names the account.
        assert world.client("sts", ("whatever", "x")).get_caller_identity()["Account"] == "000000000000"
        return
    key, secret = world.keys
    wrong = (key, secret[:-1] + ("a" if secret[-1] != "a" else "b"))
    unknown = ("AKIAAAAAAAAAAAAAAAAA", secret)
    calls = {"sqs": lambda c: c.list_queues(), "sns": lambda c: c.list_topics(), "ses": lambda c: c.get_send_quota(),
             "sesv2": lambda c: c.get_account(), "sts": lambda c: c.get_caller_identity()}
    for service, call in calls.items():
        for keys, codes in ((wrong, ("SignatureDoesNotMatch", "InvalidSignatureException")),
                            (unknown, ("InvalidClientTokenId", "UnrecognizedClientException"))):
            expected = codes[1] if service == "sesv2" else codes if service == "sqs" else codes[0]
            refused(expected, lambda: call(world.client(service, keys)), 403)
        call(world.client(service))
    # A signature is for one service.
    status, _, body = world.signed("sqs", None, method="GET", path="/v2/email/account")
    assert status == 403 and b"scope" in body, (status, body)
    assert world.signed("ses", None, method="GET", path="/v2/email/account")[0] == 200
    status, _, body = world.signed("sts", WHO, STS, keys=(key, ""))
    assert status == 403 and b"SignatureDoesNotMatch" in body, (status, body)
    status, _, body = world.http("/", "POST", WHO, STS)
    assert status == 403 and b"<Code>MissingAuthenticationToken</Code>" in body, (status, body)
    garbled = {**STS, "Authorization": "AWS4-HMAC-SHA256 Credential=nonsense"}
    status, _, body = world.http("/", "POST", WHO, garbled)
    assert status == 400 and b"<Code>IncompleteSignature</Code>" in body, (status, body)


def check_tampering(world):
    """What is signed cannot be changed on the way."""
    if world.dev:
        return
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    request = AWSRequest(method="POST", url=world.server.endpoint + "/", data=WHO, headers=dict(STS))
    botocore.auth.SigV4Auth(Credentials(*world.keys), "sts", "us-east-1").add_auth(request)
    headers = dict(request.headers.items())
    assert world.http("/", "POST", WHO, headers)[0] == 200
    date = headers["X-Amz-Date"]
    another = date[:-2] + str((int(date[-2]) + 1) % 10) + "Z"
    for path, method, body, changed in (
            ("/", "POST", WHO + b"&x=1", {}), ("/?x=1", "POST", WHO, {}), ("/x", "POST", WHO, {}),
            ("/", "POST", WHO, {"X-Amz-Date": another})):
        status, _, answer = world.http(path, method, body, {**headers, **changed})
        assert status == 403 and b"SignatureDoesNotMatch" in answer, (path, changed, status, answer)


def check_clock_skew(world):
    if world.dev:
        return
    for seconds in (-3600, 3600):
        with at_another_time(seconds):
            status, _, body = world.signed("sts", WHO, STS)
        # SigV4's answer to a header that is too old is a mismatch that tells the times; RequestExpired is for links.
        assert status in (400, 403) and (b"SignatureDoesNotMatch" in body or b"RequestExpired" in body), (status, body)
        assert b"expired" in body or b"not yet current" in body, body
    for seconds in (-240, 240):
        with at_another_time(seconds):
            assert world.signed("sts", WHO, STS)[0] == 200, seconds


def check_presigned(world):
    sts = world.client("sts")
    link = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    status, _, body = world.http(link)
    assert status == 200 and f"<Account>{world.account}</Account>".encode() in body, (status, body)
    url, _ = world.queue("presigned")
    world.client("sqs").send_message(QueueUrl=url, MessageBody="by link")
    query = urllib.parse.urlencode({"Action": "ReceiveMessage", "Version": "2012-11-05", "QueueUrl": url})
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    request = AWSRequest(method="GET", url=f"{world.server.endpoint}/?{query}")
    botocore.auth.SigV4QueryAuth(Credentials(*world.keys), "sqs", "us-east-1", expires=60).add_auth(request)
    status, _, body = world.http(request.url)
    assert status == 200 and b"<Body>by link</Body>" in body, (status, body)
    if world.dev:
        return
    status, _, body = world.http(link.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))
    assert status == 403 and b"SignatureDoesNotMatch" in body, (status, body)
    short = sts.generate_presigned_url("get_caller_identity", ExpiresIn=1, HttpMethod="GET")
    expired = wait_for("the link has expired", lambda: (lambda a: a if a[0] != 200 else None)(world.http(short)), 10)
    assert expired[0] in (400, 403) and b"<Code>RequestExpired</Code>" in expired[2], expired


def check_deactivated_key(world):
    if world.dev:
        return
    keys = world.new_keys(world.account)
    sqs = world.client("sqs", keys)
    sqs.list_queues()
    world.server.admin("key", "deactivate", keys[0])

    def dead():
        try:
            sqs.list_queues()
        except sqs.exceptions.ClientError as error:
            return error.response["Error"]["Code"]
        return None
    assert wait_for("the key is off", dead, 30, pause=0.3) in ("InvalidClientTokenId", "UnrecognizedClientException")


def check_accounts_are_apart(world):
    mine, theirs = world.keys, world.other_keys
    url, arn = world.queue("private")
    name = url.rsplit("/", 1)[1]
    sqs = world.client("sqs", theirs)
    refused("AWS.SimpleQueueService.NonExistentQueue", lambda: sqs.get_queue_url(QueueName=name))
    assert url not in sqs.list_queues().get("QueueUrls", [])
    for call in (lambda: sqs.send_message(QueueUrl=url, MessageBody="x"), lambda: sqs.receive_message(QueueUrl=url),
                 lambda: sqs.delete_queue(QueueUrl=url), lambda: sqs.purge_queue(QueueUrl=url),
                 lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])):
        refused(("AccessDenied", "AccessDeniedException"), call, 403)
    sent = world.client("sqs").send_message(QueueUrl=url, MessageBody="mine")
    [got] = world.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert got["MessageId"] == sent["MessageId"]
    their_url, _ = world.queue("theirs", theirs)
    refused("ReceiptHandleIsInvalid", lambda: sqs.delete_message(QueueUrl=their_url, ReceiptHandle=got["ReceiptHandle"]))

    topic = world.client("sns").create_topic(Name=world.name("private"))["TopicArn"]
    sns = world.client("sns", theirs)
    assert {"TopicArn": topic} not in sns.list_topics()["Topics"]
    for call in (lambda: sns.publish(TopicArn=topic, Message="x"), lambda: sns.delete_topic(TopicArn=topic),
                 lambda: sns.list_subscriptions_by_topic(TopicArn=topic),
                 lambda: sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)):
        refused(("AuthorizationError", "AuthorizationErrorException", "NotFound", "NotFoundException"), call)
    world.client("sns").publish(TopicArn=topic, Message="still there")

    from world import SENDING
    ses = world.client("sesv2", theirs)
    refused("NotFoundException", lambda: ses.get_email_identity(EmailIdentity=SENDING), 404)
    assert SENDING not in [i["IdentityName"] for i in ses.list_email_identities().get("EmailIdentities", [])]
    refused("MessageRejected", lambda: ses.send_email(
        FromEmailAddress=f"news@{SENDING}", Destination={"ToAddresses": ["x@rcpt.example"]},
        Content={"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}}), 400)
    name, _ = world.configuration_set(["SEND"], mine)
    refused("NotFoundException", lambda: ses.get_configuration_set(ConfigurationSetName=name), 404)
    assert "Metadata" not in world.client("ses", theirs).describe_active_receipt_rule_set()


def check_regions_are_apart(world):
    here, there = world.client("sqs"), world.client("sqs", region="eu-west-1")
    name = world.name("regional")
    url = there.create_queue(QueueName=name)["QueueUrl"]
    assert url == f"{world.server.endpoint}/queue/eu-west-1/{world.account}/{name}", url
    refused("AWS.SimpleQueueService.NonExistentQueue", lambda: here.get_queue_url(QueueName=name))
    there.send_message(QueueUrl=url, MessageBody="there")
    assert there.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "there"
