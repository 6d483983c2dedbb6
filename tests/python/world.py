"""What all parts of the story share: the server, the peers around it, and clients of two accounts."""
import configparser
import itertools
import json
import os
import stat
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from peers import Dns, SmtpSink, TXT, Webhook
from server import Server, wait_for

DEV_KEYS = ("dev", "dev")
HOSTNAME = "mail.story.example"
# A KMS key of the settings file.
KMS_KEY = "story-mail"
# A function that takes all that it is invoked with.
FUNCTION = "story-function"
# Where mail is sent from and where it is received, both verified at the beginning.
SENDING, RECEIVING = "sender.example", "inbound.example"


class World:
    """A server in one mode, and everything around it."""

    def __init__(self, binary, mode, directory, database_url):
        self.mode = mode
        self.dns, self.sink, self.webhook = Dns(), SmtpSink(), Webhook()
        self.config = os.path.join(directory, "postrider.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'[encryption]\nkms-keys = [{{ id = "{KMS_KEY}", aliases = ["alias/{KMS_KEY}"] }}]\n')
        flags = ["--dns", self.dns.address, "--mx-port", str(self.sink.port), "--hostname", HOSTNAME,
                 "--config", self.config, "--functions", f"{FUNCTION}={self.webhook.url}/invocations"]
        self.relay = ["--delivery", f"relay://127.0.0.1:{self.sink.port}"]
        if mode == "serve":
            flags += ["--webhook-allow", "127.0.0.0/8", "--mx-allow", "127.0.0.0/8"] + self.relay
        self.server = Server(binary, mode, directory, database_url, flags)
        self.keys = DEV_KEYS
        self.account = "000000000000"
        self.other_account, self.other_keys = "111122223333", ("111122223333", "any")
        self.at_the_end = []
        self.numbers = itertools.count(1)

    @property
    def dev(self):
        return self.mode == "dev"

    def begin(self):
        """Starts the server; in `serve` takes the root key and makes a second account; verifies the two domains."""
        # The very first start, with its migrations and its root key, may be cut off anywhere.
        for number in range(12):
            self.server.die_starting(0.004 * 1.4 ** number)
        self.server.start()
        if not self.dev:
            self.keys = self._root_keys()
            self.account = self.client("sts").get_caller_identity()["Account"]
            [made] = self.server.admin("account", "create", "other", "--id", self.other_account)
            assert made == self.other_account, made
            self.other_keys = self.new_keys(self.other_account)
            # The story's own account leaves the sandbox; the other one stays there.
            self.server.admin("grant-production", "--account", self.account, "--max-24-hour", "-1", "--max-per-second", "-1")
        ses = self.client("sesv2")
        for domain in (SENDING, RECEIVING):
            made = ses.create_email_identity(EmailIdentity=domain)
            assert made["VerifiedForSendingStatus"] is self.dev, made
            if not self.dev:
                self.publish_record(domain)
        if not self.dev:
            # A restart looks at once; else it would be the next minute's round.
            self.restart()
            for domain in (SENDING, RECEIVING):
                self.wait_verified(self.client("sesv2"), domain)

    def end(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill()

    def _root_keys(self):
        path = os.path.join(self.server.directory, "data", "credentials")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, "the root key is for its owner only"
        # A start that was cut off may have written it already.
        said = next(line for line in self.server.greeting if line.startswith("  root key"))
        assert path in said or "as at the first start" in said, said
        file = configparser.ConfigParser()
        file.read(path)
        return file["default"]["aws_access_key_id"], file["default"]["aws_secret_access_key"]

    def new_keys(self, account):
        lines = dict(line.split(" = ") for line in self.server.admin("key", "create", "--account", account))
        return lines["aws_access_key_id"], lines["aws_secret_access_key"]

    def publish_record(self, domain, account=None):
        """Sets the DNS record that `admin dns-records` prints."""
        [line] = self.server.keys("dns-records", domain, "--account", account or self.account)
        name, kind, value = line.split(" ", 2)
        assert kind == "TXT" and name.endswith("._domainkey." + domain), line
        self.dns.set(name, TXT, [value.strip('"')])

    def wait_verified(self, ses, identity, within=100):
        def verified():
            return ses.get_email_identity(EmailIdentity=identity)["VerifiedForSendingStatus"]
        wait_for(f"{identity} is verified", verified, within, pause=0.2)

    def restart(self, kill=False, flags=None):
        if kill:
            self.server.kill()
        else:
            assert self.server.stop() == 0, "a stop ends with 0"
        if flags is not None:
            self.server.flags = flags
        self.server.start()

    def client(self, service, keys=None, region="us-east-1"):
        """A boto3 client that never retries: every answer is the story's to judge."""
        key, secret = keys or self.keys
        config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=40,
                        parameter_validation=False, max_pool_connections=50)
        return boto3.client(service, endpoint_url=self.server.endpoint, region_name=region, aws_access_key_id=key,
                            aws_secret_access_key=secret, config=config)

    def name(self, stem):
        """A name that nothing else in this story has."""
        return f"{stem}-{next(self.numbers)}"

    def queue(self, stem="queue", keys=None, **attributes):
        """A new queue: (URL, ARN)."""
        sqs = self.client("sqs", keys)
        url = sqs.create_queue(QueueName=self.name(stem), Attributes=attributes)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def take(self, url, count=1, within=15, keys=None):
        """Receives and deletes messages until there are `count`."""
        sqs, taken = self.client("sqs", keys), []

        def enough():
            got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1,
                                      MessageAttributeNames=["All"])
            for message in got.get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                taken.append(message)
            return len(taken) >= count
        try:
            wait_for(f"{count} messages in {url}", enough, within)
        except AssertionError as short:
            raise AssertionError(f"{short}; there were {len(taken)}") from None
        return taken

    def http(self, path, method="GET", body=None, headers=None):
        """A plain request: (status, headers, body)."""
        url = path if path.startswith("http") else self.server.endpoint + path
        request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def signed(self, service, body, headers=None, method="POST", path="/", keys=None, region="us-east-1"):
        """Any body, signed right: (status, headers, body)."""
        url = path if path.startswith("http") else self.server.endpoint + path
        request = AWSRequest(method=method, url=url, data=body, headers=headers or {})
        SigV4Auth(Credentials(*(keys or self.keys)), service, region).add_auth(request)
        return self.http(url, method, body if method != "GET" else None, dict(request.headers.items()))

    def query(self, service, version, action, path="/", keys=None, **fields):
        """A Query request; gives (status, XML root). Dots in field names are written as `__`."""
        from urllib.parse import urlencode
        form = {"Action": action, "Version": version, **{k.replace("__", "."): v for k, v in fields.items()}}
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        status, headers, body = self.signed(service, urlencode(form).encode(), headers, path=path, keys=keys)
        assert headers["Content-Type"].startswith("text/xml"), headers
        return status, ElementTree.fromstring(body)

    def inbox(self):
        status, _, body = self.http("/_postrider/inbox?limit=1000")
        assert status == 200, (status, body)
        return json.loads(body)

    def delivered(self, recipient, within=20, count=1):
        """The contents of the mails to `recipient`, once there are `count`: captured in `dev`, at the sink in `serve`."""
        def found():
            if self.dev:
                mails = [self.http(f"/_postrider/inbox/{one['id']}/raw")[2] for one in self.inbox() if one["to"] == recipient]
            else:
                mails = [mail.data for mail in self.sink.to(recipient)]
            return mails if len(mails) >= count else None
        return wait_for(f"{count} mails to {recipient}", found, within)

    def configuration_set(self, types, keys=None):
        """A configuration set whose events come to a queue: (name, Events)."""
        sns, ses = self.client("sns", keys), self.client("sesv2", keys)
        topic = sns.create_topic(Name=self.name("events"))["TopicArn"]
        url, arn = self.queue("events", keys)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        name = self.name("set")
        ses.create_configuration_set(ConfigurationSetName=name)
        ses.create_configuration_set_event_destination(
            ConfigurationSetName=name, EventDestinationName="to-sns",
            EventDestination={"Enabled": True, "MatchingEventTypes": types, "SnsDestination": {"TopicArn": topic}})
        # As on AWS, SES tries the topic when the destination is made.
        [first] = self.take(url, keys=keys)
        assert first["Body"] == "Successfully validated SNS topic for Amazon SES event publishing.", first
        return name, Events(self, url, keys)


class Events:
    """The events of a configuration set, in the order in which they came."""

    def __init__(self, world, url, keys):
        self.world, self.url, self.keys, self.seen = world, url, keys, []

    def of(self, message_id, kind, within=20, about=""):
        """The first event of this type for this mail, waiting for it; its own object names the address `about`."""
        def found():
            hits = [e for e in self.seen if e["mail"]["messageId"] == message_id and e["eventType"] == kind
                    and about in json.dumps(e[kind[0].lower() + kind[1:]])]
            if not hits:
                got = self.world.client("sqs", self.keys).receive_message(
                    QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
                self.seen += [json.loads(message["Body"]) for message in got.get("Messages", [])]
            return hits
        return wait_for(f"{kind} of {message_id}", found, within, pause=0)[0]
