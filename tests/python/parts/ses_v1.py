"""The first API of SES beside plain sends: templates, configuration sets, notifications of identities, the account."""
import json
import smtplib

from expect import refused
from parts.sending import parsed
from server import wait_for
from world import RECEIVING, SENDING

FROM = f"Ann <ann@{SENDING}>"


def to(address):
    return {"ToAddresses": [address]}


def check_templates(world):
    ses, name = world.client("ses"), world.name("template")
    template = {"TemplateName": name, "SubjectPart": "Hi {{name}}", "TextPart": "{{#each items}}<{{this}}>{{/each}}"}
    ses.create_template(Template=template)
    refused("AlreadyExists", lambda: ses.create_template(Template=template),
            text=f"Template {name} already exists for account id {world.account}")
    refused("InvalidTemplate", lambda: ses.create_template(Template={**template, "TextPart": "{{#if a}}"}))
    assert ses.get_template(TemplateName=name)["Template"] == template
    assert name in [one["Name"] for one in ses.list_templates(MaxItems=100)["TemplatesMetadata"]]
    data = json.dumps({"name": "Jürgen", "items": [1, 2]})
    rendered = ses.test_render_template(TemplateName=name, TemplateData=data)["RenderedTemplate"]
    assert "Subject: =?UTF-8?" in rendered and "<1><2>" in rendered, rendered
    refused("MissingRenderingAttribute", lambda: ses.test_render_template(TemplateName=name, TemplateData="{}"),
            text="Attribute 'name' is not present in the rendering data.")
    refused("InvalidRenderingParameter", lambda: ses.test_render_template(TemplateName=name, TemplateData="[]"))
    refused("TemplateDoesNotExist", lambda: ses.get_template(TemplateName="none"))
    address = f"templated@{world.name('rcpt')}.example"
    ses.send_templated_email(Source=FROM, Destination=to(address), Template=name, TemplateData=data)
    [raw] = world.delivered(address)
    mail = parsed(raw)
    assert mail["Subject"] == "Hi Jürgen" and mail.get_content().strip() == "<1><2>", raw
    ses.update_template(Template={**template, "TextPart": "new"})
    one, two = (f"{who}@{world.name('bulk')}.example" for who in ("one", "two"))
    sent = ses.send_bulk_templated_email(
        Source=FROM, Template=name, DefaultTemplateData='{"name": "all"}', Destinations=[
            {"Destination": to(one), "ReplacementTemplateData": '{"name": "One"}'},
            {"Destination": to(two), "ReplacementTemplateData": "{}"},
            {"Destination": to("nobody")}])["Status"]
    assert [one["Status"] for one in sent] == ["Success", "Success", "InvalidParameterValue"], sent
    assert parsed(world.delivered(one)[0])["Subject"] == "Hi One"
    assert parsed(world.delivered(two)[0])["Subject"] == "Hi all"
    refused("TemplateDoesNotExist", lambda: ses.send_templated_email(
        Source=FROM, Destination=to(address), Template="none", TemplateData="{}"))
    ses.delete_template(TemplateName=name)
    ses.delete_template(TemplateName=name)


