"""The second SES API, operation by operation with every member: what was given works or is refused clearly, and comes back."""
import datetime
import email
import email.policy
import json
import os

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
import base64

from expect import refused
from home import home
from server import wait_for

TAGS = [{"Key": "team", "Value": "post"}, {"Key": "empty", "Value": ""}]
THRESHOLD = {"ConditionThreshold": {"ConditionThresholdEnabled": "ENABLED", "OverallConfidenceThreshold": {
    "ConfidenceVerdictThreshold": "HIGH"}}}
MINUTE = datetime.timedelta(minutes=1)


def same(got, wanted):
    """All that was put is in what came back."""
    got = {key: got.get(key) for key in wanted}
    assert got == wanted, (got, wanted)


def unsupported(call, text="not supported", code="BadRequestException"):
    refused(code, call, text=text)


def absent(options):
    """No pool of addresses exists; the rest is not supported."""
    return "doesn't exist" if "SendingPoolName" in str(options) else "not supported"


def pages(call, member, **more):
    """All pages of a list, in pages of one."""
    found, token = [], {}
    while True:
        answer = call(PageSize=1, **token, **more)
        found += answer[member]
        assert len(answer[member]) <= 1
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}


def private_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return base64.b64encode(der).decode()


def check_identities(world):
    here = home(world)
    ses, names = here.v2.client, [f"{world.name('surface')}.example" for _ in range(2)]
    ses.create_configuration_set(ConfigurationSetName="usual")
    key = private_key()
    made = ses.create_email_identity(
        EmailIdentity=names[0], Tags=TAGS, ConfigurationSetName="usual",
        DkimSigningAttributes={"NextSigningKeyLength": "RSA_1024_BIT", "DomainSigningAttributesOrigin": "AWS_SES"})
    same(made["DkimAttributes"], {"SigningAttributesOrigin": "AWS_SES", "NextSigningKeyLength": "RSA_1024_BIT"})
    made = ses.create_email_identity(EmailIdentity=names[1], DkimSigningAttributes={
        "DomainSigningSelector": "mine", "DomainSigningPrivateKey": key, "DomainSigningAttributesOrigin": "EXTERNAL"})
    same(made["DkimAttributes"], {"SigningAttributesOrigin": "EXTERNAL", "Tokens": ["mine"]})
    got = ses.get_email_identity(EmailIdentity=names[0])
    same(got, {"Tags": TAGS, "ConfigurationSetName": "usual", "IdentityType": "DOMAIN", "Policies": {},
               "FeedbackForwardingStatus": True})
    assert got["DkimAttributes"]["Tokens"] and "VerificationInfo" in got, got

    ses.put_email_identity_dkim_attributes(EmailIdentity=names[0], SigningEnabled=False)
    ses.put_email_identity_feedback_attributes(EmailIdentity=names[0], EmailForwardingEnabled=False)
    ses.put_email_identity_mail_from_attributes(
        EmailIdentity=names[0], MailFromDomain=f"b.{names[0]}", BehaviorOnMxFailure="REJECT_MESSAGE")
    ses.put_email_identity_configuration_set_attributes(EmailIdentity=names[0])
    got = ses.get_email_identity(EmailIdentity=names[0])
    assert not got["DkimAttributes"]["SigningEnabled"] and not got["FeedbackForwardingStatus"], got
    assert "ConfigurationSetName" not in got, got
    same(got["MailFromAttributes"], {"MailFromDomain": f"b.{names[0]}", "BehaviorOnMxFailure": "REJECT_MESSAGE"})
    ses.put_email_identity_configuration_set_attributes(EmailIdentity=names[0], ConfigurationSetName="usual")
    signed = ses.put_email_identity_dkim_signing_attributes(
        EmailIdentity=names[0], SigningAttributesOrigin="EXTERNAL", SigningAttributes={
            "DomainSigningSelector": "own", "DomainSigningPrivateKey": key, "DomainSigningAttributesOrigin": "EXTERNAL"})
    assert signed["DkimTokens"] == ["own"], signed
    signed = ses.put_email_identity_dkim_signing_attributes(
        EmailIdentity=names[0], SigningAttributesOrigin="AWS_SES",
        SigningAttributes={"NextSigningKeyLength": "RSA_2048_BIT"})
    assert len(signed["DkimTokens"]) == 3, signed

    policy = {"EmailIdentity": names[0], "PolicyName": "p"}
    texts = [json.dumps({"Version": "2012-10-17", "Statement": [{
        "Sid": sid, "Effect": "Allow", "Principal": "*", "Action": "ses:SendEmail", "Resource": "*"}]}) for sid in "ab"]
    ses.create_email_identity_policy(**policy, Policy=texts[0])
    assert ses.get_email_identity_policies(EmailIdentity=names[0])["Policies"] == {"p": texts[0]}
    ses.update_email_identity_policy(**policy, Policy=texts[1])
    assert ses.get_email_identity(EmailIdentity=names[0])["Policies"] == {"p": texts[1]}
    ses.delete_email_identity_policy(**policy)
    assert ses.get_email_identity_policies(EmailIdentity=names[0])["Policies"] == {}

    listed = {one["IdentityName"]: one for one in pages(ses.list_email_identities, "EmailIdentities")}
    assert set(names) <= set(listed), listed

    def found(**filters):
        answer = ses.list_email_identities(Filter=filters, PageSize=1000)["EmailIdentities"]
        assert pages(ses.list_email_identities, "EmailIdentities", Filter=filters) == answer
        return {one["IdentityName"] for one in answer}
    assert found(IDENTITY_NAME_CONTAINS=names[0].split(".")[0].upper()) == {names[0]}
    assert found(IDENTITY_TYPE="DOMAIN", IDENTITY_NAME_CONTAINS="surface-") == set(names)
    assert not found(IDENTITY_TYPE="EMAIL_ADDRESS", IDENTITY_NAME_CONTAINS="surface-")
    status = listed[names[0]]["VerificationStatus"]
    assert names[0] in found(VERIFICATION_STATUS=status) and not found(VERIFICATION_STATUS="TEMPORARY_FAILURE")
    for wrong in ({"IDENTITY_COLOUR": "red"}, {"IDENTITY_TYPE": "CAT"}, {"VERIFICATION_STATUS": "OLD"}):
        refused("BadRequestException", lambda wrong=wrong: ses.list_email_identities(Filter=wrong), 400, "Invalid filter")

    for name in names:
        ses.delete_email_identity(EmailIdentity=name)
    refused("NotFoundException", lambda: ses.get_email_identity(EmailIdentity=names[0]), 404)


