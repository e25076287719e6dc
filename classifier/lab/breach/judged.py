"""A story through the real pipeline to a verdict: what was said of the theft, when, with which ticket, and what else was said.

Nobody triages here. A review that ends by age as risky counts as any other risky finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from classifier.drift.finding import EXPECTED, REVIEW, RISKY, Finding
from classifier.lab.breach.expected import NOTHING, TABLE, UNDECIDABLE
from classifier.lab.breach.story import Crime, story
from classifier.lab.breach.stream import Stream
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from wire.records import Event, Record, Tick
from wire.trace import Writer

SLACK = 60.0  # seconds around the crime in which a deviation of it may begin
AROUND = 900.0  # seconds around it in which its story is looked for
TICKET = re.compile(r"\bZD-\d+\b")
GRAVEST = (RISKY, REVIEW, EXPECTED)
SAID = ("tool:", "mcp:", "chain:")

Tell = Callable[
    [Finding, Sequence[Event]], tuple[str, str]
]  # finding and events around it → state and excerpt of its trigger


@dataclass(frozen=True, slots=True)
class Telling:
    """A version of a finding as it was told."""

    time: float  # seconds
    finding: Finding


@dataclass(frozen=True, slots=True)
class Outcome:
    """One variant under one seed, judged."""

    variant: str
    seed: int
    words: bool
    verdict: str
    right: bool
    because: str  # of the finding that decided, or what cannot be decided
    seconds: float | None  # from the first byte that left to the label; below zero: before it; None: no such label
    ticket: str  # that really did it; "" where none did
    named: str  # that the links name; "" if none
    trigger: str  # how it is known: "captured", "inferred", "ambiguous", "not_captured"; "" without a finding
    others: tuple[str, ...]  # titles of risky findings about anything else
    reviews: int  # findings about anything else that a person was asked to look at


@dataclass(frozen=True, slots=True)
class Job:
    """What a process is to run."""

    variant: str
    seed: int
    words: bool
    folder: str  # to write the trace to; "" for none
    tell: Tell


def run(job: Job) -> Outcome:
    """Play one story, judge it, and write its trace where one is asked for."""
    told = story(job.variant, job.seed)
    records: Iterable[Record] = Stream(told, words=job.words).records()
    near: list[Event] = []
    if job.folder:
        with Writer(str(Path(job.folder) / f"{job.variant}-{job.seed}.trace")) as writer:
            tellings = list(_judged(_written(records, writer), told.time, near))
    else:
        tellings = list(_judged(records, told.time, near))
    return outcome(job, told.crime, tellings, near)


def _written(records: Iterable[Record], writer: Writer) -> Iterator[Record]:
    for record in records:
        writer.add(record)
        yield record


def _judged(records: Iterable[Record], time: float, near: list[Event]) -> Iterator[Telling]:
    pipeline, now = Pipeline(Policy()), 0.0
    for record in records:
        if isinstance(record, Tick):
            now = max(now, record.time)
        elif isinstance(record, Event) and abs(record.time - time) <= AROUND:
            near.append(record)
        yield from (Telling(max(now, f.updated), f) for f in pipeline.feed(record))


def outcome(job: Job, crime: Crime | None, tellings: Sequence[Telling], near: Sequence[Event]) -> Outcome:
    """What the tellings are worth."""
    mine = {t.finding.id for t in tellings if crime is not None and _is_of(t, crime)}
    ours = [t for t in tellings if t.finding.id in mine and crime is not None and t.time >= crime.begin]
    rest = [t for t in tellings if t.finding.id not in mine]
    expected = TABLE[job.variant].of(job.words)
    verdict, because = _verdict(ours if crime is not None else rest, crime, undecidable=UNDECIDABLE in expected)
    first = next((t.time for t in ours if t.finding.label == verdict), None)
    last = next((t.finding for label in GRAVEST for t in reversed(ours) if t.finding.label == label), None)
    near = [e for e in near if crime is not None and e.replica == crime.life.replica]
    state, excerpt = job.tell(last, near) if last is not None else ("", "")
    found = TICKET.search(excerpt)
    return Outcome(
        variant=job.variant,
        seed=job.seed,
        words=job.words,
        verdict=verdict,
        right=verdict in expected,
        because=because,
        seconds=round(first - crime.write, 3) if first is not None and crime is not None else None,
        ticket=crime.ticket if crime is not None else "",
        named=found[0] if found else "",
        trigger=state,
        others=tuple(dict.fromkeys(t.finding.title for t in rest if t.finding.label == RISKY)),
        reviews=len({t.finding.id for t in rest if t.finding.label == REVIEW}),
    )


def _is_of(telling: Telling, crime: Crime) -> bool:
    """Whether a finding holds something of the crime."""
    behaviours = crime.read | crime.left
    return telling.time >= crime.begin and any(
        (d.behaviour in behaviours or d.behaviour.startswith(SAID))
        and crime.begin - SLACK <= d.first <= crime.end + SLACK
        for d in telling.finding.deviations
    )


def _verdict(ours: Sequence[Telling], crime: Crime | None, *, undecidable: bool) -> tuple[str, str]:
    """The gravest label that was told, and why; of what cannot be decided, what is claimed all the same."""
    gravest = next((t for label in GRAVEST for t in ours if t.finding.label == label), None)
    label, because = (gravest.finding.label, gravest.finding.because) if gravest else (NOTHING, "")
    if not undecidable or crime is None or any(_claims(t.finding, crime) for t in ours):
        return label, because
    words = f"no finding holds the write, which a node cannot tell from an export; of the read side alone: {label}"
    return UNDECIDABLE, f"{words}. {because}".strip()


def _claims(finding: Finding, crime: Crime) -> bool:
    """Whether a finding says that something left."""
    return any(d.behaviour in crime.left for d in finding.deviations)
