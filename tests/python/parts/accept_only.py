"""A node that only accepts: what it takes stays where it is, until a node works the jobs."""
import os

from parts.receiving import connect, mail_to, object_at, rule
from server import wait_for
from world import RECEIVING


def restart(world):
    assert world.server.stop() == 0
    world.server.start()


def check_mail_waits_for_a_node_that_works(world):
    recipient = f"later@{RECEIVING}"
    rule(world, world.name("later"), [recipient], [{"S3Action": {"BucketName": "later"}}])
    world.server.flags.append("--accept-only")
    restart(world)
    with connect(world) as smtp:
        assert smtp.sendmail("ann@stranger.example", [recipient], mail_to(recipient, "Later")) == {}
    world.server.flags.remove("--accept-only")
    # A stop waits for work that has begun.
    assert world.server.stop() == 0
    folder = os.path.join(world.server.directory, "data", "objects", "later")
    assert not os.path.exists(folder) or os.listdir(folder) == []
    world.server.start()
    key = wait_for("the object", lambda: os.path.exists(folder) and os.listdir(folder))[0]
    assert b"Subject: Later" in object_at(world, "later", key)