def check_configuration_sets(world):
    here = home(world)
    ses, name = here.v2.client, world.name("set")
    options = {
        "DeliveryOptions": {"TlsPolicy": "REQUIRE", "MaxDeliverySeconds": 600},
        "ReputationOptions": {"ReputationMetricsEnabled": True}, "SendingOptions": {"SendingEnabled": False},
        "SuppressionOptions": {"SuppressedReasons": ["COMPLAINT"]}, "Tags": TAGS}
    given = {**options, "SuppressionOptions": {"SuppressedReasons": ["COMPLAINT"], "SuppressionScope": "ACCOUNT"},
             "ReputationOptions": {"ReputationMetricsEnabled": True, "LastFreshStart": 1700000000}}
    off = {"VdmOptions": {"DashboardOptions": {"EngagementMetrics": "DISABLED"},
                          "GuardianOptions": {"OptimizedSharedDelivery": "DISABLED"}},
           "MessageSecurityOptions": {"SigningScheme": {"DefaultScheme": {}}}}
    lacking = [
        {"TrackingOptions": {"CustomRedirectDomain": here.domain, "HttpsPolicy": "OPTIONAL"}},
        {"DeliveryOptions": {"SendingPoolName": "pool"}}, {"DeliveryOptions": {"SharedPoolDeliveryMode": "GLOBAL"}},
        {"ArchivingOptions": {"ArchiveArn": "arn:aws:ses:::a/b"}},
        {"SuppressionOptions": {"ValidationOptions": THRESHOLD}}, {"SuppressionOptions": {"SuppressionScope": "TENANT"}},
        {"VdmOptions": {"DashboardOptions": {"EngagementMetrics": "ENABLED"}}},
        {"MessageSecurityOptions": {"SigningScheme": {"SmimeScheme": {"SignatureFormat": "DETACHED"}}}}]
    for more in lacking:
        unsupported(lambda more=more: ses.create_configuration_set(ConfigurationSetName=name, **more), absent(more))
    ses.create_configuration_set(ConfigurationSetName=name, **given, **off)
    got = ses.get_configuration_set(ConfigurationSetName=name)
    same(got, {"ConfigurationSetName": name, **options})

    ses.put_configuration_set_delivery_options(
        ConfigurationSetName=name, TlsPolicy="OPTIONAL", MaxDeliverySeconds=50400, SharedPoolDeliveryMode="ACCOUNT")
    ses.put_configuration_set_reputation_options(ConfigurationSetName=name, ReputationMetricsEnabled=False)
    ses.put_configuration_set_sending_options(ConfigurationSetName=name, SendingEnabled=True)
    ses.put_configuration_set_suppression_options(
        ConfigurationSetName=name, SuppressedReasons=["BOUNCE"], SuppressionScope="ACCOUNT")
    ses.put_configuration_set_tracking_options(ConfigurationSetName=name)
    ses.put_configuration_set_archiving_options(ConfigurationSetName=name)
    ses.put_configuration_set_vdm_options(ConfigurationSetName=name, VdmOptions=off["VdmOptions"])
    got = ses.get_configuration_set(ConfigurationSetName=name)
    same(got, {"DeliveryOptions": {"TlsPolicy": "OPTIONAL", "MaxDeliverySeconds": 50400},
               "SendingOptions": {"SendingEnabled": True}, "SuppressionOptions": {"SuppressedReasons": ["BOUNCE"]}})
    assert not got["ReputationOptions"]["ReputationMetricsEnabled"], got
    for call, more in (
            (ses.put_configuration_set_delivery_options, {"SendingPoolName": "pool"}),
            (ses.put_configuration_set_delivery_options, {"SharedPoolDeliveryMode": "REGIONAL"}),
            (ses.put_configuration_set_suppression_options, {"ValidationOptions": THRESHOLD}),
            (ses.put_configuration_set_suppression_options, {"SuppressionScope": "TENANT"}),
            (ses.put_configuration_set_tracking_options, {"CustomRedirectDomain": here.domain, "HttpsPolicy": "REQUIRE"}),
            (ses.put_configuration_set_archiving_options, {"ArchiveArn": "arn:aws:ses:::a/b"}),
            (ses.put_configuration_set_vdm_options, {"VdmOptions": {"GuardianOptions": {
                "OptimizedSharedDelivery": "ENABLED"}}})):
        unsupported(lambda call=call, more=more: call(ConfigurationSetName=name, **more), absent(more))
    names = pages(ses.list_configuration_sets, "ConfigurationSets")
    assert name in names and len(names) == len(set(names)), names
    part = {"CONFIGURATION_SET_NAME_CONTAINS": name[1:]}
    assert pages(ses.list_configuration_sets, "ConfigurationSets", Filter=part) == [name]
    refused("BadRequestException", lambda: ses.list_configuration_sets(Filter={"COLOUR": "red"}), 400, "Invalid filter")
    ses.delete_configuration_set(ConfigurationSetName=name)
    refused("NotFoundException", lambda: ses.get_configuration_set(ConfigurationSetName=name), 404)


