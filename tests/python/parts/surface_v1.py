"""The first SES API, operation by operation with every member: what was given works or is refused clearly, and comes back."""
import email
import email.policy
import json

from expect import refused
from home import home
from parts.surface_v2 import same

TAGS = [{"Name": "campaign", "Value": "x"}]


def pages(call, member, size="MaxItems"):
    """All pages of a list, in pages of one."""
    found, token = [], {}
    while True:
        answer = call(**{size: 1}, **token)
        found += answer[member]
        assert len(answer[member]) <= 1
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}


def check_identities(world):
    here = home(world)
    ses, domain = here.v1.client, f"{world.name('surface1')}.example"
    assert ses.verify_domain_identity(Domain=domain)["VerificationToken"]
    assert len(ses.verify_domain_dkim(Domain=domain)["DkimTokens"]) == 3
    ses.verify_email_identity(EmailAddress=f"a@{domain}")
    ses.verify_email_address(EmailAddress=f"b@{domain}")
    ses.list_verified_email_addresses()
    assert domain in pages(ses.list_identities, "Identities")
    found = ses.list_identities(IdentityType="EmailAddress", MaxItems=1000)["Identities"]
    assert f"a@{domain}" in found and domain not in found, found
    assert domain in ses.get_identity_verification_attributes(Identities=[domain])["VerificationAttributes"]
    ses.set_identity_dkim_enabled(Identity=domain, DkimEnabled=False)
    assert not ses.get_identity_dkim_attributes(Identities=[domain])["DkimAttributes"][domain]["DkimEnabled"]
    ses.set_identity_mail_from_domain(Identity=domain, MailFromDomain=f"b.{domain}", BehaviorOnMXFailure="RejectMessage")
    same(ses.get_identity_mail_from_domain_attributes(Identities=[domain])["MailFromDomainAttributes"][domain],
         {"MailFromDomain": f"b.{domain}", "BehaviorOnMXFailure": "RejectMessage"})
    text = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "ses:SendEmail", "Resource": "*"}]})
    ses.put_identity_policy(Identity=domain, PolicyName="p", Policy=text)
    assert ses.list_identity_policies(Identity=domain)["PolicyNames"] == ["p"]
    assert ses.get_identity_policies(Identity=domain, PolicyNames=["p", "q"])["Policies"] == {"p": text}
    ses.delete_identity_policy(Identity=domain, PolicyName="p")
    topic = here.client("sns").create_topic(Name=world.name("feedback"))["TopicArn"]
    for kind in ("Bounce", "Complaint", "Delivery"):
        ses.set_identity_notification_topic(Identity=domain, NotificationType=kind, SnsTopic=topic)
        ses.set_identity_headers_in_notifications_enabled(Identity=domain, NotificationType=kind, Enabled=True)
    ses.set_identity_feedback_forwarding_enabled(Identity=domain, ForwardingEnabled=False)
    got = ses.get_identity_notification_attributes(Identities=[domain])["NotificationAttributes"][domain]
    assert got == {
        "BounceTopic": topic, "ComplaintTopic": topic, "DeliveryTopic": topic, "ForwardingEnabled": False,
        "HeadersInBounceNotificationsEnabled": True, "HeadersInComplaintNotificationsEnabled": True,
        "HeadersInDeliveryNotificationsEnabled": True}, got
    for address in (f"a@{domain}", f"b@{domain}"):
        ses.delete_verified_email_address(EmailAddress=address)
    ses.delete_identity(Identity=domain)
    assert domain not in ses.list_identities()["Identities"]


