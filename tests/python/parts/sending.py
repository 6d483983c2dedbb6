"""Part 3: SES sending: what is composed, where it goes, who may send, and what its sender hears of it."""
import email
import email.header
import email.policy
import json
import re
import smtplib
import ssl
import time
from email.utils import parsedate_to_datetime

import dkim_by_hand
from expect import refused
from peers import A, MX, TXT
from server import wait_for
from world import HOSTNAME, SENDING

NEWS = f"Jürgen Müller <news@{SENDING}>"
ALL_TYPES = ["SEND", "DELIVERY", "BOUNCE", "DELIVERY_DELAY"]
PNG = bytes(range(256)) * 20


def simple(subject="Hello", text="Hello.", **more):
    return {"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": text}}, **more}}


def parsed(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def decoded(words):
    return str(email.header.make_header(email.header.decode_header(words)))


def check_composed_mail(world):
    ses = world.client("sesv2")
    to, cc, bcc = (f"{name}@{world.name('rcpt')}.example" for name in ("to", "cc", "bcc"))
    subject = "Grüße aus Köln – 世界 " + "long " * 30
    text, html = "Guten Tag, 世界!\n.\n..dots\nEnd", "<p>Guten Tag, 世界! <img src=cid:logo></p>"
    sent = ses.send_email(
        FromEmailAddress=NEWS, ReplyToAddresses=[f"Antwort <re@{SENDING}>"],
        Destination={"ToAddresses": [f"Renée <{to}>"], "CcAddresses": [cc], "BccAddresses": [bcc]},
        Content={"Simple": {
            "Subject": {"Data": subject, "Charset": "UTF-8"},
            "Body": {"Text": {"Data": text, "Charset": "UTF-8"}, "Html": {"Data": html, "Charset": "UTF-8"}},
            "Headers": [{"Name": "X-Campaign", "Value": "spring"}],
            "Attachments": [
                {"RawContent": PNG, "FileName": "logo.png", "ContentType": "image/png", "ContentDisposition": "INLINE",
                 "ContentId": "logo", "ContentTransferEncoding": "BASE64"},
                {"RawContent": b"%PDF- data", "FileName": "Prüfung 1.pdf", "ContentType": "application/pdf",
                 "ContentDisposition": "ATTACHMENT"}]}})
    for recipient in (to, cc, bcc):
        [raw] = world.delivered(recipient)
        assert b"\n" not in raw.replace(b"\r\n", b"") and max(map(len, raw.split(b"\r\n"))) <= 998
        mail = parsed(raw)
        assert not mail.defects, mail.defects
        assert mail["Subject"].strip() == subject.strip(), mail["Subject"]
        sender = mail["From"].addresses[0]
        assert (sender.display_name, sender.addr_spec) == ("Jürgen Müller", f"news@{SENDING}")
        receiver = mail["To"].addresses[0]
        assert (receiver.display_name, receiver.addr_spec) == ("Renée", to) and mail["Cc"].addresses[0].addr_spec == cc
        assert mail["Bcc"] is None and bcc.encode() not in raw, "Bcc must not be seen"
        assert mail["Reply-To"].addresses[0].addr_spec == f"re@{SENDING}" and mail["X-Campaign"] == "spring"
        assert mail["Message-ID"] == f"<{sent['MessageId']}@{HOSTNAME}>", mail["Message-ID"]
        assert abs(parsedate_to_datetime(mail["Date"]).timestamp() - time.time()) < 120
        assert mail["MIME-Version"] == "1.0"
        assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip("\n") == text
        assert mail.get_body(("html",)).get_content().rstrip("\r\n") == html
        parts = {part.get_filename(): part for part in mail.walk() if part.get_filename()}
        logo, pdf = parts["logo.png"], parts["Prüfung 1.pdf"]
        assert logo.get_content() == PNG and logo["Content-ID"] == "<logo>", logo["Content-ID"]
        assert logo.get_content_disposition() == "inline" and pdf.get_content_disposition() == "attachment"
        assert pdf.get_content() == b"%PDF- data" and pdf.get_content_type() == "application/pdf"


def check_signed_with_dkim(world):
    ses = world.client("sesv2")
    to = f"signed@{world.name('rcpt')}.example"
    ses.send_email(FromEmailAddress=NEWS, Destination={"ToAddresses": [to]}, Content=simple("Signed", "a  b \n\n\n"))
    [raw] = world.delivered(to)
    [line] = world.server.keys("dns-records", SENDING, "--account", world.account)
    name, _, value = line.split(" ", 2)

    def record(asked):
        assert asked == name, (asked, name)
        return value.strip('"') if world.dev else world.dns.records[(asked.lower(), TXT)][0]
    assert dkim_by_hand.verify(raw, record)["d"] == SENDING


def check_what_was_said_is_kept(world):
    to = f"said@{world.name('rcpt')}.example"
    sent = world.client("sesv2").send_email(FromEmailAddress=NEWS, Destination={"ToAddresses": [to]}, Content=simple())
    world.delivered(to)
    lines = wait_for("a transcript", lambda: [lines for lines in [world.server.admin("transcript", sent["MessageId"])]
                              if f"{to} Delivered" in lines])[0]
    attempt = lines[lines.index(f"{to} Delivered") + 1]
    assert attempt.startswith("  attempt 1 ") and " Delivered " in attempt, lines
    assert world.dev or f"    > RCPT TO:<{to}>" in lines, lines


def check_raw_and_v1(world):
    v2, v1 = world.client("sesv2"), world.client("ses")
    to, hidden = f"raw@{world.name('rcpt')}.example", f"hidden@{world.name('rcpt')}.example"
    raw = (f"From: news@{SENDING}\r\nTo: {to}\r\nBcc: {hidden}\r\nSubject: Raw\r\nMessage-ID: <mine@x>\r\n"
           "Date: Mon, 1 Jan 2001 00:00:00 +0000\r\nX-Mine: kept\r\n\r\nÜ line\r\n.\r\nend\r\n").encode()
    sent = v2.send_email(Content={"Raw": {"Data": raw}})
    for recipient in (to, hidden):
        [got] = world.delivered(recipient)
        mail = parsed(got)
        assert mail["X-Mine"] == "kept" and mail["Bcc"] is None
        assert mail["Message-ID"] == f"<{sent['MessageId']}@{HOSTNAME}>" and "2001" not in mail["Date"]
        assert got.split(b"\r\n\r\n", 1)[1].rstrip(b"\r\n") == "Ü line\r\n.\r\nend".encode(), got[-40:]
    to = f"v1@{world.name('rcpt')}.example"
    v1.send_email(Source=NEWS, Destination={"ToAddresses": [to]},
                  Message={"Subject": {"Data": "Grüße v1"}, "Body": {"Html": {"Data": "<b>v1</b>"}}})
    [got] = world.delivered(to)
    assert parsed(got)["Subject"] == "Grüße v1" and parsed(got).get_content_type() == "text/html"
    to = f"v1raw@{world.name('rcpt')}.example"
    v1.send_raw_email(Source=f"news@{SENDING}", Destinations=[to], RawMessage={
        "Data": f"From: news@{SENDING}\nTo: undisclosed:;\nSubject: raw v1\n\nbody\n".encode()})
    [got] = world.delivered(to)
    assert parsed(got)["Subject"] == "raw v1"
    quota = v1.get_send_quota()
    account = v2.get_account()
    assert quota["Max24HourSend"] == account["SendQuota"]["Max24HourSend"] == -1.0, quota
    assert quota["SentLast24Hours"] == account["SendQuota"]["SentLast24Hours"] >= 4
    assert account["ProductionAccessEnabled"] and account["SendingEnabled"], account


def check_identities(world):
    v2, v1 = world.client("sesv2"), world.client("ses")
    domain = f"{world.name('id')}.example"
    made = v2.create_email_identity(EmailIdentity=domain)
    assert made["IdentityType"] == "DOMAIN" and len(made["DkimAttributes"]["Tokens"]) == 3, made
    refused("AlreadyExistsException", lambda: v2.create_email_identity(EmailIdentity=domain), 400)
    got = v2.get_email_identity(EmailIdentity=domain)
    assert got["VerificationStatus"] == ("SUCCESS" if world.dev else "PENDING"), got
    assert got["DkimAttributes"]["Tokens"] == made["DkimAttributes"]["Tokens"]
    listed = []
    page = {}
    while True:
        answer = v2.list_email_identities(PageSize=2, **page)
        listed += [one["IdentityName"] for one in answer["EmailIdentities"]]
        if not answer.get("NextToken"):
            break
        page = {"NextToken": answer["NextToken"]}
    assert domain in listed and SENDING in listed and len(listed) == len(set(listed)), listed
    # The older route of the same list.
    status, _, body = world.signed("ses", None, method="GET", path="/v2/email/identities")
    assert status == 200 and SENDING.encode() in body, (status, body)
    assert domain in v1.list_identities()["Identities"]
    refused("NotFoundException", lambda: v2.get_email_identity(EmailIdentity="nobody.example"), 404)
    refused("BadRequestException", lambda: v2.create_email_identity(EmailIdentity="not an identity"), 400)
    v2.delete_email_identity(EmailIdentity=domain)
    refused("NotFoundException", lambda: v2.get_email_identity(EmailIdentity=domain), 404)


def check_unverified_sender(world):
    v2, v1 = world.client("sesv2"), world.client("ses")
    text = "Email address is not verified. The following identities failed the check in region US-EAST-1: a@nobody.example"
    to = {"ToAddresses": ["x@rcpt.example"]}
    got = refused("MessageRejected", lambda: v2.send_email(
        FromEmailAddress="a@nobody.example", Destination=to, Content=simple()), 400)
    assert got["Message"] == text, got
    got = refused("MessageRejected", lambda: v1.send_email(
        Source="a@nobody.example", Destination=to,
        Message={"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}), 400)
    assert got["Message"] == text, got
    raw = f"From: a@nobody.example\r\nTo: x@rcpt.example\r\n\r\nx\r\n".encode()
    refused("MessageRejected", lambda: v2.send_email(
        FromEmailAddress=f"a@{SENDING}", Destination=to, Content={"Raw": {"Data": raw}}), 400, "a@nobody.example")


def check_events(world):
    ses = world.client("sesv2")
    name, events = world.configuration_set(ALL_TYPES)
    assert name in ses.list_configuration_sets()["ConfigurationSets"]
    [destination] = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]
    assert destination["Enabled"] and set(destination["MatchingEventTypes"]) == set(ALL_TYPES), destination
    to = f"events@{world.name('rcpt')}.example"
    sent = ses.send_email(FromEmailAddress=NEWS, Destination={"ToAddresses": [to]}, Content=simple("Ereignis ü"),
                          ConfigurationSetName=name, EmailTags=[{"Name": "campaign", "Value": "spring"}])["MessageId"]
    send, delivery = events.of(sent, "Send"), events.of(sent, "Delivery")
    assert set(send) == {"eventType", "mail", "send"} and send["send"] == {}, send
    mail = send["mail"]
    assert mail["source"] == NEWS or f"news@{SENDING}" in mail["source"], mail
    assert mail["sourceArn"] == f"arn:aws:ses:us-east-1:{world.account}:identity/{SENDING}", mail
    assert mail["sendingAccountId"] == world.account and mail["destination"] == [to], mail
    assert mail["headersTruncated"] is False and decoded(mail["commonHeaders"]["subject"]) == "Ereignis ü"
    assert mail["commonHeaders"]["messageId"] == sent and mail["commonHeaders"]["to"] == [to], mail
    assert {"From", "To", "Subject"} <= {h["name"] for h in mail["headers"]}, mail
    tags = mail["tags"]
    assert tags["campaign"] == ["spring"] and tags["ses:configuration-set"] == [name], tags
    assert tags["ses:source-ip"] == ["127.0.0.1"] and tags["ses:from-domain"] == [SENDING], tags
    assert "ses:caller-identity" in tags and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", mail["timestamp"])
    told = delivery["delivery"]
    assert set(told) == {"timestamp", "processingTimeMillis", "recipients", "smtpResponse", "reportingMTA"}, told
    assert told["recipients"] == [to] and told["reportingMTA"] == HOSTNAME and told["processingTimeMillis"] >= 0, told
    assert world.dev or told["smtpResponse"] == "250 2.0.0 taken by the sink", told
    refused("NotFoundException", lambda: ses.send_email(
        FromEmailAddress=NEWS, Destination={"ToAddresses": [to]}, Content=simple(), ConfigurationSetName="missing"), 404)
    refused("BadRequestException", lambda: ses.create_configuration_set_event_destination(
        ConfigurationSetName=name, EventDestinationName="bad", EventDestination={
            "Enabled": True, "MatchingEventTypes": ["SEND"],
            "SnsDestination": {"TopicArn": f"arn:aws:sns:us-east-1:{world.account}:missing"}}), 400)


def check_submission(world):
    """SMTP submission comes through the same door: STARTTLS, AUTH, then as the API."""
    if world.dev:
        user, password = "dev", "dev"
    else:
        lines = dict(line.split(" = ") for line in world.server.admin("smtp-credentials", world.keys[0]))
        user, password = lines["user"], lines["password"]
    trusting = ssl._create_unverified_context()
    to = f"submitted@{world.name('rcpt')}.example"
    mail = f"From: news@{SENDING}\r\nTo: {to}\r\nSubject: Submitted\r\n\r\nHello.\r\n"
    with smtplib.SMTP("127.0.0.1", world.server.port("submission"), timeout=10) as smtp:
        smtp.ehlo("client.example")
        assert smtp.has_extn("starttls") and not smtp.has_extn("auth"), smtp.esmtp_features
        assert smtp.docmd("MAIL FROM:<news@%s>" % SENDING)[0] == 530
        smtp.starttls(context=trusting)
        smtp.login(user, password)
        smtp.sendmail(f"news@{SENDING}", [to], mail)
    with smtplib.SMTP_SSL("127.0.0.1", world.server.port("submissions"), timeout=10, context=trusting) as smtp:
        if not world.dev:
            try:
                smtp.login(user, "wrong")
                raise AssertionError("a wrong password was taken")
            except smtplib.SMTPAuthenticationError as error:
                assert error.smtp_code == 535, error
        smtp.login(user, password)
        smtp.sendmail(f"news@{SENDING}", [to], mail)
        try:
            smtp.sendmail("a@nobody.example", [to], mail.replace(SENDING, "nobody.example"))
            raise AssertionError("an unverified sender was taken")
        except smtplib.SMTPDataError as error:
            assert error.smtp_code == 554 and b"Email address is not verified" in error.smtp_error, error
    assert len(world.delivered(to, count=2)) == 2


def check_bounces_and_deferrals(world):
    """The relay refuses some recipients for good and one for now."""
    if world.dev:
        return
    ses = world.client("sesv2")
    name, events = world.configuration_set(ALL_TYPES)
    domain = f"{world.name('rcpt')}.example"
    world.sink.answers["gone"] = ["550 5.1.1 no such user"]
    world.sink.answers["later"] = ["451 4.2.1 greylisted", None]
    world.sink.after_data["virus"] = ["554 5.7.1 content refused"]

    def send(*locals_):
        return ses.send_email(FromEmailAddress=NEWS, ConfigurationSetName=name, Content=simple(),
                              Destination={"ToAddresses": [f"{one}@{domain}" for one in locals_]})["MessageId"]
    sent = send("gone", "fine", "later")
    bounce = events.of(sent, "Bounce")["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) in [("Permanent", "General"), ("Permanent", "NoEmail")], bounce
    [one] = bounce["bouncedRecipients"]
    assert one == {"emailAddress": f"gone@{domain}", "action": "failed", "status": "5.1.1",
                   "diagnosticCode": "smtp; 550 5.1.1 no such user"}, one
    assert bounce["feedbackId"] and bounce["reportingMTA"] == f"dns; {HOSTNAME}", bounce
    assert events.of(sent, "Delivery", about=f"fine@{domain}")
    content = events.of(send("virus"), "Bounce")["bounce"]
    assert content["bouncedRecipients"][0]["status"] == "5.7.1", content
    later = f"later@{domain}"
    wait_for("the first attempt", lambda: world.sink.tried[later] == 1)
    wait_for("the deferral in the log", lambda: re.search(f"{sent}.*deferred.*greylisted", world.server.log()))
    assert not world.sink.to(later)

    # The retry is a minute away: looked at when all else is done, crashes and restarts included.
    def retried():
        [mail] = wait_for("the retry", lambda: world.sink.to(later), 90)
        assert f"<{sent}@".encode() in mail.data and world.sink.tried[later] >= 2
        assert events.of(sent, "Delivery", about=later)
    world.at_the_end.append(("a deferred mail arrives", retried))


def check_sandbox(world):
    """The other account is in the sandbox: verified recipients only, one per second, 200 in 24 hours."""
    if world.dev:
        return
    ses, v1 = world.client("sesv2", world.other_keys), world.client("ses", world.other_keys)
    domain = f"{world.name('sandbox')}.example"
    ses.create_email_identity(EmailIdentity=domain)
    refused("MessageRejected", lambda: ses.send_email(
        FromEmailAddress=f"a@{domain}", Destination={"ToAddresses": [f"b@{domain}"]}, Content=simple()), 400,
        f"US-EAST-1: a@{domain}, b@{domain}")
    world.publish_record(domain, world.other_account)
    world.restart()
    world.wait_verified(world.client("sesv2", world.other_keys), domain)
    account = ses.get_account()
    assert account["ProductionAccessEnabled"] is False, account
    assert account["SendQuota"] == {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 0.0}, account
    got = refused("MessageRejected", lambda: ses.send_email(
        FromEmailAddress=f"a@{domain}", Destination={"ToAddresses": ["x@stranger.example"]}, Content=simple()), 400)
    assert got["Message"] == ("Email address is not verified. The following identities failed the check in region "
                              "US-EAST-1: x@stranger.example"), got
    sent = 0
    limits = set()

    def used_up():
        nonlocal sent
        try:
            ses.send_email(FromEmailAddress=f"a@{domain}", Content=simple(), Destination={
                "ToAddresses": [f"u{n}@{domain}" for n in range(50)]})
            sent += 50
        except ses.exceptions.TooManyRequestsException as error:
            limits.add(error.response["Error"]["Message"])
        return "Daily message quota exceeded." in limits
    wait_for("the quota is used up", used_up, 30, pause=0.1)
    assert sent == 200 and limits == {"Maximum sending rate exceeded.", "Daily message quota exceeded."}, (sent, limits)
    quota = v1.get_send_quota()
    assert (quota["Max24HourSend"], quota["MaxSendRate"], quota["SentLast24Hours"]) == (200.0, 1.0, 200.0), quota
    refused("Throttling", lambda: v1.send_email(
        Source=f"a@{domain}", Destination={"ToAddresses": [f"b@{domain}"]},
        Message={"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}))
    assert not world.sink.to("x@stranger.example")


def check_mailed_link(world):
    """An address is verified by the link that is mailed to it."""
    v2, v1 = world.client("sesv2"), world.client("ses")
    one, two = f"one@{world.name('person')}.example", f"two@{world.name('person')}.example"
    made = v2.create_email_identity(EmailIdentity=one)
    assert made["IdentityType"] == "EMAIL_ADDRESS" and made["VerifiedForSendingStatus"] is world.dev, made
    v1.verify_email_identity(EmailAddress=two)
    if not world.dev:
        for address in (one, two):
            refused("MessageRejected", lambda: v2.send_email(
                FromEmailAddress=address, Destination={"ToAddresses": ["x@rcpt.example"]}, Content=simple()), 400)
            [raw] = world.delivered(address)
            link = re.search(r"http://\S+/_postrider/verify\?token=\w+", parsed(raw).get_content()).group(0)
            assert world.http(link[:-1] + ("a" if link[-1] != "a" else "b"))[0] == 404
            assert world.http(link)[0] == 200, "it asks"
            assert not v2.get_email_identity(EmailIdentity=address)["VerifiedForSendingStatus"], "opening it does nothing"
            assert world.http(link, method="POST")[0] == 200
            assert world.http(link)[0] == 404 and world.http(link, method="POST")[0] == 404, "a link works once"
    for address in (one, two):
        assert v2.get_email_identity(EmailIdentity=address)["VerifiedForSendingStatus"], address
        v2.send_email(FromEmailAddress=address, Destination={"ToAddresses": [f"x@{address.split('@')[1]}"]},
                      Content=simple())
    states = v1.get_identity_verification_attributes(Identities=[one, "nobody@x.example"])["VerificationAttributes"]
    assert states[one]["VerificationStatus"] == "Success" and "nobody@x.example" not in states, states


def check_inbox(world):
    """What `dev` keeps: the pages under /_postrider/inbox. In `serve` there is none."""
    if not world.dev:
        status, _, body = world.http("/_postrider/inbox")
        assert status in (400, 403, 404) and b"subject" not in body, (status, body)
        return
    ses = world.client("sesv2")
    to = f"inbox@{world.name('rcpt')}.example"
    sent = ses.send_email(FromEmailAddress=NEWS, Destination={"ToAddresses": [to]}, Content={"Simple": {
        "Subject": {"Data": "Für die Inbox"}, "Body": {"Text": {"Data": "text"}, "Html": {"Data": "<i>html</i>"}},
        "Attachments": [{"RawContent": b"data", "FileName": "a.bin"}]}})["MessageId"]
    world.delivered(to)
    [one] = [mail for mail in world.inbox() if mail["to"] == to]
    assert {"id", "from", "to", "subject", "date", "size"} <= one.keys() and one["id"] == sent, one
    assert one["subject"] == "Für die Inbox" and one["from"] == f"news@{SENDING}", one
    status, _, body = world.http(f"/_postrider/inbox/{one['id']}")
    shown = json.loads(body)
    assert status == 200 and shown["text"].strip() == "text" and shown["html"].strip() == "<i>html</i>", shown
    assert shown["attachments"][0]["name"] == "a.bin" and shown["attachments"][0]["size"] == 4, shown
    status, headers, raw = world.http(f"/_postrider/inbox/{one['id']}/raw")
    assert headers["Content-Type"] == "message/rfc822" and len(raw) == one["size"], headers
    assert world.http("/_postrider/inbox/nothing")[0] == 404
    assert world.http("/_postrider/inbox", method="DELETE")[0] == 200 and world.inbox() == []


def check_mx(world):
    """`mx` delivery: the first host is down, so the second takes it; no MX means the domain's own address; a null MX and
    an unknown domain bounce."""
    if world.dev:
        return
    world.restart(flags=[flag for flag in world.server.flags if flag not in world.relay])
    try:
        deliver_by_mx(world)
    finally:
        world.restart(flags=world.server.flags + world.relay)


def deliver_by_mx(world):
    ses = world.client("sesv2")
    name, events = world.configuration_set(ALL_TYPES)
    two_hosts, own_address, null, unknown = (f"{world.name('mx')}.example" for _ in range(4))
    world.dns.set(two_hosts, MX, [(10, "down." + two_hosts), (20, "up." + two_hosts)])
    world.dns.set("down." + two_hosts, A, ["127.0.0.2"])
    world.dns.set("up." + two_hosts, A, ["127.0.0.1"])
    world.dns.set(own_address, A, ["127.0.0.1"])
    world.dns.set(null, MX, [(0, ".")])

    def send(domain):
        return ses.send_email(FromEmailAddress=NEWS, Content=simple(), ConfigurationSetName=name,
                              Destination={"ToAddresses": [f"someone@{domain}"]})["MessageId"]
    for domain in (two_hosts, own_address):
        sent = send(domain)
        [mail] = wait_for(f"a mail to {domain}", lambda: world.sink.to(f"someone@{domain}"))
        assert mail.sender.startswith("fb-") and f"<{sent}@".encode() in mail.data, mail.sender
        events.of(sent, "Delivery")
    assert (two_hosts, MX) in world.dns.asked
    for domain in (null, unknown):
        bounce = events.of(send(domain), "Bounce")["bounce"]
        assert bounce["bounceType"] == "Permanent", bounce
