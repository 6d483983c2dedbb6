"""Checks a DKIM signature (RFC 6376, rsa-sha256, relaxed/relaxed) with nothing of ours."""
import base64
import re

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key


def verify(mail, record_of):
    """Fails unless the first DKIM-Signature is good; `record_of(name)` gives the TXT record. Gives the signature's tags."""
    head, body = mail.split(b"\r\n\r\n", 1)
    fields = [re.split(rb":", line, maxsplit=1) for line in re.split(rb"\r\n(?![ \t])", head)]
    at = next(i for i, field in enumerate(fields) if field[0].lower() == b"dkim-signature")
    tags = dict(re.sub(r"\s+", "", tag).split("=", 1) for tag in fields[at][1].decode().split(";") if tag.strip())
    assert (tags["a"], tags["c"]) == ("rsa-sha256", "relaxed/relaxed"), tags
    digest = hashes.Hash(hashes.SHA256())
    digest.update(_relaxed_body(body))
    assert base64.b64encode(digest.finalize()).decode() == tags["bh"], "the body was changed"
    left, signed = list(reversed(fields[:at] + fields[at + 1:])), b""
    for name in tags["h"].lower().encode().split(b":"):
        hit = next((field for field in left if field[0].strip().lower() == name), None)
        if hit is not None:
            left.remove(hit)
            signed += _relaxed(hit[0], hit[1]) + b"\r\n"
    bare = re.sub(rb"(;\s*b\s*=)[^;]*", rb"\1", b";" + fields[at][1])[1:]
    signed += _relaxed(fields[at][0], bare)
    record = dict(tag.strip().split("=", 1) for tag in record_of(f"{tags['s']}._domainkey.{tags['d']}").split(";"))
    key = load_der_public_key(base64.b64decode(record["p"]))
    key.verify(base64.b64decode(tags["b"]), signed, padding.PKCS1v15(), hashes.SHA256())
    return tags


def _relaxed(name, value):
    return name.strip().lower() + b":" + re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()


def _relaxed_body(body):
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)
