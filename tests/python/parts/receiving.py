"""Part 4: SES receiving: for whom the listener takes mail, and what the active receipt rule set does with it."""
import base64
import email
import hashlib
import hmac
import json
import os
import smtplib
import socket
import ssl

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from expect import refused
from peers import TXT
from server import wait_for
from world import HOSTNAME, KMS_KEY, RECEIVING


def connect(world):
    return smtplib.SMTP("127.0.0.1", world.server.port("smtp"), timeout=15, local_hostname="client.example")


def mail_to(recipient, subject="Hello", body="Hello.\r\n", sender="ann@stranger.example"):
    return (f"From: Ann <{sender}>\r\nTo: {recipient}\r\nSubject: {subject}\r\nMessage-ID: <1@stranger.example>\r\n"
            f"Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n\r\n{body}").encode()


def object_at(world, bucket, key):
    """The object's content, or None: buckets are folders in the data directory."""
    path = os.path.join(world.server.directory, "data", "objects", bucket, key)
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def after_trace(content, original):
    """Fails unless `content` is the trace that we add (header fields), then the mail's own bytes, unchanged."""
    assert content.endswith(original), (content[-300:], original[-300:])
    trace = content[:-len(original)]
    assert trace == b"" or trace.endswith(b"\r\n") and b"\r\n\r\n" not in trace, trace
    return email.message_from_bytes(trace + b"\r\n")


def rule(world, name, recipients, actions, after=None, **more):
    place = {"After": after} if after else {}
    world.client("ses").create_receipt_rule(RuleSetName=world.rule_set, **place, Rule={
        "Name": name, "Enabled": True, "Recipients": recipients, "Actions": actions, **more})


def check_no_active_rule_set(world):
    with connect(world) as smtp:
        smtp.ehlo()
        assert {"pipelining", "8bitmime", "size", "starttls"} <= smtp.esmtp_features.keys(), smtp.esmtp_features
        assert int(smtp.esmtp_features["size"]) >= 40 * 1024 * 1024
        assert smtp.mail("ann@stranger.example")[0] == 250
        assert smtp.rcpt(f"anyone@{RECEIVING}")[0] == 550


def check_rule_sets(world):
    ses = world.client("ses")
    world.rule_set, other = world.name("rules"), world.name("rules")
    ses.create_receipt_rule_set(RuleSetName=world.rule_set)
    ses.create_receipt_rule_set(RuleSetName=other)
    refused(("AlreadyExists", "AlreadyExistsException"), lambda: ses.create_receipt_rule_set(RuleSetName=other), 400)
    assert "Metadata" not in ses.describe_active_receipt_rule_set()
    ses.set_active_receipt_rule_set(RuleSetName=world.rule_set)
    refused(("RuleSetDoesNotExist", "RuleSetDoesNotExistException"),
            lambda: ses.set_active_receipt_rule_set(RuleSetName="missing"), 400)
    refused(("CannotDelete", "CannotDeleteException"), lambda: ses.delete_receipt_rule_set(RuleSetName=world.rule_set))
    active = ses.describe_active_receipt_rule_set()
    assert active["Metadata"]["Name"] == world.rule_set and active["Rules"] == [], active
    names = [one["Name"] for one in ses.list_receipt_rule_sets()["RuleSets"]]
    assert {world.rule_set, other} <= set(names), names
    refused(("InvalidSnsTopic", "InvalidSnsTopicException"), lambda: rule(
        world, "bad", [], [{"SNSAction": {"TopicArn": f"arn:aws:sns:us-east-1:{world.account}:missing"}}]), 400)


