"""The names of the rows: cases, probes, and what they are held to."""

CASES = {  # name of each case, and the numbers of the kind that it is of
    "1 template lookups": 1,
    "2 filter policies": 2,
    "3 mail from a silent domain": 3,
    "4 bodies under a key": 4,
    "4 bodies and heads of strangers": 4,
    "5 a webhook that hangs": 5,
    "6 template comments": 6,
    "7 idle connections": 7,
    "8 foreign hosts": 8,
    "9 identities in a silent zone": 9,
}
PROBES = ["SendMessage", "SendEmail to delivery", "publish to webhook", "inbound mail to rule", "health", "banner and EHLO"]
# Where identities are the case, a domain of the honest account is one more probe.
VERIFIED = "domain to verified"
FOREIGN = "8 foreign hosts"
SILENT_ZONE = "9 identities in a silent zone"
# What the receiver refuses, and the row of the mail that waits for it.
WAITING = {"greeting": "waiting mail, its host says 451 to all who call", "recipients": "waiting mail, each recipient got 451"}


def row(case, what="server"):
    """The row of a probe in a case, or of the server in it."""
    return f"isolation {case}: {what}"


def probes(case):
    return [*PROBES, VERIFIED] if case == SILENT_ZONE else PROBES


def goals():
    """Lines for goals.py. A probe that failed counts as the longest wait, so it is in the p99 too."""
    for case in CASES:
        for probe in probes(case):
            yield row(case, probe), "attack p99", "honest p99", "<= 5x", "<= 5x"
        yield row(case), "failed", None, "<= 0", "<= 0"
        yield row(case), "peak MiB", "allowed MiB", "<= 1x", "<= 1x"
    yield row(FOREIGN), "foreign links", None, "<= 0", "<= 0"
    for waiting in WAITING.values():
        yield waiting, "% of a core", None, "<= 5", "<= 5"
