"""The queue rows: sends, batches, cycles, with the queue empty and with a million messages waiting; idle pollers."""
import os
import socket
import time

import postrider


def rate(server, mode, seconds, *flags):
    """One figure for a mode: messages that went through it a second, and the latency of its first call."""
    before, began = server.cpu(), time.monotonic()
    calls = server.load(mode, "--seconds", seconds, *flags)
    spent, elapsed = server.cpu() - before, time.monotonic() - began
    return {**postrider.slowest(calls), "cpu": spent, "cores": spent / elapsed}


def run(engine, rounds, seconds, waiting):
    """A server with so many messages waiting, and beside it an empty one, in turn."""
    with postrider.server(engine, suffix="-full") as full:
        idle = full.memory()
        yield "idle memory", {"MiB": idle}
        full.load("prefill", "--queue", "full", "--prefill", waiting, "--concurrency", 4)
        # What the filling left to be written would slow the syncs that are measured.
        os.sync()
        yield f"memory, {waiting:,} waiting", {"MiB": full.memory(), "added MiB": full.memory() - idle}
        with postrider.server(engine) as empty:
            for mode in ("send", "send-batch", "cycle"):
                for n in range(rounds):
                    yield f"{mode}, empty", rate(empty, mode, seconds, "--queue", f"{mode}-{n}")
                    yield f"{mode}, {waiting:,} waiting", rate(full, mode, seconds, "--queue", "full")
            for n in range(rounds):
                yield "cycle of a FIFO queue, 100 groups", rate(empty, "cycle", seconds, "--queue", f"cycle-{n}.fifo")
        yield f"receive-delete, {waiting:,} waiting", rate(full, "receive-delete", seconds, "--queue", "full")


class Pollers:
    """Long polls, signed by boto3 and sent by hand: a thread each would be the load."""

    def __init__(self, server, count):
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        def signed(operation, body):
            request = AWSRequest("POST", server.url + "/", data=body, headers={
                "X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"})
            SigV4Auth(Credentials(postrider.KEY, postrider.SECRET), "sqs", "us-east-1").add_auth(request)
            head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
            return f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.http}\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

        # By hand too: what the load program leaves behind in the server would count as the polls'.
        with socket.create_connection(("127.0.0.1", server.http)) as one:
            one.sendall(signed("CreateQueue", '{"QueueName": "polled"}'))
            assert one.recv(4096).startswith(b"HTTP/1.1 200")
        body = '{"QueueUrl": "%s/000000000000/polled", "WaitTimeSeconds": 20}' % server.url
        self.sockets = [(socket.create_connection(("127.0.0.1", server.http)), signed("ReceiveMessage", body))
                        for _ in range(count)]

    def __enter__(self):
        for connection, text in self.sockets:
            connection.sendall(text)
        return self

    def __exit__(self, *_):
        for connection, _ in self.sockets:
            connection.close()
