"""Items of which two records show a half each to one item, replica by replica.

Code of a package is opened without a version, and the version is read beside it; a tool server is started under a name
and says a version of its own; a file that steers an agent is opened, and what stands in it is told moments later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from classifier.inventory.content import EDITED
from classifier.inventory.items import EVIDENCE, OWN, added
from classifier.inventory.kinds import INFERRED, PACKAGES, UNKNOWN, VERIFIED
from classifier.inventory.servers import stem

if TYPE_CHECKING:
    from classifier.inventory.history import Held, Past, Span


def joined(items: Iterable[Past]) -> list[Past]:
    """Items of which two records show a half each made one."""
    better: dict[tuple[str, ...], list[Past]] = {}
    halves, out = [], []
    for item in items:
        meeting = _meeting(item)
        if meeting is None:
            out.append(item)
        elif _is_half(item):
            halves.append(item)
        else:
            better.setdefault(meeting, []).append(item)
    for half in halves:
        meeting = _meeting(half) or ()
        join = _edited if half.kind in EDITED else _completed
        better[meeting], left = join(half, better.get(meeting, []))
        if left.held or left.past:
            out.append(left)
    return out + [whole for group in better.values() for whole in group]


def _meeting(item: Past) -> tuple[str, ...] | None:
    """What two halves of an item share; None where there are none."""
    if item.kind in (*PACKAGES, *EDITED):
        return item.kind, item.name, item.place
    if item.kind == "mcp" and item.more.get("transport") == "stdio":
        return item.kind, stem(item.name)
    return None


def _is_half(item: Past) -> bool:
    """Code without its version, a start without what the server said."""
    return item.version == UNKNOWN if item.kind in (*PACKAGES, *EDITED) else item.basis == INFERRED


def _completed(half: Past, wholes: list[Past]) -> tuple[list[Past], Past]:
    """Versions with the code that was opened beside them, and the code of which none is known."""
    out = []
    for whole in wholes:
        both, half = _both(whole, half)
        out.append(both)
    return out, half


def _edited(half: Past, versions: list[Past]) -> tuple[list[Past], Past]:
    """A file that was open, and what stood in it when: each version while it was, and the file where none is known.

    The first version holds since the file was opened: it is read moments later.
    """
    first: dict[str, float] = {}
    for h in (h for v in versions for h in v.held):
        first[h.replica] = min(h.spans[0][0], first.get(h.replica, h.spans[0][0]))
    opened = {h.replica: h for h in half.held if h.replica in first}
    out = []
    for version in versions:
        held = [_while_open(h, opened[h.replica], first[h.replica]) for h in version.held if h.replica in opened]
        held += [h for h in version.held if h.replica not in opened]
        kept = tuple(h for h in held if h.spans)
        if kept or version.past:
            starts = [h.spans[0][0] for h in kept] + [s for s, _ in version.past]
            out.append(replace(version, held=kept, first=min(starts), more=half.more | version.more))
    left = tuple(h for h in half.held if h.replica not in opened)
    return out, replace(half, held=left, past=half.past if left or not out else ())


def _while_open(version: Held, file: Held, first: float) -> Held:
    """The spans of a version in which the file was open; its first one begins with it."""
    opened = file.spans[0][0]
    mine = [(min(s, opened) if s == first else s, e) for s, e in version.spans]
    spans = [cut for a in mine for b in file.spans if (cut := _common(a, b)) is not None]
    return replace(version, spans=tuple(spans), evidence=added(file.evidence[:1], version.evidence, OWN))


def _common(a: Span, b: Span) -> Span | None:
    """What two spans share."""
    ends = [e for e in (a[1], b[1]) if e is not None]
    start, end = max(a[0], b[0]), min(ends, default=None)
    return (start, end) if end is None or start < end else None


def _both(known: Past, code: Past) -> tuple[Past, Past]:
    """A version with the code of the replicas that read it, and the code that is left."""
    own = {h.replica for h in known.held}
    mine = {h.replica: h for h in code.held if h.replica in own}
    if not mine and (code.held or not known.past):
        return known, code
    held = tuple(_opened(h, mine[h.replica]) if h.replica in mine else h for h in known.held)
    left = tuple(h for h in code.held if h.replica not in mine)
    both = replace(
        known,
        basis=VERIFIED,
        more=code.more | known.more,
        first=min([known.first, *(h.spans[0][0] for h in mine.values())]),
        last=max(known.last, code.last),
        count=known.count + code.count,
        evidence=added(known.evidence, code.evidence, EVIDENCE),
        held=held,
    )
    return both, replace(code, held=left, past=code.past if left else ())


def _opened(version: Held, code: Held) -> Held:
    """It is there while the code is, whenever its version was read."""
    return replace(version, spans=code.spans, evidence=added(version.evidence[:1], code.evidence, OWN))
