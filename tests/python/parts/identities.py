"""SES identities, whole: both APIs' operations, proof by DNS, keys that change, MAIL FROM, policies, custom verification."""
import email
import email.policy
import http.client
import json
import re
from urllib.parse import urlsplit

import dkim
from expect import refused
from peers import MX, TXT
from server import wait_for
from world import HOSTNAME, SENDING

POLICY = {"Version": "2012-10-17", "Statement": []}


def check_v1_operations(world):
    v1 = world.client("ses")
    domain, address = f"{world.name('v1')}.example", f"a@{world.name('v1')}.example"
    token = v1.verify_domain_identity(Domain=domain)["VerificationToken"]
    assert token and v1.verify_domain_identity(Domain=domain)["VerificationToken"] == token
    refused("InvalidParameterValue", lambda: v1.verify_domain_identity(Domain="a@b.example"), 400)
    state = v1.get_identity_verification_attributes(Identities=[domain])["VerificationAttributes"][domain]
    assert state == {"VerificationStatus": "Success" if world.dev else "Pending", "VerificationToken": token}, state
    dkim_state = v1.get_identity_dkim_attributes(Identities=[domain, "nobody.example"])["DkimAttributes"]
    assert dkim_state == {domain: {"DkimEnabled": False, "DkimVerificationStatus": "NotStarted"}}, dkim_state
    tokens = v1.verify_domain_dkim(Domain=domain)["DkimTokens"]
    assert len(set(tokens)) == 3 and v1.verify_domain_dkim(Domain=domain)["DkimTokens"] == tokens
    v1.set_identity_dkim_enabled(Identity=domain, DkimEnabled=False)
    dkim_state = v1.get_identity_dkim_attributes(Identities=[domain])["DkimAttributes"][domain]
    wanted = "Success" if world.dev else "Pending"
    assert dkim_state == {"DkimEnabled": False, "DkimVerificationStatus": wanted, "DkimTokens": tokens}, dkim_state
    refused("InvalidParameterValue", lambda: v1.set_identity_dkim_enabled(Identity="nobody.example", DkimEnabled=True), 400)

    v1.set_identity_mail_from_domain(Identity=domain, MailFromDomain=f"b.{domain}", BehaviorOnMXFailure="RejectMessage")
    states = v1.get_identity_mail_from_domain_attributes(Identities=[domain])["MailFromDomainAttributes"]
    assert states[domain] == {"MailFromDomain": f"b.{domain}", "BehaviorOnMXFailure": "RejectMessage",
                              "MailFromDomainStatus": wanted}, states
    refused("InvalidParameterValue", lambda: v1.set_identity_mail_from_domain(
        Identity=domain, MailFromDomain="b.other.example"), 400, "is not subdomain of the domain of the identity")
    v1.set_identity_mail_from_domain(Identity=domain)
    states = v1.get_identity_mail_from_domain_attributes(Identities=[domain])["MailFromDomainAttributes"]
    assert states[domain] == {"BehaviorOnMXFailure": "UseDefaultValue"}, states

    text = json.dumps({**POLICY, "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ses:*", "Resource": "*"}]})
    v1.put_identity_policy(Identity=domain, PolicyName="one", Policy=text)
    v1.put_identity_policy(Identity=domain, PolicyName="one", Policy=text)
    assert v1.list_identity_policies(Identity=domain)["PolicyNames"] == ["one"]
    got = v1.get_identity_policies(Identity=domain, PolicyNames=["one", "two"])["Policies"]
    assert got == {"one": text}, got
    refused("InvalidPolicy", lambda: v1.put_identity_policy(Identity=domain, PolicyName="one", Policy="{}"), 400)
    v1.delete_identity_policy(Identity=domain, PolicyName="one")
    assert v1.list_identity_policies(Identity=domain)["PolicyNames"] == []

    v1.verify_email_address(EmailAddress=address)
    assert (address in v1.list_verified_email_addresses()["VerifiedEmailAddresses"]) is world.dev
    names = v1.list_identities(IdentityType="EmailAddress")["Identities"]
    assert address in names and domain not in names
    assert domain in v1.list_identities(IdentityType="Domain")["Identities"]
    v1.delete_verified_email_address(EmailAddress=address)
    assert address not in v1.list_identities()["Identities"]
    v1.delete_identity(Identity=domain)


