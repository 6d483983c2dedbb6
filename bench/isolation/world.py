"""A fresh server with two accounts, the honest one and the other one, and everything that the probes need."""
import base64
import contextlib
import re
import time
import urllib.request

import boto3
from botocore.config import Config
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import machine
import mail
import postrider
from isolation import probes
from isolation.signed import REGION, Account
from names import Names

DOMAIN, OTHER_DOMAIN, SILENT = "honest.test", "other.test", "dead.test"
SELECTOR = "bench"


class World:
    """Use it by `built`."""

    def __init__(self, server, names, loop):
        self.server, self.names, self.loop, self.domain = server, names, loop, DOMAIN
        self.http, self.smtp = server.http, server.smtp
        names.texts["sender.test"] = "v=spf1 ip4:127.0.0.0/8 -all"
        names.keys[SELECTOR], self.dkim = own_key()

    def prepare(self):
        """Makes the accounts and what they have, and waits until the domains are verified and the subscriptions confirmed."""
        self.honest, self.other = self._account("111111111111"), self._account("222222222222")
        mail.admin(self.server, "grant-production", "--account", self.honest.number, "--max-24-hour", "-1", "--max-per-second", "-1")
        for account, domain in ((self.honest, DOMAIN), (self.other, OTHER_DOMAIN)):
            self.client(account, "sesv2").create_email_identity(EmailIdentity=domain, DkimSigningAttributes=self.dkim)
        sns = self.client(self.honest, "sns")
        self.queue = self.client(self.honest, "sqs").create_queue(QueueName="probed")["QueueUrl"]
        self.topic, inbound = (sns.create_topic(Name=name)["TopicArn"] for name in ("probed", "inbound"))
        nobody = self.client(self.other, "sns").create_topic(Name="nobody")["TopicArn"]
        for account, domain, topic in ((self.honest, DOMAIN, inbound), (self.other, OTHER_DOMAIN, nobody)):
            self._receives(account, domain, topic)
        for topic in (self.topic, inbound):
            sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{self.hook.port}/")
        until("the webhooks are asked to confirm", lambda: len(self.hook.confirmations) == 2)
        for topic, token in self.hook.confirmations:
            sns.confirm_subscription(TopicArn=topic, Token=token)
        for account, domain in ((self.honest, DOMAIN), (self.other, OTHER_DOMAIN)):
            ses = self.client(account, "sesv2")
            until(f"{domain} is verified", lambda: ses.get_email_identity(EmailIdentity=domain)["VerifiedForSendingStatus"])

    def _account(self, number):
        mail.admin(self.server, "account", "create", f"account-{number}", "--id", number)
        said = mail.admin(self.server, "key", "create", "--account", number)
        key, secret = (re.search(rf"{name} = (\S+)", said)[1] for name in ("aws_access_key_id", "aws_secret_access_key"))
        return Account(number, key, secret)

    def _receives(self, account, domain, topic):
        ses = self.client(account, "ses")
        ses.create_receipt_rule_set(RuleSetName="bench")
        ses.create_receipt_rule(RuleSetName="bench", Rule={
            "Name": "tell", "Enabled": True, "Recipients": [domain], "Actions": [{"SNSAction": {"TopicArn": topic}}]})
        ses.set_active_receipt_rule_set(RuleSetName="bench")

    def client(self, account, service):
        """A boto3 client for what is to be made beforehand. It waits long and never asks twice."""
        config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=120)
        return boto3.client(service, endpoint_url=self.server.url, region_name=REGION, aws_access_key_id=account.key,
                            aws_secret_access_key=account.secret, config=config)

    def allowed_mib(self):
        """The most memory that the server may have: its budget for octets in flight, and 200 MiB."""
        with urllib.request.urlopen(f"{self.server.url}/metrics", timeout=30) as page:
            told = re.search(r"^postrider_memory_budget_bytes(?:{[^}]*})? (\S+)$", page.read().decode(), re.M)
        budget = float(told[1]) / 2 ** 20 if told else min(1024, machine.total_mib() / 4)
        return budget + 200

    def quiet(self, below=0.1, within=20):
        """Waits until the server uses less than so much of a core. Gives how many seconds that took, at most `within`."""
        began = time.monotonic()
        while time.monotonic() - began < within:
            before = self.server.cpu()
            time.sleep(0.5)
            if self.server.cpu() - before < below * 0.5:
                break
        return time.monotonic() - began


def own_key():
    """A DKIM key of the account's own, which is known before a domain is made: its DNS record, and what is given to SES."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    der, no = serialization.Encoding.DER, serialization.NoEncryption()
    public = key.public_key().public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(der, serialization.PrivateFormat.PKCS8, no)
    text = lambda octets: base64.b64encode(octets).decode()
    return f"v=DKIM1; k=rsa; p={text(public)}", {
        "DomainSigningSelector": SELECTOR, "DomainSigningPrivateKey": text(private)}


def until(what, condition, seconds=150):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds} s: {what}")
        time.sleep(0.1)


@contextlib.contextmanager
def built(engine, refuses=None):
    """A world on a fresh store. `refuses`: from where on the receiver of mail says 451."""
    loop = probes.Loop()
    arrivals, sink, hook = probes.listen(loop, refuses)
    with Names(silent=[SILENT]) as names:
        way = ["--dns", f"127.0.0.1:{names.port}", "--mx-port", sink.port, "--delivery", "mx", "--mx-allow", "127.0.0.0/8",
               "--webhook-allow", "127.0.0.0/8"]
        # With the server's own bounds for its clients.
        with postrider.server(engine, *way, per_peer=None) as server:
            world = World(server, names, loop)
            world.arrivals, world.sink, world.hook = arrivals, sink, hook
            world.prepare()
            yield world
