"""Bad input: each gets a clear error and changes nothing; the server goes on."""
import base64
import json
import random
import socket

from expect import refused
from parts.sending import simple
from server import wait_for
from world import RECEIVING, SENDING

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def json_call(world, target, body, service="sqs"):
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}
    status, _, answer = world.signed(service, body, headers)
    return status, json.loads(answer)


def check_malformed_json(world):
    url, _ = world.queue()
    for body in (b"", b"{", b"[]", b"nonsense", b'{"QueueUrl": 1', b"\xff\xfe", b"[" * 100_000,
                 json.dumps({"QueueUrl": url, "MessageBody": 5}).encode(),
                 json.dumps({"QueueUrl": url, "MessageBody": ["x"]}).encode(),
                 json.dumps({"QueueUrl": url, "MessageBody": "x", "DelaySeconds": "soon"}).encode(),
                 json.dumps({"QueueUrl": {"a": 1}, "MessageBody": "x"}).encode(),
                 json.dumps({"QueueUrl": url}).encode(), json.dumps({"MessageBody": "x"}).encode()):
        status, error = json_call(world, "AmazonSQS.SendMessage", body)
        assert status == 400 and error.get("__type") and error.get("message", error.get("Message")), (body[:40], error)
    got = world.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert got["Attributes"]["ApproximateNumberOfMessages"] == "0"


def check_malformed_forms_and_rest(world):
    for service, version in (("sns", "2010-03-31"), ("ses", "2010-12-01"), ("sqs", "2012-11-05")):
        for body in (b"Action=&Version=" + version.encode(), b"Version=x", b"%%%", b"\xff\xfe=1", b"a.b.c.d.e.f.g.h.i.j.k=1"):
            status, _, answer = world.signed(service, body, FORM)
            # SQS says of a form without an action that it knows no such operation, and nothing else.
            told = any(word in answer for word in (b"Error", b"__type", b"<UnknownOperationException/>"))
            assert status in (400, 404) and told, (service, body, status, answer)
    status, _, answer = world.signed("ses", b"{", {"Content-Type": "application/json"}, path="/v2/email/outbound-emails")
    assert status == 400 and b"message" in answer.lower(), (status, answer)
    status, _, answer = world.signed("ses", json.dumps({"Content": 5}).encode(), {"Content-Type": "application/json"},
                                     path="/v2/email/outbound-emails")
    assert status == 400, (status, answer)
    status, _, answer = world.signed("ses", json.dumps({"EmailIdentity": ["a"]}).encode(),
                                     {"Content-Type": "application/json"}, path="/v2/email/identities")
    assert status == 400, (status, answer)


def check_unknown_operations(world):
    status, error = json_call(world, "AmazonSQS.MakeCoffee", b"{}")
    assert status == 400 and "UnknownOperation" in error["__type"] or "InvalidAction" in error["__type"], error
    status, error = json_call(world, "AmazonTea.SendMessage", b"{}")
    assert 400 <= status < 500, (status, error)
    for service, version in (("sns", "2010-03-31"), ("ses", "2010-12-01"), ("sqs", "2012-11-05"), ("sts", "2011-06-15")):
        status, root = world.query(service, version, "MakeCoffee")
        codes = [e.text for e in root.iter() if e.tag.endswith("Code")]
        assert status == 400 and codes == ["InvalidAction"], (service, status, codes)
    for method, path in (("GET", "/v2/email/coffee"), ("PUT", "/v2/email/account"), ("DELETE", "/v2/email/identities")):
        status, _, body = world.signed("ses", b"{}" if method == "PUT" else None, method=method, path=path)
        assert status in (403, 404, 405) and b"message" in body.lower(), (path, status, body)


def check_too_large(world):
    sqs, sns = world.client("sqs"), world.client("sns")
    url, _ = world.queue()
    sqs.send_message(QueueUrl=url, MessageBody="x" * 1_048_576)
    refused("InvalidParameterValue", lambda: sqs.send_message(QueueUrl=url, MessageBody="x" * 1_048_577), 400, "1048576")
    assert sqs.purge_queue(QueueUrl=url)
    for service, size in (("sqs", 11 << 20), ("sns", 2 << 20), ("sts", 1 << 20)):
        # The server may close while we still write: then there is an answer, or a broken pipe.
        try:
            status, _, answer = world.signed(service, b"Action=x&x=" + b"y" * size, FORM)
        except OSError:
            continue
        assert status == 413 or status == 400, (service, status, answer)
    # A body that never comes is answered or dropped, not waited for with its size of memory.
    with socket.create_connection(("127.0.0.1", world.server.port("http")), timeout=10) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nx")
        raw.shutdown(socket.SHUT_WR)
        raw.recv(1000)
    refused(("BadRequestException", "MessageRejected"), lambda: world.client("sesv2").send_email(
        FromEmailAddress=f"a@{SENDING}", Destination={"ToAddresses": ["x@rcpt.example"]},
        Content={"Raw": {"Data": b"From: a@%s\r\n\r\n" % SENDING.encode() + b"x" * 998 * 43_000}}), 400)
    assert world.server.healthy()


