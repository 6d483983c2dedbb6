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
    with postrider.server(engine) as server:
        yield f"{sessions} idle SMTP sessions", idle(server, lambda: Sessions(server.smtp, sessions), sessions)
    with postrider.server(engine) as server:
        yield f"{sessions} idle long polls", idle(server, lambda: sqs.Pollers(server, sessions), sessions)


def idle(server, peers, count):
    """What so many peers cost while nothing happens."""
    before = server.memory()
    with peers():
        time.sleep(3)
        start, began = server.cpu(), time.monotonic()
        time.sleep(10)
        share = (server.cpu() - start) / (time.monotonic() - began)
        return {"% of a core": share * 100, "KiB each": (server.memory() - before) * 1024 / count}


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
