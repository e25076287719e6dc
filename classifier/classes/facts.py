"""An envelope to the few numbers that classes are told apart by, each with the behaviours that show it.

Rates count on the active days of the last two weeks: what an agent did in spring says little of what it is now. A fact
that cannot be known is missing, which is not the same as zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

from classifier.classes.endpoints import INFERRED, INTERNAL, LLM, NAMES, STORE, TOOL, holds_vectors, purpose
from classifier.drift.severity import SPECIAL_EXEC
from classifier.envelope import volume
from classifier.envelope.cells import DAYS
from classifier.envelope.envelope import Envelope
from classifier.envelope.items import RETIRED, Item
from classifier.envelope.lineage import base

RECENT = 14  # active days
KINDS = ("exec", "egress", "ingress", "open", "write")
SPEAKERS = 5  # behaviours named per fact
BRIEF = 6 * 3600.0  # seconds; a replica that ended sooner was a run, not a server
WEEK = 168  # hours
OFTEN = 3  # days on which something comes again and again
UPPER = lru_cache(maxsize=2048)(volume.upper)  # bytes at a bucket's end
AWAKE = 6  # hours of the day; in fewer there is no telling what is on the clock

INTERPRETER = re.compile(
    r"^(?:python|pypy|node|nodejs|deno|bun|ruby|perl|php|lua|Rscript|java|sh|bash|dash|ash|zsh|pwsh)$"
)
LAUNCHER = re.compile(
    r"^(?:containerd-shim.*|conmon|runc.*|crun|dockerd|docker-init|tini|dumb-init|systemd.*|init|catatonit|pause|s6-.*)$"
)
MCP = re.compile(r"(?:^|[-_./])mcp(?:$|[-_.])|^(?:npx|uvx)$")


@dataclass(frozen=True, slots=True)
class Fact:
    """One number in words, and what shows it."""

    value: float
    words: str
    shown_by: tuple[str, ...] = ()  # behaviours, the most used first


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one workload."""

    active_days: int  # at most the 64 that an envelope keeps
    last_day: int  # number since the epoch, of the last active day; -1 before the first
    known: Mapping[str, Fact]


@dataclass(slots=True)
class _Row:
    """One behaviour with its sums over all replicas. Rates are per recent active day."""

    behaviour: str
    item: Item
    count: float = 0.0
    out: float = 0.0  # bytes
    into: float = 0.0
    days: float = 0.0  # days it was ever seen on
    recent: int = 0  # of the recent active days

    def scale(self, days: int, sizes: tuple[volume.Histogram, volume.Histogram] | None) -> None:
        """From totals to rates; bytes only where they are asked for."""
        share = self.recent / (max(self.days, 1.0) * days)
        self.count *= share
        if sizes is not None:
            self.out, self.into = share * _total(sizes[0]), share * _total(sizes[1])


_Rows = dict[str, list[_Row]]  # by kind: the part of a name before its first colon


def facts(e: Envelope, *, before: int | None = None) -> Facts:
    """The facts of an envelope. What only few replicas show and nobody signed off (`suspect`) makes no class.

    Args:
        before: number of a day that has only begun; it is left aside.
    """
    days = sorted(d for d in e.days if before is None or d < before)
    recent = set(days[-RECENT:])
    rows = _rows(e, recent)
    known = {name: make(rows, len(recent)) for name, make in COUNTED.items()} if recent else {}
    known |= _lives(e) if recent else {}
    return Facts(len(days), days[-1] if days else -1, {n: f for n, f in known.items() if f is not None})


def _rows(e: Envelope, recent: set[int]) -> _Rows:
    rows = {}
    for behaviour, item in e.items.items():
        if item.state != RETIRED and not item.suspect and (met := len(item.days & recent)):
            rows[behaviour] = _Row(behaviour, item, days=_days(item, e.policy.day), recent=met)
    for lane in e.lanes.values():
        for behaviour, cell in lane.cells.items():
            if row := rows.get(behaviour):
                row.count += cell.count
    found: _Rows = {kind: [] for kind in KINDS}
    for row in rows.values():
        kind = row.behaviour.partition(":")[0]
        if kind in found:
            row.scale(len(recent), e.volume_of(row.behaviour) if kind == "egress" else None)
            found[kind].append(row)
    for some in found.values():
        some.sort(key=_most_used)
    return found