def check_configuration_sets(world):
    ses, name = world.client("ses"), world.name("set")
    ses.create_configuration_set(ConfigurationSet={"Name": name})
    refused("ConfigurationSetAlreadyExists", lambda: ses.create_configuration_set(ConfigurationSet={"Name": name}))
    refused("InvalidParameterValue", lambda: ses.create_configuration_set(ConfigurationSet={"Name": "no name"}))
    assert {"Name": name} in ses.list_configuration_sets()["ConfigurationSets"]
    topic = world.client("sns").create_topic(Name=world.name("events"))["TopicArn"]
    sns = {"Name": "sns", "Enabled": True, "MatchingEventTypes": ["send", "renderingFailure"],
           "SNSDestination": {"TopicARN": topic}}
    dimension = {"DimensionName": "campaign", "DimensionValueSource": "messageTag", "DefaultDimensionValue": "none"}
    counters = {"Name": "counters", "Enabled": True, "MatchingEventTypes": ["send"],
                "CloudWatchDestination": {"DimensionConfigurations": [dimension]}}
    for destination in (sns, counters):
        ses.create_configuration_set_event_destination(ConfigurationSetName=name, EventDestination=destination)
    refused("EventDestinationAlreadyExists", lambda: ses.create_configuration_set_event_destination(
        ConfigurationSetName=name, EventDestination=sns))
    refused("InvalidSNSDestination", lambda: ses.update_configuration_set_event_destination(
        ConfigurationSetName=name, EventDestination={**sns, "SNSDestination": {"TopicARN": topic + "x"}}))
    sns["MatchingEventTypes"] = ["bounce"]
    ses.update_configuration_set_event_destination(ConfigurationSetName=name, EventDestination=sns)
    ses.put_configuration_set_delivery_options(ConfigurationSetName=name, DeliveryOptions={"TlsPolicy": "Require"})
    ses.update_configuration_set_reputation_metrics_enabled(ConfigurationSetName=name, Enabled=True)
    wanted = ["eventDestinations", "deliveryOptions", "reputationOptions"]

    def described():
        return ses.describe_configuration_set(ConfigurationSetName=name, ConfigurationSetAttributeNames=wanted)
    found = described()
    assert found["EventDestinations"] == [counters, sns], found
    assert found["DeliveryOptions"] == {"TlsPolicy": "Require"}
    assert found["ReputationOptions"] == {"SendingEnabled": True, "ReputationMetricsEnabled": True}
    ses.put_configuration_set_delivery_options(ConfigurationSetName=name)

    def send():
        return ses.send_email(Source=FROM, Destination=to("success@simulator.amazonses.com"), ConfigurationSetName=name,
                              Tags=[{"Name": "campaign", "Value": "spring"}],
                              Message={"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}})
    send()
    line = next(line for line in world.http("/metrics")[2].decode().splitlines()
                if "postrider_ses_events_total{" in line and name in line)
    assert 'dimension_campaign="spring"' in line and line.endswith(" 1"), line
    ses.update_configuration_set_sending_enabled(ConfigurationSetName=name, Enabled=False)
    refused("ConfigurationSetSendingPausedException", send)
    ses.update_configuration_set_sending_enabled(ConfigurationSetName=name, Enabled=True)
    assert "LastFreshStart" in described()["ReputationOptions"]
    ses.delete_configuration_set_event_destination(ConfigurationSetName=name, EventDestinationName="sns")
    refused("EventDestinationDoesNotExist", lambda: ses.delete_configuration_set_event_destination(
        ConfigurationSetName=name, EventDestinationName="sns"))
    ses.delete_configuration_set(ConfigurationSetName=name)
    refused("ConfigurationSetDoesNotExist", lambda: ses.describe_configuration_set(ConfigurationSetName=name))


def check_notifications_of_an_identity(world):
    ses, sns = world.client("ses"), world.client("sns")
    topic = sns.create_topic(Name=world.name("feedback"))["TopicArn"]
    url, arn = world.queue("feedback")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    refused("InvalidParameterValue", lambda: ses.set_identity_feedback_forwarding_enabled(
        Identity=SENDING, ForwardingEnabled=False))
    refused("InvalidParameterValue", lambda: ses.set_identity_notification_topic(
        Identity="elsewhere.example", NotificationType="Bounce", SnsTopic=topic))
    for kind in ("Bounce", "Complaint"):
        ses.set_identity_notification_topic(Identity=SENDING, NotificationType=kind, SnsTopic=topic)
        [said] = world.take(url)
        assert json.loads(said["Body"])["notificationType"] == "AmazonSnsSubscriptionSucceeded", said
    ses.set_identity_headers_in_notifications_enabled(Identity=SENDING, NotificationType="Complaint", Enabled=True)
    # With forwarding on, who sends hears of it by mail too.
    sender = f"sender@{SENDING}"
    message = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}

    def send(kind):
        return ses.send_email(Source=sender, Destination=to(f"{kind}+v1@simulator.amazonses.com"), Message=message)
    sent = send("bounce")
    [got] = world.take(url)
    told = json.loads(got["Body"])
    assert told["notificationType"] == "Bounce" and "eventType" not in told and told["bounce"]["bounceType"] == "Permanent"
    mail = told["mail"]
    assert mail["messageId"] == sent["MessageId"] and mail["callerIdentity"] and mail["sourceIp"] == "127.0.0.1", mail
    assert "headers" not in mail and "tags" not in mail and mail["source"] == sender, mail
    if world.dev:
        [raw] = world.delivered(sender)
        report = parsed(raw)
        assert report.get_content_type() == "multipart/report" and b"Status: 5.1.1" in raw, raw
    ses.set_identity_feedback_forwarding_enabled(Identity=SENDING, ForwardingEnabled=False)
    send("complaint")
    [got] = world.take(url)
    told = json.loads(got["Body"])
    assert told["complaint"]["complaintFeedbackType"] == "abuse" and told["mail"]["commonHeaders"]["subject"] == "s", told
    found = ses.get_identity_notification_attributes(Identities=[SENDING, "no.example"])["NotificationAttributes"]
    assert found == {SENDING: {
        "BounceTopic": topic, "ComplaintTopic": topic, "ForwardingEnabled": False,
        "HeadersInBounceNotificationsEnabled": False, "HeadersInComplaintNotificationsEnabled": True,
        "HeadersInDeliveryNotificationsEnabled": False}}, found
    world.client("sesv2").put_email_identity_feedback_attributes(EmailIdentity=SENDING, EmailForwardingEnabled=True)
    for kind in ("Bounce", "Complaint"):
        ses.set_identity_notification_topic(Identity=SENDING, NotificationType=kind)


def check_account(world):
    ses, v2 = world.client("ses", region="eu-west-1"), world.client("sesv2", region="eu-west-1")
    assert ses.get_account_sending_enabled()["Enabled"] is True
    ses.update_account_sending_enabled(Enabled=False)
    assert v2.get_account()["SendingEnabled"] is False
    refused("AccountSendingPausedException", lambda: ses.send_email(
        Source=FROM, Destination=to("success@simulator.amazonses.com"),
        Message={"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}))
    v2.put_account_sending_attributes(SendingEnabled=True)
    assert ses.get_account_sending_enabled()["Enabled"] is True
    details = {"MailType": "TRANSACTIONAL", "WebsiteURL": "https://x.example", "ContactLanguage": "EN",
               "UseCaseDescription": "receipts", "AdditionalContactEmailAddresses": ["ops@x.example"]}
    refused("BadRequestException", lambda: v2.put_account_details(**{**details, "WebsiteURL": "x"}))
    v2.put_account_details(**details, ProductionAccessEnabled=True)
    found = v2.get_account()
    assert found["Details"].pop("ReviewDetails") == {"Status": "GRANTED" if world.dev else "PENDING"}, found
    assert found["Details"] == details and found["ProductionAccessEnabled"] is world.dev, found
    if not world.dev:
        refused("ConflictException", lambda: v2.put_account_details(**details), status=409)
        [line] = world.server.admin("production-requests")
        assert line.startswith(f"{world.account} eu-west-1 ") and "receipts" in line, line
        world.server.admin("deny-production", "--account", world.account, "--region", "eu-west-1")
        assert v2.get_account()["Details"]["ReviewDetails"]["Status"] == "DENIED"
        v2.put_account_details(**details, ProductionAccessEnabled=True)
        world.server.admin("grant-production", "--account", world.account, "--region", "eu-west-1")
        found = v2.get_account()
        assert found["Details"]["ReviewDetails"]["Status"] == "GRANTED" and found["ProductionAccessEnabled"]
    def counted(what):
        return sum(point[what] for point in world.client("ses").get_send_statistics()["SendDataPoints"])
    # The simulator's bounces and complaints were sent before, in this file.
    for what in ("DeliveryAttempts", "Bounces", "Complaints"):
        wait_for(what, lambda: counted(what) > 0, 10)


def check_send_bounce(world):
    ses = world.client("ses")
    url, arn = world.queue("received")
    topic = world.client("sns").create_topic(Name=world.name("received"))["TopicArn"]
    world.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    rules, to_bounce = world.name("rules"), f"{world.name('bounce-me')}@{RECEIVING}"
    ses.create_receipt_rule_set(RuleSetName=rules)
    ses.create_receipt_rule(RuleSetName=rules, Rule={
        "Name": "told", "Enabled": True, "Recipients": [to_bounce], "Actions": [{"SNSAction": {"TopicArn": topic}}]})
    ses.set_active_receipt_rule_set(RuleSetName=rules)
    sender = f"{world.name('author')}@{SENDING}" if world.dev else f"{world.name('author')}@rcpt.example"
    with smtplib.SMTP("127.0.0.1", world.server.port("smtp"), timeout=15) as smtp:
        smtp.sendmail(sender, [to_bounce], f"From: {sender}\r\nTo: {to_bounce}\r\nSubject: back\r\n\r\nbody\r\n")
    [got] = world.take(url)
    received = json.loads(got["Body"])["mail"]["messageId"]
    info = [{"Recipient": to_bounce, "BounceType": "DoesNotExist"}]
    refused("MessageRejected", lambda: ses.send_bounce(
        OriginalMessageId="none", BounceSender=f"daemon@{SENDING}", BouncedRecipientInfoList=info))
    refused("MessageRejected", lambda: ses.send_bounce(
        OriginalMessageId=received, BounceSender="daemon@elsewhere.example", BouncedRecipientInfoList=info))
    refused("InvalidParameterValue", lambda: ses.send_bounce(
        OriginalMessageId=received, BounceSender=f"daemon@{SENDING}", BouncedRecipientInfoList=info,
        MessageDsn={"ReportingMta": "dns; x.example", "ExtensionFields": [{"Name": "Status", "Value": "2.0.0"}]}))
    fields = {"Action": "failed", "Status": "5.1.1", "ExtensionFields": [{"Name": "X-Shelf", "Value": "b"}]}
    ses.send_bounce(OriginalMessageId=received, BounceSender=f"daemon@{SENDING}", Explanation="Gone.",
                    MessageDsn={"ReportingMta": "dns; shop.example",
                                "ExtensionFields": [{"Name": "X-Ticket", "Value": "7"}]},
                    BouncedRecipientInfoList=[{"Recipient": to_bounce, "RecipientDsnFields": fields}])
    [raw] = world.delivered(sender)
    assert b"Status: 5.1.1" in raw and b"Subject: back" in raw, raw
    lines = raw.replace(b"\r\n", b"\n")
    assert b"Reporting-MTA: dns; shop.example" in lines and b"\nX-Ticket: 7\n\nFinal-Recipient" in lines, raw
    assert b"\nX-Shelf: b\n" in lines, raw
    assert parsed(raw).get_content_type() == "multipart/report"
    ses.set_active_receipt_rule_set()
    ses.delete_receipt_rule_set(RuleSetName=rules)