def check_configuration_sets(world):
    here = home(world)
    ses, name = here.v1.client, world.name("set")
    ses.create_configuration_set(ConfigurationSet={"Name": name})
    ses.put_configuration_set_delivery_options(ConfigurationSetName=name, DeliveryOptions={"TlsPolicy": "Require"})
    ses.update_configuration_set_reputation_metrics_enabled(ConfigurationSetName=name, Enabled=True)
    ses.update_configuration_set_sending_enabled(ConfigurationSetName=name, Enabled=False)
    topic = here.client("sns").create_topic(Name=world.name("events"))["TopicArn"]
    types = ["send", "reject", "bounce", "complaint", "delivery", "open", "click", "renderingFailure"]
    kinds = {"topic": {"SNSDestination": {"TopicARN": topic}}, "labels": {"CloudWatchDestination": {
        "DimensionConfigurations": [{"DimensionName": f"d{n}", "DimensionValueSource": source, "DefaultDimensionValue": "x"}
                                    for n, source in enumerate(["messageTag", "emailHeader", "linkTag"])]}}}
    for of, kind in kinds.items():
        ses.create_configuration_set_event_destination(ConfigurationSetName=name, EventDestination={
            "Name": of, "Enabled": True, "MatchingEventTypes": types, **kind})
    everything = ["eventDestinations", "trackingOptions", "deliveryOptions", "reputationOptions"]

    def described():
        return ses.describe_configuration_set(ConfigurationSetName=name, ConfigurationSetAttributeNames=everything)
    got = described()
    assert got["ConfigurationSet"] == {"Name": name} and got["DeliveryOptions"] == {"TlsPolicy": "Require"}, got
    same(got["ReputationOptions"], {"SendingEnabled": False, "ReputationMetricsEnabled": True})
    wanted = [{"Name": of, "Enabled": True, "MatchingEventTypes": sorted(types), **kinds[of]} for of in sorted(kinds)]
    assert sorted(got["EventDestinations"], key=lambda one: one["Name"]) == wanted, got
    changed = {"Name": "topic", "Enabled": False, "MatchingEventTypes": ["send"]}
    for kind in (kinds["topic"], kinds["labels"]):
        ses.update_configuration_set_event_destination(ConfigurationSetName=name, EventDestination={**changed, **kind})
        assert {**changed, **kind} in described()["EventDestinations"]
    stream = {"KinesisFirehoseDestination": {"IAMRoleARN": f"arn:aws:iam::{here.account}:role/r", "DeliveryStreamARN": (
        f"arn:aws:firehose:us-east-1:{here.account}:deliverystream/s")}}
    for call in (ses.create_configuration_set_event_destination, ses.update_configuration_set_event_destination):
        refused("InvalidFirehoseDestination", lambda call=call: call(ConfigurationSetName=name, EventDestination={
            "Name": "topic" if "update" in call.__name__ else "more", "MatchingEventTypes": ["send"], **stream}), 400)
    for of in kinds:
        ses.delete_configuration_set_event_destination(ConfigurationSetName=name, EventDestinationName=of)
    assert described().get("EventDestinations", []) == []
    ses.create_configuration_set(ConfigurationSet={"Name": name + "b"})
    listed = pages(ses.list_configuration_sets, "ConfigurationSets")
    assert {"Name": name} in listed and {"Name": name + "b"} in listed
    ses.delete_configuration_set(ConfigurationSetName=name)
    refused("ConfigurationSetDoesNotExist", described, 400)


def check_templates(world):
    here = home(world)
    ses, name = here.v1.client, world.name("template")
    template = {"TemplateName": name, "SubjectPart": "Hi {{n}}", "TextPart": "T {{n}}", "HtmlPart": "<b>{{n}}</b>"}
    ses.create_template(Template=template)
    assert ses.get_template(TemplateName=name)["Template"] == template
    ses.update_template(Template={**template, "HtmlPart": "<i>{{n}}</i>"})
    assert "<i>7</i>" in ses.test_render_template(TemplateName=name, TemplateData='{"n": 7}')["RenderedTemplate"]
    ses.create_template(Template={**template, "TemplateName": name + "b"})
    assert {name, name + "b"} <= {one["Name"] for one in pages(ses.list_templates, "TemplatesMetadata")}
    ses.delete_template(TemplateName=name)
    refused("TemplateDoesNotExist", lambda: ses.get_template(TemplateName=name), 400)
    name = world.name("ask")
    template = {"TemplateName": name, "FromEmailAddress": f"ask@{here.domain}", "TemplateSubject": "You?",
                "TemplateContent": "<p>Click</p>", "SuccessRedirectionURL": "https://app.example/yes",
                "FailureRedirectionURL": "https://app.example/no"}
    for one in (template, {**template, "TemplateName": name + "b"}):
        ses.create_custom_verification_email_template(**one)
    same(ses.get_custom_verification_email_template(TemplateName=name), template)
    template = {**template, "TemplateSubject": "Is it?", "FromEmailAddress": f"b@{here.domain}", "TemplateContent": "<p>C</p>",
                "SuccessRedirectionURL": "https://app.example/1", "FailureRedirectionURL": "https://app.example/2"}
    ses.update_custom_verification_email_template(**template)
    same(ses.get_custom_verification_email_template(TemplateName=name), template)
    [listed] = [one for one in pages(ses.list_custom_verification_email_templates, "CustomVerificationEmailTemplates",
                                     "MaxResults") if one["TemplateName"] == name]
    assert listed == {key: value for key, value in template.items() if key != "TemplateContent"}, listed
    ses.create_configuration_set(ConfigurationSet={"Name": name})
    assert ses.send_custom_verification_email(
        EmailAddress=f"new@{world.name('person')}.example", TemplateName=name, ConfigurationSetName=name)["MessageId"]
    for one in (name, name + "b"):
        ses.delete_custom_verification_email_template(TemplateName=one)