def check_event_destinations(world):
    here = home(world)
    ses, name = here.v2.client, world.name("set")
    ses.create_configuration_set(ConfigurationSetName=name)
    topic = here.client("sns").create_topic(Name=world.name("events"))["TopicArn"]
    types = ["SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "OPEN", "CLICK", "RENDERING_FAILURE", "DELIVERY_DELAY",
             "SUBSCRIPTION"]
    labels = {"DimensionConfigurations": [
        {"DimensionName": "a", "DimensionValueSource": "MESSAGE_TAG", "DefaultDimensionValue": "none"},
        {"DimensionName": "b", "DimensionValueSource": "EMAIL_HEADER", "DefaultDimensionValue": "x"},
        {"DimensionName": "c", "DimensionValueSource": "LINK_TAG", "DefaultDimensionValue": "y"}]}
    arn = f"arn:aws:%s:us-east-1:{here.account}:%s"
    stream = {"IamRoleArn": f"arn:aws:iam::{here.account}:role/r", "DeliveryStreamArn": arn % ("firehose", "deliverystream/s")}
    kinds = {"topic": {"SnsDestination": {"TopicArn": topic}}, "labels": {"CloudWatchDestination": labels}}

    def put(call, of, **more):
        call(ConfigurationSetName=name, EventDestinationName=of, EventDestination=more)
    for of, kind in kinds.items():
        put(ses.create_configuration_set_event_destination, of, Enabled=True, MatchingEventTypes=types, **kind)
    got = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]
    assert sorted(got, key=lambda one: one["Name"]) == [
        {"Name": of, "Enabled": True, "MatchingEventTypes": sorted(types), **kinds[of]} for of in sorted(kinds)], got
    put(ses.update_configuration_set_event_destination, "topic", Enabled=False, MatchingEventTypes=["SEND"], **kinds["labels"])
    got = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]
    assert {"Name": "topic", "Enabled": False, "MatchingEventTypes": ["SEND"], **kinds["labels"]} in got, got
    put(ses.update_configuration_set_event_destination, "topic", Enabled=True, MatchingEventTypes=["SEND"], **kinds["topic"])
    for call, of in ((ses.create_configuration_set_event_destination, "more"),
                     (ses.update_configuration_set_event_destination, "topic")):
        for kind, text in (({"PinpointDestination": {"ApplicationArn": arn % ("mobiletargeting", "apps/a")}}, "not supported"),
                           ({"EventBridgeDestination": {"EventBusArn": arn % ("events", "event-bus/none")}}, ""),
                           ({"KinesisFirehoseDestination": stream}, "not found")):
            refused(("BadRequestException", "NotFoundException"),
                    lambda call=call, of=of, kind=kind: put(call, of, MatchingEventTypes=["SEND"], **kind), text=text)
    for of in kinds:
        ses.delete_configuration_set_event_destination(ConfigurationSetName=name, EventDestinationName=of)
    assert ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"] == []


