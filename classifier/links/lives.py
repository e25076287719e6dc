"""Forks, execs and exits to processes: which life of a pid an event belongs to, and whose child it is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from classifier.links.reading import NEAR, Act

DEEP = 64  # generations
Key = tuple[str, int]  # node and pid


@dataclass(slots=True)
class Life:
    """One use of a pid."""

    key: Key
    start: float  # seconds; when it was first seen, if its fork was not
    parent: int = 0
    end: float = float("inf")
    forked: bool = False  # its start was seen
    execs: list[Act] = field(default_factory=list)


class Lives:
    """All lives of the pids that were seen.

    >>> from classifier.links.reading import Act
    >>> lives = Lives([Act("n/e/1", "fork", 1.0, "n", "n/1/0", 7, parent=3), Act("n/e/2", "exit", 2.0, "n", "n/1/0", 7)])
    >>> lives.at(("n", 7), 1.5).parent, lives.at(("n", 7), 9.0) is None
    (3, True)
    """

    def __init__(self, facts: Iterable[Act]) -> None:
        self._lives: dict[Key, list[Life]] = {}
        order = {"fork": 0, "exec": 1, "exit": 2}
        for fact in sorted(facts, key=lambda f: (f.time, order.get(f.kind, 1), f.id)):
            if fact.pid:
                self._take(fact)
        self._starts = {key: [life.start for life in lives] for key, lives in self._lives.items()}

    def at(self, key: Key, time: float) -> Life | None:
        """The life of a pid at a time; None where it is not known, or it was over."""
        lives = self._lives.get(key)
        if not lives:
            return None
        at = bisect_right(self._starts[key], time + NEAR) - 1
        if at < 0:
            # Its fork was not seen: the first that is known of it, unless that was a birth.
            return None if lives[0].forked else lives[0]
        return lives[at] if time <= lives[at].end + NEAR else None

    def path(self, key: Key, time: float) -> list[Life]:
        """A process and its ancestors, as far as they are known, innermost first."""
        found: list[Life] = []
        while len(found) < DEEP and (life := self.at(key, time)) is not None:
            found.append(life)
            key, time = (key[0], life.parent), life.start
            if not life.parent or any(known.key == key for known in found):
                break
        return found

    def owner(self, key: Key, time: float, wanted: set[Key]) -> tuple[Key | None, Life | None]:
        """The nearest process of `wanted` at or above this one, and the child of it on the way there."""
        if key in wanted:
            return key, None
        for life in self.path(key, time):
            above = key[0], life.parent
            if above in wanted:
                return above, life
        return None, None

    def _take(self, fact: Act) -> None:
        key = fact.node, fact.pid
        lives = self._lives.setdefault(key, [])
        last = lives[-1] if lives else None
        if fact.kind == "fork":
            if last is not None and last.end == float("inf"):
                last.end = fact.time  # its exit was lost
            lives.append(Life(key, fact.time, fact.parent, forked=True))
            return
        if last is None or last.end < fact.time:
            last = Life(key, fact.time, fact.parent)
            lives.append(last)
        if fact.kind == "exit":
            last.end = fact.time
            return
        if fact.parent and not last.forked:
            last.parent = fact.parent
        last.execs.append(fact)
