"""A private Postfix: its own configuration and queue, one port on 127.0.0.1. Needs root, as Postfix does."""
import os
import shutil
import subprocess

import machine

MASTER = """
127.0.0.1:{port} inet n - n - {processes} smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - {processes} smtp
relay unix - - n - {processes} smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.postfix.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = {home}/log
maillog_file_prefixes = {home}
alias_maps =
local_recipient_maps =
smtputf8_enable = no
smtp_dns_support_level = disabled
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
in_flow_delay = 0
"""

HOLD = "smtpd_client_restrictions = check_client_access static:HOLD\nrelay_domains = postrider.test\n"
DISCARD = "default_transport = discard:\nrelay_transport = discard:\n"


class Postfix:
    """Use it with `with`. `settings` are lines of main.cf."""

    def __init__(self, settings, processes=100):
        if os.getuid() != 0 or not shutil.which("postfix"):
            raise SystemExit("Postfix must be installed (Debian: apt-get install postfix), and started as root")
        self.home, self.port = machine.fresh("postfix"), machine.free_port()
        self.config = self.home / "etc"
        for name in ("etc", "queue", "data"):
            (self.home / name).mkdir()
        shutil.chown(self.home / "data", "postfix")
        (self.config / "main.cf").write_text(MAIN.format(home=self.home) + settings)
        (self.config / "master.cf").write_text(MASTER.format(port=self.port, processes=processes))

    def postfix(self, command):
        return subprocess.run(["postfix", "-c", self.config, command], check=True, capture_output=True)

    def __enter__(self):
        self.start()
        return self

    def flush(self):
        """Has the deferred queue looked through now."""
        self.postfix("flush")

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.postfix("start")
        self.pid = int((self.home / "queue/pid/master.pid").read_text())

    def stop(self):
        self.postfix("stop")

    def cpu(self):
        return machine.cpu_seconds(self.pid)

    def memory(self):
        return machine.memory_mib(self.pid)

    def queued(self):
        """Mails that are in any queue."""
        return sum(len(files) for name in ("incoming", "active", "deferred", "hold", "maildrop")
                   for _, _, files in os.walk(self.home / "queue" / name))
