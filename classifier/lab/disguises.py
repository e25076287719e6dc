"""Attacks that look like the workload's own life: in its prompt, its package, its past, or its announcements."""

from __future__ import annotations

from classifier.lab.acts import Act
from classifier.lab.hands import Hand, like
from classifier.lab.scene import Scene
from classifier.lab.strike import Strike, hand_of
from classifier.lab.world import DAY, HOUR, START
from wire.records import Deploy, Workload

IDENTITY = "identity:token:/var/run/secrets/kubernetes.io/serviceaccount/token"


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
    hand = hand_of(s, k, fact)
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
