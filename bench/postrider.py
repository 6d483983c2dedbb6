"""Postrider, started as `serve` on a fresh store, and the load program."""
import contextlib
import os
import pathlib
import re
import subprocess

import machine

BINARY = pathlib.Path(os.environ.get("POSTRIDER_BENCH_BINARY", machine.ROOT / "target/release/postrider"))
LOAD = pathlib.Path(os.environ.get("POSTRIDER_BENCH_LOAD", machine.ROOT / "target/release/examples/load"))
KEY, SECRET = "AKIABENCHBENCHBENCH1", "a-secret-for-a-private-benchmark-server"


def build():
    if not BINARY.exists():
        subprocess.run(["cargo", "build", "--release", "--locked"], check=True, cwd=machine.ROOT)
    if not LOAD.exists():
        subprocess.run(["cargo", "build", "--release", "--locked", "--example", "load"], check=True, cwd=machine.ROOT)


class Server(machine.Program):
    """`store` is the process of PostgreSQL, or None with SQLite; its cost counts as the server's."""

    def __init__(self, store, *flags, env=None):
        home = machine.fresh("postrider")
        self.http, self.smtp = machine.free_port(), machine.free_port()
        self.store = store
        args = [BINARY, "serve", "--data-dir", home, "--http", f"127.0.0.1:{self.http}", "--smtp", f"127.0.0.1:{self.smtp}",
                "--submission", f"127.0.0.1:{machine.free_port()}", "--submissions", f"127.0.0.1:{machine.free_port()}",
                "--hostname", "mail.postrider.test", "--log", "warn", *flags]
        settings = {"POSTRIDER_ROOT_ACCESS_KEY_ID": KEY, "POSTRIDER_ROOT_SECRET_ACCESS_KEY": SECRET, **(env or {})}
        if store:
            settings["DATABASE_URL"] = store.url
        self.home, self.settings = home, settings
        super().__init__(args, home.parent / "postrider.log", env=settings)
        self.until(lambda: machine.answers(f"{self.url}/_postrider/health"), "Postrider")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http}"

    def cpu(self):
        return machine.cpu_seconds(self.pid) + (machine.cpu_seconds(self.store.pid) if self.store else 0)

    def memory(self):
        """Of Postrider itself: PostgreSQL's buffers are its own."""
        return machine.memory_mib(self.pid)

    def load(self, mode, *flags):
        """Runs the load program; gives what it measured for each kind of call."""
        out = subprocess.run(
            [LOAD, mode, "--endpoint", self.url, "--access-key", KEY, "--secret", SECRET, "--smtp", f"127.0.0.1:{self.smtp}",
             *(str(flag) for flag in flags)],
            check=True, capture_output=True, text=True,
        ).stdout
        return {kind: {"rate": float(rate), "p50": float(p50), "p99": float(p99)} for kind, rate, p50, p99 in re.findall(
            r"^(\S+) +(\d+) messages/s .* p50 +([\d.]+) ms .* p99 +([\d.]+) ms$", out, re.M)}


@contextlib.contextmanager
def server(engine, *flags, env=None):
    """A server on a fresh store of this engine: `sqlite` or `postgres`."""
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(machine.postgres()) if engine == "postgres" else None
        yield stack.enter_context(Server(store, *flags, env=env))
