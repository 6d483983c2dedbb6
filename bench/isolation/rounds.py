"""Runs the cases: on a fresh server each, the probes alone, beside the honest load, and beside the attack."""
import collections
import time

import machine
from isolation import probes, world
from isolation.cases import BUILD
from isolation.loads import Running
from isolation.probes import PATIENCE, Probes
from isolation.rows import CASES, FOREIGN, row
from isolation.rows import probes as kinds_of

# The attack goes before: the honest load has its size, also where those that are sent away come again.
BESIDE = ("alone", "attack", "honest")


def run(engine, seconds, numbers):
    """The rows of the cases with these numbers, or of all."""
    for case, number in CASES.items():
        if not numbers or number in numbers:
            with world.built(engine) as one, BUILD[case](one, seconds) as (honest, attack):
                yield from rows(case, one, seconds, honest, attack)


def rows(case, one, seconds, honest, attack):
    probing, kinds = Probes(one, one.arrivals), kinds_of(case)
    server, figures = {"allowed MiB": one.allowed_mib()}, collections.defaultdict(dict)
    # The first ones find everything cold.
    one.loop.do(probing.run(kinds[:6], 2))
    for name in BESIDE:
        one.quiet()
        load = {"alone": None, "attack": attack, "honest": honest}[name]
        found, spent = beside(one, probing, kinds, seconds, load)
        if name == "attack":
            honest = honest.like(spent, spent["s"])
        told = {}
        for kind, (latencies, failures) in found.items():
            figures[kind].update({f"{name} {part}": value for part, value in probes.percentiles(latencies).items()})
            figures[kind][f"{name} failed"] = len(failures)
            told.update({failure.partition(":")[0]: failure for failure in failures})
        for failure in told.values():
            print(f"    {name}: {failure}", flush=True)
        server.update({f"{name} {part}": value for part, value in spent.items()})
    server["s busy after"] = one.quiet()
    server["peak MiB"] = server.pop("attack peak MiB")
    server["failed"] = sum(one["attack failed"] for one in figures.values())
    if case == FOREIGN:
        server |= {"foreign links": one.sink.foreign, "letters": one.sink.letters}
    for kind in kinds:
        measured = figures[kind]
        yield row(case, kind), {**measured, "times honest": measured["attack p99"] / measured["honest p99"]}
    yield row(case), server


def beside(one, probing, kinds, seconds, load):
    """The probes beside a load, and what the server needed meanwhile."""
    machine.forget_peak(one.server.pid)
    cpu, began = one.server.cpu(), time.monotonic()
    if load is None:
        found, tally = one.loop.do(probing.run(kinds, seconds)), {}
    else:
        getattr(load, "switch", lambda: None)()
        # It stays until the last probe has its answer, or gave up.
        with Running(load, seconds + PATIENCE + 30) as running:
            found = one.loop.do(probing.run(kinds, seconds))
        tally = running.tally
    elapsed = time.monotonic() - began
    spent = one.server.cpu() - cpu
    return found, {"peak MiB": machine.peak_mib(one.server.pid), "s": elapsed, "cpu s": spent,
                   "cores": spent / elapsed, **tally}
