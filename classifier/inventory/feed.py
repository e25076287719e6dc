"""What a workload says of itself beside what was seen of it: calls told twice become one, contradictions are kept, silence shows.

| a call that was told | is the one that was seen, by |
|---|---|
| has the same response id | id |
| has the same trace, and its span holds it in time | trace |
| is for the same model and at the same time; of several, that which began nearest | time and model |
| is the only one at that time | time |

What was seen is believed: a call that was told and seen adds nothing to the inventory. Where the two differ in model, host
or tools, or where the sender calls itself what the kernel does not, that is a conflict: kept here, and handed on once
(`news`) for a finding (classifier/drift/contradiction.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from classifier.envelope.state import stored
from classifier.inventory.compared import ID, METHODS, TIME, differences, method
from wire.records import Event, Replica

SELF_TOLD = "otlp"
SEEN, WAITING, TOOLS = 256, 64, 512  # calls, calls, tool calls that are compared
COMPARED = frozenset("response_id traceparent began ended model_asked model_answered host answer calls".split())
SHOWN = COMPARED | frozenset("api system prompt tools source basis image lineage".split())
LONGEST = 2048  # characters of a list of tool calls that is compared
RECENT, SILENCES = 16, 32
GRACE = 30.0  # seconds for which a call that was told waits to be seen, where calls of its replica are
COVERED = 86_400.0  # seconds after a call was seen for which that is so
KINDS = 16  # of conflicts
NEWS = 64  # conflicts that wait to be handed on; the rest is counted
CLAIM = 200  # characters of what was told


@stored
@dataclass(slots=True)
class Conflict:
    """What was told and what was seen."""

    time: float  # seconds
    what: str  # "model_asked", "model_answered", "host", "tools", or the attribute by which a sender misnames itself
    told: str
    seen: str
    by: str  # how the two were known to be one call: "id", "trace", "time"; "kernel" for a sender
    claim: str  # id of the event that was told
    evidence: str  # id of the event that was seen; "" for a sender
    replica: Replica | None = None


@stored
@dataclass(slots=True)
class Silence:
    """A span in which a replica ran, had told of itself before, and told nothing."""

    replica: Replica
    since: float  # seconds; the last that it told
    until: float | None = None  # None: still
    calls: int = 0  # that were seen meanwhile, in any way


@stored
@dataclass(slots=True)
class Feed:
    """The telemetry of one workload."""

    told: int = 0  # model calls
    matched: int = 0  # of them, seen as well
    conflicts: dict[str, int] = field(default_factory=dict)  # what → how often
    recent: list[Conflict] = field(default_factory=list)
    seen: dict[str, Event] = field(default_factory=dict)  # calls that were seen and not matched yet
    waiting: dict[str, Event] = field(default_factory=dict)  # calls that were told and may be seen yet
    early: dict[str, Event] = field(
        default_factory=dict
    )  # the same, of replicas of which no call was seen: evidence already
    tools: dict[str, str] = field(default_factory=dict)  # id of a tool call that was seen → tool
    covered: dict[Replica, float] = field(default_factory=dict)  # when a call of it was last seen
    last: dict[Replica, float] = field(default_factory=dict)  # when it last told something
    silences: list[Silence] = field(default_factory=list)
    tool_events: dict[str, str] = field(default_factory=dict)  # id of a tool call that was seen → id of its event
    fresh: list[Conflict] = field(default_factory=list)  # not handed on yet

    # events -----------------------------------------------------------------------------------------------------------

    def take(self, event: Event) -> bool:
        """An event of the application layer; whether it is evidence of its own now."""
        if event.data.get("source") != SELF_TOLD:
            self._see(event)
            return True
        self._heard(event)
        if event.kind == "tool":
            return self._tool(event)
        if event.kind != "llm" or event.data.get("role") == "server":
            return True
        self.told += 1
        return not self._claim(event)

    def due(self, time: float) -> Iterator[Event]:
        """Calls that were told and that nobody saw in time: then what was told is all there is."""
        for id_ in [id_ for id_, e in self.early.items() if e.time + GRACE <= time]:
            del self.early[id_]
        for id_ in [id_ for id_, e in self.waiting.items() if e.time + GRACE <= time]:
            yield self.waiting.pop(id_)

    def news(self) -> list[Conflict]:
        """Conflicts that were not handed on yet."""
        found, self.fresh = self.fresh, []
        return found

    def _see(self, event: Event) -> None:
        if event.kind == "tool" and (id_ := event.data.get("id")):
            _bounded(self.tools, str(id_), str(event.data.get("name", "")), TOOLS)
            _bounded(self.tool_events, str(id_), event.id, TOOLS)
        if event.kind != "llm" or event.data.get("role") == "server":
            return
        self.covered[event.replica] = max(event.time, self.covered.get(event.replica, event.time))
        self._call_in_silence(event.replica)
        told = self.waiting | self.early
        found = _twin(event, told)
        if found is not None:
            self._one(told[found.id], event, found)
            for held in (self.waiting, self.early):
                held.pop(found.id, None)
        else:
            _bounded(self.seen, event.id, _slim(event, COMPARED), SEEN)

    def _claim(self, event: Event) -> bool:
        """Whether a call that was told was seen, or may be yet."""
        found = _twin(event, self.seen)
        if found is not None:
            self._one(event, self.seen.pop(found.id), found)
            return True
        if event.time > self.covered.get(event.replica, float("-inf")) + COVERED or len(self.waiting) >= WAITING:
            _bounded(self.early, event.id, _slim(event, COMPARED), WAITING)
            return False
        self.waiting[event.id] = _slim(event, SHOWN)
        return True

    def _tool(self, event: Event) -> bool:
        """A tool call that was told; one that was seen under another name contradicts it."""
        id_ = str(event.data.get("id", ""))
        seen = self.tools.get(id_)
        name = str(event.data.get("name", ""))
        if seen is not None and seen != name:
            found = self.tool_events.get(id_, "")
            self._conflict(Conflict(event.time, "tool", name, seen, ID, event.id, found, event.replica))
        return seen is None

    def _one(self, told: Event, seen: Event, found: Twin) -> None:
        self.matched += 1
        for what, a, b in differences(told.data, seen.data) if found.sure else ():
            self._conflict(Conflict(told.time, what, a, b, found.by, told.id, seen.id, told.replica))

    def _heard(self, event: Event) -> None:
        names = _claims(event.data.get("claims"))
        for what in str(event.data.get("conflict", "")).split()[:KINDS]:
            told, known = names.get(what, (str(event.data.get("service", "")), ""))
            self._conflict(Conflict(event.time, what, told, known, "kernel", event.id, "", event.replica))
        self.last[event.replica] = max(event.time, self.last.get(event.replica, event.time))
        for silence in self.silences:
            if silence.replica == event.replica and silence.until is None and event.time > silence.since:
                silence.until = event.time

    def _conflict(self, conflict: Conflict) -> None:
        if conflict.what in self.conflicts or len(self.conflicts) < KINDS:
            self.conflicts[conflict.what] = self.conflicts.get(conflict.what, 0) + 1
            self.fresh = [*self.fresh, conflict][:NEWS]
        self.recent = [*self.recent, conflict][-RECENT:]

    # silence ----------------------------------------------------------------------------------------------------------

    def runs(self, replica: Replica, until: float, *, calls: bool, patience: float) -> None:
        """A replica was active until then, and perhaps asked a model; `patience`: seconds after which it should have told."""
        last = self.last.get(replica)
        if last is None:
            return
        if until - last > patience and not any(s.replica == replica and s.until is None for s in self.silences):
            self.silences = [*self.silences, Silence(replica, last)][-SILENCES:]
        if calls:
            self._call_in_silence(replica)

    def ended(self, replica: Replica, time: float) -> None:
        """The replica is gone, and silent with reason."""
        for held in (self.last, self.covered):
            held.pop(replica, None)
        for silence in self.silences:
            if silence.replica == replica and silence.until is None:
                silence.until = time

    def adopt(self, other: Feed) -> None:
        """What was told before anybody named the replica's owner."""
        self.told += other.told
        self.matched += other.matched
        for what, count in other.conflicts.items():
            self.conflicts[what] = self.conflicts.get(what, 0) + count
        self.recent = [*other.recent, *self.recent][-RECENT:]
        self.fresh = [*other.fresh, *self.fresh][:NEWS]
        self.silences = [*other.silences, *self.silences][-SILENCES:]
        for mine, theirs in ((self.last, other.last), (self.covered, other.covered)):
            mine.update(theirs)
        self.waiting.update(other.waiting)
        for mine, theirs, most in (
            (self.seen, other.seen, SEEN),
            (self.tools, other.tools, TOOLS),
            (self.tool_events, other.tool_events, TOOLS),
        ):
            for key, value in theirs.items():
                _bounded(mine, key, value, most)

    def _call_in_silence(self, replica: Replica) -> None:
        for silence in self.silences:
            if silence.replica == replica and silence.until is None:
                silence.calls += 1


