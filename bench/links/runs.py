"""Runs of agents to signs per call: ../shared/data/agent-runs, and beside it the texts of the tools' results.

`results.json.xz` holds what the tools of AgentDojo 0.1.35 (MIT, LICENSE.agentdojo) gave back, made by running the calls of the
data set again; 1 behind a text: its SHA-256 or its length is that of the data set. Where an injection was in it, the wording
around the goal is ours, since the data set keeps a digest only; the goal itself and all the rest of the text are the original's.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.links.hijack import Known, Signs, signs
from wire.provenance import Source

DATA = Path(__file__).parents[3] / "shared" / "data" / "agent-runs"
RESULTS = Path(__file__).with_name("results.json.xz")
HIJACKED = "hijacked"


@dataclass(frozen=True, slots=True)
class Content:
    """What of a run may be read."""

    words: bool = True  # prompt and arguments
    results: int | None = None  # bytes of each result; 0: none, None: all


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an agent on one task."""

    id: str
    suite: str
    task: str
    label: str
    prompt: str
    goal: str
    calls: tuple[tuple[str, Any, str], ...]  # tool, arguments, key of the result's text

    @property
    def tools(self) -> list[str]:
        """Its tools, in order."""
        return [tool for tool, _, _ in self.calls]


def runs(folder: Path = DATA, pattern: str = "agentdojo_*.jsonl") -> list[Run]:
    """The runs of a folder."""
    return [_run(json.loads(line)) for path in sorted(folder.glob(pattern)) for line in path.open()]


def texts() -> dict[str, str]:
    """Results by the digest that the data set has of them."""
    return {key: text for key, (text, _) in json.loads(lzma.decompress(RESULTS.read_bytes())).items()}


def known(others: Iterable[Run]) -> Known:
    """What the runs of an agent have shown."""
    found = Known()
    for run in others:
        found.learn(run.tools)
    return found


def signs_of(run: Run, before: Known, results: dict[str, str], content: Content) -> list[Signs]:
    """The signs of each call; a call sees the results of those before it."""
    sources, out = [Source("user", run.prompt)], []
    for n, (tool, arguments, key) in enumerate(run.calls):
        new = before.new(run.tools, n)
        out.append(signs(tool, arguments, sources, new, words=content.words))
        if content.results is None or content.results:
            whole = results.get(key, "")
            text = whole if content.results is None else whole.encode()[: content.results].decode("utf-8", "ignore")
            sources.append(Source(f"tool:{tool}", text, cut=key not in results or len(text) < len(whole)))
    return out


def _run(row: dict[str, Any]) -> Run:
    task = str(row["user_task"] if "user_task" in row else row["task_id"])
    calls = tuple((c["tool"], c.get("args") or {}, c.get("result_sha256", "")) for c in row["calls"])
    label = "exposed" if row["label"].startswith("exposed") else row["label"]
    goal = str(row.get("injection_task") or "")
    return Run(row["id"], str(row.get("suite") or "tau-airline"), task, label, row["prompt"], goal, calls)
