"""What arrives is what was accepted, byte for byte, but for the fields that SES rewrites; and its signatures hold."""
import random
import smtplib
import ssl

import dkim

from home import home
from server import wait_for

# SES takes these out, or writes them anew.
REWRITTEN = {b"message-id", b"date", b"bcc", b"resent-bcc", b"return-path"}
ADDED = {b"dkim-signature", b"x-postrider-id"}
LONG = b"x" * 998

BODIES = {
    "usual": b"one\r\ntwo\r\n", "no last line end": b"one\r\ntwo", "empty": b"", "an empty line": b"\r\n", "only empty": b"\r\n" * 7,
    "empty lines at the end": b"one\r\n\r\n\r\n\r\n", "a dot": b".\r\n", "dots": b".\r\n..\r\n...\r\n.a\r\n.\r\n\r\n.",
    "a dot after the end": b"a\r\n.", "spaces": b"a  \r\n \t \r\n\tb\t\r\n  ", "spaces at the end": b"a\r\n   \r\n \r\n",
    "998": LONG + b"\r\n." + LONG[1:] + b"\r\n", "eight bits": bytes(range(128, 256)) + b"\r\n" + "Grüße 世界\r\n".encode(),
    "latin": "Grüße\r\n.ü".encode("latin-1"), "controls": b"\x01\x02\x07\x0b\x0c\x1b\x7f\r\n", "mbox": b"From here\r\n>From\r\n",
    "words of SMTP": b"QUIT\r\nDATA\r\n.QUIT\r\n", "tabs": b"\t\r\n\t\t\r\n"}
HEADS = {
    "plain": b"", "folded": b"X-Fold: a\r\n b\r\n\tc\r\n   d \r\nX-Tab:\tv\t\r\n",
    "odd": b"x-lower: 1\r\nX-EMPTY:\r\nX-Space:   two   spaces   \r\nX-Twice: 1\r\nX-Twice: 2\r\nX-Colon: a:b: c\r\n",
    "long": b"X-Long: " + LONG[8:] + b"\r\n" + b"X-Many: " + b"\r\n ".join([b"y" * 70] * 40) + b"\r\n",
    "utf8": "X-Name: Jürgen 世界\r\n Größe\r\n".encode(), "words": b"X-Word: =?UTF-8?B?SsO8cmdlbg==?=\r\n =?UTF-8?Q?_M=C3=BC?=\r\n",
    "rewritten": b"Message-ID: <mine@x>\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nReturn-Path: <rp@%s>\r\n"
                 b"Bcc: a@b.example,\r\n c@d.example\r\nX-SES-MESSAGE-TAGS: a=b,\r\n c=d\r\n",
    "received": b"Received: from a by b;\r\n\tMon, 1 Jan 2001 00:00:00 +0000\r\nDKIM-Signature: v=1; a=rsa-sha256; d=x.example;\r\n"
                b"\ts=s; h=from; bh=AAAA; b=AAAA\r\nX-Postrider-Id: forged\r\n"}


def fields(header):
    """The fields of a header: (name in lower case, all bytes)."""
    found = []
    for line in header.splitlines(keepends=True):
        if line[:1] in b" \t" and found:
            found[-1] += line
        else:
            found.append(line)
    return [(field.split(b":", 1)[0].strip().lower(), field) for field in found]


def same(arrived, message, what):
    """The fields that were added stand at the top or replace others; all else is as it was sent."""
    got_head, got_body = arrived.split(b"\r\n\r\n", 1)
    head, body = message.split(b"\r\n\r\n", 1)
    sent = [field for name, field in fields(head + b"\r\n") if name not in REWRITTEN and not name.startswith(b"x-ses-")]
    got, ours = [field for _, field in fields(got_head + b"\r\n")], []
    # From the end: the fields of the message stand together, in order, with the new Date and Message-ID after them.
    while got and got[-1].split(b":")[0].lower() in (b"date", b"message-id"):
        ours.append(got.pop().split(b":")[0].lower())
    assert sorted(ours) == [b"date", b"message-id"], (what, ours)
    assert got[-len(sent):] == sent, (what, got, sent)
    above = {field.split(b":")[0].lower() for field in got[:-len(sent)]}
    assert above - ADDED <= ({b"received"} if what.endswith(("smtp", "bdat")) else set()), (what, above)
    # SMTP ends what it carries with a line end.
    wanted = body if body.endswith(b"\r\n") or got_body == body else body + b"\r\n"
    assert got_body == wanted, (what, got_body[-200:], wanted[-200:])


