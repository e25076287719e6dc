"""Families of attacks: which change they hide behind, where they strike, and what they do. One fact each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classifier.lab import rollouts, thefts
from classifier.lab.acts import Act, Draft
from classifier.lab.hands import Hand, like
from classifier.lab.lives import Life
from classifier.lab.rollouts import Rollout
from classifier.lab.scene import Scene
from classifier.lab.truth import RISKY
from classifier.lab.workloads import Profile
from classifier.lab.world import DAY, HOUR, START, World
from wire.records import Deploy, Workload

if TYPE_CHECKING:
    from classifier.lab.simulate import Plan

ROLLING = ("image", "dependency", "config", "tools", "model")
MINUTE = 60.0
CALLS = {"ptrace": 101, "mount": 165, "unshare": 272, "setns": 308, "bpf": 321, "process_vm_readv": 310}


@dataclass(slots=True)
class Strike:
    """One attack that is to happen."""

    family: str
    stealth: int
    time: float
    anchor: Rollout | None  # the genuine change that it hides behind


def plan(
    rng: np.random.Generator,
    plan: Plan,
    world: World,
    p: Profile,
    changes: list[Rollout],
    drafts: list[Draft],
    judged: float,
    until: float,
) -> list[Strike]:
    """Which attacks a deployment will see; a change is added where one is needed and there is none."""
    wanted = []
    for _ in range(int(rng.poisson(plan.attacks * (until - judged) / (30 * DAY)))):
        family = plan.families[int(rng.integers(len(plan.families)))]
        stealth = int(plan.stealth[int(rng.integers(len(plan.stealth)))])
        time = float(rng.uniform(judged + 2 * HOUR, max(judged + 3 * HOUR, until - DAY)))
        anchor, kinds = None, FAMILIES[family][0]
        if kinds:
            fit = [
                r
                for r in changes
                if r.kind in kinds and r.deploys and judged < r.time < until - DAY and r.way != "rollback"
            ]
            fit = [r for r in fit if family == "prompt-residue" or r.way != "hot"]
            anchor = fit[int(rng.integers(len(fit)))] if fit else None
            if anchor is None:
                kind = kinds[int(rng.integers(len(kinds)))]
                anchor = rollouts.extra(
                    rng, world, p, time=time, kind=kind, before=changes, drafts=drafts, hot=family == "prompt-residue"
                )
                changes.append(anchor)
        wanted.append(Strike(family, stealth, time, anchor))
    changes.sort(key=lambda r: r.time)
    rollouts.chain(changes)
    return wanted


def play(s: Scene, strikes: list[Strike]) -> None:
    """Let every attack happen; one that finds nobody there is tried again at another time."""
    for strike in strikes:
        for _ in range(8):
            before = len(s.deeds)
            fact = s.draft(RISKY, strike.family, strike.stealth)
            FAMILIES[strike.family][1](s, strike, fact)
            if any(d.fact == fact for d in s.deeds[before:]):
                break
            strike.time = s.between(s.judged_from + HOUR, max(s.judged_from + 2 * HOUR, s.until - DAY))


def _hand(s: Scene, k: Strike, fact: int, life: Life | None = None, time: float = 0.0) -> Hand | None:
    time = time or k.time
    life = life or s.someone(time, (600, 4 * HOUR, 8 * HOUR)[k.stealth]) or s.someone(time)
    return Hand(s, life, k.stealth, fact, time) if life else None


def remote_code(s: Scene, k: Strike, fact: int) -> None:
    """At any time, at one replica."""
    if hand := _hand(s, k, fact):
        hand.payload()


def _new(s: Scene, k: Strike) -> list[Life]:
    """Replicas that a change brought."""
    r = k.anchor
    assert r is not None
    if r.way == "hot":
        return s.cast.alive(r.time, HOUR)
    return [
        x
        for x in s.cast.lives
        if x.revision == r.number and r.time - 1 <= x.start <= r.time + DAY and x.end > x.start + 300
    ]


def _after(s: Scene, k: Strike, fact: int, low: float, high: float) -> None:
    fresh = _new(s, k)
    if not fresh:
        remote_code(s, k, fact)
        return
    life = fresh[int(s.rng.integers(min(len(fresh), 3)))]
    time = life.start + s.between(low, high)
    if hand := _hand(s, k, fact, life, min(time, life.end - 200)):
        hand.pause = (min(hand.pause[0], 240.0), hand.pause[1]) if high <= HOUR else hand.pause
        hand.payload()


def at_deploy(s: Scene, k: Strike, fact: int) -> None:
    """Within minutes of a genuine rollout, at a replica that is new."""
    _after(s, k, fact, 20, 20 * MINUTE)


def delayed(s: Scene, k: Strike, fact: int) -> None:
    """Two to twenty-four hours after a genuine rollout, at one replica."""
    _after(s, k, fact, 2 * HOUR, 24 * HOUR)


def all_replicas(s: Scene, k: Strike, fact: int) -> None:
    """A poisoned queue: every replica within minutes."""
    first: Hand | None = None
    for life in s.cast.alive(k.time, HOUR):
        time = k.time + s.between(0, 10 * MINUTE)
        hand = like(first, life, time) if first else Hand(s, life, k.stealth, fact, time)
        hand.pause = (min(hand.pause[0], 120.0), hand.pause[1])
        if first is None:
            hand.payload()
            first = hand
            continue
        mine = [d for d in s.deeds if d.fact == fact and d.life == first.life.number]
        for d in mine:  # the same program does the same at each
            s.do(
                d.time - k.time + time - s.between(0, 30), life, d.act, fact=fact, count=d.count, out=d.out, into=d.into
            )


def prompt_residue(s: Scene, k: Strike, fact: int) -> None:
    """After a genuine change of a prompt the agent, misled, does now and then what nobody asked of it."""
    r = k.anchor
    assert r is not None
    time, hand = r.time + s.about(8 * HOUR, 1.2), None
    for _ in range(2 + int(s.rng.poisson(2.5))):
        life = s.someone(time, 300)
        if life is None:
            continue
        hand = like(hand, life, time) if hand else Hand(s, life, k.stealth, fact, time)
        if k.stealth == 0 and s.chance(0.5):
            hand.payload()
        else:
            hand.take() if s.chance(0.6) else None
            if k.stealth < 2 and s.chance(0.3):
                hand.execute(f"{s.p.tools}/{s.p.names.word()}")
                hand.back()
            hand.send(s.about((6e4, 2e4, 5e3)[k.stealth]))
        time += s.about(14 * HOUR, 1.0)


def tampered(s: Scene, k: Strike, fact: int) -> None:
    """A hostile package in a genuine release: at every replica of its revision, at the start and then now and then."""
    fresh = [x for x in s.cast.lives if k.anchor and x.revision == k.anchor.number and x.start < s.until - HOUR]
    first, secret = None, k.stealth < 2 and s.chance(0.7)
    package = Act(f"open:code:{s.p.library}/{s.p.names.word()}/*", s.p.lineage)
    period, wait = s.about((1, 6, 16)[k.stealth] * HOUR, 0.5), s.about((20, 900, 5 * HOUR)[k.stealth], 0.8)
    helper = (
        f"{s.p.library}/{package.path.split('/')[-2]}/bin/{s.p.names.word()}" if k.stealth < 2 and s.chance(0.4) else ""
    )
    for life in fresh:
        hand = like(first, life, life.start + 2) if first else Hand(s, life, k.stealth, fact, life.start + 2)
        first = first or hand
        hand.pause = (5.0, 0.5)
        hand.step(package)
        hand.time = life.start + wait * s.between(0.8, 1.2)
        if helper:
            hand.execute(helper)
        if secret:
            hand.step(Act(IDENTITY, hand.who))
        while hand.time < min(life.end, s.until):
            hand.send(s.about((8e4, 1.5e4, 4e3)[k.stealth], 0.6))
            hand.time += period * s.about(1, 0.3)


IDENTITY = "identity:token:/var/run/secrets/kubernetes.io/serviceaccount/token"


def poisoning(s: Scene, k: Strike, fact: int) -> None:
    """Begins while the workload is still learned, at one replica or at all, and goes on."""
    begin = max(START + HOUR, s.judged_from - s.between(2, 12) * DAY)
    slots = {x.slot for x in s.cast.alive(begin)}
    if slots and s.chance(0.6):
        slots = {sorted(slots)[int(s.rng.integers(len(slots)))]}
    first, secret, own = None, k.stealth < 2 and s.chance(0.5), f"{s.p.tools}/{s.p.names.word()}"
    period = s.about((8, 14, 30)[k.stealth] * HOUR, 0.3)
    for slot in sorted(slots):
        time = begin + s.between(0, period)
        while time < s.until:
            life = next((x for x in s.cast.alive(time) if x.slot == slot), None)
            if life is not None:
                hand = like(first, life, time) if first else Hand(s, life, k.stealth, fact, time)
                first = first or hand
                hand.pause = (20.0, 0.5)
                if k.stealth < 2:
                    hand.execute("/bin/sh" if k.stealth == 0 else own, "" if k.stealth == 0 else "upper")
                if secret:
                    hand.step(Act(IDENTITY, hand.who))
                hand.send(s.about((5e5, 4e4, 6e3)[k.stealth], 0.5))
            time += period * s.about(1, 0.3)


def forged(s: Scene, k: Strike, fact: int) -> None:
    """A deploy event of the attacker's own, then what it is to cover."""
    hand = _hand(s, k, fact)
    if hand is None:
        return
    hand.time += s.between(5, 600)
    before = len(s.deeds)
    hand.payload()
    shown = [d.act.behaviour for d in s.deeds[before:] if d.fact == fact]
    refused = ("sent by a workload", "bad signature", "")[int(s.rng.choice(3, p=(0.4, 0.35, 0.25)))]
    trust = "none"
    sender = hand.life.replica if refused == "sent by a workload" else None
    scope = tuple(dict.fromkeys(shown)) if s.chance(0.7) else ()
    kind, id_ = (
        s.p.names.pick(["image", "config", "tools", "prompt"]),
        f"{s.p.workload.rpartition('/')[2]}-{s.p.names.hex(8)}",
    )
    revision = hand.life.name if s.chance(0.7) else None
    source = s.p.names.pick(["http", "http", "folder"])
    s.deploys.append(
        Deploy(id_, round(k.time, 3), round(k.time + s.between(0.2, 4), 3), source, Workload(s.p.workload), kind, revision,
               s.p.names.pick(["ci", "release-bot", "agent"]), scope, trust, refused, sender)
    )  # fmt: skip


