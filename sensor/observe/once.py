"""What was asked for once, by replica: bounded, and gone with its replica."""

from __future__ import annotations

from collections.abc import Hashable

from wire.records import Replica


class Once:
    """Keys of replicas.

    Args:
        most: Keys of all replicas; past that none is new.

    >>> seen = Once(100)
    >>> seen.add(Replica("n1", 1), "a")
    >>> seen.is_new(Replica("n1", 1), "a"), seen.is_new(Replica("n1", 2), "a")
    (False, True)
    """

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._keys: dict[Replica, set[Hashable]] = {}

    def is_new(self, replica: Replica, key: Hashable) -> bool:
        """Whether it was not added, and there is room for it."""
        return self._held < self._most and key not in self._keys.get(replica, ())

    def add(self, replica: Replica, key: Hashable) -> None:
        """One that is new."""
        self._keys.setdefault(replica, set()).add(key)
        self._held += 1

    def forget(self, replica: Replica) -> None:
        """A replica has ended."""
        self._held -= len(self._keys.pop(replica, ()))
