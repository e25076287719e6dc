"""One look at an item: what a record shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from classifier.inventory.kinds import INFERRED, PROCESS, UNKNOWN, VERIFIED

LONGEST = 256  # characters of a name, a place or another value
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is seen of an item. `more` holds what only its kind has, e.g. the quantisation of weights."""

    kind: str
    name: str
    version: str = UNKNOWN
    basis: str = VERIFIED
    version_basis: str = UNKNOWN  # how the version is known
    place: str = ""  # folder, address
    lasts: str = PROCESS  # or USE
    more: Mapping[str, str] = field(default_factory=lambda: NOTHING)

    @property
    def key(self) -> str:
        """What tells two items apart. A version is a part of it: another version is another item."""
        return "\0".join((self.kind, self.name, self.version, self.place if self.kind in PLACED else ""))


PLACED = {"framework", "library", "skill", "prompt"}  # kinds of which two places may hold different ones of a name


def seen(kind: str, name: str, **values: object) -> Sighting:
    """A sighting with every text bounded.

    >>> len(seen("model", "x" * 9999).name)
    256
    """
    bounded = {k: cut(v) if isinstance(v, str) else v for k, v in values.items()}
    if isinstance(more := values.get("more"), Mapping):
        bounded["more"] = {k: cut(str(v)) for k, v in more.items() if v}
    return Sighting(kind, cut(name) or "-", **bounded)  # type: ignore[arg-type]


def guessed(kind: str, name: str, **values: object) -> Sighting:
    """A sighting that only a name or a port suggests."""
    return seen(kind, name, basis=INFERRED, **values)


def cut(text: str) -> str:
    """A text no longer than `LONGEST`."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
