"""The rows of delivery: a backlog of mails goes out to a sink that counts, from Postfix and from Postrider in turn."""
import atexit
import re
import subprocess
import time

import machine
import mail
import opendkim
import postfix
import postrider
import tools
from names import Names

SENDER = f"someone@{mail.DOMAIN}"


class Sink:
    """A receiver that ends by itself when all mails have come."""

    def __init__(self, port, expect, delay_ms):
        self.process = subprocess.Popen(
            [postrider.LOAD, "sink", "--listen", f"127.0.0.1:{port}", "--expect", str(expect), "--delay-ms", str(delay_ms)],
            stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        atexit.register(self.process.kill)

    def result(self):
        out, _ = self.process.communicate(timeout=120)
        mails, twice, seconds, _, at_once = re.match(
            r"(\d+) mails, (\d+) twice, ([\d.]+) s since the first, (\d+) connections, (\d+) at once", out).groups()
        return {"seconds": float(seconds), "twice": int(twice), "at once": int(at_once), "mails": int(mails)}


def figures(server, count, began, cpu, sink):
    result = sink.result()
    elapsed = time.monotonic() - began
    return {"rate": count / elapsed, "rate since the first": count / max(result["seconds"], 0.001),
            "twice": result["twice"], "connections": result["at once"],
            "CPU ms a mail": (server.cpu() - cpu) / count * 1e3, "MiB": server.memory()}


def rival(count, domains, delay_ms, processes):
    """Postfix: the backlog waits in the hold queue, and is released."""
    port = machine.free_port()
    settings = postfix.HOLD.replace("relay_domains = postrider.test", "relay_domains = sink.test, postrider.test")
    # To Postfix the way it is sent is one destination, whatever the domain: so that one may have all processes.
    settings += f"default_process_limit = {processes}\nsmtp_destination_concurrency_limit = {processes}\n"
    settings += f"relay_destination_concurrency_limit = {processes}\n"
    settings += f"initial_destination_concurrency = 20\nqmgr_message_active_limit = 40000\n"
    settings += f"relayhost = [127.0.0.1]:{port}\nrelay_transport = smtp:[127.0.0.1]:{port}\n"
    with postfix.Postfix(settings, processes) as server:
        for n in range(domains or 1):
            to = f"box@d{n}.sink.test" if domains else "box@sink.test"
            subprocess.run(["smtp-source", "-d", "-s", "4", "-m", str(count // (domains or 1)), "-l", "1024", "-f", SENDER,
                            "-t", to, f"127.0.0.1:{server.port}"], check=True, stdout=subprocess.DEVNULL, timeout=60)
        sink = Sink(port, count, delay_ms)
        cpu, began = server.cpu(), time.monotonic()
        # What is released waits in the deferred queue for the next run, five minutes on, unless it is called for.
        subprocess.run(["postsuper", "-c", server.config, "-H", "ALL"], check=True, capture_output=True, timeout=60)
        server.flush()
        return figures(server, count, began, cpu, sink)


def unsigned(server):
    """Postfix signs nothing: so neither does Postrider, where the two are to do the same."""
    mail.client(server, "sesv2").put_email_identity_dkim_attributes(EmailIdentity=mail.DOMAIN, SigningEnabled=False)


def way(port, names):
    return ["--dns", f"127.0.0.1:{names.port}", "--mx-port", port, "--delivery", "mx", "--mx-allow", "127.0.0.0/8"]


def ours(engine, count, domains, delay_ms, signs, names):
    """Postrider: the backlog is taken by a node that only accepts, and goes out once the node is started in full."""
    port = machine.free_port()
    flags = way(port, names)
    with postrider.server(engine, *flags, "--accept-only") as server:
        mail.prepare(server, names)
        if not signs:
            unsigned(server)
        server.load("send-email", "--mails", count, "--domains", domains, "--seconds", 600, "--from", SENDER,
                    "--to", "box@sink.test", "--body-bytes", 1024)
        server.stop()
        sink = Sink(port, count, delay_ms)
        began = time.monotonic()
        server.start(flags)
        return figures(server, count, began, 0, sink)


ROWS = [  # name, domains, delay of each answer, Postfix's processes, whether Postrider signs
    ("a backlog, one receiver, unsigned", 0, 0, 100, False),
    ("a backlog, one receiver, signed with RSA of 2048 bits", 0, 0, 100, True),
    ("100 domains, each answer after 100 ms, unsigned", 100, 100, 400, False),
    ("100 domains, each answer after 100 ms, signed", 100, 100, 400, True),
]
SIGNED_AT_ONCE = "accepted, signed with RSA of 2048 bits and delivered, beside Postfix with OpenDKIM"


def run(engine, rounds, count):
    with Names() as names:
        for name, domains, delay_ms, processes, signs in ROWS:
            for _ in range(rounds):
                theirs = rival(count, domains, delay_ms, processes)
                own = ours(engine, count, domains, delay_ms, signs, names)
                yield f"outbound, {name}", beside(own, theirs)
        for _ in range(rounds):
            theirs = through_opendkim(count)
            yield f"outbound, {SIGNED_AT_ONCE}", beside(own_at_once(engine, count, True, names), theirs)


def beside(own, theirs):
    return {**own, "postfix": theirs["rate"], "times postfix": own["rate"] / theirs["rate"],
            "postfix CPU ms": theirs["CPU ms a mail"], "postfix MiB": theirs["MiB"],
            "postfix connections": theirs["connections"]}


def relay(port, processes=100, more=""):
    """Postfix that passes everything on to the sink at once."""
    settings = f"relay_domains = sink.test\n{more}"
    settings += f"smtp_destination_concurrency_limit = {processes}\nrelay_destination_concurrency_limit = {processes}\n"
    settings += f"initial_destination_concurrency = 20\nqmgr_message_active_limit = 40000\n"
    settings += f"relayhost = [127.0.0.1]:{port}\nrelay_transport = smtp:[127.0.0.1]:{port}\n"
    return postfix.Postfix(settings, processes)


def through_postfix(count):
    """Accepts by SMTP and delivers at once."""
    port = machine.free_port()
    with relay(port) as server:
        return sent(server, port, count)


def sent(server, port, count):
    sink = Sink(port, count, 0)
    cpu, began = server.cpu(), time.monotonic()
    subprocess.run(["smtp-source", "-d", "-s", "16", "-m", str(count), "-l", "1024", "-f", SENDER,
                    "-t", "box@sink.test", f"127.0.0.1:{server.port}"], check=True, stdout=subprocess.DEVNULL, timeout=60)
    return figures(server, count, began, cpu, sink)


class Both:
    """Postfix and its milter, as one server that costs what both do."""

    def __init__(self, server, milter):
        self.port, self.parts = server.port, (server, milter)

    def cpu(self):
        return sum(part.cpu() for part in self.parts)

    def memory(self):
        return sum(part.memory() for part in self.parts)


def through_opendkim(count):
    """Accepts by SMTP, has OpenDKIM sign, and delivers at once. Postfix calls a milter when it takes a mail, not when it sends one:
    so what is signed while a backlog goes out cannot be seen, and the row has the whole way."""
    port = machine.free_port()
    with opendkim.OpenDkim(mail.DOMAIN) as milter:
        milter.check(SENDER, "box@sink.test")
        with relay(port, more=milter.settings) as server:
            return sent(Both(server, milter), port, count)


NODE = """
const pool = require('nodemailer').createTransport({
  pool: true, maxConnections: 16, maxMessages: Infinity, host: '127.0.0.1', port: %d, ignoreTLS: true });
const text = 'x'.repeat(1024), all = [];
for (let n = 0; n < %d; n++) all.push(pool.sendMail({ from: '%s', to: 'box@sink.test', subject: 'Load', text }));
Promise.all(all).then(() => pool.close());
"""


def through_nodemailer(count):
    """A program that calls nodemailer, which hands everything to Postfix."""
    port = machine.free_port()
    with relay(port) as server:
        sink = Sink(port, count, 0)
        cpu, began = server.cpu(), time.monotonic()
        subprocess.run(["node", "-e", NODE % (server.port, count, SENDER)], check=True, timeout=120, cwd=tools.nodemailer())
        return figures(server, count, began, cpu, sink)


def own_at_once(engine, count, signs, names):
    """Postrider takes mails by SendEmail and delivers them at once."""
    port = machine.free_port()
    with postrider.server(engine, *way(port, names)) as server:
        mail.prepare(server, names)
        if not signs:
            unsigned(server)
        sink = Sink(port, count, 0)
        cpu, began = server.cpu(), time.monotonic()
        server.load("send-email", "--mails", count, "--seconds", 600, "--from", SENDER, "--to", "box@sink.test",
                    "--body-bytes", 1024)
        return figures(server, count, began, cpu, sink)


def at_once(engine, rounds, count):
    """Accept and deliver at once: into Postrider by SendEmail, which signs nothing here."""
    with Names() as names:
        for name, rival in (("Postfix's smtp-source", through_postfix), ("nodemailer through Postfix", through_nodemailer)):
            for _ in range(rounds):
                theirs = rival(count)
                yield f"accept and deliver at once, beside {name}", beside(own_at_once(engine, count, False, names), theirs)
