"""What mail that waits costs: many recipients whose hosts do not answer, or put everything off, and the processor's time of the
server while they wait. By itself: bench/waiting.py PROGRAM [--recipients N] [--domains N] [--hosts refuse|hang|busy] [--database URL]"""
import argparse, os, socket, socketserver, struct, subprocess, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

TYPES = {1: "A", 15: "MX"}


def labels(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


class Names(socketserver.BaseRequestHandler):
    """Every domain has a mail host of its own, on loopback."""

    def handle(self):
        query, out = self.request
        at, parts = 12, []
        while query[at]:
            parts.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        question, kind = query[12 : at + 5], struct.unpack(">H", query[at + 1 : at + 3])[0]
        name = ".".join(parts)
        data = None
        if TYPES.get(kind) == "MX":
            data = struct.pack(">H", 10) + labels("mx." + name)
        elif TYPES.get(kind) == "A":
            data = socket.inet_aton("127.0.0.1")
        answer = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data if data else b""
        head = query[:2] + b"\x84\x00" + struct.pack(">HHHH", 1, 1 if data else 0, 0, 0)
        out.sendto(head + question + answer, self.client_address)


class Busy(socketserver.StreamRequestHandler):
    """Puts every recipient off."""

    def handle(self):
        self.wfile.write(b"220 busy.example ESMTP\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.wfile.write(b"250-busy.example\r\n250 PIPELINING\r\n")
            elif verb in (b"RCPT", b"DATA"):
                self.wfile.write(b"451 4.3.0 try again later\r\n")
            elif verb == b"QUIT":
                return self.wfile.write(b"221 bye\r\n")
            else:
                self.wfile.write(b"250 ok\r\n")


class Hang(socketserver.BaseRequestHandler):
    """Takes a connection and says nothing."""

    def handle(self):
        while self.request.recv(1024):
            pass


class Threads(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 1024

    def handle_error(self, request, client_address):
        """The server may close a connection that it does not need any more."""


def hosts(kind):
    if kind == "refuse":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]
    server = Threads(("127.0.0.1", 0), {"busy": Busy, "hang": Hang}[kind])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def cpu(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--recipients", type=int, default=200_000)
    parser.add_argument("--domains", type=int, default=1_000)
    parser.add_argument("--hosts", choices=["refuse", "hang", "busy"], default="refuse")
    parser.add_argument("--database", help="a PostgreSQL URL [default: SQLite]")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--log", default="warn")
    given = parser.parse_args()
    names = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Names)
    threading.Thread(target=names.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as data:
        command = [given.program, "dev", "--delivery", "mx", "--dns", f"127.0.0.1:{names.server_address[1]}"]
        command += ["--mx-port", str(hosts(given.hosts)), "--data-dir", data, "--hostname", "mx.bench.example", "--log", given.log]
        for port in ["--http", "--smtp", "--submission", "--submissions"]:
            command += [port, "127.0.0.1:0"]
        if given.database:
            command += ["--database-url", given.database]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            endpoint = next(line.split()[1] for line in server.stdout if line.strip().startswith("endpoint"))
            measure(given, endpoint, server.pid)
        finally:
            server.kill()
            server.wait()


def measure(given, endpoint, pid):
    config = Config(retries={"max_attempts": 5}, max_pool_connections=8)
    ses = boto3.client(
        "sesv2", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="dev", aws_secret_access_key="dev", config=config
    )
    ses.create_email_identity(EmailIdentity="sender.example")
    text = {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "y"}}}}

    def send(n):
        first = n * 50
        to = [f"r{r}@d{r % given.domains}.example" for r in range(first, first + 50)]
        ses.send_email(FromEmailAddress="a@sender.example", Destination={"ToAddresses": to}, Content=text)

    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(send, range(given.recipients // 50)))
    print(f"{given.recipients} recipients of {given.domains} domains accepted in {time.monotonic() - began:.0f} s", flush=True)
    before = cpu(pid)
    for minute in range(given.minutes):
        time.sleep(60)
        now = cpu(pid)
        print(f"minute {minute + 1}: {(now - before) / 60:.3f} cores", flush=True)
        before = now


if __name__ == "__main__":
    sys.exit(main())
