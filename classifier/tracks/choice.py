"""What is known of an agent to its observation track, with the reason and who confirmed it.

Three tracks: `standard` is observed in production and enforced later; `regulated` is enforced from its first pod by a
signed staging baseline, and nothing widens that by itself; `non-converging` has an ageing envelope.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.classes.known import Known
from classifier.classes.pins import DATA, REGULATION, REVERSIBILITY, TRACK
from wire.records import Pin

STANDARD, REGULATED, NON_CONVERGING = "standard", "regulated", "non-converging"
SENSITIVE = frozenset({"cardholder", "phi", "pii", "health", "financial", "credentials", "secret", "biometric"})
ORDINARY = frozenset({"public", "internal", "test", "none"})
OPEN_CLASSES = ("code-execution", "orchestrator")  # seldom converge
UNDECIDED = ("missing", "learning", "converging")
STRICT = {STANDARD: 0, NON_CONVERGING: 1, REGULATED: 2}


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a choice rests on. "" where nobody said."""

    data: str = ""
    regulation: str = ""
    reversibility: str = ""
    agent_class: str = ""
    state: str = "missing"  # of its envelope
    pin: Pin | None = None  # of the track


@dataclass(frozen=True, slots=True)
class Choice:
    """A track and where it comes from."""

    track: str
    because: str
    proposed: str  # what the inputs alone give
    warnings: tuple[str, ...] = ()
    confirmed_by: str | None = None  # None: nobody has looked at it yet
    confirmed_at: float | None = None  # seconds
    note: str = ""


def inputs(known: Known, workload: str) -> Inputs:
    """The inputs of a workload at this moment."""
    say = known.pins.value
    labels = (say(workload, what) for what in (DATA, REGULATION, REVERSIBILITY))
    return Inputs(*labels, known.class_of(workload), known.state(workload)[0], known.pins.of(workload, TRACK))


def choose(i: Inputs) -> Choice:
    """The track of an agent.

    >>> choose(Inputs(data="cardholder")).track, choose(Inputs(data="public")).track, choose(Inputs()).warnings
    ('regulated', 'standard', ('unclassified',))
    """
    proposed, because = _proposed(i)
    warnings = _warnings(i)
    if i.pin is None:
        return Choice(proposed, because, proposed, warnings)
    weaker = STRICT[i.pin.value] < STRICT[proposed]
    if weaker:
        warnings = (*warnings, "weaker than its inputs")
    by_hand = f"set by {i.pin.actor}; its inputs give {proposed}: {because}"
    return Choice(i.pin.value, by_hand, proposed, warnings, i.pin.actor, i.pin.time, i.pin.note)


def _proposed(i: Inputs) -> tuple[str, str]:
    reasons = [f"data={i.data}"] if _kinds(i.data) & SENSITIVE else []
    reasons += [f"regulation={i.regulation}"] if i.regulation else []
    reasons += ["what it does cannot be taken back"] if i.reversibility == "irreversible" else []
    if reasons:
        return REGULATED, ", ".join(reasons)
    if i.state == NON_CONVERGING:
        return NON_CONVERGING, "its envelope is non-converging"
    if i.state in UNDECIDED and i.agent_class in OPEN_CLASSES:
        return NON_CONVERGING, f"class {i.agent_class} seldom converges, and its envelope is {i.state}"
    return STANDARD, f"data={i.data}, nothing asks for more" if i.data else "nothing is known that asks for more"


def _kinds(data: str) -> set[str]:
    """The kinds of data that a label names; people write several.

    >>> sorted(_kinds("PII, health"))
    ['health', 'pii']
    """
    return set(data.lower().replace(",", " ").replace(";", " ").split())


def _warnings(i: Inputs) -> tuple[str, ...]:
    found = []
    if not (i.data or i.regulation):
        found.append("unclassified")
    elif unknown := _kinds(i.data) - SENSITIVE - ORDINARY:
        found.append(f"no rule knows data={', '.join(sorted(unknown))}")
    if i.state == NON_CONVERGING and _proposed(i)[0] == REGULATED:
        found.append("regulated, but its envelope is non-converging")
    return tuple(found)