def check_account(world):
    ses = home(world).v1.client
    assert ses.get_send_quota()["Max24HourSend"] == -1.0
    assert "SendDataPoints" in ses.get_send_statistics()
    for enabled in (False, True):
        ses.update_account_sending_enabled(Enabled=enabled)
        assert ses.get_account_sending_enabled()["Enabled"] is enabled


def check_sending(world):
    here = home(world)
    ses, template = here.v1.client, world.name("template")
    arn = f"arn:aws:ses:us-east-1:{here.account}:identity/{here.domain}"
    template_arn = arn.replace(f"identity/{here.domain}", f"template/{template}")
    here.client("ses").create_template(Template={"TemplateName": template, "SubjectPart": "S {{n}}", "TextPart": "T {{n}}"})
    set_name, events = world.configuration_set(["SEND"], keys=here.keys)
    common = {"SourceArn": arn, "ReturnPathArn": arn, "ConfigurationSetName": set_name}
    replies = {"ReplyToAddresses": [f"re@{here.domain}"], "ReturnPath": f"rp@{here.domain}"}
    source, text = f"News <news@{here.domain}>", {"Data": "T 7", "Charset": "UTF-8"}

    def people():
        domain = f"{world.name('rcpt')}.example"
        return [f"{who}@{domain}" for who in ("to", "cc", "bcc")]

    def destination(to):
        return dict(zip(("ToAddresses", "CcAddresses", "BccAddresses"), [[one] for one in to]))

    def arrives(to, message_id, tag="x"):
        for person in to:
            [raw] = world.delivered(person)
            mail = email.message_from_bytes(raw, policy=email.policy.default)
            assert mail["Subject"] == "S 7" and mail["Reply-To"].addresses[0].addr_spec == f"re@{here.domain}", raw[:3000]
            assert mail.get_body(("plain",)).get_content().strip() == "T 7"
        told = events.of(message_id, "Send")["mail"]
        assert told["destination"] == to and told["tags"]["campaign"] == [tag], told

    to = people()
    arrives(to, ses.send_email(Source=source, Destination=destination(to), Message={
        "Subject": {"Data": "S 7", "Charset": "UTF-8"}, "Body": {"Text": text, "Html": text}}, Tags=TAGS, **common, **replies)
        ["MessageId"])
    to = people()
    raw = f"From: news@{here.domain}\r\nReply-To: re@{here.domain}\r\nSubject: S 7\r\n\r\nT 7\r\n".encode()
    arrives(to, ses.send_raw_email(Source=source, Destinations=to, RawMessage={"Data": raw}, FromArn=arn, Tags=TAGS,
                                   **common)["MessageId"])
    to = people()
    arrives(to, ses.send_templated_email(Source=source, Destination=destination(to), Template=template, TemplateData='{"n": 7}',
                                         TemplateArn=template_arn, Tags=TAGS, **common, **replies)["MessageId"])
    many = [people(), people()]
    answer = ses.send_bulk_templated_email(
        Source=source, Template=template, TemplateArn=template_arn, DefaultTemplateData='{"n": 7}', DefaultTags=TAGS,
        Destinations=[{"Destination": destination(many[0])},
                      {"Destination": destination(many[1]), "ReplacementTemplateData": '{"n": 7}',
                       "ReplacementTags": [{"Name": "campaign", "Value": "own"}]}], **common, **replies)["Status"]
    assert [one["Status"] for one in answer] == ["Success"] * 2, answer
    for to, one, tag in zip(many, answer, ("x", "own")):
        arrives(to, one["MessageId"], tag)
    extension = [{"Name": "X-A", "Value": "b"}]
    refused(("MessageRejected", "InvalidParameterValue", "ValidationError"), lambda: ses.send_bounce(
        OriginalMessageId="none", BounceSender=f"b@{here.domain}", Explanation="no", BounceSenderArn=arn,
        MessageDsn={"ReportingMta": "dns; x.example", "ArrivalDate": 1700000000, "ExtensionFields": extension},
        BouncedRecipientInfoList=[{"Recipient": f"c@{here.domain}", "RecipientArn": arn, "BounceType": "DoesNotExist",
                                   "RecipientDsnFields": {
                                       "FinalRecipient": f"c@{here.domain}", "Action": "failed", "RemoteMta": "dns; y.example",
                                       "Status": "5.1.1", "DiagnosticCode": "smtp; 550", "LastAttemptDate": 1700000000,
                                       "ExtensionFields": extension}}]), 400)


