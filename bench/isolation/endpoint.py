"""A webhook in a process of its own, for subscriptions by the hundred: it confirms them, answers, and hangs when it is told to."""
import asyncio
import json
import multiprocessing
import urllib.request

from isolation.receivers import posted

CONTEXT = multiprocessing.get_context("spawn")


class Endpoint:
    """Use it with `with`. Set `hangs` to have it answer nobody from then on; `confirmed` counts its subscriptions."""

    def __init__(self):
        self.hangs, self.confirmed = CONTEXT.Event(), CONTEXT.Value("i", 0)
        self.port = CONTEXT.Value("i", 0)
        self.process = CONTEXT.Process(target=serve, args=(self.port, self.hangs, self.confirmed), daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()


def serve(port, hangs, confirmed):
    asyncio.run(listen(port, hangs, confirmed))


async def listen(port, hangs, confirmed):
    server = await asyncio.start_server(lambda read, write: answer(read, write, hangs, confirmed), "127.0.0.1", 0, backlog=2048)
    port.value = server.sockets[0].getsockname()[1]
    await server.serve_forever()


async def answer(read, write, hangs, confirmed):
    try:
        while body := await posted(read):
            if hangs.is_set():
                # Until the other side has enough.
                await read.read()
                return
            write.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            if b'"SubscriptionConfirmation"' in body:
                await asyncio.to_thread(confirm, json.loads(body)["SubscribeURL"])
                confirmed.value += 1
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        write.close()


def confirm(url):
    with urllib.request.urlopen(url, timeout=30) as said:
        said.read()
