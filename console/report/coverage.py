"""What was watched in a span, what was lost, which states the envelope had, and what cannot be seen from a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from classifier.envelope.ledger import united

if TYPE_CHECKING:
    from console.report.model import Span

Values = Mapping[str, Any]
FED = ("tool:", "prompt:", "mcp:", "llm:")  # behaviours that only a feed of the application gives
UNSEEN = (  # stage of an attack, why a node cannot see it, whether a feed of the application changes that
    ("reconnaissance", "it happens outside this machine", False),
    ("ingestion of a poisoned document or message", "prompt and document texts are not observed here", True),
    ("hijack of the agent's intent", "it is a change of text inside the model, without a system call", True),
    ("what is read or sent through encrypted channels", "names, times and bytes are seen, contents are not", True),
    ("misuse that equals normal work in process, peer, amount and hour", "nothing at node level differs", True),
)


@dataclass(frozen=True, slots=True)
class Revision:
    """When replicas of one revision were seen. Seconds."""

    name: str
    start: float
    end: float
    replicas: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far the answers of a report reach."""

    state: str
    because: str
    states: tuple[tuple[float, str], ...]  # time (seconds) → state from then on; empty: not recorded
    convergence: tuple[Values, ...]  # one row a day, of all dimensions together
    revisions: tuple[Revision, ...]
    replicas: int
    hours: float  # replica-hours watched
    blind_hours: float  # replica-hours in which nobody looked
    gaps: tuple[tuple[str, float, float], ...]  # node, start, end
    lossy_windows: int
    lost: Values  # since the envelope began: what → how much
    blind_spots: tuple[str, ...]
    unseen: tuple[tuple[str, str, bool], ...]  # stage, why, observable through a feed that is there

    @property
    def share(self) -> float:
        """Of the time in which replicas ran, the share that was watched."""
        total = self.hours + self.blind_hours
        return self.hours / total if total else 0.0


def coverage(envelope: Values, span: Span, day: float) -> Coverage:
    """The coverage of one workload.

    Args:
        envelope: As `envelope show --json` tells it; empty where there is none.
        day: Seconds of the policy's day.
    """
    ledger = [x for x in envelope.get("ledger") or () if x["start"] < span.until and x["end"] > span.since]
    table = [r for r in envelope.get("convergence") or () if r.get("dimension") == "total"]
    inside = tuple(r for r in table if span.since < (r["day"] + 1) * day and r["day"] * day < span.until)
    ran = sum(_overlap(x["start"], x["end"], span) for x in ledger)
    blind = sum(_overlap(s, e, span) for x in ledger for s, e in x["gaps"])
    fed = any(str(b.get("behaviour")).startswith(FED) for b in envelope.get("behaviours") or ())
    return Coverage(
        state=str(envelope.get("state") or "missing"),
        because=str(envelope.get("because") or "no window was observed"),
        states=_states(inside, day),
        convergence=inside,
        revisions=_revisions(ledger),
        replicas=len(ledger),
        hours=round((ran - blind) / 3600, 2),
        blind_hours=round(blind / 3600, 2),
        gaps=_gaps(ledger, span),
        lossy_windows=sum(int(x.get("lossy") or 0) for x in ledger),
        lost=dict(envelope.get("lost") or {}),
        blind_spots=tuple(envelope.get("blind_spots") or ()),
        unseen=tuple((stage, why, helped and fed) for stage, why, helped in UNSEEN),
    )


def _overlap(start: float, end: float, span: Span) -> float:
    return max(0.0, min(end, span.until) - max(start, span.since))


def _states(table: Iterable[Values], day: float) -> tuple[tuple[float, str], ...]:
    out: list[tuple[float, str]] = []
    for row in table:
        if not out or out[-1][1] != row["stage"]:
            out.append((row["day"] * day, str(row["stage"])))
    return tuple(out)


def _revisions(ledger: Iterable[Values]) -> tuple[Revision, ...]:
    known: dict[str, list[Values]] = {}
    for x in ledger:
        known.setdefault(str(x.get("revision") or "unknown"), []).append(x)
    rows = (Revision(n, min(x["start"] for x in g), max(x["end"] for x in g), len(g)) for n, g in known.items())
    return tuple(sorted(rows, key=lambda r: (r.start, r.name)))


def _gaps(ledger: Iterable[Values], span: Span) -> tuple[tuple[str, float, float], ...]:
    """Spans in which a node with replicas of ours was not watched."""
    nodes: dict[str, list[tuple[float, float]]] = {}
    for x in ledger:
        nodes.setdefault(str(x["node"]), []).extend((s, e) for s, e in x["gaps"])
    every = ((node, s, e) for node, spans in sorted(nodes.items()) for s, e in united(spans))
    return tuple((n, max(s, span.since), min(e, span.until)) for n, s, e in every if _overlap(s, e, span) > 0)