def check_receipt_rules(world):
    here = home(world)
    ses, name = here.v1.client, world.name("rules")
    topic = here.client("sns").create_topic(Name=world.name("mail"))["TopicArn"]
    ses.create_receipt_rule_set(RuleSetName=name)
    rule = {"Name": "one", "Enabled": True, "TlsPolicy": "Require", "Recipients": [here.domain], "ScanEnabled": False, "Actions": [
        {"AddHeaderAction": {"HeaderName": "X-In", "HeaderValue": "yes"}},
        {"S3Action": {"TopicArn": topic, "BucketName": "bucket", "ObjectKeyPrefix": "in/",
                      "IamRoleArn": f"arn:aws:iam::{here.account}:role/r"}},
        {"SNSAction": {"TopicArn": topic, "Encoding": "Base64"}},
        {"BounceAction": {"TopicArn": topic, "SmtpReplyCode": "550", "StatusCode": "5.1.1", "Message": "no",
                          "Sender": f"b@{here.domain}"}},
        {"StopAction": {"Scope": "RuleSet", "TopicArn": topic}}]}

    def described(of):
        return ses.describe_receipt_rule(RuleSetName=name, RuleName=of)["Rule"]
    ses.create_receipt_rule(RuleSetName=name, Rule=rule)
    assert described("one") == rule, described("one")
    ses.create_receipt_rule(RuleSetName=name, After="one", Rule={**rule, "Name": "two", "Actions": rule["Actions"][:1]})
    ses.update_receipt_rule(RuleSetName=name, Rule={**rule, "Name": "two", "Enabled": False})
    assert described("two") == {**rule, "Name": "two", "Enabled": False}
    function = f"arn:aws:lambda:us-east-1:{here.account}:function:none"
    for action in ({"LambdaAction": {"TopicArn": topic, "FunctionArn": function, "InvocationType": "Event"}},
                   {"WorkmailAction": {"TopicArn": topic, "OrganizationArn": "arn:aws:workmail:us-east-1:1:organization/m"}},
                   {"ConnectAction": {"InstanceARN": "arn:x", "IAMRoleARN": "arn:y"}},
                   {"S3Action": {"BucketName": "bucket", "KmsKeyArn": "arn:aws:kms:us-east-1:1:key/k"}}):
        new = {"Name": "bad", "Actions": [action]}
        codes = ("InvalidLambdaFunction", "InvalidParameterValue", "InvalidS3Configuration")
        refused(codes, lambda new=new: ses.create_receipt_rule(RuleSetName=name, Rule=new), 400)
        refused(codes, lambda new=new: ses.update_receipt_rule(RuleSetName=name, Rule={**new, "Name": "two"}), 400)
    ses.set_receipt_rule_position(RuleSetName=name, RuleName="one", After="two")
    shown = ses.describe_receipt_rule_set(RuleSetName=name)
    assert [one["Name"] for one in shown["Rules"]] == ["two", "one"] and shown["Metadata"]["Name"] == name, shown
    ses.reorder_receipt_rule_set(RuleSetName=name, RuleNames=["one", "two"])
    ses.clone_receipt_rule_set(RuleSetName=name + "b", OriginalRuleSetName=name)
    assert ses.describe_receipt_rule_set(RuleSetName=name + "b")["Rules"][0] == rule
    ses.set_active_receipt_rule_set(RuleSetName=name)
    assert ses.describe_active_receipt_rule_set()["Metadata"]["Name"] == name
    ses.set_active_receipt_rule_set()
    assert "Metadata" not in ses.describe_active_receipt_rule_set()
    assert {one["Name"] for one in ses.list_receipt_rule_sets()["RuleSets"]} == {name, name + "b"}
    ses.delete_receipt_rule(RuleSetName=name, RuleName="two")
    for one in (name, name + "b"):
        ses.delete_receipt_rule_set(RuleSetName=one)
    ranges = [{"Name": "f", "IpFilter": {"Policy": "Block", "Cidr": "10.0.0.0/8"}}]
    ses.create_receipt_filter(Filter=ranges[0])
    assert ses.list_receipt_filters()["Filters"] == ranges
    ses.delete_receipt_filter(FilterName="f")
    assert ses.list_receipt_filters()["Filters"] == []


def check_every_member_was_given(world):
    """Last here: no operation and no input member has been left out above, but for the tokens of lists of one page."""
    surface = home(world).v1
    left = set(surface.never_given()) - {"ListReceiptRuleSets.NextToken"}
    assert not left, sorted(left)
    assert surface.called >= surface.there, surface.there - surface.called