def check_templates(world):
    ses, name = home(world).v2.client, world.name("template")
    content = {"Subject": "Hi {{name}}", "Text": "text {{name}}", "Html": "<b>{{name}}</b>"}
    ses.create_email_template(TemplateName=name, TemplateContent=content, Tags=TAGS)
    same(ses.get_email_template(TemplateName=name), {"TemplateName": name, "TemplateContent": content, "Tags": TAGS})
    text = ses.test_render_email_template(TemplateName=name, TemplateData='{"name": "Ann"}')["RenderedTemplate"]
    assert "Subject: Hi Ann" in text and "<b>Ann</b>" in text and "text Ann" in text, text
    for changed in ({"Subject": "S", "Html": "H"}, {"Subject": "S", "Text": "T"}):
        ses.update_email_template(TemplateName=name, TemplateContent=changed)
        same(ses.get_email_template(TemplateName=name), {"TemplateContent": changed, "Tags": TAGS})
    ses.create_email_template(TemplateName=name + "b", TemplateContent=content)
    listed = pages(ses.list_email_templates, "TemplatesMetadata")
    assert [one["TemplateName"] for one in listed] == [name, name + "b"] and listed[0]["CreatedTimestamp"], listed
    for one in (name, name + "b"):
        ses.delete_email_template(TemplateName=one)
    refused("NotFoundException", lambda: ses.get_email_template(TemplateName=name), 404)