def lateral(s: Scene, k: Strike, fact: int) -> None:
    """From one replica to what else is in the cluster."""
    hand = _hand(s, k, fact)
    if hand is None:
        return
    n, many = (
        s.p.names,
        (int(s.rng.integers(15, 120)), int(s.rng.integers(4, 20)), int(s.rng.integers(1, 5)))[k.stealth],
    )
    if k.stealth == 0:
        hand.execute("/bin/sh")
        hand.execute(n.pick(["/usr/bin/nmap", "/usr/bin/nc", "/tmp/scan", "/usr/bin/python3"]), "upper")
        hand.pause = (0.5, 0.5)
    elif k.stealth == 1:
        hand.foothold()
        hand.pause = (120.0, 1.0)
    subnet = n.address(True).rpartition(".")[0]
    for host in s.rng.permutation(250)[:many].tolist():
        port = n.pick([22, 80, 443, 445, 2379, 3306, 5432, 6379, 8080, 9200, 10250])
        raw = k.stealth == 0 or (k.stealth == 1 and s.chance(0.5))
        name = f"{subnet}.{host + 1}" if raw else f"{n.word()}.core.svc.cluster.local"
        act = Act(f"egress:tcp:{name}:{port}", hand.who, f"{subnet}.{host + 1}")
        hand.step(act, out=s.about(300), into=s.about(400))
    if k.stealth < 2 and s.chance(0.4):
        hand.step(Act(f"ingress:tcp:{int(s.rng.integers(1025, 60000))}", hand.who, f"{subnet}.7"), into=2e3, out=9e3)


