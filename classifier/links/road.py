"""A finding to what set it off, and how sure that is: the one road, for the command, the audit trail and the lab.

Links decide: whatever of the evidence leads to a single turn says which. Only where no evidence of the finding's own time leads
anywhere, because counters have no ids, the calls that were under way while it was counted are asked; that is said, and never
called captured. The same events give the same answer: no clock, no I/O of its own, no window of so many seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from classifier.links import chain as chains
from classifier.links.edges import AMBIGUOUS, INFERRED, NOT_CAPTURED, TIME, Chain, Trigger
from classifier.links.linker import Graph
from classifier.links.reach import Counted, Finding, Ran, Reach, Told, read
from classifier.links.reading import Act, place
from classifier.links.tools import Span
from wire.records import Event

CAPTURED = "captured"
STATES = (CAPTURED, INFERRED, AMBIGUOUS, NOT_CAPTURED)
EVIDENCE = "evidence"  # by links that lead from its evidence; else TIME
CALLS = ("llm", "tool", "mcp")
POSSIBLE = 16
NAMED = 3
CLOCK = 0.005  # seconds: error of two buffers of one node


@dataclass(frozen=True, slots=True)
class Road:
    """What set a finding off, and by what that is known."""

    state: str  # of STATES
    by: str  # EVIDENCE or TIME
    chain: Chain  # its trigger is this road's
    why: str = ""
    possible: tuple[str, ...] = ()  # events that could each be it, the likeliest first; where it is ambiguous
    also: tuple[str, ...] = ()  # first events of other turns that its evidence leads to as well
    error: float | None = None  # seconds; None: time had no part


def road(
    finding: Finding, told: Told, event: Callable[[str], Event | None], ran: Ran | None = None
) -> tuple[Road, Reach]:
    """What set a finding off, and what was read to know it.

    Args:
        finding: As plain values.
        told: Events of a replica in a span.
        event: One event by its id.
        ran: Replicas of a workload, asked where no event of the finding is kept.
    """
    reach = read(finding, told, event, ran)
    return decided(reach), reach


def decided(reach: Reach) -> Road:
    """What the events say; the strongest first: links that leave no choice, links that do, time."""
    graph, evidence = reach.linker.graph, reach.evidence
    led = {i: found for i in evidence if (found := chains.leads(graph, i))}
    whole = reach.linker.chain_of(evidence)
    sure = {i: found for i, found in led.items() if len(found) == 1}
    deeds = {i for i in led if _is_deed(reach, i)}
    # Where what was done may be of several turns, a call beside it, benign perhaps, does not decide which.
    if sure and (not deeds or deeds & sure.keys()):
        return _captured(reach, whole, sure)
    if led:
        found = _ranked(reach, led)
        words = f"its links lead to {len(found)} turns, and nothing tells them apart"
        return _ambiguous(whole, EVIDENCE, [t.event for t in found], words, None)
    return _by_time(reach, whole)


# by links -----------------------------------------------------------------------------------------------------------------


def _captured(reach: Reach, whole: Chain, led: dict[str, list[Trigger]]) -> Road:
    """Evidence that leads to one turn; of several turns that to which the most leads."""
    found = _ranked(reach, led)
    first, also = found[0], tuple(t.event for t in found[1:])
    if also:
        words = f"{first.why}; {len(found)} turns show it, the most of its evidence leads to this one"
        first = replace(first, why=words)
    deeds = {i for i in reach.evidence if _is_deed(reach, i)}
    graph = reach.linker.graph
    if deeds and not deeds & {*led, *chains.up(graph, (graph.stands.get(i, i) for i in led))}:
        words = f"calls and deeds are of one finding; no link ties the {len(deeds)} deeds to its turn"
        trigger = replace(first, basis=INFERRED)
        return Road(INFERRED, TIME, replace(whole, trigger=trigger), words, also=also, error=CLOCK)
    return Road(CAPTURED, EVIDENCE, replace(whole, trigger=first), also=also)


def _ranked(reach: Reach, led: dict[str, list[Trigger]]) -> list[Trigger]:
    """Turns by how many deeds lead to them, then by how much evidence at all, then by time."""
    by: dict[str, list[str]] = defaultdict(list)
    turns: dict[str, Trigger] = {}
    for id_, found in led.items():
        for turn in found:
            key = turn.digest or turn.event
            by[key].append(id_)
            if key not in turns or (turn.time or 0.0, turn.event) < (turns[key].time or 0.0, turns[key].event):
                turns[key] = turn
    deeds = {key: sum(_is_deed(reach, i) for i in ids) for key, ids in by.items()}
    return [turns[k] for k in sorted(by, key=lambda k: (-deeds[k], -len(by[k]), turns[k].time or 0.0, turns[k].event))]


def _is_deed(reach: Reach, id_: str) -> bool:
    return id_ in reach.events and reach.events[id_].kind not in CALLS


def _ambiguous(whole: Chain, by: str, possible: list[str], words: str, error: float | None) -> Road:
    trigger = Trigger(AMBIGUOUS, nearest=tuple(possible[:POSSIBLE]), why=words)
    return Road(AMBIGUOUS, by, replace(whole, trigger=trigger), words, tuple(possible[:POSSIBLE]), error=error)


# by time ------------------------------------------------------------------------------------------------------------------


def _by_time(reach: Reach, bare: Chain) -> Road:
    """The turns of the calls that were under way while it was counted."""
    found = _turns_of(reach)
    if not found:
        return Road(NOT_CAPTURED, EVIDENCE, bare, bare.trigger.why)
    order = sorted(found.values(), key=lambda o: (-o.share, o.turn.time or 0.0, o.turn.event))
    where = " in the process that holds the connection" if all(o.held for o in order) else ""
    if len(order) > 1:
        parts = ", ".join(f"{o.share:.0%}" for o in order[:NAMED])
        words = (
            f"{len(order)} turns ran{where} while it was counted; time cannot tell whose it is. "
            f"The likeliest were under way for {parts} of that time"
        )
        return _ambiguous(bare, TIME, [o.turn.event for o in order], words, CLOCK)
    [only] = order
    whole = reach.linker.chain_of([*reach.evidence, *only.calls])
    words = f"{len(only.calls)} calls of this one turn were under way{where} while it was counted; no id ties them to the bytes"
    return Road(INFERRED, TIME, replace(whole, trigger=replace(only.turn, basis=INFERRED)), words, error=CLOCK)


@dataclass(slots=True)
class _Overlap:
    """A turn some of whose calls were under way while something was counted."""

    turn: Trigger
    share: float = 0.0  # of that time, its longest call
    held: bool = True  # each of these calls ran in the process that holds the connection
    calls: dict[str, None] = field(default_factory=dict)


def _turns_of(reach: Reach) -> dict[str, _Overlap]:
    found: dict[str, _Overlap] = {}
    for counted in (*reach.counted, *_unowned(reach)):
        spans, held = _under_way(reach, counted)
        for span, share in spans:
            for turn in chains.leads(reach.linker.graph, span.call.id):
                one = found.setdefault(turn.digest or turn.event, _Overlap(turn))
                one.share, one.held = max(one.share, share), one.held and held
                one.calls[span.call.id] = None
    return found


def _unowned(reach: Reach) -> list[Counted]:
    """Deeds of its own time whose process nobody knows: they lead to no call, and may be any call's."""
    graph = reach.linker.graph
    acts = [f for i in reach.evidence if isinstance(f := graph.facts.get(i), Act)]
    return [
        Counted(a.behaviour, a.time, a.time)
        for a in acts
        if graph.lives.owner((a.node, a.pid), a.time, graph.effects.processes)[0] is None
        and graph.effects.is_plausible(a)
    ]


