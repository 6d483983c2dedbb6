"""Programs that a benchmark starts, what they cost, and a private PostgreSQL."""
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "bench"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fresh(name):
    """An empty directory on the disk that is measured."""
    path = WORK / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def children(pid):
    """The process and all that descend from it."""
    parents = {}
    for entry in glob.glob("/proc/[0-9]*/stat"):
        try:
            text = open(entry).read()
        except OSError:
            continue
        parents.setdefault(int(text.rsplit(")", 1)[1].split()[1]), []).append(int(text.split()[0]))
    found, rest = [], [pid]
    while rest:
        one = rest.pop()
        found.append(one)
        rest += parents.get(one, [])
    return found


def cpu_seconds(pid):
    """CPU time of a process and its descendants, those that ended included."""
    total = 0
    for one in children(pid):
        try:
            fields = open(f"/proc/{one}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def memory_mib(pid):
    """Proportional share of memory: pages that processes share count once."""
    total = 0
    for one in children(pid):
        try:
            for line in open(f"/proc/{one}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total / 1024


def peak_mib(pid):
    """The most memory that one process had at a time since it began, or since `forget_peak`."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("the machine does not say how much memory a process had (VmHWM)")


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def total_mib():
    """The machine's memory."""
    return int(next(line for line in open("/proc/meminfo") if line.startswith("MemTotal:")).split()[1]) / 1024


class Program:
    """A server under test. Use it with `with`: it ends with the block."""

    def __init__(self, args, log, env=None, user=None):
        account = pwd.getpwnam(user) if user else None
        self.process = subprocess.Popen(
            [str(arg) for arg in args],
            stdout=open(log, "ab"),
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=account and [],
        )
        self.log = log

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, how=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def until(self, ready, what, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"{what} ended; see {self.log}")
            if ready():
                return
            time.sleep(0.005)
        raise SystemExit(f"{what} did not start; see {self.log}")


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def postgres(env=None, suffix=""):
    """A private PostgreSQL with the defaults that matter here: fsync and synchronous_commit on."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not found:
        raise SystemExit("PostgreSQL's server is not here (Debian: apt-get install postgresql)")
    home, port = fresh(f"postgres{suffix}"), free_port()
    user = None
    if os.getuid() == 0:
        user = "postgres"
        shutil.chown(home, user, user)
    run = ["runuser", "-u", user, "--"] if user else []
    subprocess.run(
        run + [f"{found[-1]}/initdb", "-D", home / "data", "-U", "postrider", "-A", "trust", "-E", "UTF8", "--locale=C"],
        check=True, stdout=subprocess.DEVNULL, cwd=home,
    )
    settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300", "shared_buffers=256MB",
                "max_wal_size=4GB"]
    log = home / "log"
    log.touch()
    program = Program(
        [f"{found[-1]}/postgres", "-D", home / "data", "-p", port, *(part for s in settings for part in ("-c", s))],
        log, env=env, user=user,
    )
    program.url = f"postgres://postrider@127.0.0.1:{port}/postgres"
    program.until(lambda: listens(port), "PostgreSQL")
    return program
