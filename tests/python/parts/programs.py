"""Programs that were written for Amazon SES send through Postrider once the endpoint is changed."""
import email
import email.policy
import os
import subprocess
import sys

from home import home

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def run(words, here, **variables):
    key, secret = here.keys
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1", **variables}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-4000:])
    return done.stdout.strip()


def arrives(world, to, program):
    [raw] = world.delivered(to)
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert not mail.defects, mail.defects
    assert mail["Subject"] == f"Grüße from {program}" and mail["From"].addresses[0].display_name == "Jürgen", raw[:2000]
    assert mail.get_body(("plain",)).get_content().strip() == "text 世界"
    assert mail.get_body(("html",)).get_content().strip() == "<b>html 世界</b>"
    [part] = mail.iter_attachments()
    assert part.get_filename() == "Prüfung.bin" and part.get_content() == bytes(range(256)), part
    return mail


def check_nodemailer(world):
    here, to = home(world), f"node@{world.name('rcpt')}.example"
    modules = os.environ.get("POSTRIDER_TEST_NODE_MODULES")
    assert modules, "start the tests with ./tests/run"
    said = run(["node", os.path.join(HERE, "..", "node", "ses_transport.js"), f"n@{here.domain}", to], here,
               NODE_PATH=modules, AWS_ENDPOINT_URL_SESV2=world.server.endpoint)
    assert arrives(world, to, "nodemailer")["Message-ID"].startswith(f"<{said}@"), said


def check_django(world):
    here = home(world)
    for version in ("v1", "v2"):
        to = f"{version}@{world.name('rcpt')}.example"
        said = run([sys.executable, os.path.join(HERE, "django_mail.py"), world.server.endpoint, version, f"d@{here.domain}", to],
                   here)
        assert arrives(world, to, "Django")["Message-ID"].startswith(f"<{said}@"), said