def check_custom_verification_and_tags(world):
    here = home(world)
    ses, name = here.v2.client, world.name("ask")
    template = {"TemplateName": name, "FromEmailAddress": f"ask@{here.domain}", "TemplateSubject": "You?",
                "TemplateContent": "<p>Click</p>", "SuccessRedirectionURL": "https://app.example/yes",
                "FailureRedirectionURL": "https://app.example/no"}
    ses.create_custom_verification_email_template(**template, Tags=TAGS)
    same(ses.get_custom_verification_email_template(TemplateName=name), {**template, "Tags": TAGS})
    ses.update_custom_verification_email_template(**{**template, "TemplateSubject": "Is it you?"})
    ses.create_custom_verification_email_template(**{**template, "TemplateName": name + "b"})
    listed = pages(ses.list_custom_verification_email_templates, "CustomVerificationEmailTemplates")
    assert [one["TemplateName"] for one in listed] == [name, name + "b"] and listed[0]["TemplateSubject"] == "Is it you?"
    ses.create_configuration_set(ConfigurationSetName=name)
    to = f"new@{world.name('person')}.example"
    assert ses.send_custom_verification_email(EmailAddress=to, TemplateName=name, ConfigurationSetName=name)["MessageId"]
    [raw] = world.delivered(to)
    assert email.message_from_bytes(raw)["Subject"] == "Is it you?"
    refused("NotFoundException", lambda: ses.send_custom_verification_email(
        EmailAddress=f"a@{to.split('@')[1]}", TemplateName=name, ConfigurationSetName="none"), 404)

    for kind, of in (("identity", here.domain), ("configuration-set", name), ("custom-verification-email-template", name)):
        arn = {"ResourceArn": f"arn:aws:ses:us-east-1:{here.account}:{kind}/{of}"}
        ses.tag_resource(**arn, Tags=[*TAGS, {"Key": "more", "Value": "1"}])
        ses.untag_resource(**arn, TagKeys=["team", "none"])
        left = ses.list_tags_for_resource(**arn)["Tags"]
        assert sorted(tag["Key"] for tag in left) == ["empty", "more"], (kind, left)
    for one in (name, name + "b"):
        ses.delete_custom_verification_email_template(TemplateName=one)
    refused("NotFoundException", lambda: ses.get_custom_verification_email_template(TemplateName=name), 404)


def check_suppression(world):
    ses = home(world).v2.client
    people = [f"{name}@{world.name('rcpt')}.example" for name in ("a", "b")]
    for person, reason in zip(people, ("BOUNCE", "COMPLAINT")):
        ses.put_suppressed_destination(EmailAddress=person, Reason=reason)
    got = ses.get_suppressed_destination(EmailAddress=people[1])["SuppressedDestination"]
    same(got, {"EmailAddress": people[1], "Reason": "COMPLAINT"})
    now = got["LastUpdateTime"]

    def listed(**more):
        return [one["EmailAddress"] for one in pages(ses.list_suppressed_destinations, "SuppressedDestinationSummaries", **more)]
    assert listed() == people and listed(Reasons=["BOUNCE"]) == people[:1] and listed(Reasons=["BOUNCE", "COMPLAINT"]) == people
    assert listed(StartDate=now - MINUTE, EndDate=now + MINUTE) == people
    assert listed(StartDate=now + MINUTE) == [] and listed(EndDate=now - MINUTE) == []
    for call, more in ((ses.put_suppressed_destination, {"EmailAddress": people[0], "Reason": "BOUNCE"}),
                       (ses.get_suppressed_destination, {"EmailAddress": people[0]}),
                       (ses.list_suppressed_destinations, {}), (ses.delete_suppressed_destination, {"EmailAddress": people[0]})):
        refused("NotFoundException", lambda call=call, more=more: call(TenantName="t", **more), 404, "Tenant")
    for person in people:
        ses.delete_suppressed_destination(EmailAddress=person)
    assert listed() == []


