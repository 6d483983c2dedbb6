"""What the mail rows need: a verified domain, production access, a rule that takes the domain's mail."""
import subprocess
import time

import boto3

import postrider

DOMAIN = "postrider.test"


def client(server, service):
    return boto3.client(service, endpoint_url=server.url, region_name="us-east-1",
                        aws_access_key_id=postrider.KEY, aws_secret_access_key=postrider.SECRET)


def admin(server, *args):
    return subprocess.run([postrider.BINARY, "admin", "--data-dir", server.home, *args], check=True, text=True,
                          capture_output=True, env={**__import__("os").environ, **server.settings}).stdout


def prepare(server, names):
    """Verifies the domain by DNS, as an operator would, and leaves the sandbox."""
    ses = client(server, "sesv2")
    ses.create_email_identity(EmailIdentity=DOMAIN)
    for line in admin(server, "dns-records", DOMAIN).splitlines():
        if " TXT " in line:
            name, _, text = line.partition(" TXT ")
            names.texts[name.split()[0].rstrip(".").lower()] = text.strip().replace('" "', "").strip('"')
    admin(server, "grant-production", "--account", "000000000000", "--max-24-hour", "1000000000", "--max-per-second", "1000000")
    receipt = client(server, "ses")
    receipt.create_receipt_rule_set(RuleSetName="bench")
    receipt.create_receipt_rule(RuleSetName="bench", Rule={
        "Name": "take", "Enabled": True, "Recipients": [DOMAIN], "Actions": [{"StopAction": {"Scope": "RuleSet"}}]})
    receipt.set_active_receipt_rule_set(RuleSetName="bench")
    # Has the domain looked for again soon, since its records stand; else that would be a minute on.
    receipt.verify_domain_identity(Domain=DOMAIN)
    end = time.monotonic() + 150
    while not ses.get_email_identity(EmailIdentity=DOMAIN)["VerifiedForSendingStatus"]:
        if time.monotonic() > end:
            raise SystemExit("the domain was not verified")
        time.sleep(0.1)