def check_s3_and_sns(world):
    """One rule puts the mail into a bucket and tells a topic, publishes it to another topic, and stops there."""
    ses, sns = world.client("ses"), world.client("sns")
    stored, whole, never = (sns.create_topic(Name=world.name("inbound"))["TopicArn"] for _ in range(3))
    queues = {}
    for topic in (stored, whole, never):
        queues[topic], arn = world.queue("inbound")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    rule(world, "keep", [f"keep@{RECEIVING}"], [
        {"S3Action": {"BucketName": "story-mail", "ObjectKeyPrefix": "in/", "TopicArn": stored}},
        {"SNSAction": {"TopicArn": whole, "Encoding": "Base64"}},
        {"StopAction": {"Scope": "RuleSet"}}])
    rule(world, "after", [f"keep@{RECEIVING}"], [{"SNSAction": {"TopicArn": never}}], after="keep")
    described = ses.describe_active_receipt_rule_set()["Rules"]
    assert [one["Name"] for one in described] == ["keep", "after"], described
    original = mail_to(f"keep@{RECEIVING}", "Bytes", "8 bits: Grüße\r\n.\r\n..two dots\r\n" + "x" * 900 + "\r\n\r\ntrailing \r\n")
    with connect(world) as smtp:
        smtp.ehlo()
        assert smtp.mail("ann@stranger.example", ["BODY=8BITMIME", f"SIZE={len(original)}"])[0] == 250
        assert smtp.rcpt(f"Keep@{RECEIVING.upper()}")[0] == 250
        code, text = smtp.data(original)
        assert code == 250, (code, text)
    [told] = world.take(queues[stored])
    note = json.loads(told["Body"])
    assert note["notificationType"] == "Received" and "content" not in note, note
    assert note["mail"]["source"] == "ann@stranger.example" and note["mail"]["commonHeaders"]["subject"] == "Bytes", note
    message_id = note["mail"]["messageId"]
    assert message_id.encode() in text, (message_id, text)
    receipt = note["receipt"]
    assert {"timestamp", "processingTimeMillis", "recipients", "spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict",
            "dmarcVerdict", "action"} <= receipt.keys(), receipt
    action = receipt["action"]
    assert (action["type"], action["bucketName"], action["objectKeyPrefix"]) == ("S3", "story-mail", "in/"), action
    assert action["objectKey"] == "in/" + message_id and action["topicArn"] == stored, action
    content = object_at(world, "story-mail", action["objectKey"])
    trace = after_trace(content, original)
    assert "127.0.0.1" in trace["Received"] and HOSTNAME in trace["Received"], trace.as_string()
    [published] = world.take(queues[whole])
    note = json.loads(published["Body"])
    assert note["receipt"]["action"]["type"] == "SNS" and note["receipt"]["action"]["encoding"] == "BASE64", note
    after_trace(base64.b64decode(note["content"]), original)
    assert "Messages" not in world.client("sqs").receive_message(QueueUrl=queues[never]), "the rule before stops"
    world.kept = queues[stored]


def check_who_gets_in(world):
    """Only recipients that a rule is for, of verified domains; nothing is relayed."""
    with connect(world) as smtp:
        smtp.ehlo()
        smtp.mail("ann@stranger.example")
        for stranger in (f"nobody@{RECEIVING}", "someone@elsewhere.example", f"keep@sub.{RECEIVING}",
                         f"keep%elsewhere.example@{RECEIVING}", f'"keep@elsewhere.example"@{RECEIVING}'):
            assert smtp.rcpt(stranger)[0] == 550, stranger
        assert smtp.docmd("DATA")[0] == 554 or smtp.docmd("DATA")[0] == 503
        # With one good recipient among refused ones the mail goes to that one.
        assert smtp.rcpt(f"keep@{RECEIVING}")[0] == 250
        assert smtp.data(mail_to(f"keep@{RECEIVING}", "one of many"))[0] == 250
        # A bounce has no sender; it comes in all the same.
        assert smtp.mail("")[0] == 250 and smtp.rcpt(f"keep@{RECEIVING}")[0] == 250
        assert smtp.data(mail_to(f"keep@{RECEIVING}", "null sender"))[0] == 250
    notes = [json.loads(m["Body"]) for m in world.take(world.kept, 2)]
    subjects = {note["mail"]["commonHeaders"]["subject"]: note for note in notes}
    assert set(subjects) == {"one of many", "null sender"}, subjects.keys()
    assert subjects["one of many"]["receipt"]["recipients"] == [f"keep@{RECEIVING}"], subjects
    domain = f"{world.name('unverified')}.example"
    if not world.dev:
        world.client("sesv2").create_email_identity(EmailIdentity=domain)
        rule(world, world.name("pending"), [f"a@{domain}"], [{"StopAction": {"Scope": "RuleSet"}}])
        with connect(world) as smtp:
            smtp.ehlo()
            smtp.mail("ann@stranger.example")
            assert smtp.rcpt(f"a@{domain}")[0] == 550, "its domain is not verified"


