"""A finding to the events in which its story lies: as far back as its links point, and what of that could not be read.

What is read first is the time of its evidence and a little before; then more, while something that was read points to what is
not: the call of a tool whose model call is not there, a request that carries the result of an earlier one, a call that is not
over. So a tool that takes an hour is followed for an hour, and no figure here decides what belongs together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from classifier.links import chain
from classifier.links.linker import Linker
from classifier.links.memory import MOST, Memory
from classifier.links.reading import Call, Llm, place
from wire.records import Event, Replica

if TYPE_CHECKING:
    from classifier.classes.known import Known

BACK = (900.0, 3600.0, 4 * 3600.0)  # seconds before what is known to belong to it that are read, step by step
UNPOINTED = 2  # steps that are taken even where nothing points further back
ON = (60.0, 900.0, 3600.0)  # seconds behind its evidence, step by step
LONGEST = 3600.0  # seconds of what was counted that are read, its beginning
LIMIT = 20_000  # events that are read before the evidence, and as many behind; each replica and each span gets its part
LEAST = 1_500  # of a replica
REPLICAS = 16
SPANS = 8  # far apart, the earliest
SLACK = 1.0  # seconds by which an event may be dated before what it belongs to

Finding = Mapping[str, Any]  # as `finding_to_dict` writes it
Ran = Callable[[str, float, float], Iterable[Replica]]  # workload and span → its replicas


class Told(Protocol):
    """Events of a replica in a span, by time; where there are more than `limit`, the last so many."""

    def __call__(self, replica: Replica, start: float, end: float, limit: int, *, latest: bool) -> Sequence[Event]: ...


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted and that no event of its time shows."""

    behaviour: str
    first: float  # seconds
    last: float
    old: tuple[str, ...] = ()  # events of another time that show the same connection or file


@dataclass(slots=True)
class Reach:
    """What was read for a finding.

    Attributes:
        evidence: ids of its own time, and those that are not known.
        counted: of its deviations that no such event shows.
        start, end: seconds, of what was read; the same where nothing was.
    """

    evidence: list[str]
    counted: list[Counted]
    events: dict[str, Event]
    linker: Linker = field(default_factory=Linker)
    replicas: list[Replica] = field(default_factory=list)
    start: float = 0.0
    end: float = 0.0
    why: str = ""  # that it ended there
    lost: list[str] = field(default_factory=list)


def read(finding: Finding, told: Told, event: Callable[[str], Event | None], ran: Ran | None = None) -> Reach:
    """The events of a finding's replicas around its evidence.

    Args:
        finding: As plain values.
        told: Events of a replica in a span.
        event: One event by its id.
        ran: Replicas of a workload, asked where no event of the finding is kept.
    """
    ids = [str(i) for i in finding.get("evidence") or ()]
    known = {i: e for i in ids if (e := event(i)) is not None}
    reach = Reach(*_sorted(finding, ids, known), dict(known))
    for tool in known.values():  # its model call has an id, however long before it was
        asked = event(str(tool.data.get("llm") or "")) if tool.kind == "tool" else None
        if asked is not None:
            reach.events[asked.id] = asked
    _whose(reach, finding, known, ran)
    _around(reach, told)
    gone = len(ids) - len(known)
    reach.lost += [f"{gone} events of the finding are past their time"] * bool(gone)
    reach.lost = list(dict.fromkeys(reach.lost))
    return reach


def ran(known: Known, workload: str, start: float, end: float) -> list[Replica]:
    """Replicas of a workload that were observed in a span (seconds), the latest first."""
    envelope = known.envelopes.get(workload)
    exposures = envelope.ledger.exposures if envelope is not None else {}
    found = [(x.end, r) for r, x in exposures.items() if x.start <= end and x.end >= start]
    return [r for _, r in sorted(found, reverse=True)]


def span(finding: Finding) -> tuple[float, float]:
    """First and last of a finding's deviations, in seconds."""
    rows = finding.get("deviations") or ()
    first = min((float(d["first"]) for d in rows), default=float(finding.get("opened") or 0.0))
    return first, max((float(d["last"]) for d in rows), default=max(first, float(finding.get("updated") or 0.0)))


def _sorted(finding: Finding, ids: list[str], known: Mapping[str, Event]) -> tuple[list[str], list[Counted]]:
    """Evidence of now, and what only counters show.

    A connection or a file is told once per replica, so what grew on it later rests on an event of another day: it shows what
    was used, and not who used it this time.
    """
    rows = finding.get("deviations") or ()
    since = min((float(d["first"]) for d in rows), default=0.0)
    # Of two deviations the later one may rest on an event from before it, though the earlier had begun.
    began: dict[str, float] = {}
    for d in rows:
        began[d["behaviour"]] = min(float(d["first"]), began.get(d["behaviour"], float("inf")))
    old = [i for i, e in known.items() if e.time < began.get(e.behaviour or "", since) - SLACK]
    seen = {known[i].behaviour for i in ids if i in known and i not in old}
    counted = [
        Counted(str(d["behaviour"]), float(d["first"]), float(d["last"]),
                tuple(i for i in old if known[i].behaviour == d["behaviour"]))
        for d in rows if d["behaviour"] not in seen
    ]  # fmt: skip
    return [i for i in ids if i not in old], counted


