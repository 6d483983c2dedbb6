"""What the project wants to reach: of a row's figure, how much, beside which other figure. One line a goal.

A line: row, figure, what it is held against, goal with SQLite, goal with PostgreSQL. It is held against a figure of the same
row, against one of another row ("row: figure"), against a number measured elsewhere for a program that cannot be had here
("program, number"), or against nothing. "x" in a goal: the ratio of the two. None: no such goal with this engine.
"""
from isolation import rows

SMTP, ONE, SLOW = "SMTP accept, 1 KB", "SMTP accept, 1 KB, one mail a connection", "SMTP accept, 1 KB, each sync 2 ms slower"
SEND, BATCH, CYCLE = "SendMessage, 1 KB, 16 connections", "SendMessageBatch of 10", "cycle of 10"
BACKLOG, DOMAINS = "outbound, a backlog, one receiver, unsigned", "outbound, 100 domains, each answer after 100 ms, unsigned"
SIGNED = "outbound, a backlog, one receiver, signed with RSA of 2048 bits"
OPENDKIM = "outbound, accepted, signed with RSA of 2048 bits and delivered, beside Postfix with OpenDKIM"
FULL = "1,000,000 waiting"

GOALS = [
    (f"{SMTP}, 1 sessions", "rate", "postfix", ">= 2.5x", ">= 1x"),
    (f"{SMTP}, 10 sessions", "rate", "postfix", ">= 5x", ">= 3x"),
    (f"{SMTP}, 50 sessions", "rate", "postfix", ">= 8x", ">= 5x"),
    (f"{ONE}, 1 sessions", "rate", "postfix", ">= 1.5x", ">= 1x"),
    (f"{ONE}, 10 sessions", "rate", "postfix", ">= 3x", ">= 2x"),
    (f"{ONE}, 50 sessions", "rate", "postfix", ">= 5x", ">= 3x"),
    ("SMTP accept, 10 KB, 10 sessions", "rate", "postfix", ">= 6x", ">= 4x"),
    ("SMTP accept, 100 KB, 10 sessions", "rate", "postfix", ">= 3x", ">= 2x"),
    (f"{SLOW}, 1 sessions", "rate", "postfix", ">= 1x", ">= 1x"),
    (f"{SLOW}, 10 sessions", "rate", "postfix", ">= 1x", ">= 1x"),
    (f"{SLOW}, 50 sessions", "rate", "postfix", ">= 7x", ">= 5x"),
    (f"{SMTP}, 1 sessions", "CPU ms a mail", "postfix CPU ms", "<= 0.2x", "<= 0.25x"),
    (f"{SMTP}, 10 sessions", "CPU ms a mail", "postfix CPU ms", "<= 0.2x", "<= 0.25x"),
    (f"{SMTP}, 50 sessions", "CPU ms a mail", "postfix CPU ms", "<= 0.2x", "<= 0.25x"),
    (f"{SMTP}, 50 sessions", "MiB", None, "<= 60", "<= 60"),
    (BACKLOG, "rate", "postfix", ">= 3x", ">= 2x"),
    (SIGNED, "rate", "postfix", ">= 1.6x", ">= 1.6x"),
    (OPENDKIM, "rate", "postfix", ">= 2.5x", ">= 2.5x"),
    (BACKLOG, "twice", None, "<= 0", "<= 0"),
    (DOMAINS, "rate", "postfix", ">= 3x", ">= 3x"),
    (DOMAINS, "MiB", None, "<= 150", "<= 150"),
    ("accept and deliver at once, beside Postfix's smtp-source", "rate", "postfix", ">= 5x", ">= 3x"),
    ("accept and deliver at once, beside nodemailer through Postfix", "rate", "postfix", ">= 5x", ">= 3x"),
    (SEND, "rate", "localstack", ">= 20x", ">= 8x"),
    (SEND, "rate", "ElasticMQ, 35000", ">= 0.8x", None),
    ("SendMessage, 1 KB, 32 connections", "rate", "plain SQL", None, ">= 0.6x"),
    (BATCH, "rate", "ElasticMQ, 53000", ">= 1.3x", ">= 0.6x"),
    (CYCLE, "rate", "ElasticMQ, 22000", ">= 1.2x", None),
    (CYCLE, "rate", "plain SQL", None, ">= 1x"),
    (SEND, "p99", None, "<= 2", "<= 5"),
    ("SendEmail, 1 KB, 16 connections", "rate", "moto", ">= 20x", ">= 8x"),
    ("SendEmail, 1 KB, 16 connections, 10000 senders", "rate", "10 senders", ">= 0.9x", ">= 0.9x"),
    ("idle memory", "MiB", None, "<= 30", "<= 30"),
    (f"memory, {FULL}", "added MiB", None, "<= 50", "<= 50"),
    (f"send, {FULL}", "rate", "send, empty: rate", ">= 0.8x", ">= 0.8x"),
    (f"send-batch, {FULL}", "rate", "send-batch, empty: rate", ">= 0.8x", ">= 0.8x"),
    (f"cycle, {FULL}", "rate", "cycle, empty: rate", ">= 0.8x", ">= 0.8x"),
    ("start to healthy", "ms", None, "<= 200", "<= 500"),
    ("1000 idle SMTP sessions", "% of a core", None, "<= 1", "<= 1"),
    ("1000 idle SMTP sessions", "KiB each", None, "<= 20", "<= 20"),
    ("1000 idle long polls", "% of a core", None, "<= 1", "<= 1"),
    ("1000 idle long polls", "KiB each", None, "<= 10", "<= 10"),
    *rows.goals(),
]
