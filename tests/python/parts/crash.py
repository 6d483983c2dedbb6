"""Part 5: kill -9 under load, several times. Whatever got its 200 or 250 is there afterwards: at least once."""
import json
import os
import random
import smtplib
import threading
import time

import botocore.exceptions

from parts.receiving import connect, mail_to, object_at
from parts.sending import ALL_TYPES, NEWS, simple
from parts.sns import SOON, subscribed_webhook
from server import wait_for
from world import FUNCTION, RECEIVING

ROUNDS = int(os.environ.get("STORY_KILLS", "6"))
# What a client sees of a server that dies: nothing of it says whether the request was done.
BROKEN = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError, smtplib.SMTPException)


class Load:
    """Clients that send for as long as the story goes on, and remember what was accepted."""

    def __init__(self, world):
        self.world = world
        self.accepted = {"sqs": {}, "ses": {}, "smtp": {}, "sns": {}, "deleted": {}}
        self.over = threading.Event()
        self.up = threading.Event()
        self.lock = threading.Lock()
        self.threads = []
        self.wrong = []

    def total(self):
        with self.lock:
            return sum(map(len, self.accepted.values()))

    def run(self, kind, once, clients):
        """`clients` threads that call `once(number)`, which gives (key, value) when something was accepted."""
        def work(first):
            number = first
            while not self.over.is_set():
                self.up.wait(60)
                number += clients
                try:
                    done = once(number)
                except BROKEN as error:
                    # Only a dying server may refuse.
                    if self.up.is_set() and not isinstance(error, (OSError, botocore.exceptions.HTTPClientError,
                                                                   smtplib.SMTPServerDisconnected)):
                        self.wrong.append(f"{kind}: {error}")
                    self.over.wait(0.01)
                    continue
                if done:
                    with self.lock:
                        self.accepted[kind][done[0]] = done[1]
        for first in range(clients):
            thread = threading.Thread(target=work, args=(first,), daemon=True)
            thread.start()
            self.threads.append(thread)

    def end(self):
        self.over.set()
        self.up.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


def check_nothing_accepted_is_lost(world):
    random.seed()
    seed = random.randrange(1 << 30)
    print(f"       seed {seed}")
    chance = random.Random(seed)
    house = prepare(world)
    load = Load(world)
    start_clients(world, house, load)
    load.up.set()
    for _ in range(ROUNDS):
        target = load.total() + chance.randrange(15, 90)
        wait_for("some load", lambda: load.total() >= target or load.wrong, 60, pause=0.002)
        load.up.clear()
        world.server.kill()
        world.server.start()
        load.up.set()
    target = load.total() + 20
    wait_for("some load", lambda: load.total() >= target or load.wrong, 60, pause=0.002)
    load.end()
    assert not load.wrong, load.wrong[:5]
    # One more death, with the work that is still in the queues.
    world.restart(kill=True)
    counts = {kind: len(ids) for kind, ids in load.accepted.items()}
    print(f"       accepted over {ROUNDS + 1} kills: {counts}")
    assert all(counts.values()), counts
    account(world, house, load.accepted)


