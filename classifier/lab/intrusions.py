"""Attacks from outside: somebody comes in at a replica and goes to work."""

from __future__ import annotations

from classifier.lab.acts import Act
from classifier.lab.hands import Hand, like
from classifier.lab.scene import Scene
from classifier.lab.strike import Strike, fresh_of, hand_of
from classifier.lab.world import HOUR

MINUTE = 60.0
CALLS = {"ptrace": 101, "mount": 165, "unshare": 272, "setns": 308, "bpf": 321, "process_vm_readv": 310}


def remote_code(s: Scene, k: Strike, fact: int) -> None:
    """At any time, at one replica."""
    if hand := hand_of(s, k, fact):
        hand.payload()


def _after(s: Scene, k: Strike, fact: int, low: float, high: float) -> None:
    fresh = fresh_of(s, k)
    if not fresh:
        remote_code(s, k, fact)
        return
    life = fresh[int(s.rng.integers(min(len(fresh), 3)))]
    time = life.start + s.between(low, high)
    if hand := hand_of(s, k, fact, life, min(time, life.end - 200)):
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


def lateral(s: Scene, k: Strike, fact: int) -> None:
    """From one replica to what else is in the cluster."""
    hand = hand_of(s, k, fact)
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
    hand = hand_of(s, k, fact)
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
    hand = hand_of(s, k, fact)
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
    hand = hand_of(s, k, fact)
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
    hand = hand_of(s, k, fact)
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
