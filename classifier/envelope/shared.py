"""Equal sets, numbers and texts to one object: most behaviours were seen on the same days, by the same owners and replicas.

An envelope has thousands of such sets and a few dozen different ones. Nothing follows from what is shared here, so no
snapshot holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import TypeVar

H = TypeVar("H", bound=Hashable)
T = TypeVar("T")


class Shared:
    """What many have.

    >>> s = Shared()
    >>> s.one({1, 2}) is s.one([2, 1])
    True
    """

    __slots__ = ("_equal", "_grown", "_known", "_places")

    def __init__(self) -> None:
        self._equal: dict[Hashable, Hashable] = {}
        self._known: dict[frozenset, frozenset] = {}
        self._grown: dict[tuple[frozenset, object], frozenset] = {}
        self._places: dict[tuple[str, ...], dict[str, int]] = {}

    def rest(self) -> None:
        """A day is over: what grows on the next one is another, and all replicas are awake."""
        self._grown.clear()
        self.leave()

    def leave(self) -> None:
        """Replicas have gone, and with them many an order of names: whoever has one keeps it."""
        self._places.clear()

    def same(self, value: H) -> H:
        """The one that stands for all equal numbers, or texts."""
        return self._equal.setdefault(value, value)  # type: ignore[return-value]

    def one(self, some: Collection[T]) -> frozenset[T]:
        """The one that stands for all equal ones."""
        known = frozenset(some)
        return self._known.setdefault(known, known)

    def places(self, names: Iterable[str]) -> dict[str, int]:
        """Name → its place among these, in their order. Not to be changed."""
        known = tuple(names)
        found = self._places.get(known)
        if found is None:
            found = self._places[known] = {self.same(name): place for place, name in enumerate(known)}
        return found

    def grown(self, some: Collection[T], more: T, bound: Callable[[frozenset[T]], frozenset[T]]) -> frozenset[T]:
        """With one more, and bounded."""
        known = frozenset(some)
        found = self._grown.get((known, more))
        if found is None:
            found = self._grown[known, more] = self.one(bound(known | {more}))
        return found
