"""Other people's mail programs deliver to a running server: Python's smtplib, swaks, msmtp, and Postfix as a sending server.
What is not installed is named and passed over, or fails with --all (Debian: apt-get install swaks libnet-ssleay-perl msmtp postfix).

    python tests/python/real_clients.py --binary target/debug/postrider
"""
import argparse
import os
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time

import boto3

from server import Server, wait_for

DOMAIN = "here.example"
PROBE = "Subject: {0}\r\nFrom: ann@there.example\r\nTo: bob@here.example\r\n\r\n{0}\r\n.a dot\r\nlast line\r\n"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("--database-url")
    arguments.add_argument("--all", action="store_true", help="fail where a client is not installed")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="real-clients-") as directory:
        server = Server(os.path.abspath(given.binary), "dev", directory, given.database_url, ["--hostname", "mx." + DOMAIN])
        server.start()
        try:
            prepare(server)
            results = [client(server, directory) for client in (by_smtplib, by_swaks, by_msmtp, by_postfix)]
        finally:
            server.kill()
    print(f"{results.count(True)} passed, {results.count(None)} not run")
    sys.exit(1 if given.all and None in results else 0)


def prepare(server):
    def client(name):
        return boto3.client(name, endpoint_url=server.endpoint, region_name="us-east-1",
                            aws_access_key_id="000000000000", aws_secret_access_key="any")
    client("sesv2").create_email_identity(EmailIdentity=DOMAIN)
    ses = client("ses")
    ses.create_receipt_rule_set(RuleSetName="rules")
    ses.create_receipt_rule(RuleSetName="rules", Rule={
        "Name": "all", "Enabled": True, "Actions": [{"S3Action": {"BucketName": "clients"}}]})
    ses.set_active_receipt_rule_set(RuleSetName="rules")


def objects(server):
    folder = os.path.join(server.directory, "data", "objects", "clients")
    found = []
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), "rb") as file:
            found.append(file.read())
    return found


def arrived(server, word, count):
    """Waits until `count` mails with `word` in their body are there, whole."""
    def found():
        mails = [mail for mail in objects(server) if f"\r\n\r\n{word}".encode() in mail]
        return len(mails) >= count and mails
    mails = wait_for(f"{count} mails of {word}", found, 60)
    assert len(mails) == count, len(mails)
    for mail in mails:
        assert b"\r\n.a dot\r\n" in mail and mail.rstrip(b"\r\n").endswith(b"last line"), mail
    return mails


def by_smtplib(server, _directory):
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=15) as smtp:
        smtp.starttls()
        for _ in range(3):
            smtp.sendmail("ann@there.example", ["bob@here.example"], PROBE.format("smtplib").encode())
        smtp.sendmail("", ["postmaster@here.example", "bob@here.example"], PROBE.format("smtplib").encode())
        try:
            smtp.sendmail("ann@there.example", ["bob@elsewhere.example"], b"no")
            raise AssertionError("an open relay")
        except smtplib.SMTPRecipientsRefused as error:
            assert error.recipients["bob@elsewhere.example"][0] == 550
    arrived(server, "smtplib", 4)
    print("smtplib: 4 mails, STARTTLS, null sender")
    return True


def missing(program):
    if shutil.which(program):
        return False
    packages = {"swaks": "swaks libnet-ssleay-perl"}.get(program, program)
    print(f"NOT RUN {program}: not installed (Debian: apt-get install {packages})")
    return True


def run(words, text=None, **more):
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, check=False, **more)
    assert done.returncode == 0, (words, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def by_swaks(server, _directory):
    if missing("swaks"):
        return None
    common = ["swaks", "--server", "127.0.0.1", "--port", str(server.port("smtp")), "--to", "bob@here.example",
              "--data", "-"]
    for extra in ([], ["--tls"], ["--pipeline"], ["--from", "<>"], ["--tls", "--pipeline", "--protocol", "ESMTP"],
                  ["--protocol", "SMTP"]):
        sender = [] if "--from" in extra else ["--from", "ann@there.example"]
        run(common + sender + extra, PROBE.format("swaks").replace("\r\n", "\n"))
    arrived(server, "swaks", 6)
    print("swaks: 6 mails: plain, STARTTLS, pipelined, null sender, HELO")
    return True


def by_msmtp(server, _directory):
    if missing("msmtp"):
        return None
    for tls in ("off", "on"):
        run(["msmtp", "--host=127.0.0.1", f"--port={server.port('smtp')}", f"--tls={tls}", "--tls-certcheck=off",
             "--from=ann@there.example", "--auth=off", "bob@here.example"], PROBE.format("msmtp").replace("\r\n", "\n"))
    arrived(server, "msmtp", 2)
    print("msmtp: 2 mails: plain and STARTTLS")
    return True


MAIN_CF = """compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = there.example
mydestination =
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{port}
smtp_tls_security_level = {tls}
smtp_destination_concurrency_limit = 5
maillog_file = {dir}/log
maillog_file_prefixes = /tmp, /var
alias_maps =
import_environment = MAIL_CONFIG
"""
# No service listens on the network.
MASTER_CF = """pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


def by_postfix(server, _directory):
    if missing("postfix"):
        return None
    if os.geteuid() != 0:
        print("NOT RUN postfix: it is installed, but only root can start it")
        return None
    home = tempfile.mkdtemp(prefix="real-postfix-")
    os.chmod(home, 0o755)
    shutil.copytree("/etc/postfix", home, dirs_exist_ok=True)
    mails = 0
    try:
        os.makedirs(f"{home}/queue")
        os.makedirs(f"{home}/data")
        shutil.chown(f"{home}/data", "postfix")
        for tls in ("none", "may"):
            with open(f"{home}/main.cf", "w", encoding="ascii") as file:
                file.write(MAIN_CF.format(dir=home, port=server.port("smtp"), tls=tls))
            with open(f"{home}/master.cf", "w", encoding="ascii") as file:
                file.write(MASTER_CF)
            run(["postfix", "-c", home, "start"])
            try:
                for number in range(20):
                    # Every fourth is a bounce's null sender, and every fifth long.
                    sender = "<>" if number % 4 == 0 else "ann@there.example"
                    text = PROBE.format("postfix").replace("\r\n", "\n")
                    if number % 5 == 0:
                        text = text.replace(".a dot\n", ".a dot\n" + "long line " * 80 + "\n" * 2000)
                    run(["sendmail", "-C", home, "-f", sender, "-i", "bob@here.example"], text)
                    mails += 1
                arrived(server, "postfix", mails)
            except AssertionError:
                with open(f"{home}/log", encoding="utf-8") as log:
                    sys.stderr.write(log.read()[-4000:])
                raise
            finally:
                subprocess.run(["postfix", "-c", home, "stop"], check=False, capture_output=True, timeout=60)
                time.sleep(1)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(f"postfix: {mails} mails: plain and STARTTLS, null sender, long bodies")
    return True


if __name__ == "__main__":
    main()