@dataclass(frozen=True, slots=True)
class Twin:
    """The other telling of a call."""

    id: str
    by: str
    sure: bool  # False: others would do as well, so nothing is concluded from a difference


def _twin(event: Event, others: dict[str, Event]) -> Twin | None:
    """The other telling of a call; None where there is none."""
    found = [
        (METHODS.index(by), abs(_began(event) - _began(other)), id_)
        for id_, other in others.items()
        if other.replica == event.replica and (by := method(event.data, other.data)) is not None
    ]
    if not found:
        return None
    rank, _, id_ = min(found)
    sure = sum(r == rank for r, _, _ in found) == 1
    return Twin(id_, METHODS[rank], sure) if sure or METHODS[rank] != TIME else None


def _slim(event: Event, names: frozenset[str]) -> Event:
    """An event with no more than what is needed of it: it is kept for a while, and in snapshots."""
    data = {name: value for name, value in event.data.items() if name in names}
    if len(str(data.get("calls", ""))) > LONGEST:
        data.pop("calls")
        data.pop("answer", None)
    return replace(event, data=data)


def _claims(value: object) -> dict[str, tuple[str, str]]:
    """What a sender called itself and what the kernel calls it, by attribute.

    >>> _claims('[["k8s.pod.name", "pay-1", "cart-1"]]')
    {'k8s.pod.name': ('pay-1', 'cart-1')}
    """
    try:
        rows = json.loads(value) if isinstance(value, str) else []
    except (ValueError, RecursionError):
        return {}
    rows = [r for r in rows if isinstance(r, list) and len(r) == 3] if isinstance(rows, list) else []
    return {str(what): (str(told)[:CLAIM], str(known)[:CLAIM]) for what, told, known in rows[:KINDS]}


def _began(event: Event) -> float:
    began = event.data.get("began")
    return float(began) if isinstance(began, int | float) else event.time


def _bounded(held: dict[str, Any], key: str, value: Any, most: int) -> None:
    held[key] = value
    if len(held) > most:
        del held[next(iter(held))]
