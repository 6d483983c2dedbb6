"""Rows beside what a developer would run otherwise: moto, LocalStack, and queues by plain SQL."""
import re
import subprocess
import time

import mail
import machine
import postrider
import tools
from names import Names


class Moto(machine.Program):
    """moto's server: it keeps everything in memory, sends no mail, looks at no signature, and closes each connection after
    one call."""

    def __init__(self):
        self.http, home = machine.free_port(), machine.fresh("moto")
        super().__init__([tools.moto(), "-H", "127.0.0.1", "-p", self.http], home / "log")
        self.until(lambda: machine.listens(self.http), "moto")
        self.url = f"http://127.0.0.1:{self.http}"


class LocalStack(machine.Program):
    """LocalStack's SQS, without a container: it keeps everything in memory, and looks at no signature."""

    def __init__(self):
        self.http, home = machine.free_port(), machine.fresh("localstack")
        # Nothing that it could do beside: no log of each call, no figures to CloudWatch, no DNS server.
        settings = {"SERVICES": "sqs", "EAGER_SERVICE_LOADING": "1", "GATEWAY_LISTEN": f"127.0.0.1:{self.http}",
                    "FILESYSTEM_ROOT": str(home), "HOME": str(home), "LS_LOG": "warning", "DNS_ADDRESS": "0",
                    "SQS_DISABLE_CLOUDWATCH_METRICS": "1", "DISABLE_EVENTS": "1", "SKIP_SSL_CERT_DOWNLOAD": "1"}
        super().__init__([tools.localstack(), "-m", "localstack.runtime.main"], home / "log", env=settings)
        self.url = f"http://127.0.0.1:{self.http}"
        self.until(lambda: machine.answers(f"{self.url}/_localstack/health"), "LocalStack", 120)


def ses(engine, rounds, count):
    """SendEmail of 1 KB by 16 connections; with Postrider each is durable, and nothing goes out yet."""
    for _ in range(rounds):
        with Moto() as rival:
            mail.client(rival, "sesv2").create_email_identity(EmailIdentity=f"someone@{mail.DOMAIN}")
            theirs = send_email(rival.url, min(count, 2_000))["rate"]
        with Names() as names, postrider.server(engine, "--dns", f"127.0.0.1:{names.port}", "--accept-only") as server:
            mail.prepare(server, names)
            cpu = server.cpu()
            own = send_email(server.url, count)
            cpu = (server.cpu() - cpu) / count
            yield "SendEmail, 1 KB, 16 connections", {**own, "CPU ms a mail": cpu * 1e3, "MiB": server.memory(),
                                                      "moto": theirs, "times moto": own["rate"] / theirs}
            yield from senders(server, count)


def senders(server, count):
    """The same from few addresses of the domain and from many, each of which has sent before: what is known of a sender must not
    depend on how many there are. In turn, since a database that fills is slower by and by."""
    few, many = 10, 2 * count
    rates = {few: [], many: []}
    for n in rates:
        send_email(server.url, n, n)
    for n in (few, many, many, few):
        cpu = server.cpu()
        sent = send_email(server.url, many, n)
        rates[n].append({**sent, "CPU ms a mail": (server.cpu() - cpu) / many * 1e3, "MiB": server.memory()})
    mean = {n: {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]} for n, parts in rates.items()}
    yield f"SendEmail, 1 KB, 16 connections, {few} senders", mean[few]
    beside = {f"{few} senders": mean[few]["rate"], f"times {few} senders": mean[many]["rate"] / mean[few]["rate"]}
    yield f"SendEmail, 1 KB, 16 connections, {many} senders", {**mean[many], **beside}


def send_email(url, count, senders=0):
    calls = postrider.load(url, "send-email", "--mails", count, "--seconds", 600, "--from", f"someone@{mail.DOMAIN}",
                           "--to", "box@sink.test", "--body-bytes", 1024, "--senders", senders)
    return calls["send-email"]


MODES = {"send": "SendMessage, 1 KB, 16 connections", "send-batch": "SendMessageBatch of 10", "cycle": "cycle of 10"}


def queue_rates(url, seconds):
    """What the load program gets through in each mode, after a little that is not measured."""
    postrider.load(url, "cycle", "--queue", "first", "--seconds", 2)
    return {mode: postrider.slowest(postrider.load(url, mode, "--queue", mode, "--seconds", seconds)) for mode in MODES}


def queues(engine, rounds, seconds):
    """Queues by 16 connections beside moto and LocalStack, and beside rows that clients write into PostgreSQL by themselves."""
    programs = {"moto": Moto, "localstack": LocalStack}
    if not tools.localstack():
        print("  LocalStack needs Python 3.12 or later (POSTRIDER_BENCH_PYTHON): left out", flush=True)
        del programs["localstack"]
    for _ in range(rounds):
        rivals = {}
        for name, start in programs.items():
            with start() as rival:
                rivals[name] = queue_rates(rival.url, seconds)
        plain = sql(seconds)
        with postrider.server(engine) as server:
            ours = queue_rates(server.url, seconds)
            wide = server.load("send", "--queue", "wide", "--concurrency", 32, "--seconds", seconds)["send"]
        for mode, row in MODES.items():
            theirs = {name: rates[mode]["rate"] for name, rates in rivals.items()}
            if mode in plain:
                theirs["plain SQL"] = plain[mode]
            yield row, beside(ours[mode], theirs)
        yield "SendMessage, 1 KB, 32 connections", beside(wide, {"plain SQL": plain["wide"]})


def beside(own, theirs):
    return {**own, **theirs, **{f"times {name}": own["rate"] / rate for name, rate in theirs.items()}}


TABLE = """CREATE TABLE queue (id bigserial PRIMARY KEY, visible_at timestamptz NOT NULL DEFAULT now(),
reads int NOT NULL DEFAULT 0, body text NOT NULL); CREATE INDEX ON queue (visible_at, id)"""
SEND = "INSERT INTO queue (body) VALUES (repeat('x', 1024));\n"
# As PGMQ does it: one statement each for ten rows.
CYCLE = """INSERT INTO queue (body) SELECT repeat('x', 1024) FROM generate_series(1, 10);
WITH picked AS (SELECT id FROM queue WHERE visible_at <= now() ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED)
UPDATE queue q SET visible_at = now() + interval '30 s', reads = reads + 1 FROM picked WHERE q.id = picked.id RETURNING q.id, q.body;
DELETE FROM queue WHERE id IN (SELECT id FROM queue WHERE visible_at > now() ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED);
"""


def sql(seconds):
    """Messages a second that clients get through a table, by pgbench."""
    with machine.postgres() as store:
        subprocess.run(["psql", "-q", store.url, "-c", TABLE], check=True)
        rates = {}
        for name, script, messages, clients in (("send", SEND, 1, 16), ("wide", SEND, 1, 32), ("cycle", CYCLE, 10, 16)):
            subprocess.run(["psql", "-q", store.url, "-c", "TRUNCATE queue"], check=True)
            path = machine.WORK / f"{name}.sql"
            path.write_text(script)
            out = subprocess.run(
                ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-T", str(seconds), "-f", path, store.url],
                check=True, capture_output=True, text=True).stdout
            rates[name] = float(re.search(r"tps = ([\d.]+)", out).group(1)) * messages
            time.sleep(1)
        return rates
