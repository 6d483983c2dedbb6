"""The attacks: each builds two loads, the honest one and the attack, of the same kind and size. What they need is made here, before."""
import contextlib
import json

from botocore.exceptions import ClientError

from isolation import loads
from isolation.endpoint import Endpoint
from isolation.loads import Load
from isolation.receivers import FOREIGN
from isolation.rows import CASES
from isolation.world import OTHER_DOMAIN, SILENT, until

# The other account calls from these addresses, strangers from those.
CLIENTS = [f"127.0.2.{n}" for n in range(1, 4)]
CALLERS = 8


def peers(net, count):
    return [f"127.0.{net}.{n}" for n in range(1, count + 1)]


def calls(world, requests, pause, **more):
    return Load(loads.calls, port=world.http, requests=requests, callers=CALLERS, pause=pause, sources=CLIENTS, **more)


@contextlib.contextmanager
def template_lookups(world, _):
    """A look-up of a large object, 45,000 times; beside it, a template that puts in one value of as much data."""
    ses = world.client(world.other, "sesv2")
    bodies = {"plain": "Hello {{n}}", "lookups": "{{#each l}}" + '{{lookup @root.d "o"}}' * 10 + "{{/each}}"}
    data = json.dumps({"n": "x", "l": [0] * 4_500, "d": {"o": {f"{n:x}": 0 for n in range(22_000)}}}, separators=(",", ":"))
    requests = {}
    for name, body in bodies.items():
        ses.create_email_template(TemplateName=name, TemplateContent={"Subject": "x", "Text": body})
        requests[name] = [world.other.ses(world.http, f"templates/{name}/render", TemplateData=data)]
    yield calls(world, requests["plain"], 0.2), calls(world, requests["lookups"], 0.2)


@contextlib.contextmanager
def filter_policies(world, _):
    """60 alternatives with long names of many parts, against a list of objects; beside it, one plain name."""
    message = '{"a":[%s{}]}' % ("{}," * 20_000)
    policies = {"plain": [{"b": ["x"]}]}
    for length in (4_095, 1_023, 255, 63):
        policies[f"attack-{length}"] = [{"$or": [{("a." * length)[:length]: [f"{n}"]} for n in range(60)]}]
    requests = {}
    for name, [policy] in policies.items():
        try:
            requests.setdefault(name.partition("-")[0], [publish_filtered(world, name, policy, message)])
        except ClientError as refused:
            print(f"    refused: a filter policy with names of {name} octets: {refused}", flush=True)
    yield calls(world, requests["plain"], 0.2), calls(world, requests.get("attack", requests["plain"]), 0.2)


