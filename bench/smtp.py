"""The rows of SMTP accept: Postfix's smtp-source into Postfix (hold queue, or discard) and into Postrider, in turn."""
import subprocess
import time

import mail
import postfix
import postrider
from names import Names


def source(port, sessions, count, size, keep):
    began = time.monotonic()
    subprocess.run(["smtp-source", *(["-d"] if keep else []), "-s", str(sessions), "-m", str(count), "-l", str(size),
                    "-f", "someone@sender.test", "-t", f"box@{mail.DOMAIN}", f"127.0.0.1:{port}"],
                   check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def measure(server, port, sessions, count, size, keep):
    before = server.cpu()
    elapsed = source(port, sessions, count, size, keep)
    return {"rate": count / elapsed, "CPU ms a mail": (server.cpu() - before) / count * 1e3, "MiB": server.memory()}


KINDS = [  # name, bytes, many mails a session, what Postfix does with them
    ("SMTP accept, 1 KB", 1024, True, postfix.HOLD),
    ("SMTP accept, 1 KB, one mail a connection", 1024, False, postfix.HOLD),
    ("SMTP accept, 10 KB", 10 * 1024, True, postfix.DISCARD),
    ("SMTP accept, 100 KB", 100 * 1024, True, postfix.DISCARD),
]


def run(engine, rounds, count):
    with Names() as names, postrider.server(engine, "--dns", f"127.0.0.1:{names.port}") as server:
        mail.prepare(server, names)
        for name, size, keep, settings in KINDS:
            for sessions in (1, 10, 50) if size == 1024 else (10,):
                for _ in range(rounds):
                    with postfix.Postfix(settings) as rival:
                        theirs = measure(rival, rival.port, sessions, count, size, keep)
                    ours = measure(server, server.smtp, sessions, count, size, keep)
                    yield f"{name}, {sessions} sessions", {**ours, "postfix": theirs["rate"],
                                                          "postfix CPU ms": theirs["CPU ms a mail"],
                                                          "postfix MiB": theirs["MiB"]}
