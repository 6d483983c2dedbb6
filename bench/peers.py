"""Rows beside what a developer would run otherwise: moto, and queues by plain SQL."""
import http.client
import json
import re
import subprocess
import threading
import time

import mail
import machine
import postrider
import tools
from names import Names


class Moto(machine.Program):
    """moto's server: it keeps everything in memory, and sends no mail."""

    def __init__(self):
        self.http, home = machine.free_port(), machine.fresh("moto")
        super().__init__([tools.moto(), "-H", "127.0.0.1", "-p", self.http], home / "log")
        self.until(lambda: machine.listens(self.http), "moto")
        self.url = f"http://127.0.0.1:{self.http}"

    def calls(self, path, headers, body, count, threads=16):
        """Calls a second. moto looks at no signature, so none is made; and each call has a connection of its own, since
        its server closes them."""
        headers = {**headers, "Authorization": "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/%s/aws4_request, "
                   "SignedHeaders=host, Signature=0" % ("ses" if path != "/" else "sqs")}

        def some():
            for _ in range(count // threads):
                connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=60)
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                assert answer.status == 200, answer.read()
                answer.read()
                connection.close()

        workers = [threading.Thread(target=some) for _ in range(threads)]
        began = time.monotonic()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return count // threads * threads / (time.monotonic() - began)


def ses(engine, rounds, count):
    """SendEmail of 1 KB by 16 connections; with Postrider each is durable, and nothing goes out yet."""
    for _ in range(rounds):
        with Moto() as rival:
            mail.client(rival, "sesv2").create_email_identity(EmailIdentity=f"someone@{mail.DOMAIN}")
            body = json.dumps({"FromEmailAddress": f"someone@{mail.DOMAIN}", "Destination": {"ToAddresses": ["box@sink.test"]},
                               "Content": {"Simple": {"Subject": {"Data": "Load"}, "Body": {"Text": {"Data": "x" * 1024}}}}})
            theirs = rival.calls("/v2/email/outbound-emails", {"Content-Type": "application/json"}, body, min(count, 2_000))
        with Names() as names, postrider.server(engine, "--dns", f"127.0.0.1:{names.port}", "--accept-only") as server:
            mail.prepare(server, names)
            cpu = server.cpu()
            own = send_email(server, count)
            cpu = (server.cpu() - cpu) / count
            yield "SendEmail, 1 KB, 16 connections", {**own, "CPU ms a mail": cpu * 1e3, "MiB": server.memory(),
                                                      "moto": theirs, "times moto": own["rate"] / theirs}


def send_email(server, count):
    calls = server.load("send-email", "--mails", count, "--seconds", 600, "--from", f"someone@{mail.DOMAIN}",
                        "--to", "box@sink.test", "--body-bytes", 1024)
    return calls["send-email"]


def queues(engine, rounds, seconds):
    """SendMessage by 16 connections beside moto, and beside rows that clients write into PostgreSQL by themselves."""
    for _ in range(rounds):
        with Moto() as rival:
            url = mail.client(rival, "sqs").create_queue(QueueName="load")["QueueUrl"]
            headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.SendMessage"}
            moto = rival.calls("/", headers, json.dumps({"QueueUrl": url, "MessageBody": "x" * 1024}), 2_000)
        plain = sql(seconds)
        with postrider.server(engine) as server:
            send = server.load("send", "--queue", "load", "--seconds", seconds)["send"]
            cycle = server.load("cycle", "--queue", "other", "--seconds", seconds)
        slowest = min(call["rate"] for call in cycle.values())
        yield "SendMessage, 1 KB, 16 connections", {**send, "moto": moto, "times moto": send["rate"] / moto,
                                                    "rows by plain SQL": plain["send"]}
        yield "cycle of 10", {"rate": slowest, "by plain SQL": plain["cycle"], "times plain SQL": slowest / plain["cycle"]}


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
    """Messages a second that 16 clients get through a table, by pgbench."""
    with machine.postgres() as store:
        subprocess.run(["psql", "-q", store.url, "-c", TABLE], check=True)
        rates = {}
        for name, script, messages in (("send", SEND, 1), ("cycle", CYCLE, 10)):
            path = machine.WORK / f"{name}.sql"
            path.write_text(script)
            out = subprocess.run(["pgbench", "-n", "-M", "prepared", "-c", "16", "-T", str(seconds), "-f", path, store.url],
                                 check=True, capture_output=True, text=True).stdout
            rates[name] = float(re.search(r"tps = ([\d.]+)", out).group(1)) * messages
            time.sleep(1)
        return rates