def check_bad_addresses(world):
    ses, v1 = world.client("sesv2"), world.client("ses")
    for bad in ("", "nobody", "a@", "@x.example", "a b@x.example", "a@x..example", "a@x.example, b@x.example\r\nX: y",
                "a@x.example\n", "<a@x.example", "a@" + "x" * 300 + ".example", "a\x01@x.example"):
        refused(("BadRequestException",), lambda: ses.send_email(
            FromEmailAddress=f"a@{SENDING}", Destination={"ToAddresses": ["good@rcpt.example", bad]}, Content=simple()), 400)
        refused(("BadRequestException", "MessageRejected"), lambda: ses.send_email(
            FromEmailAddress=bad, Destination={"ToAddresses": ["good@rcpt.example"]}, Content=simple()), 400)
        refused(("InvalidParameterValue", "ValidationError"), lambda: v1.verify_email_identity(EmailAddress=bad), 400)
    # A NUL is refused wherever it stands, before anything is read as an address.
    refused("SerializationException", lambda: ses.send_email(
        FromEmailAddress="a\x00@x.example", Destination={"ToAddresses": ["good@rcpt.example"]}, Content=simple()), 400)
    refused("BadRequestException", lambda: ses.send_email(
        FromEmailAddress=f"a@{SENDING}", Destination={"ToAddresses": [f"u{n}@rcpt.example" for n in range(51)]},
        Content=simple()), 400, "50")
    refused("BadRequestException", lambda: ses.send_email(FromEmailAddress=f"a@{SENDING}", Content=simple()), 400)
    nothing_went_to(world, "good@rcpt.example")


def nothing_went_to(world, recipient):
    """Nothing to `recipient` was queued before a mail that goes there now."""
    marker = world.name("marker")
    world.client("sesv2").send_email(
        FromEmailAddress=f"a@{SENDING}", Destination={"ToAddresses": [recipient]}, Content=simple(marker))
    mails = world.delivered(recipient)
    assert len(mails) == 1 and marker.encode() in mails[0], mails
    if world.dev:
        world.http("/_postrider/inbox", method="DELETE")
    else:
        world.sink.mails = [mail for mail in world.sink.mails if mail.recipient != recipient]


def check_header_injection(world):
    """CR and LF in any field: refused, or harmless. No header and no line of SMTP comes out of them."""
    ses, v1 = world.client("sesv2"), world.client("ses")
    for number, bad in enumerate(("x\r\nBcc: evil@rcpt.example", "x\nX-Evil: 1", "x\rX-Evil: 1", "x\r\n\r\nbody")):
        to = f"injected{number}@rcpt.example"
        fields = {
            "subject": lambda: dict(Content=simple(bad)),
            "from": lambda: dict(FromEmailAddress=f"{bad} <a@{SENDING}>"),
            "quoted from": lambda: dict(FromEmailAddress=f'"{bad}" <a@{SENDING}>'),
            "to": lambda: dict(Destination={"ToAddresses": [f"{bad} <{to}>"]}),
            "reply-to": lambda: dict(ReplyToAddresses=[f"{bad} <a@{SENDING}>"]),
            "header value": lambda: dict(Content=simple(Headers=[{"Name": "X-Mine", "Value": bad}])),
            "header name": lambda: dict(Content=simple(Headers=[{"Name": bad, "Value": "v"}])),
            "file name": lambda: dict(Content=simple(Attachments=[{"RawContent": b"x", "FileName": bad}])),
            "content id": lambda: dict(Content=simple(Attachments=[
                {"RawContent": b"x", "FileName": "x.txt", "ContentId": bad, "ContentDisposition": "INLINE"}])),
            "content type": lambda: dict(Content=simple(Attachments=[
                {"RawContent": b"x", "FileName": "x.txt", "ContentType": "text/plain" + bad}])),
            "description": lambda: dict(Content=simple(Attachments=[
                {"RawContent": b"x", "FileName": "x.txt", "ContentDescription": bad}])),
            "tag": lambda: dict(EmailTags=[{"Name": "n", "Value": bad}]),
            "return path": lambda: dict(FeedbackForwardingEmailAddress=bad),
            "charset": lambda: dict(Content={"Simple": {"Subject": {"Data": "s", "Charset": bad},
                                                        "Body": {"Text": {"Data": "t", "Charset": bad}}}}),
        }
        accepted = []
        for name, field in fields.items():
            call = {"FromEmailAddress": f"a@{SENDING}", "Destination": {"ToAddresses": [to]}, "Content": simple(),
                    **field()}
            try:
                ses.send_email(**call)
                accepted.append(name)
            except ses.exceptions.ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, (name, error.response)
        refused(("InvalidParameterValue",), lambda: v1.send_email(
            Source=f"a@{SENDING}", Destination={"ToAddresses": [to]},
            Message={"Subject": {"Data": bad}, "Body": {"Text": {"Data": "t"}}}), 400)
        # All text is written as UTF-8, so a charset is not looked at.
        assert accepted == ["charset"], accepted
        for raw in world.delivered(to):
            head = raw.split(b"\r\n\r\n")[0]
            assert b"\r\nX-Evil" not in head and b"\r\nBcc" not in head and b"\n" not in head.replace(b"\r\n", b""), head
    if world.dev:
        assert not [mail for mail in world.inbox() if mail["to"] == "evil@rcpt.example"]
    else:
        assert not world.sink.to("evil@rcpt.example")