def check_import_jobs(world):
    ses = home(world).v2.client
    bucket = os.path.join(world.server.directory, "data", "objects", "imports")
    os.makedirs(bucket)
    with open(os.path.join(bucket, "list.csv"), "w", encoding="utf-8") as file:
        file.write("gone@rcpt.example,BOUNCE\nnobody,BOUNCE\n")
    source = {"S3Url": "s3://imports/list.csv", "DataFormat": "CSV"}
    target = {"SuppressionListDestination": {"SuppressionListImportAction": "PUT"}}
    job = ses.create_import_job(ImportDestination=target, ImportDataSource=source)["JobId"]
    done = wait_for("the import", lambda: (one := ses.get_import_job(JobId=job))["JobStatus"] == "COMPLETED" and one, 70)
    same(done, {"ImportDestination": target, "ImportDataSource": source, "ProcessedRecordsCount": 2, "FailedRecordsCount": 1})
    assert ses.get_suppressed_destination(EmailAddress="gone@rcpt.example")["SuppressedDestination"]["Reason"] == "BOUNCE"
    ses.delete_suppressed_destination(EmailAddress="gone@rcpt.example")
    away = {"SuppressionListDestination": {"SuppressionListImportAction": "DELETE"}}
    second = ses.create_import_job(ImportDestination=away, ImportDataSource={**source, "DataFormat": "JSON"})["JobId"]
    listed = pages(ses.list_import_jobs, "ImportJobs", ImportDestinationType="SUPPRESSION_LIST")
    assert [one["JobId"] for one in listed] == [second, job], listed
    friends = {"ContactListDestination": {"ContactListName": "friends", "ContactListImportAction": "PUT"}}
    refused("BadRequestException", lambda: ses.create_import_job(ImportDestination=friends, ImportDataSource=source))
    refused("NotFoundException", lambda: ses.get_import_job(JobId="none"), 404)


def check_account(world):
    ses = home(world).v2.client
    details = {"MailType": "MARKETING", "WebsiteURL": "https://shop.example/", "ContactLanguage": "JA",
               "UseCaseDescription": "News", "AdditionalContactEmailAddresses": ["a@shop.example", "b@shop.example"]}
    ses.put_account_details(**details, ProductionAccessEnabled=False)
    same(ses.get_account()["Details"], details)
    ses.put_account_sending_attributes(SendingEnabled=False)
    assert not ses.get_account()["SendingEnabled"]
    ses.put_account_sending_attributes(SendingEnabled=True)
    assert ses.get_account()["SendingEnabled"]
    ses.put_account_suppression_attributes(SuppressedReasons=["COMPLAINT"])
    assert ses.get_account()["SuppressionAttributes"]["SuppressedReasons"] == ["COMPLAINT"]
    unsupported(lambda: ses.put_account_suppression_attributes(ValidationAttributes=THRESHOLD))
    ses.put_account_suppression_attributes(SuppressedReasons=["BOUNCE", "COMPLAINT"])


