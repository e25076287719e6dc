"""Rounds in which every peer has its turn at each load, watched and not. Gives raw samples; `rows` makes figures of them.

The length of a run is told by a pilot, so that what slows a load a hundredfold takes no longer. In every second round the order is
reversed, and so is which of the two copies of the load goes first.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from bench.beside.loads import KINDS, Kind, Load, standing
from bench.beside.peers import FLOOR, WITHOUT, Bare, Ours, Peer, ours, tools
from bench.stage import Empty, Nothing, Stage, alone, hooked

SLICE, PIECES = (
    0.45,
    3,
)  # seconds of one run, and its pieces, of which the best counts: what disturbs one is not the tool's
PATIENCE = 5.0  # seconds to wait for others to leave the system call path; who stays is counted and told
WHERE = ("inside", "outside")


class Record:
    """What a section remembers, as it goes to the raw samples."""

    def __init__(self) -> None:
        self.samples: dict[str, list[float]] = {}  # "load, peer, where" → ns an operation
        self.operations: dict[str, int] = {}  # of one run, under the same names
        self.cpu: dict[
            str, list[float]
        ] = {}  # "load, peer" → the tool's CPU as a share of a core, while the load is watched
        self.seen: dict[str, list[list[int | None]]] = {}  # "load, peer" → made, seen, lost
        self.failed: dict[str, str] = {}  # "load, peer" → what it said
        self.attach: dict[str, list[float]] = {}  # peer → seconds until it watches
        self.others = 0  # programs of others on the system call path, at most
        self.busy: list[float] = []  # processes that wanted a CPU before each round, of the last minute

    def fail(self, name: str, why: str) -> None:
        """One that does not run has no samples, not few."""
        self.failed[name] = why
        for kept in (self.cpu, self.seen):
            kept.pop(name, None)
        for where in WHERE:
            self.samples.pop(f"{name}, {where}", None)

    def plain(self) -> dict[str, Any]:
        return dict(vars(self))


def measure(stage: Stage, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Raw samples of all loads and peers, and which loads were left out."""
    record, skipped = Record(), []
    with ours(stage) as own:
        peers: list[Peer] = [Bare(WITHOUT, Nothing()), Bare(FLOOR, Empty()), *own, *tools(stage)]
        for number, kind in enumerate(KINDS, 1):
            missing = [program for program in kind.needs if not shutil.which(program)]
            if missing:
                skipped.append(f"{kind.name}: {' and '.join(missing)} not installed; as root, make packages-bench")
                continue
            _load(
                stage, kind, peers, rounds, record, lambda text, n=number: say(f"side by side {n}/{len(KINDS)}, {text}")
            )
    return record.plain() | {"skipped": skipped}


def _load(stage: Stage, kind: Kind, peers: list[Peer], rounds: int, record: Record, say: Callable[[str], None]) -> None:
    with ExitStack() as stack:
        watched, neighbour = _stand(stack, stage, kind, peers)
        made = {peer.name: 0 for peer in peers if isinstance(peer, Ours)}
        for peer in peers:
            say(f"{kind.name}: how long {peer.name} takes")
            _guarded(record, made, peer, watched, neighbour, 0, pilot=True)
        for number in range(rounds):
            say(f"{kind.name}: round {number + 1} of {rounds}")
            alone(PATIENCE)
            record.others = max(record.others, hooked())
            record.busy.append(round(os.getloadavg()[0], 2))
            for peer in peers if number % 2 else peers[::-1]:
                _guarded(record, made, peer, watched, neighbour, number)
        for peer in peers:
            if isinstance(peer, Ours):
                total = made[peer.name]
                seen = peer.seen(watched.target, kind.witness, total)
                record.seen[f"{kind.name}, {peer.name}"] = [[total, seen, peer.lost(watched.target)]]


def _stand(stack: ExitStack, stage: Stage, kind: Kind, peers: list[Peer]) -> tuple[Load, Load]:
    """Both copies, begun in the sight of driftline as they are in life: it skips calls by which a runtime sets a container up."""
    with ExitStack() as sight:
        for peer in peers:
            if isinstance(peer, Ours):
                sight.enter_context(peer.probes.on())
        watched = stack.enter_context(standing(kind, stage, watched=True))
        return watched, stack.enter_context(standing(kind, stage, watched=False))


def _guarded(
    record: Record, made: dict[str, int], peer: Peer, watched: Load, neighbour: Load, number: int, *, pilot=False
) -> None:
    name = f"{watched.kind.name}, {peer.name}"
    if name in record.failed:
        return
    for attempt in (1, 2):
        try:
            done = (_pilot if pilot else _turn)(record, peer, watched, neighbour, number)
        except RuntimeError as e:  # the tool's, or the load's under it
            if attempt == 2:
                record.fail(name, str(e))
        else:
            if peer.name in made:
                made[peer.name] += done
            return


def _pilot(record: Record, peer: Peer, watched: Load, neighbour: Load, number: int) -> int:
    """Finds out how many operations fill a run. Returns how many were made under watch."""
    name, done = f"{watched.kind.name}, {peer.name}", 0
    with peer.on(watched.target):
        for where, load in zip(WHERE, (watched, neighbour), strict=True):
            operations = load.kind.pilot
            for _ in range(2):  # the first is short, and new things are new in it
                begun = time.perf_counter()
                load.run(operations)
                done += operations if where == "inside" else 0
                rate = operations / (time.perf_counter() - begun)
                operations = max(load.kind.pilot, int(rate * SLICE)) // PIECES * PIECES
            record.operations[f"{name}, {where}"] = operations
    return done


def _turn(record: Record, peer: Peer, watched: Load, neighbour: Load, number: int) -> int:
    """One round of one peer. Returns how many operations were made under watch."""
    name, begun = f"{watched.kind.name}, {peer.name}", time.monotonic()
    order = {"inside": watched, "outside": neighbour}
    found: dict[str, float] = {}
    with peer.on(watched.target) as session:
        took = time.monotonic() - begun
        for where in WHERE if number % 2 else WHERE[::-1]:
            before, start = session.cpu(), time.monotonic()
            each = record.operations[f"{name}, {where}"] // PIECES
            found[where] = min(order[where].run(each) for _ in range(PIECES))
            length = time.monotonic() - start
            used = session.rest() - before
            if where == "inside":
                share = used / length
    done = record.operations[f"{name}, inside"]
    for where, value in found.items():
        record.samples.setdefault(f"{name}, {where}", []).append(round(value, 3))
    if peer.name not in (WITHOUT, FLOOR):
        record.cpu.setdefault(name, []).append(round(share, 5))
        record.attach.setdefault(peer.name, []).append(round(took, 4))
    if session.counts is not None:
        row = [done, session.counts[watched.kind.witness], session.lost]
        record.seen.setdefault(name, []).append(row)
    return done
