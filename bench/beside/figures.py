"""Raw samples of a section to its figures: factors with intervals, what was seen of what was made, what was lost. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from bench.beside.peers import FLOOR, OURS, WITHOUT
from bench.beside.tools import TOOLS
from bench.statistic import Estimate, factor

PEERS = (*OURS, *(tool.name for tool in TOOLS), FLOOR)  # as tables and the picture have them


@dataclass(frozen=True, slots=True)
class Figure:
    """One peer at one load."""

    load: str
    peer: str
    inside: Estimate  # time of an operation with it / without it
    outside: Estimate
    cpu: float | None  # of its own processes while the load is watched, as a share of a core; None: it has none
    made: int  # operations under watch; 0: nobody counts here
    seen: int
    lost: int | None  # as the peer itself says; None: it does not say


def loads(results: dict[str, Any]) -> list[str]:
    """Names of loads, as they were measured."""
    ending = f", {WITHOUT}, inside"
    return [name.removesuffix(ending) for name in results["samples"] if name.endswith(ending)]


def figures(results: dict[str, Any]) -> list[Figure]:
    """Every peer at every load where it ran."""
    wanted = [(load, peer) for load in loads(results) for peer in PEERS]
    return [_figure(results, *w) for w in wanted if f"{w[0]}, {w[1]}, inside" in results["samples"]]


def _figure(results: dict[str, Any], load: str, peer: str) -> Figure:
    name, samples = f"{load}, {peer}", results["samples"]
    inside, outside = (
        factor(samples, f"{name}, {where}", f"{load}, {WITHOUT}, {where}") for where in ("inside", "outside")
    )
    cpu = results["cpu"].get(name)
    made, seen, lost = _sums(results["seen"].get(name, []))
    return Figure(load, peer, inside, outside, statistics.median(cpu) if cpu else None, made, seen, lost)


def _sums(rows: list[list[int | None]]) -> tuple[int, int, int | None]:
    """Made, seen and lost of all rounds. More seen than made are calls of the load's own beginning."""
    made = sum(row[0] for row in rows)
    told = [row[2] for row in rows if row[2] is not None]
    return made, min(made, sum(row[1] for row in rows)), sum(told) if told else None


def duration(ns: float) -> str:
    """Three digits and a unit.

    >>> duration(17_432)
    '17.4 us'
    """
    return f"{ns:.0f} ns" if ns < 1000 else f"{ns / 1e3:.3g} us" if ns < 1e6 else f"{ns / 1e6:.3g} ms"


def nanoseconds(results: dict[str, Any], load: str) -> float:
    """Of an operation with nothing attached, inside."""
    return statistics.median(results["samples"][f"{load}, {WITHOUT}, inside"])
