"""What goes on beside the probes, attack or honest load, in a process of its own. Each load is a function, bounded in number; it ends
when it is told to, or when its time is over, whatever the server does."""
import asyncio
import collections
import multiprocessing
import resource

from isolation.signed import Line

CONTEXT = multiprocessing.get_context("spawn")
PIECE = 256 * 1024
# How long who was sent away waits before it comes again, and how often it comes at the most.
AGAIN_AFTER, AGAIN_MAX = 0.5, 50


class Load:
    """A load that can be started: a function below and what it is called with, all of it data."""

    def __init__(self, function, **arguments):
        self.function, self.arguments = function, arguments

    def like(self, attack, seconds):
        """The honest load of the size of the attack, which ended in this tally and went on for so long. Most have it already."""
        return self


class Running:
    """A load at work. Use it with `with`; `through` is set when it has done all that it was to do, and afterwards `tally` has how its
    requests ended."""

    def __init__(self, load, seconds):
        self.strong, self.through, self.stop = (CONTEXT.Event() for _ in range(3))
        self.told = CONTEXT.SimpleQueue()
        arguments = (load, seconds, self.strong, self.through, self.stop, self.told)
        self.process = CONTEXT.Process(target=work, args=arguments, daemon=True)
        self.tally = {}

    def __enter__(self):
        self.process.start()
        # The probes begin when it is at full strength, or does not get there.
        self.strong.wait(20)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.process.join(20)
        self.tally = {} if self.told.empty() else self.told.get()
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def work(load, seconds, strong, through, stop, told):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    tally = collections.Counter()
    asyncio.run(bounded(load, seconds, strong, through, stop, tally))
    told.put(dict(tally))


async def bounded(load, seconds, strong, through, stop, tally):
    def ended(_):
        strong.set()
        through.set()
    task = asyncio.create_task(load.function(strong, tally, **load.arguments))
    # When the load is through before its time, what it did goes on in the server all the same.
    task.add_done_callback(ended)
    until = asyncio.get_running_loop().time() + seconds
    while not stop.is_set() and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and task.exception():
        raise task.exception()


async def together(jobs):
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def counted(tally, exchange):
    """Runs one exchange, and counts how it ended. Gives whether the connection is good for another one."""
    tally["asked"] += 1
    try:
        status, _ = await exchange
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        tally["lost"] += 1
        return False
    tally["answered" if status < 400 else "refused"] += 1
    return True


async def calls(strong, tally, port, requests, callers, pause, sources, once=False):
    """So many callers, each with a connection of its own, that ask in turn for what is in the list, a call each `pause` seconds
    or as soon as the one before ended; `once`: each request one time, and then no more."""
    rest = iter(requests)

    def following():
        nonlocal rest
        found = next(rest, None)
        if found is None and not once:
            rest = iter(requests)
            found = next(rest)
        return found

    async def caller(number):
        await asyncio.sleep(pause * number / callers)
        line, due = None, asyncio.get_running_loop().time()
        while (request := following()) is not None:
            if line is None:
                line = Line(port, sources[number % len(sources)])
                try:
                    await line.__aenter__()
                except OSError:
                    line = None
                    await asyncio.sleep(AGAIN_AFTER)
                    continue
            try:
                fine = await counted(tally, line.ask(request))
            except asyncio.CancelledError:
                # It leaves without an answer, as an impatient client does.
                await line.__aexit__()
                raise
            if not fine:
                await line.__aexit__()
                line = None
                await asyncio.sleep(AGAIN_AFTER)
            due = max(due + pause, asyncio.get_running_loop().time())
            await asyncio.sleep(due - asyncio.get_running_loop().time())

    strong.set()
    await together(caller(number) for number in range(callers))


async def uploads(strong, tally, port, requests, count, hold, sources):
    """So many connections that send a large request each, but for its last octets, and these when `hold` seconds are over. Again
    and again. All begin at once; from then on they end one after the other."""
    below = count

    async def upload(number):
        nonlocal below
        request = memoryview(requests[number % len(requests)])
        for attempt in range(AGAIN_MAX):
            due = asyncio.get_running_loop().time() + hold * (1 if attempt else 0.25 + number / count)
            try:
                async with Line(port, sources[number % len(sources)]) as line:
                    await counted(tally, slowly(line, request, due))
            except OSError:
                tally["lost"] += 1
            await asyncio.sleep(max(AGAIN_AFTER, due - asyncio.get_running_loop().time()))

    async def slowly(line, request, due):
        nonlocal below
        answer = asyncio.create_task(line.reply())
        try:
            for at in range(0, len(request) - 1024, PIECE):
                if answer.done():
                    return await answer
                await line.send(request[at:min(at + PIECE, len(request) - 1024)])
            below -= 1
            if below == 0:
                strong.set()
            await asyncio.wait([answer], timeout=max(0, due - asyncio.get_running_loop().time()))
            if not answer.done():
                await line.send(request[-1024:])
            return await answer
        finally:
            answer.cancel()

    await together(upload(number) for number in range(count))


async def held(strong, tally, slots):
    """Connections that say something unfinished and then nothing: (port, source, octets, whether the server speaks first). Who is
    sent away comes again."""
    below, at_once = len(slots), asyncio.Semaphore(200)

    async def hold(port, source, octets, greeted):
        nonlocal below
        for attempt in range(AGAIN_MAX):
            try:
                async with at_once, asyncio.timeout(30):
                    line = await Line(port, source).__aenter__()
            except (OSError, TimeoutError):
                line = None
            below -= attempt == 0
            if below == 0:
                strong.set()
            tally["asked"] += 1
            if line:
                try:
                    if greeted:
                        await line.says(b"2")
                    tally["octets"] += len(octets)
                    await line.send(octets)
                    while await line.read.read(65_536):
                        pass
                except OSError:
                    pass
                finally:
                    tally["octets"] -= line.write.transport.get_write_buffer_size()
                    await line.__aexit__()
            tally["sent away"] += 1
            await asyncio.sleep(AGAIN_AFTER)

    await together(hold(*slot) for slot in slots)


async def passing(strong, tally, slots, seconds):
    """As many connections that come to an end, spread over so many seconds."""
    async def one(number, port, source, octets, greeted):
        await asyncio.sleep(seconds * number / len(slots))
        tally["asked"] += 1
        try:
            async with Line(port, source) as line:
                if greeted:
                    await line.says(b"2")
                await line.send(octets)
                if greeted:
                    await line.says(b"2")
                else:
                    await line.reply()
            tally["answered"] += 1
        except (OSError, asyncio.IncompleteReadError):
            tally["lost"] += 1

    strong.set()
    await together(one(number, *slot) for number, slot in enumerate(slots))


async def mails(strong, tally, port, letters, sessions, sources):
    """Hands in each letter, (HELO, sender, recipient, text), over so many sessions at once."""
    rest = iter(letters)

    async def session(number):
        for helo, sender, recipient, text in rest:
            tally["asked"] += 1
            try:
                async with Line(port, sources[number % len(sources)]) as line:
                    await line.says(b"2")
                    await line.tell(f"EHLO {helo}")
                    await line.tell(f"MAIL FROM:<{sender}>")
                    await line.tell(f"RCPT TO:<{recipient}>")
                    await line.tell("DATA", b"3")
                    await line.tell(text + "\r\n.")
                tally["answered"] += 1
            except OSError:
                tally["lost"] += 1

    strong.set()
    await together(session(number) for number in range(sessions))