def _whose(reach: Reach, finding: Finding, known: Mapping[str, Event], ran: Ran | None) -> None:
    found = list(dict.fromkeys(e.replica for e in known.values()))
    if not found and ran is not None:
        found = list(ran(str(finding.get("workload") or ""), *span(finding)))
    reach.replicas = found[:REPLICAS]
    if found[REPLICAS:]:
        reach.lost.append(f"{len(found) - REPLICAS} replicas of the finding were not looked at")


def _spans(reach: Reach) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Between what its story must lie: the events of its time with their model calls, and apart what was counted."""
    times = [reach.events[i].time for i in reach.evidence if i in reach.events]
    calls = [e.time for e in reach.events.values() if e.kind == "llm"]
    counted = [(c.first, min(c.last, c.first + LONGEST)) for c in reach.counted]
    return _apart((t, t) for t in (*times, *calls) if times), _apart(counted)


def _apart(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those that begin within `LONGEST` as one: a finding may be of several days, and they are not read through."""
    found: list[tuple[float, float]] = []
    for first, last in sorted(spans):
        if found and first - found[-1][0] <= LONGEST:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def _around(reach: Reach, told: Told) -> None:
    """Read around its evidence, and where that leads nowhere around what was counted."""
    spans, counted = _spans(reach)
    within = all(any(s[0] <= c[0] and c[1] <= s[1] + ON[0] for s in spans) for c in counted)
    if spans:
        _further(reach, told, spans)
    if counted and not any(chain.leads(reach.linker.graph, i) for i in reach.evidence):
        if not within:
            _further(reach, told, counted)
            spans = _apart([*spans, *counted])
        long = sum(c.last - c.first > LONGEST for c in reach.counted)
        reach.lost += [f"of {long} behaviours that were counted for longer, the first hour was read"] * bool(
            long and reach.replicas
        )
    if len(spans) > 1 and reach.replicas:
        reach.lost.append(f"what lies between {len(spans)} spans that are far apart was not read")
    if not spans and not counted:
        reach.why = "nothing of it has a time"


def _further(reach: Reach, told: Told, spans: list[tuple[float, float]]) -> None:
    """Read, step by step, until nothing points beyond what was read."""
    back = on = 0
    spans, left = spans[:SPANS], spans[SPANS:]
    while True:
        full, cut = _take(reach, told, [(a - BACK[back], a, b + ON[on]) for a, b in spans])
        before, behind = _open(reach)
        earlier = back + 1 < len(BACK) and not full and (bool(before) or (back + 1 < UNPOINTED and not _is_led(reach)))
        later = on + 1 < len(ON) and bool(behind)
        if not earlier and not later:
            break
        back, on = back + earlier, on + later
    reach.why = before or behind or "nothing that was read points further"
    many = _limit(reach, spans)
    reach.lost += [f"of {place(r)} only the last {many} events before it were read" for r in full]
    reach.lost += [f"of {place(r)} only the first {many} events from its beginning on were read" for r in cut]
    if left:
        reach.lost.append(f"{len(left)} more spans, the latest, were not read")


def _take(
    reach: Reach, told: Told, spans: list[tuple[float, float, float]]
) -> tuple[dict[Replica, None], dict[Replica, None]]:
    """Everything between the first and the last of each; replicas of which more lies before the middle, or behind it."""
    full: dict[Replica, None] = {}
    cut: dict[Replica, None] = {}
    many = _limit(reach, spans)
    for start, first, end in spans:
        for replica in reach.replicas:
            before = told(replica, start, first, many, latest=True)
            behind = told(replica, first, end, many, latest=False)
            reach.events |= {e.id: e for e in (*before, *behind)}
            full |= dict.fromkeys([replica] * (len(before) >= many))
            cut |= dict.fromkeys([replica] * (len(behind) >= many))
        reach.start, reach.end = min(reach.start or start, start), max(reach.end, end)
    # What is read is bounded here; the bounds of a linker that runs on would let go of the oldest, the evidence itself.
    reach.linker = Linker(Memory(dict.fromkeys(MOST, len(reach.events)))).add_all(reach.events.values())
    return full, cut


def _limit(reach: Reach, spans: Sequence[object]) -> int:
    return max(LEAST, LIMIT // max(1, len(reach.replicas))) // len(spans)


def _is_led(reach: Reach) -> bool:
    """Whether all evidence of now leads to a turn."""
    graph = reach.linker.graph
    mine = [i for i in reach.evidence if i in graph.facts]
    return bool(mine) and all(chain.leads(graph, i) for i in mine)


def _open(reach: Reach) -> tuple[str, str]:
    """What points to before what was read, and what to behind it, in words; "" where nothing does."""
    graph = reach.linker.graph
    found = chain.up(graph, (graph.stands.get(i, i) for i in reach.evidence))
    calls = [f for i in found if isinstance(f := graph.facts[i], Call) and f.kind == "tool"]
    middle = [f for i in found if isinstance(f := graph.facts[i], Llm) and f.results and i not in graph.talk.before]
    before = behind = ""
    if middle:
        before = "a turn began before what was read: its first request that is known carries a tool's result"
    elif any(graph.talk.asker(c) is None for c in calls):
        before = "a tool call's model call is not among what was read"
    if any(graph.talk.asker(c) is not None and graph.talk.bracket(c)[2] for c in calls):
        behind = "a tool call has no result in what was read"
    return before, behind
