"""What the server publishes of a mail has the members and types of the golden files in `tests/golden/ses`."""
import json
import os

from home import home

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "golden", "ses")
# Members whose names are the caller's or the message's own.
OPEN = {"tags": [str], "commonHeaders": None}
COMMON = {"from": list, "to": list, "cc": list, "bcc": list, "replyTo": list, "sender": list, "date": str, "messageId": str,
          "subject": str, "returnPath": str}


def like(told, golden, path, without=()):
    """Fails where members or types differ."""
    if isinstance(golden, dict):
        assert set(told) == set(golden) - set(without), (path, sorted(told), sorted(golden))
        for name, inner in told.items():
            if name == "tags":
                assert all(isinstance(value, list) and all(isinstance(one, str) for one in value) for value in inner.values())
                ours = {tag for tag in golden[name] if tag.startswith("ses:")} - {"ses:outgoing-ip"}
                assert ours <= set(inner), (path, inner)
            elif name == "commonHeaders":
                assert {"from", "to", "messageId", "subject"} <= set(inner) <= set(COMMON), (path, inner)
                assert all(isinstance(value, COMMON[key]) for key, value in inner.items()), (path, inner)
            else:
                like(inner, golden[name], f"{path}.{name}", without)
    elif isinstance(golden, list):
        assert told, path
        for inner in told:
            like(inner, golden[0], path, without)
    else:
        assert type(told) is type(golden), (path, told)
        if isinstance(golden, str) and golden.endswith("Z"):
            assert len(told) == len(golden) and told.endswith("Z"), (path, told)


def golden(name):
    with open(os.path.join(GOLDEN, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def mail(here, to, **more):
    return here.client("sesv2").send_email(
        FromEmailAddress=f"Ann <ann@{here.domain}>", Destination={"ToAddresses": [to]}, Content={"Simple": {
            "Subject": {"Data": "hi"}, "Body": {"Text": {"Data": "t"}}}}, **more)["MessageId"]


def check_events(world):
    here = home(world)
    name, events = world.configuration_set(["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "RENDERING_FAILURE"], keys=here.keys)
    person = f"to@{world.name('rcpt')}.example"
    for to, kinds in ((person, ["Send", "Delivery"]), ("bounce@simulator.amazonses.com", ["Bounce"]),
                      ("complaint@simulator.amazonses.com", ["Complaint"])):
        sent = mail(here, to, ConfigurationSetName=name)
        for kind in kinds:
            like(events.of(sent, kind), golden("event_" + kind.lower()), kind)
    template = world.name("template")
    here.client("sesv2").create_email_template(TemplateName=template, TemplateContent={"Subject": "{{no}}", "Text": "t"})
    sent = here.client("sesv2").send_email(
        FromEmailAddress=f"ann@{here.domain}", Destination={"ToAddresses": [person]}, ConfigurationSetName=name,
        Content={"Template": {"TemplateName": template, "TemplateData": "{}"}})["MessageId"]

    def failures():
        return [one for one in events.seen if one["mail"]["messageId"] == sent]
    while not failures():
        taken = world.take(events.url, keys=here.keys)
        events.seen += [json.loads(message["Body"]) for message in taken]
    like(failures()[0], golden("event_rendering_failure"), "Rendering Failure")


def check_notifications(world):
    """An identity's topics, with the header; what went to no host of ours does not tell its address."""
    here = home(world)
    v1, sns = here.client("ses"), here.client("sns")
    topic = sns.create_topic(Name=world.name("feedback"))["TopicArn"]
    url, arn = world.queue("feedback", here.keys)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    kinds = ("Bounce", "Complaint", "Delivery")
    for kind in kinds:
        v1.set_identity_notification_topic(Identity=here.domain, NotificationType=kind, SnsTopic=topic)
        v1.set_identity_headers_in_notifications_enabled(Identity=here.domain, NotificationType=kind, Enabled=True)
    sent = {kind: mail(here, to) for kind, to in zip(kinds, (
        "bounce@simulator.amazonses.com", "complaint@simulator.amazonses.com", f"to@{world.name('rcpt')}.example"))}
    told = {}
    while set(told) != set(kinds):
        for message in world.take(url, keys=here.keys):
            body = json.loads(message["Body"])
            # SES tries the topic when it is set, and tells of no mail then.
            if "mail" in body and body["mail"]["messageId"] == sent[body["notificationType"]]:
                told[body["notificationType"]] = body
    for kind, body in told.items():
        called = kind == "Delivery" and not world.dev
        like(body, golden("notification_" + kind.lower()), kind, without=() if called else ("remoteMtaIp",))
    for kind in kinds:
        v1.set_identity_notification_topic(Identity=here.domain, NotificationType=kind)
