"""The rows of SMTP accept: Postfix's smtp-source into Postfix (hold queue, or discard) and into Postrider, in turn."""
import subprocess
import time

import mail
import postfix
import postrider
import tools
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


KINDS = [  # name, bytes, many mails a session, what Postfix does with them, whether Postrider only accepts, sessions
    ("SMTP accept, 1 KB", 1024, True, postfix.HOLD, True, (1, 10, 50)),
    ("SMTP accept, 1 KB, one mail a connection", 1024, False, postfix.HOLD, True, (1, 10, 50)),
    ("SMTP accept, 10 KB", 10 * 1024, True, postfix.DISCARD, True, (10,)),
    ("SMTP accept, 100 KB", 100 * 1024, True, postfix.DISCARD, True, (10,)),
    # Beside the accept Postrider checks the mail (SPF, DKIM, DMARC) and runs its rules; Postfix delivers to nowhere.
    ("SMTP accept and work, 1 KB", 1024, True, postfix.DISCARD, False, (1, 10, 50)),
    ("SMTP accept and work, 10 KB", 10 * 1024, True, postfix.DISCARD, False, (10,)),
    ("SMTP accept and work, 100 KB", 100 * 1024, True, postfix.DISCARD, False, (10,)),
]


def rows(server, kinds, rounds, count, settings="", more=""):
    for name, size, keep, does, _, all_sessions in kinds:
        for sessions in all_sessions:
            for _ in range(rounds):
                with postfix.Postfix(does + settings) as rival:
                    theirs = measure(rival, rival.port, sessions, count, size, keep)
                ours = measure(server, server.smtp, sessions, count, size, keep)
                yield f"{name}{more}, {sessions} sessions", {
                    **ours, "postfix": theirs["rate"], "times postfix": ours["rate"] / theirs["rate"],
                    "postfix CPU ms": theirs["CPU ms a mail"], "postfix MiB": theirs["MiB"]}


def run(engine, rounds, count):
    for accept_only in (True, False):
        flags = ["--accept-only"] if accept_only else []
        with Names() as names, postrider.server(engine, "--dns", f"127.0.0.1:{names.port}", *flags) as server:
            mail.prepare(server, names)
            yield from rows(server, [kind for kind in KINDS if kind[4] == accept_only], rounds, count)


def slow(engine, rounds, count, milliseconds=2):
    """The first row, with each sync of a file so much slower, for both programs."""
    library = str(tools.slow_sync(milliseconds))
    settings = f"import_environment = MAIL_CONFIG LD_PRELOAD={library}\n"
    with Names() as names, postrider.server(engine, "--dns", f"127.0.0.1:{names.port}", "--accept-only",
                                            env={"LD_PRELOAD": library}) as server:
        mail.prepare(server, names)
        yield from rows(server, KINDS[:1], rounds, count, settings, f", each sync {milliseconds} ms slower")