def web_shell(s: Scene, k: Strike, fact: int) -> None:
    """Code written into the workload, then run."""
    hand = _hand(s, k, fact)
    if hand is None:
        return
    n = s.p.names
    folder = n.pick(["/app", "/app/static", s.p.library, "/srv/www"])
    name, suffix = n.word(), {"python": "py", "node": "js", "java": "jar"}.get(s.p.main.rstrip("3.1"), "so")
    hand.step(
        Act(f"write:code:{folder}/{name}.{n.pick(['php', 'sh', suffix]) if k.stealth == 0 else suffix}", hand.who)
    )
    hand.time += s.about((30, HOUR, 6 * HOUR)[k.stealth])
    if k.stealth == 2:
        hand.step(Act(f"open:code:{folder}/*", hand.who))
        hand.send()
    else:
        hand.payload()


def escape(s: Scene, k: Strike, fact: int) -> None:
    """Out of the container: system calls that change where a process is, or the host's files where they show."""
    hand = _hand(s, k, fact)
    if hand is None:
        return
    if k.stealth == 0:
        hand.execute("/bin/sh")
    names = s.rng.permutation(list(CALLS)).tolist()[: (int(s.rng.integers(2, 5)), 1, 0)[k.stealth]]
    for name in names:
        hand.step(Act(f"syscall:{name}", hand.who), count=1 + int(s.rng.poisson(1)), calls=(CALLS[name],))
    paths = ["open:data:/proc/*/maps", "open:data:/proc/*/mountinfo", "open:data:/sys/fs/cgroup/*/release_agent",
             "open:data:/host/etc/hostname", "open:data:/proc/*/kallsyms", "open:data:/dev/vda"]  # fmt: skip
    for path in s.rng.permutation(paths).tolist()[: 1 + int(s.rng.poisson(1.2))]:
        hand.step(Act(path, hand.who))
    if s.chance(0.6):
        hand.send()


