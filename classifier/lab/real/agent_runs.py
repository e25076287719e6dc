"""Tool calls of agents to runs, and runs to what is new or foreign in them.

A call's `origin` (who wanted it) and `result_tainted` (whether an injection was in a result) are ground truth and are
read by nothing here but the variant that says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from classifier.lab.real.table import DataError

START = "^"
READS = re.compile(r"(?:get|read|search|list|check|find|view|show|lookup|query|calculate|think|count)(?:_|$)")
PLACE = re.compile(r"[^@\s]+@[^@\s]+\.\w+|https?://|www\.|[A-Z]{2}\d{8,}")  # mail address, page, bank account
LONGEST = 16 << 20  # bytes of a line


@dataclass(frozen=True, slots=True)
class Call:
    tool: str
    values: tuple[str, ...]  # of all arguments, as text
    after_taint: bool  # an earlier result held an injection: ground truth

    @property
    def acts(self) -> bool:
        """Whether it changes or sends something, by the verb of its name."""
        return not READS.match(self.tool)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an agent on one task."""

    suite: str
    task: str
    label: str
    goal: str  # the injected task; "" where there is none
    prompt: str
    calls: tuple[Call, ...]

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(c.tool for c in self.calls)


def read(path: Path) -> list[Run]:
    """Runs of a file of JSON lines.

    Raises:
        DataError: It cannot be read or a line is no run.
    """
    try:
        with open(path, "rb") as file:
            return [_run(line, f"{path}: line {n}") for n, line in enumerate(_lines(file), 1) if line.strip()]
    except OSError as e:
        raise DataError(f"{path}: cannot be read ({e.strerror}); check the path") from e


def _lines(file) -> Iterator[bytes]:
    return iter(lambda: file.readline(LONGEST), b"")


def _run(line: bytes, where: str) -> Run:
    try:
        found = json.loads(line)
        task = str(found["user_task"] if "user_task" in found else found["task_id"])
        suite, goal = str(found.get("suite") or "tau-airline"), str(found.get("injection_task") or "")
        return Run(suite, task, str(found["label"]), goal, str(found["prompt"]), tuple(_calls(found["calls"])))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise DataError(f"{where}: is no run with a task, a label, a prompt and calls; remove the line") from e


def _calls(found: list[dict]) -> Iterator[Call]:
    tainted = False
    for call in found:
        yield Call(str(call["tool"]), tuple(_leaves(call.get("args") or {})), tainted)
        tainted = tainted or bool(call.get("result_tainted"))


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def chains(tools: tuple[str, ...], n: int) -> list[tuple[str, ...]]:
    """Chains of n tools, the run's start included."""
    padded = (START,) * (n - 1) + tools
    return [padded[i : i + n] for i in range(len(tools))]


class Knowledge:
    """What the runs of an agent have shown: its tools, its chains of two and three, the places it deals with."""

    def __init__(self, runs: Iterable[Run]) -> None:
        runs = list(runs)
        self.chains = {n: {c for r in runs for c in chains(r.tools, n)} for n in (1, 2, 3)}
        self.values = {v.casefold() for r in runs for c in r.calls for v in c.values}

    def new(self, tools: tuple[str, ...], n: int) -> list[bool]:
        """For each call of a run whether its chain of n is new."""
        return [c not in self.chains[n] for c in chains(tools, n)]

    def foreign(self, run: Run, call: Call) -> bool:
        """Whether a call acts on a mail address, page or account that neither the prompt nor any known run names."""
        said = run.prompt.casefold()
        places = (m for v in call.values for m in (v.casefold(),) if PLACE.search(v))
        return call.acts and any(p not in said and p not in self.values for p in places)