def check_custom_verification(world):
    v1, v2 = world.client("ses"), world.client("sesv2")
    name = world.name("ask")
    template = {"TemplateName": name, "FromEmailAddress": f"ask@{SENDING}", "TemplateSubject": "Bist du das?",
                "TemplateContent": "<p>Bitte klicken:</p>", "SuccessRedirectionURL": "https://app.example/yes",
                "FailureRedirectionURL": "https://app.example/no"}
    refused("FromEmailAddressNotVerified", lambda: v1.create_custom_verification_email_template(
        **{**template, "FromEmailAddress": "a@nobody.example"}), 400)
    refused("CustomVerificationEmailInvalidContent", lambda: v1.create_custom_verification_email_template(
        **{**template, "TemplateContent": ""}), 400)
    v1.create_custom_verification_email_template(**template)
    refused("CustomVerificationEmailTemplateAlreadyExists",
            lambda: v1.create_custom_verification_email_template(**template), 400)
    v1.update_custom_verification_email_template(TemplateName=name, TemplateSubject="Bist du es?")
    got = v1.get_custom_verification_email_template(TemplateName=name)
    assert {key: got[key] for key in template} == {**template, "TemplateSubject": "Bist du es?"}, got
    v2.update_custom_verification_email_template(**template)
    listed = v2.list_custom_verification_email_templates()["CustomVerificationEmailTemplates"]
    assert name in [one["TemplateName"] for one in listed] and "TemplateContent" not in listed[0]
    to = f"new@{world.name('person')}.example"
    sent = v1.send_custom_verification_email(EmailAddress=to, TemplateName=name)
    assert sent["MessageId"]
    [raw] = world.delivered(to)
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["Subject"] == "Bist du das?" and "Bitte klicken" in mail.get_body(("html",)).get_content()
    link = re.search(r'href="([^"]+)"', mail.get_body(("html",)).get_content()).group(1)
    assert _location("GET", link) == (200, None), "a page that asks"
    # On a developer's machine it is verified from the start.
    verified = v2.get_email_identity(EmailIdentity=to)["VerifiedForSendingStatus"]
    assert world.dev or not verified, "who follows the links of a mail verifies nothing"
    for page in ("yes", "no"):
        assert _location("POST", link) == (303, f"https://app.example/{page}"), page
    assert v2.get_email_identity(EmailIdentity=to)["VerifiedForSendingStatus"]
    refused("ProductionAccessNotGranted" if not world.dev else "CustomVerificationEmailTemplateDoesNotExist",
            lambda: world.client("ses", world.other_keys).send_custom_verification_email(
                EmailAddress=to, TemplateName=name), 400)
    v1.delete_custom_verification_email_template(TemplateName=name)
    v1.delete_custom_verification_email_template(TemplateName=name)
    refused("CustomVerificationEmailTemplateDoesNotExist",
            lambda: v1.get_custom_verification_email_template(TemplateName=name), 400)


