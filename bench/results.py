"""Makes tables of what bench/run printed: bench/results.py OUTPUT… (for one row and engine the last counts)."""
import glob
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

from goals import GOALS
from isolation import table

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


def read(paths):
    """The medians: {(engine, row): {figure: value}}."""
    rows = {}
    for path in paths:
        for engine, row, text in re.findall(r"^(sqlite|postgres) \| (.+) \| (.+)$", open(path).read(), re.M):
            parts = (part.rsplit(" ", 1) for part in text.split(", "))
            rows[engine, row] = {name: float(value.replace(",", "")) for name, value in parts}
    return rows


def beside(rows, engine, row, figure, peer):
    """What the figure is held against, as text, and the ratio of the two."""
    own, others = rows[engine, row], {}
    if re.fullmatch(r".+, \d+", peer):
        name, number = peer.rsplit(", ", 1)
        text, value = f"{name} {shown(float(number))}, measured elsewhere", float(number)
    else:
        other, _, name = peer.rpartition(": ")
        others = rows.get((engine, other), {}) if other else own
        value = others.get(name)
        text = f"{peer} {shown(value)}"
    # A row measures the two in turn: the median of its ratios is better than the ratio of its medians.
    ratio = own.get(f"times {peer}") if figure == "rate" else None
    if ratio is None and value:
        ratio = own[figure] / value
    return text, ratio


def line(rows, engine, row, figure, peer, goal):
    """A row of the table."""
    ours, text, ratio = rows.get((engine, row), {}).get(figure), "", None
    if ours is not None and peer:
        text, ratio = beside(rows, engine, row, figure, peer)
    measured = ratio if goal.endswith("x") else ours
    cells = [row, ENGINES[engine], figure, shown(ours), text or peer or "", "" if ratio is None else f"{shown(ratio)}x", goal]
    return "| " + " | ".join([*cells, verdict(measured, goal)]) + " |"


def verdict(measured, goal):
    """`met`, or by how much it is not."""
    if measured is None:
        return "not measured"
    wanted, at_least = float(goal.strip("<>= x")), goal.startswith(">=")
    if measured >= wanted if at_least else measured <= wanted:
        return "met"
    if at_least or not wanted:
        return f"**short by {(wanted - measured) / wanted:.0%}**" if wanted else f"**{shown(measured)} too many**"
    return f"**over by {(measured - wanted) / wanted:.0%}**"


def shown(value):
    return "-" if value is None else f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"


def first(*command):
    """The first line that a program prints, or None."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        return " ".join(out.stdout.splitlines()[0].split())
    except (OSError, IndexError, subprocess.CalledProcessError):
        return None


def installed(home, package):
    """The version of a Python package in an environment below target/."""
    return first(ROOT / "target" / home / "bin" / "python", "-c", f"from importlib.metadata import version as v; print(v('{package}'))")


def machine():
    """Lines on what was measured, and on what."""
    cpu = re.search(r"model name\s*: (.+)", open("/proc/cpuinfo").read())
    memory = re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read())
    postgres = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    versions = {
        "Postrider": first("git", "describe", "--always", "--dirty"),
        "Postfix": first("postconf", "-h", "mail_version"),
        "PostgreSQL": first(postgres[-1], "--version") if postgres else None,
        "moto": installed("bench-moto", "moto"),
        "LocalStack": installed("bench-localstack", "localstack-core"),
        "nodemailer": first("node", "-p", f"require('{ROOT}/target/bench-node/node_modules/nodemailer/package.json').version"),
        "Node.js": first("node", "--version"),
        "rustc": first("rustc", "--version"),
    }
    return [
        ("Date", time.strftime("%Y-%m-%d")),
        ("CPU", f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} cores"),
        ("Memory", f"{int(memory.group(1)) / 1024 ** 2:.0f} GiB"),
        ("Kernel", platform.release()),
        ("File system", first("findmnt", "-n", "-o", "FSTYPE,OPTIONS", "-T", str(ROOT))),
        *((name, version) for name, version in versions.items() if version),
    ]


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    rows = read(sys.argv[1:])
    print("| | |\n| --- | --- |")
    for name, text in machine():
        print(f"| {name} | {text} |")
    print("\n| row | engine | figure | Postrider | beside it | ratio | goal | |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row, figure, peer, *goals in GOALS:
        for engine, goal in zip(ENGINES, goals):
            if goal:
                print(line(rows, engine, row, figure, peer, goal))
    for one in ["", *table.lines(rows, ENGINES)]:
        print(one)
    print("\n| row | engine | all figures (medians) |\n| --- | --- | --- |")
    for (engine, row), figures in sorted(rows.items(), key=lambda one: (one[0][1], one[0][0])):
        print(f"| {row} | {ENGINES[engine]} | {', '.join(f'{name} {shown(value)}' for name, value in figures.items())} |")


if __name__ == "__main__":
    main()