def check_starttls(world):
    rule(world, "secret", [f"secret@{RECEIVING}"], [
        {"S3Action": {"BucketName": "story-secret"}}, {"StopAction": {"Scope": "RuleSet"}}], TlsPolicy="Require")
    with connect(world) as smtp:
        smtp.ehlo()
        smtp.mail("ann@stranger.example")
        assert smtp.rcpt(f"secret@{RECEIVING}")[0] == 550, "only with TLS"
        smtp.rset()
        assert smtp.starttls(context=ssl._create_unverified_context())[0] == 220
        smtp.ehlo()
        assert "starttls" not in smtp.esmtp_features and smtp.sock.version() in ("TLSv1.2", "TLSv1.3")
        assert smtp.sendmail("ann@stranger.example", [f"secret@{RECEIVING}"],
                             mail_to(f"secret@{RECEIVING}", "over TLS")) == {}
    folder = os.path.join(world.server.directory, "data", "objects", "story-secret")
    [name] = wait_for("the object", lambda: os.path.isdir(folder) and [n for n in os.listdir(folder) if n[0] != "."])
    assert b"Subject: over TLS" in object_at(world, "story-secret", name)


def check_starttls_drops_what_came_before(world):
    """Commands that a stranger puts before the handshake are not taken for the client's (CVE-2011-0411)."""
    with socket.create_connection(("127.0.0.1", world.server.port("smtp")), timeout=10) as plain:
        lines = plain.makefile("rb")
        assert lines.readline().startswith(b"220")
        plain.sendall(b"EHLO x.example\r\n")
        while lines.readline()[3:4] == b"-":
            pass
        plain.sendall(b"STARTTLS\r\nMAIL FROM:<evil@x.example>\r\nRCPT TO:<keep@%s>\r\n" % RECEIVING.encode())
        answer = lines.readline()
        if not answer.startswith(b"220"):
            assert answer.startswith((b"5", b"4")), answer
            return
        try:
            with ssl._create_unverified_context().wrap_socket(plain) as secure:
                secure.sendall(b"NOOP\r\nDATA\r\n")
                got = secure.makefile("rb")
                assert got.readline().startswith(b"250") and got.readline().startswith(b"503")
        except (ssl.SSLError, ConnectionError):
            pass


def check_bounce_action(world):
    """The mail is taken, and its sender gets a delivery status notification with the null sender."""
    sender = f"writer@{world.name('writer')}.example"
    rule(world, "closed", [f"closed@{RECEIVING}"], [{"BounceAction": {
        "SmtpReplyCode": "550", "StatusCode": "5.1.1", "Message": "Mailbox does not exist",
        "Sender": f"mailer-daemon@{RECEIVING}"}}])
    with connect(world) as smtp:
        smtp.sendmail(sender, [f"closed@{RECEIVING}"], mail_to(f"closed@{RECEIVING}", "for nobody", sender=sender))
    [raw] = world.delivered(sender)
    bounce = email.message_from_bytes(raw)
    assert bounce.get_content_type() == "multipart/report" and f"mailer-daemon@{RECEIVING}" in bounce["From"]
    status = bounce.get_payload()[1]
    assert status.get_content_type() == "message/delivery-status"
    about = status.get_payload()[1]
    assert about["Final-Recipient"] == f"rfc822; closed@{RECEIVING}" and about["Status"] == "5.1.1", about.as_string()
    if not world.dev:
        assert world.sink.to(sender)[0].sender == "", "a bounce has the null sender"


