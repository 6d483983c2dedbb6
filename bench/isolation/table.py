"""The table of isolation, beside that of all goals: for each case and probe what it took alone, beside the honest load, beside the attack."""
from isolation.rows import CASES, probes, row

SETS = ("alone", "honest", "attack")


def lines(rows, engines):
    """Lines of Markdown of what was measured; none where nothing was."""
    table = ["| case | engine | probe | alone: p50, p99, longest | beside an honest load | beside the attack | ratio of p99 | failed |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    servers = ["| case | engine | peak memory, honest, MiB | attack | allowed | processor s, alone | honest | attack | s busy after |",
               "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for case in CASES:
        for engine, name in engines.items():
            table += [line(case, name, probe, rows[engine, row(case, probe)]) for probe in probes(case)
                      if (engine, row(case, probe)) in rows]
            if (engine, row(case)) in rows:
                servers.append(server(case, name, rows[engine, row(case)]))
    return [*table, "", "Times in milliseconds.", "", *servers] if len(table) > 2 else []


def line(case, engine, probe, found):
    times = [", ".join(shown(found[f"{one} {part}"]) for part in ("p50", "p99", "max")) for one in SETS]
    ratio = found["attack p99"] / found["honest p99"] if found["honest p99"] else 0
    failed = ", ".join(shown(found[f"{one} failed"]) for one in SETS)
    return f"| {case} | {engine} | {probe} | " + " | ".join(times) + f" | {shown(ratio)}x | {failed} |"


def server(case, engine, found):
    figures = ["honest peak MiB", "peak MiB", "allowed MiB", "alone cpu s", "honest cpu s", "attack cpu s", "s busy after"]
    return f"| {case} | {engine} | " + " | ".join(shown(found.get(figure, 0)) for figure in figures) + " |"


def shown(value):
    return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
