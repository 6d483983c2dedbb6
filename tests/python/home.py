"""An account of its own for the parts that go through whole APIs, with a verified domain."""
from peers import TXT
from surface import Surface


class Home:
    def __init__(self, world):
        self.world, self.account, self.domain = world, "444433332222", f"{world.name('home')}.example"
        self.keys = (self.account, "any")
        if not world.dev:
            world.server.admin("account", "create", "home", "--id", self.account)
            self.keys = world.new_keys(self.account)
            world.server.admin("grant-production", "--account", self.account, "--max-24-hour", "-1", "--max-per-second", "-1")
        self.v2, self.v1 = Surface(world, "sesv2", self.keys), Surface(world, "ses", self.keys)
        world.client("sesv2", self.keys).create_email_identity(EmailIdentity=self.domain)
        # What to publish for both kinds of DKIM keys, by name.
        lines = world.server.keys("dkim-ed25519", self.domain, "--account", self.account)
        self.dkim = {name: value.strip('"') for name, _, value in (line.split(" ", 2) for line in lines)}
        for name, value in self.dkim.items():
            world.dns.set(name, TXT, [value])
        if not world.dev:
            # A restart looks at once; else it would be the next minute's round.
            world.restart()
            world.wait_verified(world.client("sesv2", self.keys), self.domain)

    def client(self, service):
        """A client that takes no notes."""
        return self.world.client(service, self.keys)


def home(world):
    """The account; made when it is asked for first."""
    if not hasattr(world, "home"):
        world.home = Home(world)
    return world.home