def check_line_ends(world):
    """A bare LF or CR never ends a line or the data: what looks like a second mail inside one is refused with it."""
    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r"):
        with socket.create_connection(("127.0.0.1", world.server.port("smtp")), timeout=10) as raw:
            lines = raw.makefile("rb")

            def say(line, lines=lines, raw=raw):
                raw.sendall(line)
                while (answer := lines.readline())[3:4] == b"-":
                    pass
                return answer
            assert lines.readline().startswith(b"220")
            say(b"EHLO x.example\r\n")
            say(b"MAIL FROM:<ann@stranger.example>\r\n")
            say(b"RCPT TO:<keep@%s>\r\n" % RECEIVING.encode())
            assert say(b"DATA\r\n").startswith(b"354")
            smuggled = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<keep@%s>\r\nDATA\r\n" % RECEIVING.encode()
            answer = say(b"Subject: outer\r\n\r\nx" + end + smuggled + b"Subject: smuggled\r\n\r\ny\r\n.\r\n")
            assert answer.startswith(b"550 5.6.11"), (end, answer)
            # One answer to one mail, and the session is where it should be.
            assert say(b"NOOP\r\n").startswith(b"250"), end
            assert say(b"RCPT TO:<keep@%s>\r\n" % RECEIVING.encode()).startswith(b"503"), end
    with connect(world) as smtp:
        smtp.sendmail("ann@stranger.example", [f"keep@{RECEIVING}"], mail_to(f"keep@{RECEIVING}", "the last one"))
    [only] = world.take(world.kept)
    assert json.loads(only["Body"])["mail"]["commonHeaders"]["subject"] == "the last one", only


def check_pipelining(world):
    with socket.create_connection(("127.0.0.1", world.server.port("smtp")), timeout=10) as raw:
        lines = raw.makefile("rb")
        assert lines.readline().startswith(b"220")
        mail = b"MAIL FROM:<ann@stranger.example>\r\nRCPT TO:<nobody@%s>\r\nRCPT TO:<keep@%s>\r\nDATA\r\n" % (
            (RECEIVING.encode(),) * 2)
        raw.sendall(b"EHLO x.example\r\n" + mail)
        while lines.readline()[3:4] == b"-":
            pass
        assert [lines.readline()[:3] for _ in range(4)] == [b"250", b"550", b"250", b"354"]
        raw.sendall(mail_to(f"keep@{RECEIVING}", "pipelined") + b".\r\nQUIT\r\n")
        assert [lines.readline()[:3] for _ in range(2)] == [b"250", b"221"]
    [got] = world.take(world.kept)
    assert json.loads(got["Body"])["mail"]["commonHeaders"]["subject"] == "pipelined"