def _location(method, link):
    parts = urlsplit(link)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request(method, f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    return answer.status, answer.getheader("Location")


def check_dkim_by_dkimpy(world):
    """What arrives is signed by both kinds of keys, and dkimpy says so."""
    domain = f"{world.name('signed')}.example"
    v2 = world.client("sesv2")
    v2.create_email_identity(EmailIdentity=domain)
    lines = world.server.keys("dkim-ed25519", domain, "--account", world.account)
    assert len(lines) == 2, lines
    records = {}
    for line in lines:
        name, _, value = line.split(" ", 2)
        records[name] = value.strip('"')
        world.dns.set(name, TXT, [value.strip('"')])
    world.restart()
    v2 = world.client("sesv2")
    world.wait_verified(v2, domain)
    to = f"both@{world.name('rcpt')}.example"

    def sent():
        v2.send_email(FromEmailAddress=f"a@sub.{domain}", Destination={"ToAddresses": [to]}, Content={"Simple": {
            "Subject": {"Data": "Grüße"}, "Body": {"Text": {"Data": "a  b \n.\n\n\n"}}}})
        return world.delivered(to)[-1]
    raw = sent()
    count = raw.split(b"\r\n\r\n")[0].count(b"DKIM-Signature:")
    # In `dev` nothing is looked up, so a key that has to be found first does not sign.
    assert count == (1 if world.dev else 2), raw[:2000]
    for index in range(count):
        ask = lambda name, timeout=5: records[name.decode().rstrip(".")].encode()
        assert dkim.DKIM(raw).verify(idx=index, dnsfunc=ask), (index, raw[:2000])
        assert not dkim.DKIM(b"Subject: more\r\n" + raw).verify(idx=index, dnsfunc=ask)


def check_mail_from_and_policies(world):
    """The reverse path is in the MAIL FROM domain once its records are there; another account sends by a policy."""
    domain = f"{world.name('from')}.example"
    v2 = world.client("sesv2")
    v2.create_email_identity(EmailIdentity=domain)
    v2.put_email_identity_mail_from_attributes(EmailIdentity=domain, MailFromDomain=f"b.{domain}",
                                               BehaviorOnMxFailure="REJECT_MESSAGE")
    to = {"ToAddresses": [f"to@{world.name('rcpt')}.example"]}
    content = {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}}
    lines = world.server.admin("--hostname", HOSTNAME, "dns-records", domain, "--account", world.account)
    assert f"b.{domain} MX 10 {HOSTNAME}" in lines, lines
    if not world.dev:
        [key] = [line for line in lines if "._domainkey." in line and not line.startswith(";")]
        name, _, value = key.split(" ", 2)
        world.dns.set(name, TXT, [value.strip('"')])
        world.restart()
        v2 = world.client("sesv2")
        world.wait_verified(v2, domain)
        refused("MailFromDomainNotVerifiedException", lambda: v2.send_email(
            FromEmailAddress=f"a@{domain}", Destination=to, Content=content), 400)
        refused("MailFromDomainNotVerifiedException", lambda: world.client("ses").send_email(
            Source=f"a@{domain}", Destination=to, Message={"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}), 400)
        world.dns.set(f"b.{domain}", MX, [(10, HOSTNAME)])
        world.dns.set(f"b.{domain}", TXT, ["v=spf1 a:mail.story.example ~all"])
        # Asked again for the same domain, it is looked at at once, that is, in the next round.
        v2.put_email_identity_mail_from_attributes(EmailIdentity=domain, MailFromDomain=f"b.{domain}",
                                                   BehaviorOnMxFailure="REJECT_MESSAGE")
        world.restart()
        v2 = world.client("sesv2")
        wait_for("the MAIL FROM domain works", lambda: v2.get_email_identity(EmailIdentity=domain)
                 ["MailFromAttributes"]["MailFromDomainStatus"] == "SUCCESS", 60, pause=0.2)
    sent = v2.send_email(FromEmailAddress=f"a@{domain}", Destination=to, Content=content)
    world.delivered(to["ToAddresses"][0])
    if not world.dev:
        [mail] = world.sink.to(to["ToAddresses"][0])
        assert mail.sender.startswith("fb-") and mail.sender.endswith(f"@b.{domain}"), mail.sender

    arn = f"arn:aws:ses:us-east-1:{world.account}:identity/{domain}"
    # An account of its own: the quota of the other one is used up by an earlier part.
    third, keys = "333322221111", ("333322221111", "any")
    if not world.dev:
        world.server.admin("account", "create", "third", "--id", third)
        keys = world.new_keys(third)
    other = world.client("sesv2", keys)
    foreign = dict(FromEmailAddress=f"a@{domain}", FromEmailAddressIdentityArn=arn, Content=content,
                   Destination={"ToAddresses": ["success@simulator.amazonses.com"]})
    refused("AccessDeniedException", lambda: other.send_email(**foreign), 403, "is not authorized to perform `ses:SendEmail'")
    policy = {**POLICY, "Statement": [{"Effect": "Allow", "Principal": {"AWS": third}, "Resource": arn,
                                       "Action": "ses:SendEmail", "Condition": {"StringLike": {"ses:FromAddress": "a@*"}}}]}
    v2.create_email_identity_policy(EmailIdentity=domain, PolicyName="p", Policy=json.dumps(policy))
    assert other.send_email(**foreign)["MessageId"]
    refused("AccessDeniedException", lambda: other.send_email(**{**foreign, "FromEmailAddress": f"b@{domain}"}), 403)
    refused("AccessDenied", lambda: world.client("ses", keys).send_raw_email(
        SourceArn=arn, RawMessage={"Data": f"From: a@{domain}\r\nTo: b@{domain}\r\n\r\nx\r\n".encode()}), 403)
