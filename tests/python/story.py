"""The story of the first version, driven from outside: boto3, smtplib and plain sockets against the running binary.

    python3 story.py --binary target/debug/postrider --mode dev [--database-url postgres://…] [part …]

Each part of the story is a module in `parts/` whose functions named `check_…` run in order. One that fails does not stop
the others; the exit code says whether all passed."""
import argparse
import importlib
import shutil
import sys
import tempfile
import time
import traceback

from world import World

PARTS = ["sqs", "sns", "sending", "identities", "ses_v1", "surface_any", "surface_v2", "surface_v1", "golden", "bytes",
         "programs", "receiving", "auth", "bad_input", "accept_only", "crash"]


def main():
    arguments = argparse.ArgumentParser(description="Runs the story against the binary.")
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("--mode", choices=["dev", "serve"], required=True)
    arguments.add_argument("--database-url", help="default: SQLite in the data directory")
    arguments.add_argument("--log", help="keep the server's log in this file")
    arguments.add_argument("parts", nargs="*", default=PARTS)
    given = arguments.parse_args()
    failures = 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="postrider-story-") as directory:
        world = World(given.binary, given.mode, directory, given.database_url)
        try:
            world.begin()
            for part in given.parts:
                failures += run(importlib.import_module(f"parts.{part}"), world)
            for name, check in world.at_the_end:
                failures += run_one(f"at the end: {name}", check)
        finally:
            world.end()
            if given.log:
                shutil.copy(world.server.log_path, given.log)
        if failures:
            lines = [line for line in world.server.log().splitlines() if " WARN " in line or " ERROR " in line]
            print("--- what the server warned of:\n" + "\n".join(lines[-20:]))
    print(f"{given.mode}: {failures} failed, {time.monotonic() - begun:.0f} s")
    sys.exit(1 if failures else 0)


def run(part, world):
    checks = [(name, value) for name, value in vars(part).items() if name.startswith("check_")]
    return sum(run_one(f"{part.__name__}.{name}", lambda check=check: check(world)) for name, check in checks)


def run_one(name, check):
    begun = time.monotonic()
    try:
        check()
    except Exception:
        print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
        return 1
    print(f"ok     {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    main()