def check_broken_mime(world):
    """A raw mail that is no mail is refused (but for an empty one); one whose body is odd goes out as it is."""
    ses = world.client("sesv2")
    to = {"ToAddresses": ["mime@rcpt.example"]}
    sender = f"From: a@{SENDING}\r\n".encode()
    for raw in (b"\x00\x01\x02", b"no header at all", b"Subject: no from\r\n\r\nx", sender + b"no colon here\r\n\r\nx",
                sender + b"A: b\rc\r\n\r\nx", b"From: \r\n\r\nx", b"From: <<<>>>\r\n\r\nx", sender + b"X" * 300_000):
        refused(("BadRequestException", "MessageRejected"), lambda: ses.send_email(
            FromEmailAddress=f"a@{SENDING}", Destination=to, Content={"Raw": {"Data": raw}}), 400)
    odd = sender + b"Content-Type: multipart/mixed; boundary=\"x\r\n\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n"
    random.seed(1)
    noise = base64.b64encode(random.randbytes(300))
    ses.send_email(FromEmailAddress=f"a@{SENDING}", Destination=to, Content={"Raw": {"Data": odd + noise}})
    [raw] = world.delivered("mime@rcpt.example")
    assert noise in raw


class Talk:
    """An SMTP session by hand."""

    def __init__(self, world):
        self.socket = socket.create_connection(("127.0.0.1", world.server.port("smtp")), timeout=10)
        self.lines = self.socket.makefile("rb")
        assert self.lines.readline().startswith(b"220")

    def say(self, line):
        """Sends a line; gives the code of the answer."""
        self.socket.sendall(line + b"\r\n")
        while (answer := self.lines.readline())[3:4] == b"-":
            pass
        return int(answer[:3])


def check_smtp_out_of_order(world):
    keep = b"RCPT TO:<keep@%s>" % RECEIVING.encode()
    mail = b"MAIL FROM:<a@x.example>"
    for talk in (
            [(mail, 503), (b"EHLO x.example", 250), (keep, 503), (b"DATA", 503), (b".", 500), (b"AUTH PLAIN x", 502)],
            [(b"HELO x.example", 250), (mail, 250), (b"MAIL FROM:<b@x.example>", 503), (b"EHLO x.example", 250),
             (b"DATA", 503), (b"RSET", 250), (keep, 503)],
            [(b"EHLO x.example", 250), (mail + b" SIZE=99999999999", 552), (mail + b" NONSENSE=1", 555),
             (b"MAIL FROM:a@x.example>", 501), (b"MAIL FROM:<a b@x.example>", 501), (b"STARTTLS now", 501), (mail, 250)],
            [(b"EHLO x.example", 250), (b"X" * 5000, 500), (b"NOOP", 250), (b"MAIL FROM:<a@x.example>\0", 500)]):
        session = Talk(world)
        got = [(line[:40], session.say(line)) for line, _ in talk]
        assert got == [(line[:40], code) for line, code in talk], got
        session.socket.close()
    # Too many errors end the session.
    with socket.create_connection(("127.0.0.1", world.server.port("smtp")), timeout=10) as raw:
        lines = raw.makefile("rb")
        for _ in range(30):
            try:
                raw.sendall(b"NONSENSE\r\n")
            except OSError:
                break
        answers = []
        try:
            answers = lines.readlines()
        except OSError:
            pass
        assert not answers or answers[-1].startswith(b"421"), answers[-1:]


def check_hanging_clients(world):
    """Clients that connect and say nothing, or stop in the middle, keep nobody else out."""
    hanging = []
    for port in ("http", "smtp", "submission", "submissions"):
        for said in (b"", b"POST / HTTP/1.1\r\nContent-Le", b"EHLO x.exa"):
            one = socket.create_connection(("127.0.0.1", world.server.port(port)), timeout=10)
            one.sendall(said)
            hanging.append(one)
    try:
        assert world.server.healthy()
        # From one address there may be so many sessions at once, and no more.
        full = None
        for _ in range(80):
            one = socket.create_connection(("127.0.0.1", world.server.port("smtp")), timeout=10)
            hanging.append(one)
            if one.recv(3) == b"421":
                full = one
                break
        assert full is not None, "sessions per address have no limit"
        assert world.server.healthy()
    finally:
        for one in hanging:
            one.close()
    # They are gone, so there is room again.

    def room():
        with socket.create_connection(("127.0.0.1", world.server.port("smtp")), timeout=10) as one:
            return one.recv(3) == b"220"
    wait_for("room for a session", room)
