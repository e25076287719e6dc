"""Attacks that take data or credentials: mostly through what the workload does anyway."""

from __future__ import annotations

from classifier.lab.acts import Act, Habit
from classifier.lab.hands import IDENTITIES, METADATA, Hand
from classifier.lab.lives import Life
from classifier.lab.scene import Scene
from classifier.lab.strike import Strike
from classifier.lab.world import DAY, HOUR, START


def credentials(s: Scene, k: Strike, fact: int) -> None:
    """An identity is read and used."""
    life = s.someone(k.time, 2 * HOUR)
    if life is None:
        return
    hand, n = Hand(s, life, k.stealth, fact, k.time), s.p.names
    if k.stealth == 0:
        hand.foothold()
    if k.stealth < 2:
        for _ in range(1 + int(s.rng.poisson(0.7))):
            if s.chance(0.3):
                hand.step(Act(f"identity:metadata:{METADATA}", hand.who, METADATA), out=300, into=1500)
            else:
                hand.step(Act(n.pick(IDENTITIES), hand.who))
    else:  # what lies in a configuration file of the workload itself
        hand.step(Act(f"open:config:/app/{n.word()}.{n.pick(['yaml', 'json'])}", hand.who))
    if s.chance(0.6):
        domain = n.domain() if k.stealth < 2 or not s.p.owners else n.pick(s.p.owners)
        host = f"{n.pick(['sts', 'iam', 'storage', 'vault'])}.{domain}"
        hand.step(s.p.peer(host, 443, hand.who), out=s.about(3e3), into=s.about(5e3))
    if s.chance(0.5):
        hand.send(s.about((2e4, 6e3, 2e3)[k.stealth]))


def _learned(s: Scene) -> Habit:
    """A peer that the workload sends to anyway; the one that takes most, mostly."""
    talks = [h for h in s.p.habits if h.act.kind == "egress" and not h.act.behaviour.startswith("egress:udp")]
    talks.sort(key=lambda h: -h.out)
    return talks[0] if s.chance(0.6) else talks[int(s.rng.integers(len(talks)))]


def _usual(s: Scene, h: Habit, time: float, life: Life) -> float:
    """Bytes of a busy hour of a habit."""
    return max(h.rate * (1.0 if h.hourly else max(s.p.requests, 1.0)) * h.out, 2e3)


def sanctioned(s: Scene, k: Strike, fact: int) -> None:
    """Much more than usual through a learned peer, at an odd time or in the usual one; of a support agent, FX-1."""
    h = _learned(s)
    time = k.time
    if h.when and s.chance((0.1, 0.3, 0.7)[k.stealth]):  # in the hour in which it is expected
        week = 168 * HOUR
        time = START + (time - START) // week * week + h.when[0] * HOUR + s.between(60, 3000)
    elif k.stealth == 0 and s.chance(0.6):  # at night
        time = START + (time - START) // DAY * DAY + s.between(0, 5 * HOUR)
    life = s.someone(time, 3 * HOUR)
    if life is None:
        return
    who = s.p.lineage
    if k.stealth == 0 and s.chance(0.4):
        who = f"{s.p.names.pick(['curl', 'sh', 'python3', 'rclone'])}<{who}"
    elif k.stealth == 2:
        who = h.act.lineage
    act = Act(h.act.behaviour, who, h.act.address)
    factor = (s.between(10, 50), s.between(3, 12), s.between(1.5, 4))[k.stealth]
    size, parts = (
        _usual(s, h, time, life) * factor,
        (1, 1 + int(s.rng.poisson(1)), 1 + int(s.rng.poisson(3)))[k.stealth],
    )
    reads = [x for x in s.p.habits if x.act.kind == "egress" and x.into > x.out and not x.when]
    for part in range(parts):
        when = time + part * HOUR * s.between(0.8, 1.5)
        if reads and s.chance(0.6):  # it has to be read first
            r = max(reads, key=lambda x: x.into)
            n = max(1, int(size / parts / r.into))
            s.do(when - 90, life, r.act, fact=fact, count=n, out=n * r.out, into=n * r.into)
        count = 1 if k.stealth == 0 else max(1, int(size / parts / max(h.out, 1)))
        s.do(when, life, act, fact=fact, count=count, out=size / parts, into=2e3, grams=(20, 3, 0)[k.stealth])


