"""The world around Postrider: a webhook receiver, a DNS server and an SMTP receiver, each of our own and each in a thread."""
import base64
import collections
import contextlib
import json
import socket
import socketserver
import struct
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding


def _serve(server):
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


class Webhook:
    """Takes POSTs and keeps them per path: (headers, parsed body). `fail[path]` is how many of the next ones fail."""

    def __init__(self):
        self.received = collections.defaultdict(list)
        self.fail = collections.Counter()
        self.failed = collections.Counter()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                with contextlib.suppress(ConnectionError):
                    self.take()

            def take(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if len(body) < int(self.headers.get("Content-Length", 0)):
                    return
                if hook.fail[self.path] > 0:
                    hook.fail[self.path] -= 1
                    hook.failed[self.path] += 1
                    self.send_response(503)
                else:
                    hook.received[self.path].append((dict(self.headers), json.loads(body)))
                    self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 512

        self.server = _serve(Server(("127.0.0.1", 0), Handler))
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def of_type(self, path, kind):
        return [body for headers, body in list(self.received[path]) if body["Type"] == kind]


def verify_sns(message):
    """Fails unless the message is signed by the certificate that it names, as a careful subscriber checks it."""
    with urllib.request.urlopen(message["SigningCertURL"], timeout=10) as answer:
        certificate = x509.load_pem_x509_certificate(answer.read())
    if message["Type"] == "Notification":
        keys = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        keys = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{key}\n{message[key]}\n" for key in keys if key in message)
    digest = {"1": hashes.SHA1, "2": hashes.SHA256}[message["SignatureVersion"]]()
    signature = base64.b64decode(message["Signature"])
    certificate.public_key().verify(signature, text.encode(), padding.PKCS1v15(), digest)


A, MX, TXT = 1, 15, 16


class Dns:
    """Answers from `records[(name, type)]`: a list of addresses, of (preference, host), or of texts. No such name: NXDOMAIN."""

    def __init__(self):
        self.records = {}
        self.asked = []
        dns = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                question, sock = self.request
                sock.sendto(dns._answer(question), self.client_address)

        self.server = _serve(socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler))
        self.address = "127.0.0.1:%d" % self.server.server_address[1]

    def set(self, name, kind, values):
        self.records[(name.rstrip(".").lower(), kind)] = values

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("ascii"))
            at += 1 + question[at]
        kind, _ = struct.unpack("!HH", question[at + 1:at + 5])
        asked = question[12:at + 5]
        name = ".".join(labels).lower()
        self.asked.append((name, kind))
        values = self.records.get((name, kind), [])
        known = any(other == name for other, _ in self.records)
        flags = 0x8580 | (0 if known else 3)
        out = question[:2] + struct.pack("!HHHHH", flags, 1, len(values), 0, 0) + asked
        for value in values:
            data = _data(kind, value)
            out += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(data)) + data
        return out


def _data(kind, value):
    if kind == A:
        return socket.inet_aton(value)
    if kind == MX:
        preference, host = value
        return struct.pack("!H", preference) + _name(host)
    text = value.encode()
    parts = [text[i:i + 255] for i in range(0, len(text), 255)] or [b""]
    return b"".join(bytes([len(part)]) + part for part in parts)


def _name(host):
    return b"".join(bytes([len(label)]) + label.encode() for label in host.split(".") if label) + b"\0"


class Mail(collections.namedtuple("Mail", "sender recipient data")):
    """A mail as the sink took it: envelope and content, dots unstuffed."""


class SmtpSink:
    """Takes mail like a receiver on the Internet. `answers[local part]` is a list of replies to RCPT, each used once, the
    last one for ever; `None` takes it. `after_data[local part]` is the same for the end of the content."""

    def __init__(self):
        self.mails = []
        self.answers = {}
        self.after_data = {}
        self.tried = collections.Counter()
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                # A client that is killed is part of the story.
                with contextlib.suppress(ConnectionError):
                    sink._session(self.rfile, self.wfile)

            def finish(self):
                with contextlib.suppress(ConnectionError):
                    super().finish()

        class Server(socketserver.ThreadingTCPServer):
            # Two hundred mails may come at once.
            request_queue_size = 512

        self.server = _serve(Server(("127.0.0.1", 0), Handler))
        self.port = self.server.server_address[1]

    def to(self, recipient):
        return [mail for mail in list(self.mails) if mail.recipient == recipient]

    def _next(self, table, recipient):
        replies = table.get(recipient.split("@")[0], [None])
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def _session(self, lines, out):
        def say(text):
            out.write(text.encode() + b"\r\n")
            out.flush()

        say("220 sink.example ESMTP")
        sender, recipients = None, []
        while line := lines.readline():
            word = line.decode("utf-8", "replace").strip()
            verb = word.upper()
            if verb.startswith("EHLO"):
                say("250-sink.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 50000000")
            elif verb.startswith("HELO") or verb == "NOOP":
                say("250 ok")
            elif verb.startswith("MAIL FROM:"):
                sender, recipients = _path(word), []
                say("250 2.1.0 ok")
            elif verb.startswith("RCPT TO:"):
                recipient = _path(word)
                self.tried[recipient] += 1
                reply = self._next(self.answers, recipient)
                if reply is None:
                    recipients.append(recipient)
                say(reply or "250 2.1.5 ok")
            elif verb == "DATA":
                if not recipients:
                    say("554 5.5.1 no recipients")
                    continue
                say("354 go on")
                data = b""
                while (line := lines.readline()) != b".\r\n":
                    if not line:
                        return
                    data += line[1:] if line.startswith(b".") else line
                reply = self._next(self.after_data, recipients[0])
                if reply is None:
                    self.mails += [Mail(sender, recipient, data) for recipient in recipients]
                say(reply or "250 2.0.0 taken by the sink")
            elif verb == "RSET":
                sender, recipients = None, []
                say("250 ok")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("500 what")


def _path(word):
    return word[word.index("<") + 1:word.index(">")]
