"""Verifies an SNS message as a subscriber does, with nothing of ours: reads a JSON array [message, certificate in PEM],
exits with 0 when the signature is good. The text to sign is built here from AWS's developer guide."""
import base64
import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

message, certificate = json.load(sys.stdin)
if message["Type"] == "Notification":
    keys = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
else:
    keys = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
text = "".join(f"{key}\n{message[key]}\n" for key in keys if key in message)
digest = {"1": hashes.SHA1, "2": hashes.SHA256}[message["SignatureVersion"]]()
key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
key.verify(base64.b64decode(message["Signature"]), text.encode(), padding.PKCS1v15(), digest)
