"""Runs the benchmarks and prints the median of each figure: bench/run [sqs|memory|smtp|…] --engine sqlite|postgres."""
import argparse
import statistics

import memory
import outbound
import peers
import postrider
import smtp
import sqs

PARTS = {
    "sqs": lambda flags: sqs.run(flags.engine, flags.rounds, flags.seconds, flags.waiting),
    "idle": lambda flags: memory.idle(flags.engine),
    "smtp": lambda flags: smtp.run(flags.engine, flags.rounds, flags.count),
    "slow-sync": lambda flags: smtp.slow(flags.engine, flags.rounds, flags.count),
    "outbound": lambda flags: outbound.run(flags.engine, flags.rounds, flags.count),
    "at-once": lambda flags: outbound.at_once(flags.engine, flags.rounds, flags.count),
    "send-email": lambda flags: peers.ses(flags.engine, flags.rounds, flags.count),
    "queues": lambda flags: peers.queues(flags.engine, flags.rounds, flags.seconds),
    "memory": lambda flags: memory.run(flags.engine, flags.rounds),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which to run; all of them by default")
    parser.add_argument("--engine", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each row, of which the median counts")
    parser.add_argument("--seconds", type=int, default=10, help="how long a run of a queue row takes")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="messages in the queue for the full rows")
    parser.add_argument("--count", type=int, default=5_000, help="mails in a run of a mail row")
    flags = parser.parse_args()
    postrider.build()
    for part in flags.parts or PARTS:
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
