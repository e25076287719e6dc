"""What pytest noted of every fault to rows, and rows to docs/faults.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests import pages
from tests.faults.catalogue import Fault, Peer

HEAD = """# Faults

Written by `make faults`, which makes every fault on this machine and notes what was lost and who was told; edit `tests/faults`, not
this page. The numbers are those of the run that wrote it. **Red** means that a test failed, was skipped or said nothing.

`make test` runs the same with fewer kills, containers and forks.
"""
SAID = ("done", "lost", "told")


@dataclass(frozen=True, slots=True)
class Case:
    """One test that has run."""

    id: str  # as pytest names it
    failure: str  # its first line; "" if it passed
    seconds: float
    said: tuple[tuple[str, str], ...]  # what the fixture `fault` was told, in order


@dataclass(frozen=True, slots=True)
class Row:
    """One fault and what came of it."""

    name: str
    fault: str
    done: str
    lost: str
    told: str
    seconds: float
    red: tuple[str, ...]


def cases(report: Path) -> Iterator[Case]:
    """Tests of a report in JUnit's format."""
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        place = case.get("classname", "").replace(".", "/")
        bad = [n for kind in ("failure", "error", "skipped") for n in case.findall(kind)]
        failure = "; ".join(f"{n.tag}: {n.get('message', '').splitlines()[:1]}" for n in bad)
        said = tuple((p.get("name", ""), p.get("value", "")) for p in case.iter("property"))
        yield Case(f"{place}.py::{case.get('name')}", failure, float(case.get("time", 0)), said)


def row(fault: Fault, ran: Iterable[Case]) -> Row:
    """What the tests of a fault say together.

    >>> row(Fault("f", "Ring full", "a storm", ("t.py::a",)), [Case("t.py::a", "", 1.0, (("lost", "3"), ("told", "tick")))]).lost
    '3'
    """
    own = [(test, [c for c in ran if belongs(c, test)]) for test in fault.tests]
    every = [c for _, found in own for c in found]
    done, lost, told = (_said(every, name) for name in SAID)
    red = [f"{test}: did not run" for test, found in own if not found]
    red += [f"{c.id}: {c.failure}" for c in every if c.failure]
    if not red:
        red += [
            f"nobody said what was {name}" for name, text in (("done", done or fault.done), ("lost", lost)) if not text
        ]
    return Row(fault.name, fault.fault, done or fault.done, lost, told, sum(c.seconds for c in every), tuple(red))


def belongs(case: Case, test: str) -> bool:
    """Whether a test is the one that is named, or one of its parameters."""
    return case.id == test or case.id.startswith(f"{test}[")


def _said(ran: Sequence[Case], name: str) -> str:
    return "; ".join(dict.fromkeys(text for c in ran for n, text in c.said if n == name))


def page(rows: Sequence[Row], peers: Sequence[Peer], about: str) -> str:
    """The whole page."""
    return "\n".join([HEAD, f"{about}\n", *_faults(rows), *_peers(rows, peers)])


def _faults(rows: Sequence[Row]) -> Iterator[str]:
    names = ("fault", "what was done", "lost", "where it is reported", "how long")
    lost = (f"**Red**: {'; '.join(r.red)}" if r.red else r.lost for r in rows)
    cells = ((r.fault, r.done, what, r.told, f"{r.seconds:.0f} s") for r, what in zip(rows, lost, strict=True))
    yield from pages.table(names, cells)
    yield ""


def _peers(rows: Sequence[Row], peers: Sequence[Peer]) -> Iterator[str]:
    yield "## Where other tools lose, and what happens here\n"
    yield "Their points of loss as read from their source in November 2026.\n"
    names = ("tool", "where it loses", "told there", "the same here", "lost here", "told here")
    by_name = {r.name: r for r in rows}
    pairs = ((p, by_name[n]) for p in peers for n in p.ours if n in by_name)
    cells = ((p.peer, p.point, p.told, r.fault, "**Red**" if r.red else r.lost, r.told) for p, r in pairs)
    yield from pages.table(names, cells)


def plain(rows: Iterable[Row]) -> list[dict]:
    """For `--json`."""
    return [asdict(r) for r in rows]
