"""One attack that is to happen, and where it can begin."""

from __future__ import annotations

from dataclasses import dataclass

from classifier.lab.hands import Hand
from classifier.lab.lives import Life
from classifier.lab.rollouts import Rollout
from classifier.lab.scene import Scene
from classifier.lab.world import DAY, HOUR


@dataclass(slots=True)
class Strike:
    """One attack that is to happen."""

    family: str
    stealth: int
    time: float
    anchor: Rollout | None  # the genuine change that it hides behind


def hand_of(s: Scene, k: Strike, fact: int, life: Life | None = None, time: float = 0.0) -> Hand | None:
    """The attacker at a replica: a given one, or any that lives long enough; None if nobody is there."""
    time = time or k.time
    life = life or s.someone(time, (600, 4 * HOUR, 8 * HOUR)[k.stealth]) or s.someone(time)
    return Hand(s, life, k.stealth, fact, time) if life else None


def fresh_of(s: Scene, k: Strike) -> list[Life]:
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
