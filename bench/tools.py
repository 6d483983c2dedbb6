"""Programs from PyPI and npm that rows compare with, each in an environment of its own below target/."""
import os
import shutil
import subprocess
import sys

import machine


def moto():
    """The program `moto_server`."""
    home = machine.ROOT / "target" / "bench-moto"
    program = home / "bin" / "moto_server"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "moto[server]"], check=True)
    return program


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