def check_cut_off_and_limits(world):
    """Half a mail is no mail; and there is an end to everything that a client may send."""
    def session(*commands):
        raw = socket.create_connection(("127.0.0.1", world.server.port("smtp")), timeout=10)
        lines = raw.makefile("rb")
        lines.readline()
        answer = b""
        for command in (b"EHLO x.example", *commands):
            raw.sendall(command + b"\r\n")
            while (answer := lines.readline())[3:4] == b"-":
                pass
        return raw, lines, answer
    keep = b"RCPT TO:<keep@%s>" % RECEIVING.encode()
    for half in (b"Subject: half\r\n\r\nhalf", b"Subject: half\r\n\r\nhalf\r\n.\r", b"Subject: half\r\n\r\n.\n"):
        raw, _, answer = session(b"MAIL FROM:<ann@stranger.example>", keep, b"DATA")
        assert answer.startswith(b"354"), answer
        raw.sendall(half)
        raw.close()
    raw, lines, answer = session(b"MAIL FROM:<ann@stranger.example>", keep, b"DATA")
    raw.sendall(b"Subject: long line\r\n\r\n" + b"x" * 100_000 + b"\r\n.\r\n")
    assert lines.readline()[:3] in (b"500", b"554"), "a line has a limit"
    rule(world, "many", [f"many.{RECEIVING}"], [{"StopAction": {"Scope": "RuleSet"}}])
    recipients = [b"RCPT TO:<u%d@many.%s>" % (n, RECEIVING.encode()) for n in range(100)]
    raw, lines, answer = session(b"MAIL FROM:<ann@stranger.example>", *recipients)
    assert answer.startswith(b"250"), answer
    raw.sendall(keep + b"\r\n")
    assert lines.readline().startswith(b"452"), "a mail has at most 100 recipients"
    raw, lines, answer = session(b"MAIL FROM:<ann@stranger.example>", keep, b"DATA")
    raw.sendall(b"".join(b"Received: from a by b; now\r\n" for _ in range(150)) + b"\r\nround and round\r\n.\r\n")
    assert lines.readline().startswith(b"554"), "a mail that goes in circles"
    with connect(world) as smtp:
        smtp.sendmail("ann@stranger.example", [f"keep@{RECEIVING}"], mail_to(f"keep@{RECEIVING}", "only this"))
    [only] = world.take(world.kept)
    assert json.loads(only["Body"])["mail"]["commonHeaders"]["subject"] == "only this", only


def check_authentication_verdicts(world):
    """SPF is looked up for the sender's domain, and its verdict stands in the notification."""
    good, bad = f"{world.name('spf')}.example", f"{world.name('spf')}.example"
    world.dns.set(good, TXT, ["v=spf1 ip4:127.0.0.1 -all"])
    world.dns.set(bad, TXT, ["v=spf1 -all"])
    with connect(world) as smtp:
        for domain in (good, bad):
            smtp.sendmail(f"ann@{domain}", [f"keep@{RECEIVING}"], mail_to(f"keep@{RECEIVING}", domain, sender=f"ann@{domain}"))
    notes = [json.loads(message["Body"]) for message in world.take(world.kept, 2, within=40)]
    verdicts = {note["mail"]["commonHeaders"]["subject"]: note["receipt"]["spfVerdict"]["status"] for note in notes}
    assert verdicts == {good: "PASS", bad: "FAIL"}, verdicts


def check_ip_filters(world):
    """The most specific filter for the client's address decides, while the mail is offered."""
    ses, account_name = world.client("ses"), world.name("filter")
    def answer(recipient):
        with connect(world) as smtp:
            smtp.ehlo()
            smtp.mail("ann@stranger.example")
            return smtp.rcpt(recipient)
    def create(name, policy, cidr):
        ses.create_receipt_filter(Filter={"Name": name, "IpFilter": {"Policy": policy, "Cidr": cidr}})
    create(account_name, "Block", "127.0.0.0/8")
    code, text = answer(f"keep@{RECEIVING}")
    assert code == 550 and text.startswith(b"5.7.1 "), (code, text)
    create(account_name + "-one", "Allow", "127.0.0.1")
    assert answer(f"keep@{RECEIVING}")[0] == 250
    listed = ses.list_receipt_filters()["Filters"]
    assert {"Name": account_name, "IpFilter": {"Policy": "Block", "Cidr": "127.0.0.0/8"}} in listed, listed
    refused("AlreadyExists", lambda: create(account_name, "Allow", "10.0.0.0/8"), 400)
    refused("InvalidParameterValue", lambda: create("bad", "Allow", "10.0.0.0/99"), 400)
    for each in listed:
        ses.delete_receipt_filter(FilterName=each["Name"])
    ses.delete_receipt_filter(FilterName=account_name)
    assert ses.list_receipt_filters()["Filters"] == []
    # Every domain that receives has a postmaster, with a rule or without.
    assert answer(f"postmaster@{RECEIVING}")[0] == 250 and answer("postmaster")[0] == 250


