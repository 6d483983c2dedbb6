"""The rows of a server that has nothing to do: its memory, what idle sessions and polls cost, how soon it answers."""
import os
import signal
import socket
import time

import machine
import postrider
import sqs


def run(engine, rounds, sessions=1_000):
    with postrider.server(engine) as server:
        for _ in range(rounds):
            server.stop(signal.SIGTERM)
            began = time.monotonic()
            server.start(())
            yield "start to healthy", {"ms": (time.monotonic() - began) * 1e3}
        time.sleep(3)
        yield "idle memory", {"MiB": server.memory()}
    yield from idle(engine, sessions)


def idle(engine, count=1_000):
    """What so many idle SMTP sessions and long polls cost."""
    with postrider.server(engine) as server:
        yield f"{count} idle SMTP sessions", cost(server, lambda some: Sessions(server.smtp, some), count)
    with postrider.server(engine) as server:
        yield f"{count} idle long polls", cost(server, lambda some: sqs.Pollers(server, some), count)


def cost(server, peers, count):
    """What so many peers cost while nothing happens. What one takes is seen by the second half of them: the first ones fill the
    caches of the store, which are not theirs."""
    start = server.memory()
    with peers(count // 2):
        time.sleep(3)
        before = server.memory()
        with peers(count // 2):
            time.sleep(3)
            spent, began, after = server.cpu(), time.monotonic(), server.memory()
            time.sleep(10)
            share = (server.cpu() - spent) / (time.monotonic() - began)
            return {"% of a core": share * 100, "KiB each": (after - before) * 1024 / (count // 2),
                    "MiB with caches": after - start}


class Sessions:
    """SMTP sessions after EHLO."""

    def __init__(self, port, count):
        self.sockets = []
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", port))
            one.recv(512)
            one.sendall(b"EHLO idle.test\r\n")
            one.recv(1024)
            self.sockets.append(one)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.sockets:
            one.close()
