"""Eight types of workload, each drawn anew for every deployment: programs, peers, files, load, number of replicas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from classifier.lab.acts import Act, Habit
from classifier.lab.world import Names, World

WEEK = 168
RUNTIMES = {
    "python": ("python3.11", "/usr/local/bin/python3.11", "/usr/local/lib/python3.11/site-packages"),
    "node": ("node", "/usr/local/bin/node", "/app/node_modules"),
    "java": ("java", "/opt/jdk/bin/java", "/app/lib"),
    "go": ("server", "/app/server", "/app/share"),
}


@dataclass(slots=True)
class Profile:
    """One deployment before anything changes. Rates are per replica."""

    type: str
    workload: str
    names: Names
    main: str  # base name of the main program
    path: str
    lineage: str
    library: str  # where its packages lie
    tools: str  # where its helpers lie
    data: str  # where its files lie
    replicas: int
    requests: float  # an hour
    habits: list[Habit] = field(default_factory=list)
    autoscale: int = 0  # replicas at most beside the usual ones
    flapping: bool = False
    night: float = 0.3  # load at night, of that at noon
    weekend: float = 0.5
    rarities: float = 25.0  # rare benign things a month
    helpers: list[str] = field(default_factory=list)  # programs that it starts, as paths
    owners: list[str] = field(default_factory=list)  # domains it deals with
    peers: list[int] = field(default_factory=list)  # habits that talk to named peers outside
    open_ended: float = 0.0  # new behaviours a day, of a workload that never converges
    sigma: float = 0.0  # of its Pitman-Yor process
    addresses: dict[str, str] = field(default_factory=dict)  # host → address
    revision: str = ""  # name of what runs first

    def add(self, act: Act, rate: float, **more) -> int:
        """Take a habit in; returns its number."""
        more.setdefault("spread", 0.12 * 4 ** self.names.share())
        self.habits.append(Habit(act, rate, **more))
        return len(self.habits) - 1

    def peer(self, host: str, port: int, lineage: str = "") -> Act:
        """Talking to a named host."""
        address = self.addresses.setdefault(host, self.names.address(host.endswith(".svc.cluster.local")))
        return Act(f"egress:tcp:{host}:{port}", lineage or self.lineage, address)

    def outside(self, host: str, rate: float, out: float, into: float, **more) -> int:
        """A named peer outside the cluster, from now on a learned one."""
        number = self.add(self.peer(host, 443, more.pop("lineage", "")), rate, out=out, into=into, **more)
        self.peers.append(number)
        self.owners.append(".".join(host.split(".")[-2:]))
        return number

    def inside(self, rate: float, out: float, into: float, port: int, **more) -> int:
        """A service of the cluster."""
        host = f"{self.names.word()}.{self.names.pick(['shop', 'data', 'core', 'agents'])}.svc.cluster.local"
        return self.add(self.peer(host, port), rate, out=out, into=into, **more)

    def file(self, kind: str, path: str, rate: float = 1.0, *, writes: bool = False, **more) -> int:
        """A file it opens."""
        return self.add(Act(f"{'write' if writes else 'open'}:{kind}:{path}", self.lineage), rate, **more)


def draw(rng: np.random.Generator, world: World, index: int) -> Profile:
    """The deployment of a number; types come in turn, so that a fleet has all of them."""
    names = Names(rng)
    kind = TYPES[(index + int(np.random.default_rng([world.seed, 3]).integers(len(TYPES)))) % len(TYPES)]
    runtime = names.pick(LANGUAGES[kind])
    main, path, library = RUNTIMES[runtime]
    name = names.word()
    p = Profile(
        kind,
        f"w{world.seed}/{names.pick(['prod', 'agents', 'core'])}/Deployment/{kind}-{name}-{index}/{name}",
        names,
        main,
        path,
        names.pick([main, main, f"{main}<tini", f"{main}<sh"]),
        library,
        names.pick(["/opt/tools", "/app/bin", "/usr/local/bin"]),
        names.pick(["/data", "/var/lib/app", "/srv"]),
        names.pick([1, 2, 2, 3, 3, 3, 4, 5, 7]),
        float(rng.lognormal(np.log(400), 0.7)),
        night=float(rng.uniform(0.1, 0.6)),
        weekend=float(rng.uniform(0.3, 1.0)),
        rarities=float(rng.uniform(20, 70)),
    )
    p.revision = names.hex(10)
    _birth(p, rng)
    BUILDERS[kind](p, rng)
    return p


def _birth(p: Profile, rng: np.random.Generator) -> None:
    """What every container does when it starts, and the name server it asks."""
    wrapper = p.lineage.partition("<")[2]
    if wrapper == "tini":
        p.add(Act("exec:/sbin/tini<containerd-shim", "tini"), 1, once=True)
    elif wrapper:
        p.add(Act("exec:/bin/sh<containerd-shim", "sh"), 1, once=True)
        p.file("code", "/app/*", once=True)
    p.add(Act(f"exec:{p.path}<{wrapper or 'containerd-shim'}", p.lineage, image=p.path), 1, once=True)
    p.file("code", "/usr/lib/x86_64-linux-gnu/*", once=True)
    for _ in range(int(rng.integers(2, 5))):
        p.file("code", f"{p.library}/{p.names.word()}/*", once=True)
    for name in ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/openssl.cnf", f"/app/{p.names.word()}.yaml"):
        p.file("config", name, once=True)
    server = p.names.address(private=True)
    p.add(Act(f"egress:udp:{server}:53", p.lineage, server), float(rng.uniform(0.02, 0.2)), out=45, into=120)


def _listen(p: Profile, rng: np.random.Generator, port: int, into: float, out: float) -> None:
    p.add(Act(f"ingress:tcp:{port}", p.lineage, p.names.address(private=True)), 1.0, out=out, into=into)


def _web_api(p: Profile, rng: np.random.Generator) -> None:
    p.requests = float(rng.lognormal(np.log(1500), 0.8))
    p.autoscale = int(rng.integers(0, 4)) if rng.random() < 0.5 else 0
    p.flapping = rng.random() < 0.15
    _listen(p, rng, 8080, 900, float(rng.uniform(2e3, 3e4)))
    p.inside(float(rng.uniform(0.8, 3)), 700, float(rng.uniform(1e3, 2e4)), 5432)
    p.inside(float(rng.uniform(1, 4)), 120, 600, 6379)
    for _ in range(int(rng.integers(1, 4))):
        p.outside(
            p.names.host(), float(rng.uniform(0.01, 0.3)), float(rng.uniform(600, 4e3)), float(rng.uniform(800, 9e3))
        )
    p.file("data", f"{p.data}/templates/{p.names.word()}.html", 0.4)
    p.file("data", f"/var/log/app/{p.names.word()}.log", 0.1, writes=True)


def _rag_reader(p: Profile, rng: np.random.Generator) -> None:
    p.requests = float(rng.lognormal(np.log(250), 0.6))
    p.autoscale = int(rng.integers(0, 5)) if rng.random() < 0.5 else 0
    p.flapping = rng.random() < 0.2
    p.rarities = float(rng.uniform(12, 30))
    _listen(p, rng, 8000, 1200, 6e3)
    p.inside(float(rng.uniform(1, 4)), 6e3, float(rng.uniform(1e4, 6e4)), 6333)
    p.outside(p.names.host(), 1.0, float(rng.uniform(4e3, 2e4)), float(rng.uniform(2e3, 8e3)))
    p.outside(p.names.host(), float(rng.uniform(0.3, 1.0)), 3e3, 9e3)
    p.file("model", f"/models/{p.names.word()}/*.safetensors", once=True)
    p.file("data", f"{p.data}/index/{p.names.word()}.bin", 0.05)


def _support_agent(p: Profile, rng: np.random.Generator) -> None:
    p.requests = float(rng.lognormal(np.log(40), 0.5))
    p.rarities = float(rng.uniform(20, 45))
    _listen(p, rng, 8080, 4e3, 2e3)
    p.outside(p.names.host(), float(rng.uniform(1.5, 2.5)), 900, float(rng.uniform(7e3, 2e4)))  # records read
    p.outside(p.names.host(), 1.0, float(rng.uniform(4e3, 1.2e4)), 1.5e3)  # replies
    p.outside(
        p.names.host(), float(rng.uniform(2, 4)), float(rng.uniform(5e3, 2e4)), float(rng.uniform(2e3, 6e3))
    )  # model
    hour = (6 * 24 + int(rng.integers(0, 6)),)
    child = f"export.py<{p.lineage}"
    p.helpers.append("/app/export.py")
    p.add(Act(f"exec:/app/export.py<{p.main}", child), 1, hourly=True, when=hour)
    size = float(rng.uniform(8e6, 3e7))
    p.outside(
        f"acme-{p.names.word()}.s3.example-cloud.com", 1, size, 4e4, hourly=True, when=hour, lineage=child, spread=0.06
    )
    p.file("data", f"{p.data}/tickets/*.txt", 0.3, writes=True)


def _batch(p: Profile, rng: np.random.Generator) -> None:
    p.requests, p.replicas = 0.0, int(rng.integers(1, 3))
    p.night = p.weekend = 1.0
    tool = f"{p.tools}/{p.names.word()}"
    p.helpers.append(tool)
    hour = int(rng.integers(0, 24))
    daily = tuple(d * 24 + hour for d in range(7))
    weekly = (int(rng.integers(0, WEEK)),)
    run = f"{tool.rpartition('/')[2]}<{p.lineage}"
    p.add(Act(f"exec:{tool}<{p.main}", run), 1, hourly=True, when=daily)
    p.outside(
        p.names.host(),
        float(rng.uniform(5, 40)),
        2e3,
        float(rng.uniform(1e4, 2e5)),
        hourly=True,
        when=daily,
        lineage=run,
    )
    p.outside(p.names.host(), 2, float(rng.uniform(1e5, 4e6)), 2e3, hourly=True, when=weekly, spread=0.5)
    p.inside(float(rng.uniform(5, 60)), 4e3, 2e4, 5432, hourly=True, when=daily)
    p.inside(12, 90, 200, 6379, hourly=True)
    p.file("data", f"{p.data}/out/*.csv", 3, hourly=True, when=daily, writes=True)
    p.file("data", f"{p.data}/weekly/{p.names.word()}.parquet", 1, hourly=True, when=weekly, writes=True)


def _code_agent(p: Profile, rng: np.random.Generator) -> None:
    p.requests = float(rng.lognormal(np.log(25), 0.5))
    p.rarities = float(rng.uniform(15, 40))
    p.open_ended, p.sigma = float(rng.uniform(10, 30)), float(rng.uniform(0.4, 0.8))
    _listen(p, rng, 8000, 2e3, 5e3)
    p.outside(p.names.host(), 3.0, float(rng.uniform(8e3, 3e4)), 4e3)
    p.outside(f"packages.{p.names.domain()}", 0.3, 900, 4e5, spread=1.2)
    p.add(Act(f"exec:/bin/bash<{p.main}", f"bash<{p.lineage}"), 1.5)
    p.add(Act("exec:/usr/bin/python3.11<bash", f"python3.11<bash<{p.lineage}"), 1.1)
    p.helpers += ["/bin/bash", "/usr/bin/python3.11"]
    p.file("data", "/workspace/tmp*/out.csv", 1.0, writes=True)
    p.file("code", "/workspace/tmp*/main.py", 1.0, writes=True)


def _orchestrator(p: Profile, rng: np.random.Generator) -> None:
    p.requests = float(rng.lognormal(np.log(120), 0.5))
    _listen(p, rng, 9000, 3e3, 4e3)
    for _ in range(int(rng.integers(3, 7))):
        p.inside(float(rng.uniform(0.2, 1)), 2e3, 3e3, 8080)
    for _ in range(int(rng.integers(3, 6))):
        p.outside(
            p.names.host(), float(rng.uniform(0.05, 0.8)), float(rng.uniform(1e3, 1e4)), float(rng.uniform(1e3, 2e4))
        )
    p.file("config", f"/etc/{p.names.word()}/routes.yaml", 0.05)


def _model_server(p: Profile, rng: np.random.Generator) -> None:
    p.requests = float(rng.lognormal(np.log(600), 0.6))
    p.rarities = float(rng.uniform(10, 24))
    p.autoscale = int(rng.integers(0, 3))
    _listen(p, rng, 8000, 5e3, 3e3)
    _listen(p, rng, 8002, 200, 9e3)
    folder = f"/models/{p.names.word()}"
    p.file("model", f"{folder}/*.safetensors", once=True)
    p.file("model", f"{folder}/config.json", once=True)
    p.file("model", f"/models/{p.names.word()}/*.safetensors", 0.02)
    p.inside(0.1, 2e3, 500, 9090)
    p.outside(p.names.host(), 2, 3e3, 2e3, hourly=True)
    p.file("data", "/var/cache/kernels/*.cubin", 0.01)


def _pipeline(p: Profile, rng: np.random.Generator) -> None:
    p.requests = float(rng.lognormal(np.log(300), 0.8))
    p.night = p.weekend = float(rng.uniform(0.6, 1.0))
    p.inside(1.0, 400, float(rng.uniform(1e4, 1e5)), 9092)
    p.inside(0.3, float(rng.uniform(1e4, 1e5)), 900, 5432)
    p.outside(p.names.host(), 0.2, float(rng.uniform(2e4, 2e5)), 1e3, spread=0.6)
    p.outside(p.names.host(), 0.1, 900, float(rng.uniform(1e4, 2e5)), spread=0.6)
    tool = f"{p.tools}/{p.names.word()}"
    p.helpers.append(tool)
    p.add(Act(f"exec:{tool}<{p.main}", f"{tool.rpartition('/')[2]}<{p.lineage}"), 0.02)
    p.file("data", f"{p.data}/in/*.parquet", 0.4)
    p.file("data", f"{p.data}/stage/*.parquet", 0.3, writes=True)


BUILDERS: dict[str, Callable[[Profile, np.random.Generator], None]] = {
    "web-api": _web_api,
    "rag-reader": _rag_reader,
    "support-agent": _support_agent,
    "batch": _batch,
    "code-agent": _code_agent,
    "orchestrator": _orchestrator,
    "model-server": _model_server,
    "pipeline": _pipeline,
}
TYPES = tuple(BUILDERS)
LANGUAGES = {
    "web-api": ("node", "java", "go", "python"),
    "rag-reader": ("python",),
    "support-agent": ("python",),
    "batch": ("python", "java", "go"),
    "code-agent": ("python", "node"),
    "orchestrator": ("python", "node", "go"),
    "model-server": ("python",),
    "pipeline": ("python", "java"),
}
