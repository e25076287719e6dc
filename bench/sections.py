"""What is measured: each section with its title, how long it takes, and what makes its rows.

Minutes are those of the machine of docs/performance.md with nothing else to do; what fails or is slow there is slower elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.stage import Stage

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How often each thing is done."""

    rounds: int  # of the system call path
    pairs: int  # of redis, nginx and fork/exec
    turns: int  # of each tool at each load, side by side
    deployments: int  # that are simulated
    runs: int = 5  # of each reader of captures
    halves: int = 5  # pairs of the published load


QUICK, USUAL, FULL = Sizes(4, 3, 2, 4, 2, 2), Sizes(12, 9, 6, 16), Sizes(40, 25, 15, 64, 9, 15)


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the page."""

    title: str
    seconds: Callable[[Sizes], float]
    measure: Callable[[Stage | None, Sizes, Say], dict[str, Any]]
    root: bool = True  # it loads probes, in cgroups of its own


def _overhead(stage: Stage, sizes: Sizes, say: Say) -> dict[str, Any]:
    from bench import overhead

    return overhead.measure(stage, sizes.rounds, say)


def _operations(stage: Stage, sizes: Sizes, say: Say) -> dict[str, Any]:
    from bench import operations

    return operations.measure(stage, sizes.pairs, say)


def _beside(stage: Stage, sizes: Sizes, say: Say) -> dict[str, Any]:
    from bench.beside import measure

    return measure.measure(stage, sizes.turns, say)


def _budget(stage: Stage, sizes: Sizes, say: Say) -> dict[str, Any]:
    from bench import budget

    return budget.measure(stage, sizes.halves, say)


def _residence(stage: Stage, sizes: Sizes, say: Say) -> dict[str, Any]:
    from bench import residence

    return residence.measure(stage, say)


def _applayer(stage: Stage, sizes: Sizes, say: Say) -> dict[str, Any]:
    from bench import applayer

    return applayer.measure(stage, say)


def _replay(stage: None, sizes: Sizes, say: Say) -> dict[str, Any]:
    from bench import replay

    if not replay.SOURCE.exists():
        return {"rows": [], "skipped": [f"{replay.SOURCE.name}: the shared capture does not lie beside the checkout"]}
    say("reading captures")
    return {"rows": replay.measure(4_000_000, sizes.runs)}


def _windows(stage: None, sizes: Sizes, say: Say) -> dict[str, Any]:
    from bench import windows

    return windows.measure(say)


def _label(stage: None, sizes: Sizes, say: Say) -> dict[str, Any]:
    from bench import label

    return label.measure(say, sizes.deployments)


SECTIONS = {
    "overhead": Section(
        "System calls: ns added to a getppid, and as a multiple of an empty raw tracepoint",
        lambda s: 25 + 4.5 * s.rounds,
        _overhead,
    ),
    "operations": Section(
        "CPU per operation inside the scope, with the sensor against without", lambda s: 30 + 9 * s.pairs, _operations
    ),
    "beside": Section(
        "Side by side: what else could be installed, on the same loads", lambda s: 130 + 90 * s.turns, _beside
    ),
    "budget": Section(
        "A published load: 1,000 file opens and 100 HTTP requests a second", lambda s: 20 + 21 * s.halves, _budget
    ),
    "residence": Section("The daemon, and full captures", lambda s: 135, _residence),
    "applayer": Section("Listening to an agent: calls of 1 MB of prompt and 200 events", lambda s: 160, _applayer),
    "replay": Section("Reading captures", lambda s: 15 + 9 * s.runs, _replay, root=False),
    "windows": Section("Thirty days", lambda s: 25, _windows, root=False),
    "label": Section("The label", lambda s: 25 + 3 * s.deployments, _label, root=False),
}