def _under_way(reach: Reach, counted: Counted) -> tuple[list[tuple[Span, float]], bool]:
    """Calls that ran while something was counted, each with its share of that time; whether a process narrowed them."""
    mine = {place(r) for r in reach.replicas}
    found = [
        span
        for span in reach.linker.graph.tools.spans
        if span.call.replica in mine and span.start - CLOCK <= counted.last and counted.first <= span.end + CLOCK
    ]
    latest = {s.process: s.start for s in sorted(found, key=lambda s: s.start)}
    # What is open and of an older answer of its process was given up.
    running = [(s, _share(s, counted)) for s in found if not s.is_open or s.start == latest[s.process]]
    keys = _holders(reach.linker.graph, reach, counted)
    held = [(span, share) for span, share in running if span.process in keys]
    return (held, True) if held else (running, False)


def _holders(graph: Graph, reach: Reach, counted: Counted) -> set[tuple[str, int]]:
    """Processes of calls that hold what was counted, where an older event says which and it still lives."""
    acts = [f for i in counted.old if isinstance(f := graph.facts.get(i), Act) and f.pid]
    keys = (graph.lives.owner((a.node, a.pid), counted.first, graph.effects.processes)[0] for a in acts)
    return {k for k in keys if k is not None}


def _share(span: Span, counted: Counted) -> float:
    long = counted.last - counted.first
    if long <= 0:
        return 1.0
    return max(0.0, min(span.end, counted.last) - max(span.start, counted.first)) / long


def of_list(events: Iterable[Event]) -> tuple[Told, Callable[[str], Event | None]]:
    """Events at hand as the two questions that a road asks."""
    known = {e.id: e for e in events}
    order = sorted(known.values(), key=lambda e: (e.time, e.id))

    def told(replica, start, end, limit, *, latest):
        found = [e for e in order if start <= e.time <= end and e.replica == replica]
        return found[-limit:] if latest else found[:limit]

    return told, known.get