def check_sending(world):
    here = home(world)
    ses, client = here.v2.client, here.client("sesv2")
    arn = f"arn:aws:ses:us-east-1:{here.account}:identity/{here.domain}"
    template = world.name("template")
    client.create_email_template(TemplateName=template, TemplateContent={"Subject": "S {{n}}", "Text": "T {{n}}"})
    set_name, events = world.configuration_set(["SEND"], keys=here.keys)
    attachment = {"RawContent": bytes(range(256)), "ContentDisposition": "INLINE", "FileName": "a.bin",
                  "ContentDescription": "a file", "ContentId": "cid1", "ContentTransferEncoding": "BASE64",
                  "ContentType": "application/x-thing"}
    headers = [{"Name": "X-Mine", "Value": "kept"}]
    common = {"FromEmailAddress": f"News <news@{here.domain}>", "FromEmailAddressIdentityArn": arn,
              "ReplyToAddresses": [f"re@{here.domain}"], "FeedbackForwardingEmailAddress": f"fb@{here.domain}",
              "FeedbackForwardingEmailAddressIdentityArn": arn, "ConfigurationSetName": set_name,
              "ConfigurationOverrides": {"Tracking": {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}}}
    text = {"Data": "T 7", "Charset": "UTF-8"}
    own = {"Headers": headers, "Attachments": [attachment]}
    contents = [
        {"Simple": {"Subject": {"Data": "S 7", "Charset": "UTF-8"}, "Body": {"Text": text, "Html": {**text}}, **own}},
        {"Template": {"TemplateName": template, "TemplateData": '{"n": 7}', **own}},
        {"Template": {"TemplateArn": arn.replace(f"identity/{here.domain}", f"template/{template}"),
                      "TemplateData": '{"n": 7}', **own}},
        {"Template": {"TemplateContent": {"Subject": "S {{n}}", "Text": "T {{n}}", "Html": "T {{n}}"},
                      "TemplateData": '{"n": 7}', **own}},
        {"Raw": {"Data": f"From: news@{here.domain}\r\nReply-To: re@{here.domain}\r\nX-Mine: kept\r\nSubject: S 7\r\n\r\nT 7".encode()}}]

    def arrives(people, message_id, content, tags):
        for person in people:
            [raw] = world.delivered(person)
            mail = email.message_from_bytes(raw, policy=email.policy.default)
            assert mail["Subject"] == "S 7" and mail["X-Mine"] == "kept", raw[:3000]
            assert mail["Reply-To"].addresses[0].addr_spec == f"re@{here.domain}"
            assert mail.get_body(("plain",)).get_content().strip() == "T 7"
            if "Raw" not in content:
                [part] = [part for part in mail.walk() if part.get_filename() == "a.bin"]
                assert part.get_content() == bytes(range(256)) and part.get_content_type() == "application/x-thing"
                assert part["Content-ID"] == "<cid1>" and part["Content-Description"] == "a file"
                assert part.get_content_disposition() == "inline" and part["Content-Transfer-Encoding"] == "base64"
        told = events.of(message_id, "Send")["mail"]
        assert told["destination"] == people and {k: told["tags"][k] for k in tags} == tags, told

    def people(n=3):
        domain = f"{world.name('rcpt')}.example"
        return [f"{who}@{domain}" for who in ("to", "cc", "bcc")][:n]

    def destination(to):
        return dict(zip(("ToAddresses", "CcAddresses", "BccAddresses"), [[one] for one in to]))
    for content in contents:
        to = people()
        sent = ses.send_email(**common, Content=content, Destination=destination(to),
                              EmailTags=[{"Name": "campaign", "Value": "x"}])
        arrives(to, sent["MessageId"], content, {"campaign": ["x"], "ses:configuration-set": [set_name]})
    for content in contents[1:4]:
        many = [people(), people(1)]
        entries = [{"Destination": destination(to)} for to in many]
        entries[0] |= {"ReplacementTags": [{"Name": "campaign", "Value": "own"}], "ReplacementHeaders": headers,
                       "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": '{"n": 7}'}}}
        answer = ses.send_bulk_email(**common, DefaultContent=content, BulkEmailEntries=entries, DefaultEmailTags=[
            {"Name": "campaign", "Value": "all"}, {"Name": "x", "Value": "y"}])["BulkEmailEntryResults"]
        assert [one["Status"] for one in answer] == ["SUCCESS"] * 2, answer
        for to, one, tag in zip(many, answer, ("own", "all")):
            arrives(to, one["MessageId"], content, {"campaign": [tag], "x": ["y"]})
    one = {"FromEmailAddress": f"a@{here.domain}", "Destination": destination(people()), "Content": contents[0]}
    bulk = {"FromEmailAddress": f"a@{here.domain}", "DefaultContent": contents[1],
            "BulkEmailEntries": [{"Destination": destination(people())}]}
    for call, base in ((ses.send_email, one), (ses.send_bulk_email, bulk)):
        for code, more in (
                ("NotFoundException", {"TenantName": "t"}),
                ("BadRequestException", {"ConfigurationOverrides": {"Tracking": {"ClickTrackingEnabled": "ENABLED"}}})):
            refused(code, lambda call=call, base=base, more=more: call(**base, **more))
    refused("NotFoundException", lambda: ses.send_email(**one, ListManagementOptions={
        "ContactListName": "l", "TopicName": "t"}), 404)


def check_every_member_was_given(world):
    """Last here: no operation and no input member has been left out above. An EndpointId makes botocore sign in a way that needs
    another library; that it is read is seen in the part `surface_any`."""
    left = [path for path in home(world).v2.never_given() if "EndpointId" not in path]
    assert not left, left
    missing = home(world).v2.there - home(world).v2.called
    assert not missing, missing
