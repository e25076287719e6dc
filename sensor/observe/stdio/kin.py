"""A process to those it descends from, by /proc, remembered: the one that wrote may be gone when it is asked about."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

REMEMBERED = 8192  # processes
UP = 16  # generations


class Kin:
    """Who descends from whom.

    >>> kin = Kin(lambda pid: {7: 5, 5: 1}.get(pid))
    >>> kin.descends(7, 1), kin.descends(1, 7), kin.related(5, 7)
    (True, False, True)
    """

    def __init__(self, parent: Callable[[int], int | None] | None = None) -> None:
        self._parent = parent or parent_of
        self._known: OrderedDict[int, int] = OrderedDict()

    def note(self, pid: int) -> None:
        """A process was seen: keeps its parent, also when it was known, for its number may be another's by now."""
        parent = self._parent(pid)
        if parent is None:
            return
        self._known[pid] = parent
        self._known.move_to_end(pid)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def ancestors(self, pid: int) -> list[int]:
        """Parent, its parent and so on, as far as they are known; never process 1."""
        found: list[int] = []
        while len(found) < UP:
            if pid not in self._known:
                self.note(pid)
            above = self._known.get(pid, 0)
            if above <= 1 or above in found:
                break
            found.append(above)
            pid = above
        return found

    def descends(self, pid: int, of: int) -> bool:
        """Whether one was born by the other, or by its children."""
        return bool(of) and of in self.ancestors(pid)

    def related(self, one: int, other: int) -> bool:
        """Whether they are one, or one descends from the other."""
        return one == other or self.descends(one, other) or self.descends(other, one)


def parent_of(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Parent of a process; None where it is gone, or cannot be looked at."""
    try:
        return int((proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None