def drip(s: Scene, k: Strike, fact: int) -> None:
    """Little at a time for weeks: a small thing every day or two, or each day some per cent more."""
    if s.chance(0.5):
        _more_each_day(s, k, fact)
        return
    hand, time = None, min(k.time, s.until - 9 * DAY)
    time = max(time, s.judged_from + HOUR)
    slot = None
    while time < s.until - HOUR:
        alive = s.cast.alive(time)
        life = next((x for x in alive if x.slot == slot), alive[0] if alive else None)
        if life is not None:
            slot = life.slot
            host, address = (hand.host, hand.address) if hand else ("", "")
            hand = Hand(s, life, k.stealth, fact, time, host=host, address=address, pause=(60.0, 0.5))
            if s.chance(0.4):
                hand.step(Act(f"open:data:{s.p.data}/{s.p.names.word()}/{s.p.names.word()}.csv", hand.who))
            if k.stealth == 0 and s.chance(0.5):
                hand.execute("/usr/bin/curl")
            hand.send(s.about((9e4, 2e4, 4e3)[k.stealth]))
        time += s.between(30, 60) * HOUR


def _more_each_day(s: Scene, k: Strike, fact: int) -> None:
    """A learned peer gets two to four per cent more each day; three times that if nobody cares to hide it."""
    h = _learned(s)
    begin = min(k.time, s.until - 12 * DAY)
    begin = max(begin, s.judged_from + HOUR)
    rate = s.between(0.02, 0.04) * (3, 1.5, 1)[k.stealth]
    for hour in range(int((s.until - begin) // HOUR)):
        time = begin + hour * HOUR + 1
        more = (1 + rate) ** (hour / 24) - 1
        if h.when and int((time - START) // HOUR) % 168 not in h.when:
            continue
        for life in s.cast.alive(time, 60):
            count = max(1, int(h.rate * (1 if h.hourly else s.p.requests * 0.5) * more))
            s.do(time + s.between(0, 3000), life, h.act, fact=fact, count=count, out=count * h.out, into=count * h.into)


def staging(s: Scene, k: Strike, fact: int) -> None:
    """Data is gathered into an archive, which leaves by a channel that is allowed."""
    life = s.someone(k.time, 6 * HOUR)
    if life is None:
        return
    hand, n = Hand(s, life, k.stealth, fact, k.time), s.p.names
    if k.stealth == 0:
        hand.execute("/bin/sh")
    for _ in range(2 + int(s.rng.poisson((8, 4, 2)[k.stealth]))):
        hand.step(Act(f"open:data:{s.p.data}/{n.word()}/{n.word()}.{n.pick(['csv', 'db', 'parquet'])}", hand.who))
    if k.stealth == 0:
        hand.execute(n.pick(["/usr/bin/tar", "/usr/bin/zip", "/bin/gzip"]))
    folder = ("/tmp", s.p.data, "/var/cache/app")[k.stealth]
    hand.step(Act(f"write:data:{folder}/{n.word()}.{n.pick(['tar.gz', 'zip', 'bin'])}", hand.who))
    h = _learned(s)
    size = s.about((2e7, 2e6, 2e5)[k.stealth], 1.0)
    for _ in range((1, 1 + int(s.rng.poisson(1)), 2 + int(s.rng.poisson(3)))[k.stealth]):
        hand.step(Act(h.act.behaviour, hand.who, h.act.address), out=size / (1, 1.5, 4)[k.stealth], into=3e3)