class Ways:
    """The ways in, each a function of sender, recipient and message."""

    def __init__(self, world):
        self.here = here = home(world)
        self.v1, self.v2 = here.client("ses"), here.client("sesv2")
        self.smtp = smtplib.SMTP("127.0.0.1", world.server.port("submission"), timeout=30)
        self.smtp.starttls(context=ssl._create_unverified_context())
        user, password = here.keys
        if not world.dev:
            said = dict(line.split(" = ") for line in world.server.admin("smtp-credentials", here.keys[0]))
            user, password = said["user"], said["password"]
        self.smtp.login(user, password)
        self.all = {"v1": self.by_v1, "v2": self.by_v2, "smtp": self.by_smtp}
        if self.smtp.has_extn("chunking"):
            self.all["bdat"] = self.by_bdat

    def by_v1(self, sender, to, message):
        self.v1.send_raw_email(Source=sender, Destinations=[to], RawMessage={"Data": message})

    def by_v2(self, sender, to, message):
        self.v2.send_email(FromEmailAddress=sender, Destination={"ToAddresses": [to]}, Content={"Raw": {"Data": message}})

    def envelope(self, sender, to):
        options = ["BODY=8BITMIME"] + (["SMTPUTF8"] if self.smtp.has_extn("smtputf8") else [])
        code, said = self.smtp.mail(sender, options)
        assert code == 250, said
        code, said = self.smtp.rcpt(to)
        assert code == 250, said

    def by_smtp(self, sender, to, message):
        self.envelope(sender, to)
        code, said = self.smtp.data(message)
        assert code == 250, said

    def by_bdat(self, sender, to, message):
        self.envelope(sender, to)
        half = len(message) // 2
        for part, last in ((message[:half], b""), (message[half:], b" LAST")):
            self.smtp.send(b"BDAT %d%s\r\n" % (len(part), last) + part)
            code, said = self.smtp.getreply()
            assert code == 250, said


def deliver(world, messages):
    """Sends each message by each way; gives (what, message, arrived) of all."""
    ways, domain, sent = Ways(world), f"{world.name('bytes')}.example", {}
    for name, message in messages.items():
        for way, send in ways.all.items():
            to = f"n{len(sent)}@{domain}"
            send(f"s@{ways.here.domain}", to, message)
            sent[to] = (f"{name} by {way}", message)

    def arrived():
        if world.dev:
            return {one["to"]: one["id"] for one in world.inbox() if one["to"].endswith(domain)}
        return {mail.recipient: mail.data for mail in list(world.sink.mails) if mail.recipient.endswith(domain)}
    got = wait_for("all of them", lambda: (lambda all_: all_ if len(all_) == len(sent) else None)(arrived()), 60)
    for to, (what, message) in sent.items():
        raw = world.http(f"/_postrider/inbox/{got[to]}/raw")[2] if world.dev else got[to]
        yield what, message, raw


def message(world, head, body):
    domain = home(world).domain.encode()
    head = head.replace(b"%s", domain)
    return b"From: Ann <s@" + domain + b">\r\nTo: someone@there.example\r\n" + head + b"Subject: bytes\r\n\r\n" + body


def check_odd_messages(world):
    messages = {f"body: {name}": message(world, b"", body) for name, body in BODIES.items()}
    messages |= {f"head: {name}": message(world, head, b"body\r\n") for name, head in HEADS.items()}
    keys = home(world).dkim
    for what, sent, arrived in deliver(world, messages):
        same(arrived, sent, what)
        if "received" in what:
            continue  # The forged signature stands among ours.
        signatures = arrived.split(b"\r\n\r\n")[0].count(b"\r\nDKIM-Signature:") + arrived.startswith(b"DKIM-Signature:")
        # In `dev` nothing is looked up, so a key that has to be found first does not sign.
        assert signatures == (1 if world.dev else 2), (what, signatures)
        for index in range(signatures):
            assert holds(arrived, index, keys), (what, index, arrived)


def holds(arrived, index, keys):
    """Whether dkimpy verifies a signature. What is kept in `dev` has not gone through SMTP, which ends the last line."""
    arrived += b"" if arrived.endswith(b"\r\n") else b"\r\n"
    try:
        return dkim.DKIM(arrived).verify(idx=index, dnsfunc=lambda name, timeout=5: keys[name.decode().rstrip(".")].encode())
    except dkim.DKIMException:
        return False


def check_random_messages(world):
    dice = random.Random(5)
    pieces = [b"a", b"..", b".", b" ", b"\t", b"\r\n", b"\r\n", b"\r\n.", b"=", "ü".encode(), b"\xff", b"word " * 30]
    messages = {}
    for number in range(40):
        body = b"".join(dice.choices(pieces, k=dice.randrange(60)))
        lines = [b"X-%d:" % n + b"".join(dice.choices([b" v", b"\r\n w", b"\t", b";", b"\r\n\tx"], k=dice.randrange(1, 9))) + b"!\r\n"
                 for n in range(dice.randrange(6))]
        messages[f"random {number}"] = message(world, b"".join(lines), body)
    for what, sent, arrived in deliver(world, messages):
        same(arrived, sent, what)


def check_line_ends(world):
    """A lone LF or CR goes out as a line end, as SES does it; nothing else changes."""
    lone = message(world, b"", b"").replace(b"\r\n", b"\n") + b"a\n.\nb\n\nc"
    ways, to = Ways(world), f"lf@{world.name('bytes')}.example"
    for way in (ways.by_v1, ways.by_v2):
        way(f"s@{ways.here.domain}", to, lone)
    for arrived in world.delivered(to, count=2):
        same(arrived, lone.replace(b"\n", b"\r\n"), "lone LF")
