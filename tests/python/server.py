"""A running Postrider: starts the binary as a user does, reads its addresses from what it prints, stops it or kills it."""
import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
import urllib.request

START_WITHIN = 60
PORTS = ["http", "smtp", "submission", "submissions"]


class Server:
    """One data directory and database, on which the binary is started as often as a story needs. The first start takes
    free ports; later ones take the same, as links in notifications name them."""

    def __init__(self, binary, mode, directory, database_url=None, flags=()):
        self.binary, self.mode, self.directory = os.path.abspath(binary), mode, directory
        self.flags = list(flags)
        self.common = ["--data-dir", os.path.join(directory, "data")]
        if database_url:
            self.common += ["--database-url", database_url]
        self.log_path = os.path.join(directory, "postrider.log")
        self.process = None
        self.addresses = None
        self.greeting = []

    def launch(self):
        """Starts the process and waits for nothing."""
        at = self.addresses or dict.fromkeys(PORTS, "127.0.0.1:0")
        listen = [word for port in PORTS for word in (f"--{port}", at[port])]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("POSTRIDER_") and k != "DATABASE_URL"}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, self.mode, *listen, *self.common, *self.flags],
                stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=self.directory)

    def die_starting(self, within):
        """Starts it and kills it after so many seconds, whatever it has done by then."""
        self.launch()
        try:
            raise AssertionError(f"it ended with {self.process.wait(timeout=within)}:\n" + self.log_tail())
        except subprocess.TimeoutExpired:
            self.kill()
        self.process.stdout.close()

    def start(self):
        """Starts it and waits until it says where it is and its health is good."""
        self.launch()
        lines = queue.Queue()
        threading.Thread(target=_pump, args=(self.process.stdout, lines), daemon=True).start()
        self.greeting = []
        deadline = time.monotonic() + START_WITHIN
        last = "try:" if self.mode == "dev" else "  root key"
        while not any(line.startswith(last) for line in self.greeting):
            try:
                line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError("it did not say where it listens:\n" + self.log_tail()) from None
            if line is None:
                raise AssertionError(f"it ended with {self.process.wait()}:\n" + self.log_tail())
            self.greeting.append(line)
        text = "".join(self.greeting)
        http = re.search(r"endpoint\s+http://(\S+)", text).group(1)
        smtp = re.search(r"smtp\s+(\S+) in, (\S+) submission \(STARTTLS\), (\S+) submission \(TLS\)", text)
        self.addresses = dict(zip(PORTS, [http, *smtp.groups()]))
        wait_for("good health", self.healthy, START_WITHIN)
        return self

    @property
    def endpoint(self):
        return "http://" + self.addresses["http"]

    def port(self, name):
        """The port of `http`, `smtp`, `submission` or `submissions`."""
        return int(self.addresses[name].rsplit(":", 1)[1])

    def healthy(self):
        try:
            with urllib.request.urlopen(self.endpoint + "/_postrider/health", timeout=5) as answer:
                return answer.status == 200 and json.load(answer) is not None
        except OSError:
            return False

    def kill(self):
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def admin(self, *words):
        """Runs `postrider admin …` beside the server and gives the lines it printed."""
        done = subprocess.run([self.binary, "admin", *self.common, *words], capture_output=True, text=True, timeout=60,
                              cwd=self.directory)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def keys(self, *words):
        """The lines about DKIM keys among the DNS records that a command of `admin` prints."""
        return [line for line in self.admin(*words) if "._domainkey." in line and not line.startswith(";")]

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])


def _pump(stream, lines):
    for line in stream:
        lines.put(line)
    lines.put(None)


def wait_for(what, condition, within=15, pause=0.05):
    """Asks `condition` until it gives something true, and gives that; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(pause)
