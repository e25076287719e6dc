"""Genuine changes: when, of what kind, how they roll, what they bring, and what somebody announces of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from classifier.lab.acts import Act, Deed, Draft, Habit
from classifier.lab.truth import EVOLUTION
from classifier.lab.workloads import Profile
from classifier.lab.world import DAY, HOUR, SPROUTS, START, World
from wire.records import Deploy, Workload

KINDS = {
    "image": 0.34,
    "config": 0.18,
    "prompt": 0.12,
    "model": 0.08,
    "tools": 0.08,
    "dependency": 0.12,
    "restart": 0.08,
}
WAYS = {"rolling": 0.66, "canary": 0.16, "partial": 0.09, "rollback": 0.09}
MONTH = 30 * DAY
CAPABILITIES = (165, 272, 126, 321)  # mount, unshare, capset, bpf: now and then a new image uses one at its start


@dataclass(slots=True)
class Rollout:
    """One change. A hot one has no revision of its own."""

    time: float
    kind: str
    way: str  # of WAYS, or "hot"
    name: str | None  # the revision that its replicas carry
    parent: int = 0  # number of the revision that it builds upon
    number: int = 0  # of its own revision; -1 if hot
    until: float = float("inf")  # when it was rolled back
    steps: dict[int, float] = field(default_factory=dict)  # slot → when its replica was replaced
    habits: list[Habit] = field(default_factory=list)  # new with it
    deploys: list[Deploy] = field(default_factory=list)
    fact: int = -1
    calls: tuple[int, ...] = ()  # system calls that its replicas make at their start

    @property
    def deploy(self) -> str:
        """Id of its event; "" if nobody sent one."""
        return self.deploys[0].id if self.deploys else ""


def draw(rng: np.random.Generator, world: World, p: Profile, days: int, drafts: list[Draft]) -> list[Rollout]:
    """All changes of a deployment, by time. Their facts are added to the drafts."""
    rate = float(rng.uniform(*world.rollouts)) / MONTH
    times = np.sort(rng.uniform(START + DAY, START + days * DAY, rng.poisson(rate * days * DAY))).tolist()
    for t in list(times):
        if rng.random() < 0.06:  # a second one before the first is done
            times.append(t + float(rng.uniform(3, 40)) * 60)
    out: list[Rollout] = []
    for time in sorted(times):
        out.append(_one(rng, world, p, time, out, drafts))
    return out


def extra(
    rng: np.random.Generator,
    world: World,
    p: Profile,
    *,
    time: float,
    kind: str,
    before: list[Rollout],
    drafts: list[Draft],
    hot: bool,
) -> Rollout:
    """One more change, of a kind and at a time that somebody wants; always announced, never rolled back."""
    return _one(rng, world, p, time, before, drafts, kind=kind, hot=hot)


def chain(changes: list[Rollout]) -> None:
    """Each change builds upon the one before it that was not rolled back by then; changes are by time."""
    for n, r in enumerate(changes):
        r.parent = next((o.number for o in reversed(changes[:n]) if o.way != "hot" and o.until > r.time), 0)


def _one(rng, world: World, p: Profile, time: float, before: list[Rollout], drafts, *, kind="", hot=True) -> Rollout:
    wanted = bool(kind)
    undeclared = not wanted and rng.random() < world.undeclared
    kind = kind or _choose(rng, KINDS)
    hot = hot and kind in ("config", "prompt") and rng.random() < 0.45
    way = "hot" if hot else "rolling" if wanted or p.replicas == 1 else _choose(rng, WAYS)
    r = Rollout(time, kind, way, None if hot else p.names.hex(10))
    r.number = -1 if hot else 1 + sum(o.way != "hot" for o in before)
    if way == "rollback":
        r.until = time + float(rng.lognormal(np.log(2 * HOUR), 0.9))
    _steps(rng, r, p.replicas)
    r.fact = len(drafts)
    for _ in range(0 if kind == "restart" else int(rng.poisson(world.sprouts))):
        r.habits.append(_sprout(rng, world, p, r))
    if not hot and kind in ("config", "tools", "image") and rng.random() < 0.12:
        r.habits += _moved(rng, p, r)
    if hot:
        r.habits = [h for h in r.habits if not h.once]
    if kind == "image" and rng.random() < 0.03:
        r.calls = (int(rng.choice(CAPABILITIES)),)
    if not undeclared:
        r.deploys = _announce(rng, world, p, r)
    drafts.append(Draft(EVOLUTION, "undeclared rollout" if undeclared else "rollout", 0, r.deploy))
    return r


def _choose(rng: np.random.Generator, weights: dict[str, float]) -> str:
    values = np.array(list(weights.values()))
    return list(weights)[int(rng.choice(len(values), p=values / values.sum()))]


def _steps(rng: np.random.Generator, r: Rollout, slots: int) -> None:
    """When each slot gets its new replica."""
    if r.way == "hot":
        return
    pace = float(rng.uniform(5, 40)) * 60 / max(slots, 2)
    order = rng.permutation(slots).tolist()
    wait = float(rng.uniform(1, 8)) * HOUR if r.way == "canary" else 0.0
    if r.way == "partial":
        order = order[: max(1, slots // 2)]
    for n, slot in enumerate(order):
        r.steps[slot] = r.time + n * pace * float(rng.uniform(0.7, 1.3)) + (wait if n >= max(1, slots // 10) else 0.0)


def _moved(rng: np.random.Generator, p: Profile, r: Rollout) -> list[Habit]:
    """A job of the workload runs at another time from now on."""
    times = sorted({h.when for h in p.habits if h.when})
    if not times:
        return []
    old, by = times[int(rng.integers(len(times)))], int(rng.integers(1, 168))
    new = tuple(sorted((hour + by) % 168 for hour in old))
    return [replace(h, when=new, fact=r.fact) for h in p.habits if h.when == old]


def _sprout(rng: np.random.Generator, world: World, p: Profile, r: Rollout) -> Habit:
    """One new behaviour of a change."""
    kind = SPROUTS[int(rng.choice(len(SPROUTS), p=world.shares[r.kind]))]
    rate = float(rng.gamma(world.shape, 1.0)) * (25 if rng.random() < 0.35 else 1)  # an hour and replica
    more = {"hourly": True, "since": r.time if r.way == "hot" else 0.0, "fact": r.fact}
    if kind == "volume" and p.peers:
        grown = p.habits[int(rng.choice(p.peers))].act.behaviour
        return Habit(p.habits[0].act, float(rng.uniform(1.5, 5)), grow=grown, **more)
    act, out, into = sprout_act(rng, p, kind)
    at_start = kind in ("code", "config", "model", "syscall", "secret") and rng.random() < 0.7
    return Habit(act, rate, out, into, once=at_start, spread=0.4, **more)


def sprout_act(rng: np.random.Generator, p: Profile, kind: str) -> tuple[Act, float, float]:
    """A behaviour of a kind that continues what the program was, with bytes out and in of one use."""
    n, who = p.names, p.lineage
    if p.helpers and rng.random() < 0.12:
        who = f"{p.helpers[0].rpartition('/')[2]}<{p.lineage}"
    if kind == "exec":
        return new_exec(rng, p), 0.0, 0.0
    if kind == "ingress":
        return Act(f"ingress:tcp:{int(rng.integers(3000, 10000))}", p.lineage, n.address(True)), 2e3, 700.0
    paths = {
        "code": f"open:code:{p.library}/{n.word()}/*",
        "config": f"open:config:{n.pick(['/app', '/etc/app', '/app/config'])}/{n.word()}.{n.pick(['yaml', 'json', 'toml'])}",
        "data": f"open:data:{p.data}/{n.word()}/{n.word()}.{n.pick(['txt', 'csv', 'md', 'db'])}",
        "model": f"open:model:/models/{n.word()}/*.{n.pick(['safetensors', 'gguf', 'onnx'])}",
        "secret": f"open:secret:/run/secrets/{n.word()}/{n.pick(['api.key', 'password', 'dsn'])}",
        "write": f"write:data:{n.pick([p.data, '/var/cache/app', '/var/log/app'])}/{n.word()}.{n.pick(['log', 'db', 'tmp'])}",
    }
    if kind in paths:
        return Act(paths[kind], who), 0.0, 0.0
    if kind == "syscall":
        return Act("syscall:memfd_create", who), 0.0, 0.0
    domain = n.pick(p.owners) if p.owners and rng.random() < 0.4 else ""
    host = f"{n.word()}.core.svc.cluster.local" if rng.random() < 0.2 else n.host(domain)
    out, into = rng.lognormal(np.log(2e3), 1.0), rng.lognormal(np.log(5e3), 1.2)
    return p.peer(host, int(rng.choice([443, 443, 443, 8080, 5432])), who), float(out), float(into)


def new_exec(rng: np.random.Generator, p: Profile) -> Act:
    """A helper that a new version brings: in a tools folder, or of the base image."""
    n = p.names
    if rng.random() < 0.15:  # a shell wrapper or a common program, as real images do
        path = n.pick(
            ["/bin/sh", "/usr/bin/git", "/usr/bin/tar", "/usr/bin/curl", "/usr/bin/ffmpeg", "/usr/bin/pdftotext"]
        )
    else:
        path = f"{n.pick([p.tools, p.tools, '/usr/bin', '/app/bin'])}/{n.word()}"
    return Act(f"exec:{path}<{p.main}", f"{path.rpartition('/')[2]}<{p.lineage}", image=path)


def _announce(rng: np.random.Generator, world: World, p: Profile, r: Rollout) -> list[Deploy]:
    began = r.time + float(rng.normal(0, 4))
    if rng.random() < 0.06:
        began -= float(rng.uniform(1, 20)) * 60  # said before it was done
    received = max(began, r.time - 1200) + float(rng.exponential(3))
    if rng.random() < world.late:
        received += float(rng.uniform(5, 60)) * 60
    deploy = Deploy(
        f"{p.workload.rpartition('/')[2]}-{p.names.hex(8)}",
        round(began, 3),
        round(received, 3),
        p.names.pick(["http", "kubernetes", "cli", "folder"]),
        Workload(p.workload),
        r.kind,
        r.name,
        p.names.pick(["ci", "release-bot", "alice", "bob"]),
        _scope(rng, world, r),
        p.names.pick(["signed", "signed", "local"]),
    )
    return [deploy] * (2 if rng.random() < 0.03 else 1)


def _scope(rng: np.random.Generator, world: World, r: Rollout) -> tuple[str, ...]:
    """What the sender declares: most behaviours by name, some by a wildcard, some forgotten."""
    if rng.random() >= world.declares:
        return ()
    named = [h.grow or h.act.behaviour for h in r.habits if rng.random() < world.names_it]
    return tuple(dict.fromkeys(_pattern(b) if rng.random() < world.wildcard else b for b in named))


def _pattern(behaviour: str) -> str:
    """The wildcard that a person or a build would write."""
    kind, _, rest = behaviour.partition(":")
    if kind == "exec":
        return behaviour.partition("<")[0] + "<*"
    if kind == "egress" and rest.count(".") >= 2:
        proto, host, port = rest.split(":")[0], rest.split(":")[1], rest.rpartition(":")[2]
        return f"egress:{proto}:*.{host.partition('.')[2]}:{port}"
    if kind in ("open", "write"):
        return behaviour.rpartition("/")[0] + "/*"
    return behaviour


def starts(r: Rollout, life: int, time: float) -> list[Deed]:
    """System calls that a replica of a change makes at its start."""
    names = {165: "mount", 272: "unshare", 126: "capset", 321: "bpf"}
    return [Deed(time, life, Act(f"syscall:{names[c]}", "-"), 1, fact=r.fact, calls=(c,)) for c in r.calls]