def prepare(world):
    """The queues, topics and rules that the load needs."""
    sns, ses = world.client("sns"), world.client("ses")
    house = {"plain": world.queue("crash")[0], "consumed": world.queue("crash", VisibilityTimeout="2")[0]}
    topic = sns.create_topic(Name=world.name("crash"))["TopicArn"]
    house["fan"], arn = world.queue("crash")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    house["topic"], house["hook"] = topic, "/" + world.name("hook")
    subscribed_webhook(world, topic, house["hook"], DeliveryPolicy=SOON)
    inbound = sns.create_topic(Name=world.name("crash"))["TopicArn"]
    house["inbound"], arn = world.queue("crash")
    sns.subscribe(TopicArn=inbound, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    house["whole"], arn = world.queue("crash")
    whole = sns.create_topic(Name=world.name("crash"))["TopicArn"]
    sns.subscribe(TopicArn=whole, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    house["direct"], direct = world.queue("crash")
    house["mail hook"], house["forwarded"] = "/" + world.name("mail-hook"), f"crash-{world.name('forwarded')}@elsewhere.example"
    rules = world.name("rules")
    ses.create_receipt_rule_set(RuleSetName=rules)
    function = f"arn:aws:lambda:us-east-1:{world.account}:function:{FUNCTION}"
    # Every kind of action that leaves something somewhere. Some of them no SDK can make.
    file = os.path.join(world.server.directory, "crash-rule.json")
    with open(file, "w", encoding="utf-8") as out:
        json.dump({"Name": "crash", "Enabled": True, "Recipients": [f"crash@{RECEIVING}"], "Actions": [
            {"S3Action": {"BucketName": "crash-mail", "TopicArn": inbound}},
            {"SNSAction": {"TopicArn": whole}},
            {"SqsAction": {"QueueArn": direct}},
            {"LambdaAction": {"FunctionArn": function}},
            {"WebhookAction": {"Url": world.webhook.url + house["mail hook"], "Secret": "a secret of more than 16"}},
            {"ForwardAction": {"Recipients": [house["forwarded"]]}}]}, out)
    world.server.admin("--functions", f"{FUNCTION}={world.webhook.url}/invocations", "receipt-rule", rules, file,
                       "--account", world.account)
    ses.set_active_receipt_rule_set(RuleSetName=rules)
    house["set"], house["events"] = world.configuration_set(ALL_TYPES)
    house["domain"] = f"{world.name('crash')}.example"
    sqs = world.client("sqs")
    for batch in range(40):
        sqs.send_message_batch(QueueUrl=house["consumed"], Entries=[
            {"Id": str(n), "MessageBody": f"{batch}.{n}"} for n in range(10)])
    return house


def start_clients(world, house, load):
    sqs, sns, ses = world.client("sqs"), world.client("sns"), world.client("sesv2")

    def send(number):
        return str(number), sqs.send_message(QueueUrl=house["plain"], MessageBody=str(number))["MessageId"]

    def consume(_):
        got = sqs.receive_message(QueueUrl=house["consumed"]).get("Messages", [])
        for message in got:
            sqs.delete_message(QueueUrl=house["consumed"], ReceiptHandle=message["ReceiptHandle"])
            return message["MessageId"], time.monotonic()
        load.over.wait(0.02)
        return None

    def publish(number):
        return str(number), sns.publish(TopicArn=house["topic"], Message=str(number))["MessageId"]

    def mail_out(number):
        to = f"m{number}@{house['domain']}"
        return to, ses.send_email(FromEmailAddress=NEWS, Destination={"ToAddresses": [to]}, Content=simple(to),
                                  ConfigurationSetName=house["set"])["MessageId"]

    def mail_in(number):
        original = mail_to(f"crash@{RECEIVING}", f"crash {number}", f"number {number}\r\n")
        with connect(world) as smtp:
            smtp.ehlo()
            smtp.mail("ann@stranger.example")
            smtp.rcpt(f"crash@{RECEIVING}")
            code, _ = smtp.data(original)
            # From here on it is ours to keep, whatever becomes of the session.
            return (f"crash {number}", original) if code == 250 else None

    load.run("sqs", send, 2)
    load.run("deleted", consume, 1)
    load.run("sns", publish, 2)
    load.run("ses", mail_out, 2)
    load.run("smtp", mail_in, 2)


def account(world, house, accepted):
    """Looks for every id that was accepted."""
    lost = {kind: ids.keys() - found for kind, ids, found in (
        ("sqs", accepted["sqs"], bodies(world, house["plain"], accepted["sqs"])),
        ("sns to its queue", accepted["sns"], {json.loads(b)["Message"] for b in drained(
            world, house["fan"], lambda b: json.loads(b)["Message"], accepted["sns"])}),
        ("sns to its webhook", accepted["sns"], hooked(world, house, accepted["sns"])),
        ("ses", accepted["ses"], mailed(world, house, accepted["ses"])),
        ("smtp to its bucket", accepted["smtp"], received(world, house, accepted["smtp"])),
        ("smtp to its topic", accepted["smtp"], subjects(world, house["whole"], accepted["smtp"])),
        ("smtp to its queue", accepted["smtp"], subjects(world, house["direct"], accepted["smtp"])),
        ("smtp to its function", accepted["smtp"], invoked(world, accepted["smtp"])),
        ("smtp to its webhook", accepted["smtp"], posted(world, house, accepted["smtp"])),
        ("smtp forwarded", accepted["smtp"], forwarded(world, house, accepted["smtp"])))}
    lost = {kind: sorted(ids)[:10] for kind, ids in lost.items() if ids}
    assert not lost, f"lost: {lost}"
    told(world, house, accepted["ses"])
    again = {m["MessageId"] for m in world.client("sqs").receive_message(
        QueueUrl=house["consumed"], MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])}
    assert not again & accepted["deleted"].keys(), "a deleted message came back"


def drained(world, url, key, wanted, within=60):
    """Bodies of a queue's messages, taken until all that are wanted are there (or until the time is over)."""
    sqs, taken, left = world.client("sqs"), [], set(wanted)
    deadline = time.monotonic() + within
    while left and time.monotonic() < deadline:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", [])
        if got:
            sqs.delete_message_batch(QueueUrl=url, Entries=[
                {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(got)])
        taken += [m["Body"] for m in got]
        left -= {key(m["Body"]) for m in got}
    return taken


def bodies(world, url, wanted):
    return set(drained(world, url, lambda body: body, wanted))


def until(wanted, found, within=90):
    """What `found()` gives once it has all that is wanted, or what it has when the time is over."""
    try:
        wait_for("all of them", lambda: not wanted - found(), within, pause=0.2)
    except AssertionError:
        pass
    return found()


def hooked(world, house, wanted):
    def found():
        return {note["Message"] for note in world.webhook.of_type(house["hook"], "Notification")}
    return until(wanted.keys(), found)


def mailed(world, house, wanted):
    def found():
        if not world.dev:
            return {mail.recipient for mail in list(world.sink.mails)}
        listed, page = set(), ""
        while True:
            status, _, body = world.http(f"/_postrider/inbox?limit=1000{page}")
            assert status == 200, body
            mails = json.loads(body)
            listed |= {one["to"] for one in mails}
            if len(mails) < 1000:
                return listed
            page = f"&before={mails[-1]['id']}"
    return until(wanted.keys(), found)


def subject(body):
    return json.loads(body)["mail"]["commonHeaders"]["subject"]


def subjects(world, url, wanted):
    """Whose mails came to the queue, whole."""
    def whole(body):
        original = wanted.get(subject(body))
        return original is None or json.loads(body)["content"].encode().endswith(original)
    return {subject(body) for body in drained(world, url, subject, wanted) if whole(body)}


def invoked(world, wanted):
    def found():
        records = [record for _, body in list(world.webhook.received["/invocations"]) for record in body["Records"]]
        return {record["ses"]["mail"]["commonHeaders"]["subject"] for record in records}
    return until(wanted.keys(), found)


def posted(world, house, wanted):
    def found():
        return {body["mail"]["commonHeaders"]["subject"] for _, body in list(world.webhook.received[house["mail hook"]])}
    return until(wanted.keys(), found)


def forwarded(world, house, wanted):
    """Whose mails went on: to the inbox in `dev`, to the sink in `serve`."""
    known = {}

    def found():
        if not world.dev:
            mails = [mail.data for mail in world.sink.to(house["forwarded"])]
            return {key for key, original in wanted.items() if any(mail.endswith(original) for mail in mails)}
        page = ""
        while True:
            status, _, body = world.http(f"/_postrider/inbox?limit=1000{page}")
            assert status == 200, body
            mails = json.loads(body)
            known.update({one["id"]: one["subject"] for one in mails if one["to"] == house["forwarded"]})
            if len(mails) < 1000:
                return set(known.values())
            page = f"&before={mails[-1]['id']}"
    return until(wanted.keys(), found)


def received(world, house, wanted):
    found = set()
    for body in drained(world, house["inbound"], subject, wanted):
        key = json.loads(body)["receipt"]["action"]["objectKey"]
        content = object_at(world, "crash-mail", key)
        # One that was not answered with 250, as its session broke, may be there too.
        original = wanted.get(subject(body))
        if original is None or content is not None and content.endswith(original):
            found.add(subject(body))
    return found


def told(world, house, wanted):
    """Each accepted mail has its Send event and, delivered as they all are, its Delivery event."""
    def key(body):
        event = json.loads(body)
        return event["mail"]["messageId"], event["eventType"]
    pairs = {(message_id, kind) for message_id in wanted.values() for kind in ("Send", "Delivery")}
    events = [key(body) for body in drained(world, house["events"].url, key, pairs)]
    missing = pairs - set(events)
    assert not missing, f"events missing: {sorted(missing)[:10]}"
    twice = len(events) - len(set(events))
    print(f"       {len(set(events))} events, {twice} of them more than once")
