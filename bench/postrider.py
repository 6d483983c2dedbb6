"""Postrider, started as `serve` on a fresh store, and the load program."""
import contextlib
import os
import pathlib
import re
import subprocess

import machine

BINARY = pathlib.Path(os.environ.get("POSTRIDER_BENCH_BINARY", machine.ROOT / "target/release/postrider"))
LOAD = pathlib.Path(os.environ.get("POSTRIDER_BENCH_LOAD", machine.ROOT / "target/bench-load/release/load"))
KEY, SECRET = "AKIABENCHBENCHBENCH1", "a-secret-for-a-private-benchmark-server"


def build(load=True):
    """What is not there yet: the server, and where `load` says so the load program."""
    if not BINARY.exists():
        subprocess.run(["cargo", "build", "--release", "--locked"], check=True, cwd=machine.ROOT)
    if load and not LOAD.exists():
        subprocess.run(["cargo", "build", "--release", "--locked", "--manifest-path", "bench/load/Cargo.toml",
                        "--target-dir", "target/bench-load"], check=True, cwd=machine.ROOT)


class Server(machine.Program):
    """`store` is the process of PostgreSQL, or None with SQLite; its cost counts as the server's. `per_peer`: how many SMTP
    sessions one address may have, None for the server's default."""

    def __init__(self, store, *flags, env=None, suffix="", per_peer=1000):
        self.home = machine.fresh(f"postrider{suffix}")
        self.http, self.smtp, self.submission, self.submissions = (machine.free_port() for _ in range(4))
        self.store, self.per_peer = store, per_peer
        self.settings = {"POSTRIDER_ROOT_ACCESS_KEY_ID": KEY, "POSTRIDER_ROOT_SECRET_ACCESS_KEY": SECRET, **(env or {})}
        if store:
            self.settings["POSTRIDER_DATABASE_URL"] = store.url
        self.start(flags)

    def start(self, flags):
        """Starts, again perhaps, on the same store."""
        ports = {"--http": self.http, "--smtp": self.smtp, "--submission": self.submission,
                 "--submissions": self.submissions}
        listen = [part for flag, port in ports.items() for part in (flag, f"127.0.0.1:{port}")]
        sessions = ["--smtp-sessions", 2 * self.per_peer, "--smtp-sessions-per-peer", self.per_peer] if self.per_peer else []
        args = [BINARY, "serve", "--data-dir", self.home, *listen, "--hostname", "mail.postrider.test", "--log", "warn",
                *sessions, *flags]
        super().__init__(args, self.home.parent / "postrider.log", env=self.settings)
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
        """Runs the load program against this server."""
        return load(self.url, mode, "--smtp", f"127.0.0.1:{self.smtp}", *flags)


def load(url, mode, *flags):
    """Runs the load program against what listens there; gives what it measured for each kind of call."""
    out = subprocess.run(
        [LOAD, mode, "--endpoint", url, "--access-key", KEY, "--secret", SECRET, *(str(flag) for flag in flags)],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout
    return {kind: {"rate": float(rate), "p50": float(p50), "p99": float(p99)} for kind, rate, p50, p99 in re.findall(
        r"^(\S+) +(\d+) messages/s .* p50 +([\d.]+) ms .* p99 +([\d.]+) ms$", out, re.M)}


def slowest(calls):
    """A cycle is as fast as its slowest step."""
    return min(calls.values(), key=lambda one: one["rate"])


@contextlib.contextmanager
def server(engine, *flags, env=None, suffix="", per_peer=1000):
    """A server on a fresh store of this engine: `sqlite` or `postgres`. `env` is the store's too. Of two at a time, one needs
    a suffix."""
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(machine.postgres(env, suffix)) if engine == "postgres" else None
        yield stack.enter_context(Server(store, *flags, env=env, suffix=suffix, per_peer=per_peer))
