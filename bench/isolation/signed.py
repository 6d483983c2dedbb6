"""Requests as octets, signed once by botocore: a client that signs and parses each time would be the load. And how to send them."""
import asyncio
import json
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"


class Account:
    """A number and a key."""

    def __init__(self, number, key, secret):
        self.number, self.key, self.secret = number, key, secret

    def request(self, port, service, body, headers, path="/", method="POST", host=None):
        """The octets of a signed request to the server at this port, for this Host."""
        host = host or f"127.0.0.1:{port}"
        body = body if isinstance(body, bytes) else body.encode()
        asked = AWSRequest(method, f"http://127.0.0.1:{port}{path}", data=body, headers={**headers, "Host": host})
        SigV4Auth(Credentials(self.key, self.secret), service, REGION).add_auth(asked)
        lines = "".join(f"{name}: {value}\r\n" for name, value in asked.headers.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def sqs(self, port, operation, **members):
        headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        return self.request(port, "sqs", json.dumps(members), headers)

    def ses(self, port, path, **members):
        return self.request(port, "ses", json.dumps(members), {"Content-Type": "application/json"}, f"/v2/email/{path}")

    def ses_get(self, port, path):
        return self.request(port, "ses", b"", {}, f"/v2/email/{path}", "GET")

    def sns(self, port, action, host=None, **fields):
        form = urlencode({"Action": action, "Version": "2010-03-31", **fields})
        return self.request(port, "sns", form, {"Content-Type": "application/x-www-form-urlencoded"}, host=host)

    def wrong(self):
        """The same key with another secret: its signatures are wrong."""
        return Account(self.number, self.key, self.secret[::-1] + "x")


class Line:
    """A connection to the server. Use it with `async with`."""

    def __init__(self, port, source):
        self.port, self.source = port, source
        self.read = self.write = None

    async def __aenter__(self):
        self.read, self.write = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(self.source, 0))
        return self

    async def __aexit__(self, *_):
        # At once: what is not sent yet shall not keep the place.
        self.write.transport.abort()

    async def send(self, octets):
        self.write.write(octets)
        await self.write.drain()

    async def reply(self):
        """Status and body of an HTTP answer."""
        head = await self.read.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        length = next((int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0)
        return int(lines[0].split()[1]), await self.read.readexactly(length)

    async def ask(self, octets):
        await self.send(octets)
        return await self.reply()

    async def says(self, wanted):
        """Reads an SMTP reply, which has to begin with this digit."""
        while True:
            line = await self.read.readline()
            if not line.startswith(wanted):
                raise ConnectionError(f"{line!r}")
            if line[3:4] != b"-":
                return

    async def tell(self, command, wanted=b"2"):
        await self.send(command.encode() + b"\r\n")
        await self.says(wanted)
