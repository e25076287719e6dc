"""What an attacker can do at a replica, at three levels of stealth.

0 takes what is at hand: shells, tools, raw addresses, credentials, a lot at once. 1 works from the workload's own process
and folders, with named peers, and paces itself; he still takes what is severe. 2 does as 1 and leaves out everything
severe: no shell, no tool, no credential; peers that look like vendors; little at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from classifier.lab.acts import Act
from classifier.lab.lives import Life
from classifier.lab.scene import Scene
from classifier.lab.world import HOUR, VENDOR_SUBS

TOOLS = ("curl", "wget", "nc", "python3", "perl", "base64", "tar", "socat", "openssl")
RECON = ("id", "whoami", "uname", "ps", "env", "ls", "cat", "ip", "hostname", "find")
IDENTITIES = (
    "identity:token:/var/run/secrets/kubernetes.io/serviceaccount/token",
    "identity:token:/run/secrets/kubernetes.io/serviceaccount/token",
    "identity:cloud:/root/.aws/credentials",
    "identity:cloud:/home/app/.config/gcloud/credentials.db",
)
SECRETS = (
    "open:secret:/etc/shadow",
    "open:secret:/app/.env",
    "open:secret:/root/.ssh/id_ed25519",
    "open:secret:/proc/*/environ",
)
PAUSE = ((2, 0.8), (400, 1.0), (2400, 1.0))  # median seconds and sigma of ln between two steps
BYTES = ((1.5e6, 1.3), (1.2e5, 1.2), (1.2e4, 1.0))
GRAMS = ((30, 160), (4, 40), (0, 8))
METADATA = "169.254.169.254"


@dataclass(slots=True)
class Hand:
    """An attacker at one replica; each step takes time."""

    s: Scene
    life: Life
    stealth: int
    fact: int
    time: float
    who: str = ""  # lineage that acts
    host: str = ""  # where stolen things go
    address: str = ""
    pause: tuple[float, float] = (0, 0)
    run_once: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.who = self.who or self.s.p.lineage
        self.pause = self.pause if self.pause[0] else PAUSE[self.stealth]

    def step(self, act: Act, *, count: int = 1, out: float = 0, into: float = 0, calls: tuple[int, ...] = ()) -> None:
        """Do one thing, then wait."""
        low, high = GRAMS[self.stealth]
        new = int(self.s.rng.integers(low, high + 1))
        self.s.do(self.time, self.life, act, fact=self.fact, count=count, out=out, into=into, calls=calls, grams=new)
        self.time += min(self.s.about(*self.pause), 8 * HOUR)

    def execute(self, path: str, layer: str = "", *, parent: str = "") -> None:
        """Start a program; from then on it is the one that acts."""
        name = path.rpartition("/")[2] or path
        before = self.who
        self.who = f"{name}<{before}"
        self.step(Act(f"exec:{path}<{parent or before.partition('<')[0]}", self.who, layer=layer, image=path))

    def back(self) -> None:
        """The program has ended."""
        self.who = self.who.partition("<")[2] or self.s.p.lineage

    def foothold(self) -> None:
        """Something to work with: a shell and tools, or a helper that looks like the workload's own, or nothing."""
        s, n = self.s, self.s.p.names
        if self.stealth == 0:
            self.execute(n.pick(["/bin/sh", "/bin/bash", "/bin/dash"]))
            for tool in s.rng.permutation(RECON).tolist()[: int(s.rng.poisson(2))]:
                self.execute(f"/usr/bin/{tool}")
                self.back()
            if s.chance(0.7):
                self.execute(f"/usr/bin/{n.pick(TOOLS)}")
        elif self.stealth == 1 and s.chance(0.6):
            own = s.chance(0.5)
            self.execute(f"{s.p.tools}/{n.word()}" if own else f"/usr/bin/{n.word()}", "upper" if own else "")

    def take(self) -> None:
        """Get at something worth having."""
        s, n = self.s, self.s.p.names
        if self.stealth < 2 and s.chance(0.75 if self.stealth == 0 else 0.6):
            self.credential()
        for _ in range(int(s.rng.poisson((3, 2, 1.2)[self.stealth]))):
            self.step(Act(f"open:data:{s.p.data}/{n.word()}/{n.word()}.{n.pick(['db', 'csv', 'txt', 'md'])}", self.who))
        if s.chance(0.3):
            self.step(Act(f"open:config:/app/{n.word()}.{n.pick(['yaml', 'ini'])}", self.who))

    def credential(self) -> None:
        """Read an identity or a secret."""
        n = self.s.p.names
        if self.s.chance(0.2):
            act = Act(f"identity:metadata:{METADATA}", self.who, METADATA)
            self.step(act, out=400, into=1800)
        else:
            self.step(Act(n.pick(IDENTITIES if self.s.chance(0.7) else SECRETS), self.who))

    def send(self, size: float = 0.0, *, times: int = 1) -> None:
        """Send it away, or ask for orders."""
        act = self.peer()
        for _ in range(times):
            size_ = size or self.s.about(*BYTES[self.stealth])
            self.step(act, out=size_, into=size_ * self.s.between(0.01, 0.3))

    def peer(self) -> Act:
        """Where the attacker listens; the same for one attack."""
        s, p, n = self.s, self.s.p, self.s.p.names
        if not self.host:
            raw = s.chance((0.6, 0.1, 0.0)[self.stealth])
            self.address = n.address()
            if raw:
                self.host = f"{self.address}:{n.pick([443, 443, 4444, 8443, 1337, 53, 80])}"
            elif p.owners and s.chance((0.0, 0.3, 0.5)[self.stealth]):  # at the provider that the workload uses itself
                self.host = f"{n.host(n.pick(p.owners))}:443"
            elif self.stealth == 0:
                self.host = f"{n.word()}.{n.pick(['xyz', 'top', 'ru', 'duckdns.org'])}:443"
            else:
                self.host = f"{n.pick(VENDOR_SUBS)}.{n.domain()}:443"
        return Act(f"egress:tcp:{self.host}", self.who, self.address)

    def payload(self) -> None:
        """The usual: a foothold, something taken, something sent."""
        self.foothold()
        self.take()
        self.send(times=1 + int(self.s.rng.poisson(0.7)))


def like(hand: Hand, life: Life, time: float) -> Hand:
    """The same attacker at another replica, with the same peer."""
    return Hand(hand.s, life, hand.stealth, hand.fact, time, host=hand.host, address=hand.address, pause=hand.pause)
