"""A DNS server for names under .test: TXT records that it is told, an MX and an address for everything else; zones that never
answer."""
import socket
import struct
import threading

A, SOA, MX, TXT, NOERROR, NXDOMAIN = 1, 6, 15, 16, 0, 3


class Names:
    """Use it with `with`. `texts` maps a name to its TXT record; every other name has an MX, itself, at 127.0.0.1. `keys` maps
    the first labels of names to the TXT record of all of them. Who asks for a name in one of `silent` hears nothing."""

    def __init__(self, silent=()):
        self.texts, self.keys = {}, {}
        self.silent = tuple(f".{zone}" for zone in silent)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(512)
                answer = self._answer(query)
                if answer:
                    self.socket.sendto(answer, peer)
            except OSError:
                return

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]])
            at += 1 + query[at]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        name, question = b".".join(labels).decode().lower(), query[12:at + 5]
        if f".{name}".endswith(self.silent):
            return None
        data = self._data(kind, name, query[12:at + 1])
        code = NOERROR if name.endswith(".test") else NXDOMAIN
        head = query[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, int(data is not None), int(data is None), 0)
        # A "no" is kept by who asks only with the zone's SOA beside it (RFC 2308, 3), which real servers send.
        soa = b"\x00\x00" + struct.pack(">IIIII", 1, 3600, 600, 86400, 3600)
        record = b"\x04test\x00" + struct.pack(">HHIH", SOA, 1, 3600, len(soa)) + soa
        if data is not None:
            record = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 3600, len(data)) + data
        return head + question + record

    def _data(self, kind, name, wire):
        if not name.endswith(".test"):
            return None
        text = self.texts.get(name) or self.keys.get(name.partition(".")[0])
        if kind == TXT and text:
            text = text.encode()
            parts = [text[n:n + 255] for n in range(0, len(text), 255)]
            return b"".join(bytes([len(part)]) + part for part in parts)
        if kind == MX and not name.startswith("_"):
            return struct.pack(">H", 10) + wire
        return socket.inet_aton("127.0.0.1") if kind == A else None
