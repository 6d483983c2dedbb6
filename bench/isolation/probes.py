"""What the honest account and the operator ask beside a load: each probe at a steady rate, whatever became of those before it."""
import asyncio
import gc
import itertools
import os
import threading
import time

from isolation import receivers
from isolation.rows import PROBES, VERIFIED
from isolation.signed import Line

# Of each probe, in a second; how long one waits, and what one that failed counts as.
EACH_SECOND, PATIENCE = 20, 30
# Verifying takes seconds; a domain for each probe.
VERIFIED_EACH_SECOND = 2
# Honest clients are many: no one of them has too many connections, however long each takes.
SOURCES = [f"127.0.4.{n}" for n in range(1, 51)]
FAILURES = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)


class Loop:
    """An event loop in a thread of its own, which goes before other programs: it measures, and should not be what is slow."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)
        except PermissionError:
            pass
        self.loop.run_forever()

    def do(self, work):
        """Runs a coroutine there, and gives what it gives."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()


class Probes:
    """The probes of one world (`world.py`)."""

    def __init__(self, world, arrivals):
        self.world, self.arrivals, self.numbers = world, arrivals, itertools.count()
        self.health = f"GET /_postrider/health HTTP/1.1\r\nHost: 127.0.0.1:{world.http}\r\n\r\n".encode()
        self.message = world.honest.sqs(world.http, "SendMessage", QueueUrl=world.queue, MessageBody="x" * 1024)
        self.kinds = dict(zip(PROBES, [self._send, self._mail, self._publish, self._inbound, self._health, self._banner]))
        self.kinds[VERIFIED] = self._verified

    async def run(self, kinds, seconds):
        """For each kind: the latencies in milliseconds and how many failed, of so many seconds."""
        gc.collect()
        gc.freeze()
        found = {kind: ([], []) for kind in kinds}
        tasks = [asyncio.create_task(self._steadily(kind, seconds, *found[kind])) for kind in kinds]
        await asyncio.gather(*tasks)
        return found

    async def _steadily(self, kind, seconds, latencies, failures):
        rate = VERIFIED_EACH_SECOND if kind == VERIFIED else EACH_SECOND
        began, tasks = time.monotonic() + list(self.kinds).index(kind) / EACH_SECOND / len(self.kinds), []
        for n in range(seconds * rate):
            await asyncio.sleep(began + n / rate - time.monotonic())
            tasks.append(asyncio.create_task(self._one(kind, latencies, failures)))
        await asyncio.gather(*tasks)

    async def _one(self, kind, latencies, failures):
        number = next(self.numbers)
        mark = f"probe-{''.join(filter(str.isalpha, kind)).lower()}-{number}-"
        try:
            async with asyncio.timeout(PATIENCE):
                latencies.append(1e3 * await self.kinds[kind](mark, SOURCES[number % len(SOURCES)]))
        except FAILURES as why:
            failures.append(f"{kind}: {type(why).__name__} {why}"[:200])
            latencies.append(PATIENCE * 1e3)
        finally:
            self.arrivals.waiting.pop(mark.encode(), None)

    async def _ask(self, source, request):
        """How long an answer of 200 takes, over a connection of its own."""
        began = time.monotonic()
        async with Line(self.world.http, source) as line:
            status, body = await line.ask(request)
            if status != 200:
                raise ValueError(f"{status} {body[:150]!r}")
            return time.monotonic() - began, body

    async def _health(self, _, source):
        return (await self._ask(source, self.health))[0]

    async def _send(self, _, source):
        return (await self._ask(source, self.message))[0]

    async def _arrives(self, mark, source, request):
        arrived, began = self.arrivals.expect(mark), time.monotonic()
        await self._ask(source, request)
        return await arrived - began

    async def _mail(self, mark, source):
        world = self.world
        request = world.honest.ses(
            world.http, "outbound-emails", FromEmailAddress=f"someone@{world.domain}",
            Destination={"ToAddresses": [f"{mark}@sink.test"]},
            Content={"Simple": {"Subject": {"Data": "Probe"}, "Body": {"Text": {"Data": "x" * 1024}}}})
        return await self._arrives(mark, source, request)

    async def _publish(self, mark, source):
        request = self.world.honest.sns(self.world.http, "Publish", TopicArn=self.world.topic, Message=mark)
        return await self._arrives(mark, source, request)

    async def _inbound(self, mark, source):
        arrived = self.arrivals.expect(mark)
        async with Line(self.world.smtp, source) as line:
            await line.says(b"2")
            await line.tell("EHLO client.sender.test")
            await line.tell("MAIL FROM:<ann@sender.test>")
            await line.tell(f"RCPT TO:<{mark}@{self.world.domain}>")
            await line.tell("DATA", b"3")
            began = time.monotonic()
            await line.tell(f"From: <ann@sender.test>\r\nTo: <{mark}@{self.world.domain}>\r\nSubject: Probe\r\n\r\nHello.\r\n.")
            return await arrived - began

    async def _banner(self, _, source):
        began = time.monotonic()
        async with Line(self.world.smtp, source) as line:
            await line.says(b"2")
            await line.tell("EHLO client.sender.test")
            took = time.monotonic() - began
            await line.tell("QUIT")
            return took

    async def _verified(self, mark, source):
        world, name, began = self.world, f"{mark}x.live.test", time.monotonic()
        await self._ask(source, world.honest.ses(world.http, "identities", EmailIdentity=name, DkimSigningAttributes=world.dkim))
        while True:
            await asyncio.sleep(0.1)
            _, body = await self._ask(source, world.honest.ses_get(world.http, f"identities/{name}"))
            if b'"VerifiedForSendingStatus":true' in body.replace(b" ", b""):
                return time.monotonic() - began


def percentiles(latencies):
    """p50, p99 and the longest."""
    ordered = sorted(latencies)
    at = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))]
    return {"p50": at(0.5), "p99": at(0.99), "max": ordered[-1]}


def listen(loop, refuses=None):
    """The receivers, listening: what arrives, a sink, a webhook."""
    arrivals = receivers.Arrivals()
    mails, hook = receivers.Sink(arrivals, refuses), receivers.Hook(arrivals)
    loop.do(mails.start())
    loop.do(hook.start())
    return arrivals, mails, hook
