"""What mail that waits costs: a receiver says 451, to all who call or to each recipient, and mail waits for its next time."""
import time

from isolation import loads
from isolation.loads import Load, Running
from isolation.rows import WAITING
from isolation.world import built

# Recipients of a call: SES's limit. Domains that they are spread over, which have one host.
EACH, DOMAINS = 50, 200
# How often each recipient is tried before it is measured: after the fourth time the wait is ten minutes, long enough to measure within.
TRIED = {"greeting": 0, "recipients": 4}
# How long it is measured, once the server has been at rest for a moment, and how long all that comes before may take.
MEASURED, REST_WITHIN = 60, 1_500


def run(engine, recipients):
    """Processor time of the server over a minute, in percent of a core, with so many deferred recipients."""
    for refuses, row in WAITING.items():
        with built(engine, refuses) as world:
            began, taken = time.monotonic(), fill(world, recipients)
            print(f"    {taken:,} recipients taken in {time.monotonic() - began:.0f} s", flush=True)
            # Between two rounds of attempts, where there are any: those are work.
            while world.sink.asked < TRIED[refuses] * taken and time.monotonic() - began < REST_WITHIN:
                time.sleep(1)
            world.quiet(within=120)
            rest = time.monotonic() - began
            cpu, asked, began = world.server.cpu(), world.sink.asked, time.monotonic()
            time.sleep(MEASURED)
            share = (world.server.cpu() - cpu) / (time.monotonic() - began)
            yield row, {"% of a core": share * 100, "recipients": taken, "asked meanwhile": world.sink.asked - asked,
                        "asked before": asked, "s until rest": rest, "MiB": world.server.memory()}


def fill(world, recipients):
    """Sends the mails. Gives how many recipients the server took."""
    content = {"Simple": {"Subject": {"Data": "Wait"}, "Body": {"Text": {"Data": "x" * 256}}}}

    def request(n):
        to = [f"r{n * EACH + m}@d{n % DOMAINS}.sink.test" for m in range(EACH)]
        return world.honest.ses(world.http, "outbound-emails", FromEmailAddress=f"someone@{world.domain}",
                                Destination={"BccAddresses": to}, Content=content)
    requests = [request(n) for n in range(recipients // EACH)]
    load = Load(loads.calls, port=world.http, requests=requests, callers=8, pause=0, sources=["127.0.0.1"], once=True)
    with Running(load, 600) as running:
        running.through.wait(600)
    return running.tally.get("answered", 0) * EACH