def check_own_actions(world):
    """A rule with actions of our own, made by `admin receipt-rule`, beside the running server; and what is refused."""
    queue = world.client("sqs").create_queue(QueueName=world.name("own"))["QueueUrl"]
    path, recipient = "/own-action", f"own@{RECEIVING}"
    made = {"Name": "own", "Enabled": True, "Recipients": [recipient], "Actions": [
        {"WebhookAction": {"Url": world.webhook.url + path, "Secret": "a secret of more than 16", "BucketName": "own-mail"}},
        {"SqsAction": {"QueueArn": queue_arn(world, queue)}},
        {"ForwardAction": {"Recipients": [f"kept@{RECEIVING}"]}}]}
    file = os.path.join(world.server.directory, "rule.json")
    with open(file, "w", encoding="utf-8") as out:
        json.dump(made, out)
    told = json.loads("".join(world.server.admin("receipt-rule", world.rule_set, file, "--account", world.account)))
    assert told["Actions"][0]["WebhookAction"]["Url"] == world.webhook.url + path and "Secret" not in str(told), told
    seen = world.client("ses").describe_receipt_rule(RuleSetName=world.rule_set, RuleName="own")["Rule"]
    assert seen["Recipients"] == [recipient] and len(seen["Actions"]) == 3, seen
    world.webhook.fail[path] = 1
    with connect(world) as smtp:
        smtp.sendmail("ann@stranger.example", [recipient], mail_to(recipient, "for all three"))
    [message] = world.take(queue)
    assert json.loads(message["Body"])["receipt"]["action"]["type"] == "SQS", message
    [(headers, body)] = wait_for("the webhook's second attempt", lambda: world.webhook.received[path], 40)
    assert {key.lower(): value for key, value in headers.items()}["webhook-signature"].startswith("v1,"), headers
    assert body["content"]["text"] == "Hello.\r\n" and body["mail"]["messageId"], body
    whole = object_at(world, "own-mail", body["content"]["message"]["objectKey"])
    assert whole.endswith(mail_to(recipient, "for all three")), whole
    # Forwarded: from the receiver's own address, unchanged below the trace.
    [forwarded] = world.delivered(f"kept@{RECEIVING}")
    assert forwarded.endswith(mail_to(recipient, "for all three")) and b"Delivered-To: own@" in forwarded, forwarded
    ses = world.client("ses")
    ses.delete_receipt_rule(RuleSetName=world.rule_set, RuleName="own")
    for action in ({"WorkmailAction": {"OrganizationArn": "arn:aws:workmail:us-east-1:1:organization/m"}},
                   {"ConnectAction": {"InstanceARN": "arn:x", "IAMRoleARN": "arn:y"}}):
        refused("InvalidParameterValue", lambda action=action: rule(world, "no", [recipient], [action]), 400)
    function = f"arn:aws:lambda:us-east-1:{world.account}:function:unknown"
    refused("InvalidLambdaFunction", lambda: rule(world, "no", [recipient], [{"LambdaAction": {"FunctionArn": function}}]))


