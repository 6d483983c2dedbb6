"""Runs the benchmarks and prints the median of each figure: bench/run [sqs|memory|smtp|…] --engine sqlite|postgres."""
import argparse
import pathlib
import signal
import statistics
import sys

from isolation import rounds, waiting
import memory
import outbound
import peers
import postrider
import smtp
import sqs

PARTS = {
    "sqs": lambda flags: sqs.run(flags.engine, flags.rounds, flags.seconds or 10, flags.waiting),
    "idle": lambda flags: memory.idle(flags.engine),
    "smtp": lambda flags: smtp.run(flags.engine, flags.rounds, flags.count),
    "slow-sync": lambda flags: smtp.slow(flags.engine, flags.rounds, flags.count),
    "outbound": lambda flags: outbound.run(flags.engine, flags.rounds, flags.count),
    "at-once": lambda flags: outbound.at_once(flags.engine, flags.rounds, flags.count),
    "send-email": lambda flags: peers.ses(flags.engine, flags.rounds, flags.count),
    "queues": lambda flags: peers.queues(flags.engine, flags.rounds, flags.seconds or 10),
    "memory": lambda flags: memory.run(flags.engine, flags.rounds),
    "isolation": lambda flags: rounds.run(flags.engine, flags.seconds or 20, flags.case),
    "waiting-mail": lambda flags: waiting.run(flags.engine, flags.recipients),
}
# These need no load program.
BY_THEMSELVES = {"isolation", "waiting-mail", "idle", "memory"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which to run; all of them by default")
    parser.add_argument("--engine", choices=["sqlite", "postgres", "both"], default="sqlite")
    parser.add_argument("--binary", type=pathlib.Path, help="the server to measure; a release build by default")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each row, of which the median counts")
    parser.add_argument("--seconds", type=int, help="how long a run of a queue row takes (10), or probes do (20)")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="messages in the queue for the full rows")
    parser.add_argument("--count", type=int, default=5_000, help="mails in a run of a mail row")
    parser.add_argument("--case", type=int, nargs="+", help="which attacks of the row isolation; all of them by default")
    parser.add_argument("--recipients", type=int, default=200_000, help="deferred recipients in the row waiting-mail")
    flags = parser.parse_args()
    # Who is ended ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if flags.binary:
        postrider.BINARY = flags.binary.resolve(strict=True)
    parts = flags.parts or list(PARTS)
    postrider.build(load=not BY_THEMSELVES.issuperset(parts))
    for engine in ("sqlite", "postgres") if flags.engine == "both" else (flags.engine,):
        flags.engine = engine
        for part in parts:
            run(part, flags)


def run(part, flags):
    rows = {}
    for name, figures in PARTS[part](flags):
        rows.setdefault(name, []).append(figures)
        print(f"  {flags.engine} {name}: {line(figures)}", flush=True)
    for name, runs in rows.items():
        print(f"{flags.engine} | {name} | " + line({
            key: statistics.median(run[key] for run in runs if key in run) for key in runs[0]}), flush=True)


def line(figures):
    return ", ".join(f"{key} {value:,.3g}" if value < 100 else f"{key} {value:,.0f}" for key, value in figures.items())


if __name__ == "__main__":
    main()
