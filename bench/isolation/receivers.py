"""Where the probes arrive: a receiver of mail and a webhook, in the loop that measures. Each says at what moment something came."""
import asyncio
import email
import email.policy
import json
import re
import time

MARK = re.compile(rb"probe-[a-z]+-\d+-")
FOREIGN = "foreign.example"
GREETING, RECIPIENTS = "greeting", "recipients"
NOT_NOW = b"451 4.3.0 not now"


class Arrivals:
    """Who waits for which mark."""

    def __init__(self):
        self.waiting = {}

    def expect(self, mark):
        self.waiting[mark.encode()] = future = asyncio.get_running_loop().create_future()
        return future

    def came(self, octets):
        now = time.monotonic()
        for mark in set(MARK.findall(octets)):
            future = self.waiting.pop(mark, None)
            if future and not future.done():
                future.set_result(now)


class Sink:
    """Takes all mail; or none of it, where `refuses` is GREETING or RECIPIENTS: it says 451 from there on, and counts `asked`."""

    def __init__(self, arrivals, refuses=None):
        self.arrivals, self.refuses = arrivals, refuses
        self.port, self.asked, self.foreign, self.letters = None, 0, 0, 0

    async def start(self):
        server = await asyncio.start_server(self._session, "127.0.0.1", 0, limit=2 ** 20, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]

    async def _session(self, read, write):
        try:
            await self._talk(read, write)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            write.close()

    async def _talk(self, read, write):
        def say(text):
            write.write(text + b"\r\n")
        if self.refuses == GREETING:
            self.asked += 1
            say(NOT_NOW)
        else:
            say(b"220 sink.test ESMTP")
        recipients = b""
        while line := await read.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                say(b"221 bye")
                return
            if self.refuses == GREETING or self.refuses and verb in (b"RCPT", b"DATA"):
                self.asked += verb == b"RCPT"
                say(NOT_NOW)
            elif verb == b"EHLO":
                say(b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME")
            elif verb == b"DATA":
                say(b"354 go on")
                data = await read.readuntil(b"\r\n.\r\n")
                self.arrivals.came(recipients)
                if b"subscriber-" in recipients:
                    self._look(data)
                recipients = b""
                say(b"250 taken")
            else:
                recipients += line if verb == b"RCPT" else b""
                say(b"250 ok")

    def _look(self, data):
        """Where the link of a confirmation leads."""
        letter = email.message_from_bytes(data, policy=email.policy.default)
        self.letters += 1
        self.foreign += FOREIGN in letter.get_body().get_content()


class Hook:
    """A webhook. Subscriptions that want to be confirmed wait in `confirmations`: (topic, token)."""

    def __init__(self, arrivals):
        self.arrivals, self.confirmations, self.port = arrivals, [], None

    async def start(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2 ** 20, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]

    async def _serve(self, read, write):
        try:
            while body := await posted(read):
                self._take(body)
                write.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            write.close()

    def _take(self, body):
        if b'"SubscriptionConfirmation"' in body:
            said = json.loads(body)
            self.confirmations.append((said["TopicArn"], said["Token"]))
        self.arrivals.came(body)


async def posted(read):
    """The body of the next POST of a connection."""
    head = await read.readuntil(b"\r\n\r\n")
    found = re.search(rb"content-length: *(\d+)", head, re.I)
    return await read.readexactly(int(found[1]) if found else 0)