def new_binary(s: Scene, k: Strike, fact: int) -> None:
    """A program that no image brought."""
    hand = _hand(s, k, fact)
    if hand is None:
        return
    n = s.p.names
    if k.stealth == 0:
        hand.execute("/bin/sh")
        path, layer = f"{n.pick(['/tmp', '/var/tmp', '/dev/shm'])}/{n.pick(['.x', n.word(), n.word()])}", "upper"
    elif k.stealth == 1:
        memory = s.chance(0.6)
        path, layer = ("memfd:" + n.word(), "memfd") if memory else (f"/tmp/{n.word()}", "upper")
        if memory:
            hand.step(Act("syscall:memfd_create", hand.who), calls=(319,))
    else:
        path, layer = f"{s.p.tools}/{n.word()}", "upper"
    hand.execute(path, layer)
    if s.chance(0.4):
        hand.take()
    hand.send(times=1 + int(s.rng.poisson(1)))


def mining(s: Scene, k: Strike, fact: int) -> None:
    """Somebody else's work on these processors: a program and its pool, for hours."""
    hand = _hand(s, k, fact)
    if hand is None:
        return
    n = s.p.names
    if k.stealth == 0:
        hand.execute("/bin/sh")
        hand.execute(f"/tmp/{n.pick(['xmrig', 'kworkerd', n.word()])}", "upper")
    elif k.stealth == 1:
        hand.execute(f"{s.p.tools}/{n.word()}", "upper")
    end = min(hand.life.end, s.until, hand.time + s.about(14 * HOUR, 0.8))
    while hand.time < end:
        hand.send(s.about((2e5, 6e4, 1.5e4)[k.stealth], 0.3))
        hand.time += HOUR * s.about(1, 0.2)


Family = tuple[tuple[str, ...], Callable[[Scene, Strike, int], None]]
FAMILIES: dict[str, Family] = {  # name → changes that it hides behind, what it does
    "remote-code-execution": ((), remote_code),
    "at-deploy": (ROLLING, at_deploy),
    "delayed": (ROLLING, delayed),
    "all-replicas": ((), all_replicas),
    "credential-theft": ((), thefts.credentials),
    "sanctioned-channel": ((), thefts.sanctioned),
    "prompt-residue": (("prompt",), prompt_residue),
    "slow-drip": ((), thefts.drip),
    "tampered-dependency": (("image", "dependency"), tampered),
    "poisoning": ((), poisoning),
    "forged-deploy": ((), forged),
    "lateral-movement": ((), lateral),
    "web-shell": ((), web_shell),
    "escape": ((), escape),
    "new-binary": ((), new_binary),
    "data-staging": ((), thefts.staging),
    "mining": ((), mining),
}