def publish_filtered(world, name, policy, message):
    """A call that publishes to a topic of the other account, which one queue of it follows by this policy."""
    sns, sqs = world.client(world.other, "sns"), world.client(world.other, "sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={
        "FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(policy, separators=(",", ":"))})
    return world.other.sns(world.http, "Publish", TopicArn=topic, Message=message)


@contextlib.contextmanager
def silent_domain(world, _):
    """200 mails from domains whose name servers do not answer; beside them, from domains that do."""
    def load(zone):
        letters = []
        for n in range(200):
            # Half from one domain, half from one each; half to the honest account, half to the other one.
            domain = zone if n % 2 else f"m{n}.{zone}"
            to = f"box@{world.domain if n % 4 < 2 else OTHER_DOMAIN}"
            text = f"From: <ann@{domain}>\r\nTo: <{to}>\r\nSubject: Hello\r\n\r\nHello."
            letters.append((f"client.{domain}", f"ann@{domain}", to, text))
        return Load(loads.mails, port=world.smtp, letters=letters, sessions=20, sources=peers(5, 4))
    yield load("live.test"), load(SILENT)


@contextlib.contextmanager
def keyed_bodies(world, _):
    """60 requests of 38 MiB with a wrong signature, half of them in the honest account's name; beside them, signed well."""
    body = json.dumps({"FromEmailAddress": "nobody@nowhere.test", "Content": {"Raw": {"Data": "eHh4" * (38 * 2 ** 18)}}}).encode()

    def request(account):
        return account.request(world.http, "ses", body, {"Content-Type": "application/json"}, "/v2/email/outbound-emails")

    def load(*accounts):
        return Load(loads.uploads, port=world.http, requests=[request(account) for account in accounts], count=60, hold=16,
                    sources=CLIENTS)
    yield load(world.other), load(world.honest.wrong(), world.other.wrong())


@contextlib.contextmanager
def strangers(world, seconds):
    """2,000 unfinished bodies of 255 KB and 2,000 unfinished heads of 250 KB, which come again when they are sent away; beside them,
    as many that come to an end, of as many octets."""
    sources, host = peers(6, 20), f"Host: 127.0.0.1:{world.http}\r\n"

    def body(of):
        return f"POST / HTTP/1.1\r\n{host}Content-Length: {of}\r\n\r\n".encode() + b"x" * of

    def head(of):
        return (f"GET / HTTP/1.1\r\n{host}" + f"X: {'x' * 2_700}\r\n" * (of // 2_700)).encode()

    def slots(count, *octets):
        return [(world.http, sources[n % len(sources)], octets[n % 2], False) for n in range(count)]

    def honest(count, octets):
        return Load(loads.passing, slots=slots(count, body(octets), head(octets) + b"\r\n"), seconds=seconds)
    yield (Sized(honest, seconds), Load(loads.held, slots=slots(4_000, body(256 * 1024)[:-1024], head(250_000))))


class Sized(Load):
    """An honest load that is made when the size of the attack is known: how many connections, of how many octets on average."""

    def __init__(self, make, seconds):
        super().__init__(None)
        self.make, self.seconds = make, seconds

    def like(self, attack, seconds):
        return self.make(int(attack["asked"] * self.seconds / seconds), attack["octets"] // attack["asked"])


@contextlib.contextmanager
def hanging_webhook(world, seconds):
    """500 subscriptions at an endpoint that hangs, a publish each two seconds; beside it, while the same endpoint answers."""
    with Endpoint() as endpoint:
        until("the endpoint listens", lambda: endpoint.port.value)
        sns = world.client(world.other, "sns")
        topic = sns.create_topic(Name="many")["TopicArn"]
        for n in range(500):
            sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{endpoint.port.value}/{n}")
        until("500 subscriptions are confirmed", lambda: endpoint.confirmed.value >= 500)
        request = world.other.sns(world.http, "Publish", TopicArn=topic, Message="hello")
        load = Load(loads.calls, port=world.http, requests=[request] * (seconds // 2 + 1), callers=1, pause=2, sources=CLIENTS,
                    once=True)
        yield load, Attack(load, endpoint.hangs.set)


class Attack(Load):
    """A load that is an attack only after something was switched."""

    def __init__(self, load, switch):
        super().__init__(load.function, **load.arguments)
        self.switch = switch

    def __getstate__(self):
        return {"function": self.function, "arguments": self.arguments}


@contextlib.contextmanager
def template_comments(world, _):
    """A template of 440 KB of comments; beside it, one of as much text. Each call reads it: there is one of this name already."""
    def request(name, text):
        return [world.other.ses(world.http, "templates", TemplateName=name, TemplateContent={"Subject": "x", "Text": text})]
    yield (calls(world, request("plain", "x" * 440_000), 0.4), calls(world, request("comments", "{{!----}}" * 48_900), 0.4))


@contextlib.contextmanager
def idle_connections(world, seconds):
    """1,000 idle SMTP sessions of 20 addresses and 4,200 unfinished heads of three, which come again when they are sent away; beside
    them, as many that come to an end."""
    def slots(head):
        talk = [(world.smtp, source, b"EHLO idle.test\r\n", True) for source in peers(7, 20) for _ in range(50)]
        return talk + [(world.http, source, head, False) for source in peers(8, 3) for _ in range(1_400)]
    head = f"GET /_postrider/nothing HTTP/1.1\r\nHost: 127.0.0.1:{world.http}\r\n".encode()

    def honest(count, _):
        of = slots(head + b"\r\n")
        return Load(loads.passing, slots=[of[n * 7 % len(of)] for n in range(count)], seconds=seconds)
    yield Sized(honest, seconds), Load(loads.held, slots=slots(head))


@contextlib.contextmanager
def foreign_hosts(world, seconds):
    """Subscriptions by mail under a foreign Host, 20 in a second; beside them, under the server's own."""
    topic = world.client(world.other, "sns").create_topic(Name="mailed")["TopicArn"]

    def load(kind, host=None):
        requests = [world.other.sns(world.http, "Subscribe", host, TopicArn=topic, Protocol="email",
                                    Endpoint=f"subscriber-{kind}-{n}@sink.test") for n in range(20 * seconds)]
        return calls(world, requests, CALLERS / 20, once=True)
    yield load("own"), load("foreign", FOREIGN)


@contextlib.contextmanager
def silent_zone(world, _):
    """400 identities in a zone that does not answer; beside them, in one that does."""
    def load(zone):
        requests = [world.other.ses(world.http, "identities", EmailIdentity=f"n{n}.{zone}", DkimSigningAttributes={
            **world.dkim, "DomainSigningSelector": "missing"}) for n in range(400)]
        return calls(world, requests, 0, once=True)
    yield load("live.test"), load(SILENT)


BUILD = dict(zip(CASES, [template_lookups, filter_policies, silent_domain, keyed_bodies, strangers, hanging_webhook,
                         template_comments, idle_connections, foreign_hosts, silent_zone]))
