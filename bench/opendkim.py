"""A private OpenDKIM: a milter that signs what Postfix takes, with a new RSA key of 2048 bits."""
import shutil
import subprocess

import machine
import postfix

CONFIG = """
Mode s
Domain {domain}
Selector bench
KeyFile {home}/bench.private
RequireSafeKeys no
Canonicalization relaxed/relaxed
SignatureAlgorithm rsa-sha256
OversignHeaders From
Socket inet:{port}@127.0.0.1
Syslog no
Background no
"""
# What is not signed is not taken.
MILTER = "smtpd_milters = inet:127.0.0.1:{port}\nmilter_default_action = tempfail\n"


class OpenDkim(machine.Program):
    """Signs the mail of a domain. Use it with `with`; Postfix needs its `settings`."""

    def __init__(self, domain):
        if not shutil.which("opendkim") or not shutil.which("opendkim-genkey"):
            raise SystemExit("OpenDKIM must be installed (Debian: apt-get install opendkim opendkim-tools)")
        home, port = machine.fresh("opendkim"), machine.free_port()
        subprocess.run(["opendkim-genkey", "-b", "2048", "-d", domain, "-s", "bench", "-D", home], check=True)
        (home / "opendkim.conf").write_text(CONFIG.format(domain=domain, home=home, port=port))
        super().__init__(["opendkim", "-f", "-x", home / "opendkim.conf"], home / "log")
        self.settings = MILTER.format(port=port)
        self.until(lambda: machine.listens(port), "OpenDKIM")

    def cpu(self):
        return machine.cpu_seconds(self.pid)

    def memory(self):
        return machine.memory_mib(self.pid)

    def check(self, sender, to):
        """Fails unless Postfix with these settings has signed a mail that it holds."""
        with postfix.Postfix(postfix.HOLD.replace("= postrider.test", "= sink.test") + self.settings, 2) as server:
            subprocess.run(["smtp-source", "-m", "1", "-f", sender, "-t", to, f"127.0.0.1:{server.port}"], check=True, timeout=60)
            [held] = [path for path in (server.home / "queue/hold").rglob("*") if path.is_file()]
            text = subprocess.run(["postcat", "-c", server.config, held], check=True, capture_output=True).stdout
            if b"DKIM-Signature:" not in text:
                raise SystemExit(f"OpenDKIM does not sign; see {self.log}")
