"""Names of behaviours and of their owners to what is near them: who acts here, from which folders, with which hosts.

All of it follows from the items of an envelope, so no snapshot holds it. It is made when it is first asked, and kept up
from then on: a deviation is held against a thousand names without looking at one of them twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import TypeVar

from classifier.envelope.lineage import base, plain_lineage

K = TypeVar("K")


class Names:
    """Of all behaviours that an envelope has an item for."""

    __slots__ = ("_folders", "_hosts", "_nets", "_shelves", "doers", "images", "owners", "programs", "runs")

    def __init__(self) -> None:
        self.images: Counter[str] = Counter()  # image that acts → how many behaviours and owners name it
        self.doers: Counter[tuple[str, str]] = Counter()  # kind of behaviour, image → owners of such behaviours
        self.owners: set[str] = set()  # of programs
        self.programs: set[str] = set()  # base names
        self.runs: set[tuple[str, str]] = set()  # owner, folder of a program it runs
        self._shelves: Counter[tuple[str, str]] = Counter()  # top folder, parent → programs
        self._folders: dict[str, set[str]] = {}  # kind of behaviour → folders with all above them
        self._hosts: set[str] = set()  # last two and last three labels
        self._nets: dict[str, set[str]] = {}  # first three labels → last ones

    def add(self, behaviour: str) -> None:
        """One more behaviour, without its owners."""
        kind, _, rest = behaviour.partition(":")
        self._folders.setdefault(kind, set()).update(_upwards(_folders(kind, rest)) or [""])
        if kind == "exec":
            self._program(rest)
        elif kind == "egress" and (labels := _labels(rest)):
            self._hosts.update(".".join(labels[-n:]) for n in (2, 3) if len(labels) >= n)
            self._nets.setdefault(".".join(labels[:3]), set()).add(labels[-1])

    def _program(self, rest: str) -> None:
        path, _, parent = rest.partition("<")
        owner = plain_lineage(parent)
        self.owners.add(owner)
        self.programs.add(base(path))
        self.runs.add((owner, path.rpartition("/")[0]))
        _count(self.images, {base(path), owner} - {""}, 1)
        if path.startswith("/") and path.count("/") > 1:
            _count(self._shelves, [(_top(path), rest[i + 1 :]) for i, c in enumerate(rest) if c == "<"], 1)

    def owned(self, behaviour: str, before: Collection[str], now: Collection[str]) -> None:
        """The owners of a behaviour became others."""
        kind = behaviour.partition(":")[0]
        for trails, by in ((set(now).difference(before), 1), (set(before).difference(now), -1)):
            for trail in trails:
                chain = trail.split("<")
                _count(self.images, set(chain) - {""}, by)
                _count(self.doers, [(kind, chain[0])], by)

    def shelf(self, path: str, parent: str) -> int:
        """Programs that the same parent runs below the same top folder."""
        return self._shelves.get((_top(path), parent), 0) if path.count("/") > 1 else 0

    def folder(self, kind: str, rest: str) -> float:
        """Share of the folders of a path that known ones of its kind, or any opened or run, have too; 1 for the same folder.

        Args:
            rest: The behaviour without its kind.
        """
        known = [f for k, f in self._folders.items() if k in ("open", "exec") or k.startswith(kind)]
        folders = _folders(kind, rest)
        if not folders:
            return float(any("" in f for f in known))
        above = _upwards(folders)
        same = next((n for n in range(len(above), 0, -1) if any(above[n - 1] in f for f in known)), 0)
        return same / len(above)

    def host(self, rest: str) -> float:
        """How much of a peer's name, from the right, known ones share; the last two labels are the least.

        Args:
            rest: ``protocol:host:port``.
        """
        labels = _labels(rest)
        if labels[-1].isdigit():
            return 0.5 if self._nets.get(".".join(labels[:3]), set()) - {labels[-1]} else 0.0
        same = next((n for n in (3, 2) if len(labels) >= n and ".".join(labels[-n:]) in self._hosts), 0)
        return 0.0 if same < 2 else min(1.0, 0.4 + 0.3 * (same - 1))


def _count(table: Counter[K], keys: Iterable[K], by: int) -> None:
    for key in keys:
        table[key] += by
        if not table[key]:
            del table[key]


def _top(path: str) -> str:
    return path.split("/", 2)[1]


def _folders(kind: str, rest: str) -> list[str]:
    path = rest.partition("<")[0] if kind == "exec" else rest.partition(":")[2]
    return path.split("/")[1:-1]


def _upwards(folders: list[str]) -> list[str]:
    """Each folder with those above it, the top one first."""
    return ["/".join(folders[:n]) + "/" for n in range(1, len(folders) + 1)]


def _labels(rest: str) -> list[str]:
    parts = rest.split(":", 2)
    return parts[1].split(".") if len(parts) > 1 else [""]