def check_encrypted_mail(world):
    """An S3 action with a KMS key: what lies in the bucket opens with AES-GCM and the unwrapped data key, by hand and with
    `admin decrypt-object`, and with nothing else."""
    ses = world.client("ses")
    recipient = f"sealed@{RECEIVING}"
    managed = f"arn:aws:kms:us-east-1:{world.account}:alias/aws/ses"
    own = f"arn:aws:kms:us-east-1:{world.account}:key/{KMS_KEY}"
    for number, key in enumerate((managed, own)):
        topic = world.client("sns").create_topic(Name=world.name("sealed"))["TopicArn"]
        queue, arn = world.queue("sealed")
        world.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        action = {"BucketName": "sealed-mail", "ObjectKeyPrefix": "in/", "KmsKeyArn": key, "TopicArn": topic}
        rule(world, "sealed", [recipient], [{"S3Action": action}, {"StopAction": {"Scope": "RuleSet"}}])
        seen = ses.describe_receipt_rule(RuleSetName=world.rule_set, RuleName="sealed")["Rule"]
        assert seen["Actions"][0]["S3Action"] == action, seen
        original = mail_to(recipient, "Sealed", "nobody reads this\r\n" * 3000)
        with connect(world) as smtp:
            smtp.sendmail("ann@stranger.example", [recipient], original)
        [told] = world.take(queue)
        told = json.loads(told["Body"])
        name = told["receipt"]["action"]["objectKey"]
        body = object_at(world, "sealed-mail", name)
        metadata = json.loads(object_at(world, "sealed-mail", name + ".instruction"))
        assert b"nobody reads" not in body and b"Subject" not in body, body[:200]
        assert {key: metadata[key] for key in ("x-amz-wrap-alg", "x-amz-cek-alg", "x-amz-tag-len")} == {
            "x-amz-wrap-alg": "kms", "x-amz-cek-alg": "AES/GCM/NoPadding", "x-amz-tag-len": "128"}, metadata
        assert json.loads(metadata["x-amz-matdesc"]) == {
            "aws:ses:message-id": told["mail"]["messageId"], "aws:ses:rule-name": "sealed",
            "aws:ses:source-account": world.account, "kms_cmk_id": key}, metadata
        mail = AESGCM(unwrapped(world, metadata)).decrypt(base64.b64decode(metadata["x-amz-iv"]), body, None)
        assert len(mail) == int(metadata["x-amz-unencrypted-content-length"]) == len(body) - 16
        assert "Received" in after_trace(mail, original)
        path = os.path.join(world.server.directory, "data", "objects", "sealed-mail", name)
        out = os.path.join(world.server.directory, f"opened-{number}")
        world.server.admin("--config", world.config, "decrypt-object", path, "--output", out)
        with open(out, "rb") as file:
            assert file.read() == mail
        with open(path + ".changed", "wb") as file:
            file.write(body[:-1] + bytes([body[-1] ^ 1]))
        try:
            world.server.admin("--config", world.config, "decrypt-object", path + ".changed", "--metadata",
                               path + ".instruction")
            raise RuntimeError("a changed object was opened")
        except AssertionError as refusal:
            assert "was changed" in str(refusal), refusal
        ses.delete_receipt_rule(RuleSetName=world.rule_set, RuleName="sealed")
    for key in ("arn:aws:kms:us-east-1:000000000000:key/unknown", "alias/aws/s3", "not a key"):
        refused("InvalidS3Configuration", lambda key=key: rule(world, "sealed", [recipient], [
            {"S3Action": {"BucketName": "sealed-mail", "KmsKeyArn": key}}]), 400)


def unwrapped(world, metadata):
    """The data key, by the form that README tells: it stands in for what KMS's Decrypt gives on AWS."""
    with open(os.path.join(world.server.directory, "data", "master-key"), encoding="ascii") as file:
        master = base64.b64decode(file.read().split()[0])
    blob = base64.b64decode(metadata["x-amz-key-v2"])
    assert blob[0] == 2, blob
    length = blob[9]
    key_id, rest = blob[10:10 + length], blob[10 + length:]
    wrapping = hmac.new(master, b"postrider data keys " + key_id, hashlib.sha256).digest()
    context = b"postrider data key\0" + metadata["x-amz-matdesc"].encode()
    return AESGCM(wrapping).decrypt(rest[:12], rest[12:], context)


def queue_arn(world, url):
    return world.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
