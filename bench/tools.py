"""Programs from PyPI and npm that rows compare with, each in an environment of its own below target/."""
import glob
import os
import shutil
import subprocess
import sys

import machine


def moto():
    """The program `moto_server`."""
    return python("bench-moto", "moto[server]") / "moto_server"


def localstack():
    """A Python that can start LocalStack, or None where no Python is new enough for it."""
    base = newer_python()
    # What this version asks for, as it was when it came out: it says "or later", and fails with what came later.
    return base and python("bench-localstack", "localstack-core[base-runtime]==2026.3.0", "moto-ext", "cbor2<6",
                           "cryptography<47", "pyopenssl<26", "service-identity", base=base) / "python"


def newer_python():
    """A Python of at least 3.12: POSTRIDER_BENCH_PYTHON, this one, one on the path, or one of pyenv's."""
    pyenv = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3")), reverse=True)
    for one in (os.environ.get("POSTRIDER_BENCH_PYTHON"), sys.executable, "python3.13", "python3.12", *pyenv):
        new = [one, "-c", "import sys; sys.exit(sys.version_info < (3, 12))"]
        if one and shutil.which(one) and subprocess.run(new, capture_output=True).returncode == 0:
            return one
    return None


def python(name, *packages, base=sys.executable):
    """The programs of an environment of its own, with these packages."""
    home = machine.ROOT / "target" / name
    done = home / "installed"
    if not done.exists():
        subprocess.run([base, "-m", "venv", home], check=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
        done.touch()
    return home / "bin"


def nodemailer():
    """A directory in which node finds nodemailer."""
    home = machine.ROOT / "target" / "bench-node"
    if not (home / "node_modules" / "nodemailer").exists():
        if not shutil.which("npm"):
            raise SystemExit("npm is not here (Debian: apt-get install npm)")
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", home, "nodemailer"], check=True)
    return home


def slow_sync(milliseconds):
    """A library to be loaded before a program's others: each sync of a file takes so much longer."""
    machine.WORK.mkdir(parents=True, exist_ok=True)
    # Programs that give up their rights load it too.
    library = machine.WORK / f"slow_sync_{milliseconds}.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", f"-DMICROSECONDS={milliseconds * 1000}", "-o", library,
                    machine.ROOT / "bench" / "slow_sync.c", "-ldl"], check=True)
    os.chmod(library, 0o755)
    return library