def _most_used(row: _Row) -> tuple[float, str]:
    return -row.count, row.behaviour


def _days(item: Item, day: float) -> float:
    """On how many days an item was seen; only the last `DAYS` are known by name, those before them are as dense."""
    kept = len(item.days)
    if kept < DAYS:
        return float(kept)
    newest, oldest = max(item.days), min(item.days)
    return kept * max(1.0, (newest + 1 - item.first // day) / (newest + 1 - oldest))


def _total(h: volume.Histogram) -> float:
    total = 0
    for b, n in h.items():
        total += UPPER(b) * n
    return float(total)


# what is counted ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def executed(behaviour: str) -> tuple[str, str]:
    """Base names of the image and of its parent; empty where it is no exec.

    >>> executed("exec:/usr/bin/python3.11<containerd-shim")
    ('python', 'containerd-shim')
    """
    if not behaviour.startswith("exec:"):
        return "", ""
    image, _, parent = behaviour[5:].partition("<")
    return base(image), base(parent)


def _execs(rows: _Rows) -> list[_Row]:
    """Without the container's own start."""
    return [r for r in rows["exec"] if not LAUNCHER.match(executed(r.behaviour)[1] or "-")]


def _rate(rows: list[_Row], words: str) -> Fact:
    n = round(sum(r.count for r in rows), 3)
    return Fact(n, f"{n:.3g} {words}", _speakers(rows))


def _number(rows: list[_Row], words: str, value: float | None = None) -> Fact:
    n = round(float(len(rows) if value is None else value), 3)
    return Fact(n, f"{n:.3g} {words}", _speakers(rows))


def _speakers(rows: list[_Row]) -> tuple[str, ...]:
    return tuple(r.behaviour for r in rows[:SPEAKERS])


def _all_execs(rows: _Rows, _: int) -> Fact:
    return _rate(_execs(rows), "execs a day")


def _interpreters(rows: _Rows, _: int) -> Fact:
    mine = [r for r in _execs(rows) if INTERPRETER.match(executed(r.behaviour)[0])]
    return _rate(mine, "interpreter starts a day")


def _programs(rows: _Rows, _: int) -> Fact:
    mine = _execs(rows)
    return _number(mine, "different programs", len({executed(r.behaviour)[0] for r in mine}))


def _fresh(rows: _Rows, days: int) -> Fact:
    mine = [r for r in _execs(rows) if len(r.item.days) == 1]
    return _number(mine, "programs a day that ran on no other day", len(mine) / days)


def _own_code(rows: _Rows, _: int) -> Fact:
    mine = [r for r in rows["exec"] if SPECIAL_EXEC.match(r.behaviour)]
    mine += [r for r in rows["write"] if r.behaviour.startswith("write:code:")]
    return _rate(sorted(mine, key=_most_used), "runs or writes of code from writable places a day")


def _mcp(rows: _Rows, _: int) -> Fact:
    mine = [r for r in _execs(rows) if MCP.search(executed(r.behaviour)[0])]
    return _number(mine, f"tool servers started ({INFERRED})")


def _writes(rows: _Rows, _: int) -> Fact | None:
    written, read = (sum(r.count for r in rows[kind]) for kind in ("write", "open"))
    if not written + read:
        return None
    share = round(written / (written + read), 3)
    return Fact(share, f"{100 * share:.3g} % of file uses are writes", _speakers(rows["write"]))


def _peers(rows: _Rows, *purposes: str) -> list[_Row]:
    return [r for r in rows["egress"] if purpose(r.behaviour) in purposes]


def _destinations(rows: _Rows, _: int) -> Fact:
    return _number(_peers(rows, LLM, STORE, INTERNAL, TOOL), "destinations")


def _of(kind: str, words: str) -> Callable[[_Rows, int], Fact]:
    return lambda rows, _: _number(_peers(rows, kind), words)


def _vectors(rows: _Rows, _: int) -> Fact:
    return _number([r for r in _peers(rows, STORE) if holds_vectors(r.behaviour)], f"vector stores ({INFERRED})")


def _clocked(rows: _Rows, _: int) -> Fact | None:
    """Of what it does to others day by day, the share that comes at one or two hours of the day only."""
    acts = [
        *_execs(rows),
        *_peers(rows, LLM, STORE, INTERNAL, TOOL),
        *rows["write"],
    ]
    again = [r for r in acts if len(r.item.days) >= OFTEN]
    every = 0
    for r in again:
        every |= hours_of_day(r.item.week)
    if every.bit_count() < AWAKE:  # it lives in few hours itself, which `live` says
        return None
    mine = [r for r in again if hours_of_day(r.item.week).bit_count() <= 2]
    share = round(len(mine) / len(again), 3)
    return Fact(
        share, f"{100 * share:.3g} % of what it does again comes at one or two hours of the day", _speakers(mine)
    )


def hours_of_day(week: int) -> int:
    """Bits of the hours of a week to bits of the hours of a day.

    >>> bin(hours_of_day(1 << 2 | 1 << (24 + 2) | 1 << (6 * 24 + 5)))
    '0b100100'
    """
    day = 0
    while week:
        day |= week & 0xFFFFFF
        week >>= 24
    return day


def _sent(rows: _Rows, _: int) -> Fact | None:
    """What it says to others, its model left aside: prompts say nothing of whether it acts."""
    mine = _peers(rows, STORE, INTERNAL, TOOL)
    total = sum(r.out + r.into for r in mine)
    if not total:
        return None
    share = round(sum(r.out for r in mine) / total, 3)
    return Fact(share, f"{100 * share:.3g} % of the bytes beside the model's are sent", _speakers(mine))


def _moved(rows: _Rows, _: int) -> Fact:
    mine = _peers(rows, STORE, INTERNAL, TOOL)
    total = round(sum(r.out + r.into for r in mine))
    return Fact(float(total), f"{total / 1e6:.3g} MB a day to and from others", _speakers(mine))


def _ingress(rows: _Rows, _: int) -> Fact:
    return _rate(rows["ingress"], "connections from outside a day")


def _models(rows: _Rows, _: int) -> Fact:
    return _number([r for r in rows["open"] if r.behaviour.startswith("open:model:")], "model files")


COUNTED: dict[str, Callable[[_Rows, int], Fact | None]] = {
    "execs": _all_execs,
    "interpreters": _interpreters,
    "programs": _programs,
    "fresh": _fresh,
    "own_code": _own_code,
    "mcp": _mcp,
    "writes": _writes,
    "destinations": _destinations,
    "llm": _of(LLM, f"model endpoints ({INFERRED})"),
    "vectors": _vectors,
    "clocked": _clocked,
    "stores": _of(STORE, f"data stores ({INFERRED})"),
    "peers": _of(INTERNAL, "internal peers"),
    "tools": _of(TOOL, "services of others"),
    "sent": _sent,
    "moved": _moved,
    "ingress": _ingress,
    "models": _models,
}
assert NAMES not in (LLM, STORE, INTERNAL, TOOL)  # name servers are nobody's tools


# when it lives --------------------------------------------------------------------------------------------------------------


def _lives(e: Envelope) -> dict[str, Fact]:
    """How much of the week it lives, how long its replicas do, how much of what it does is new."""
    hours = min(float(WEEK), max(1.0, (e.last - e.first) / e.policy.hour))
    live = round(min(1.0, e.week.bit_count() / hours), 3)
    found = {"live": Fact(live, f"lives in {100 * live:.3g} % of the hours of its week")}
    exposures = list(e.ledger.exposures.values())
    if exposures:
        ended = [x for x in exposures if x.ended and x.end - x.start < BRIEF / 3600 * e.policy.hour]
        brief = round(len(ended) / len(exposures), 3)
        middle = median(x.end - x.start for x in exposures) / e.policy.hour
        found["brief"] = Fact(
            brief, f"{100 * brief:.3g} % of its replicas ended within {BRIEF / 3600:g} h, the median ran {middle:.3g} h"
        )
    return found
