"""An agent's afternoon under driftline, and what its inventory says of three moments of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sensor.probes import client
from tests.clients import watch
from tests.clients.node import NodeError, Talker
from tests.clients.watch import Watch
from tests.inventory.live.home import build, edit, version
from tests.kernel.lab import remove

AGENT = "unit:agent"
PYTHON = "/usr/bin/python3"
Inventory = dict[str, Any]


@dataclass(frozen=True)
class Moment:
    """One moment, and what is known of it."""

    words: str
    at: str  # as --at takes it, UTC
    models: list[str]
    servers: list[str]
    found: Inventory


@dataclass
class Told:
    """Everything that was asked."""

    moments: list[Moment] = field(default_factory=list)
    replayed: list[Inventory] = field(default_factory=list)  # the same moments, from the trace
    changes: list[Inventory] = field(default_factory=list)  # from the first moment to the last
    checked: list[Inventory] = field(default_factory=list)  # against the manifest
    bom: Inventory = field(default_factory=dict)
    trace: Path = Path()
    home: Path = Path()


class Agent(Talker):
    """One process of the agent, in its cgroup. Its servers end with it."""

    def __init__(self, cgroup: Path, home: Path, *words: str) -> None:
        enter = f'echo $$ > {cgroup}/cgroup.procs; exec "$@"'
        command = ["sh", "-ec", enter, "enter", PYTHON, str(home / "agent.py"), str(home), *words]
        super().__init__(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        self._ready()

    def _ready(self) -> None:
        if self.line() != "ready":
            raise NodeError("the agent does not run")

    def serve(self, name: str) -> None:
        """Starts one more tool server."""
        self.say(name)
        self._ready()


def folder() -> AbstractContextManager[Path]:
    """A place for the files."""
    return watch.passable("driftline-inventory-")


def tell(folder: Path, say: Callable[[str], None] = lambda _: None) -> Told:
    """The afternoon.

    Args:
        folder: Where files are made; the trace stays in it.

    Raises:
        NodeError, WatchError: It cannot be told here.
    """
    told = Told(trace=folder / "agent.trace", home=build(folder / "home"))
    with _cgroup() as cgroup, watch.started(folder / "driftline", cgroup, ["unit:*"]) as driftline:
        (cgroup / "agent").mkdir()
        agents: list[Agent] = []
        try:
            _live(driftline, cgroup / "agent", told, agents, say)
        finally:
            for agent in agents:
                agent.end()
        driftline.stop()
        shutil.copy(driftline.traces()[-1], told.trace)
        told.replayed = [_shown(driftline, m.at, "--trace", str(told.trace)) or {} for m in told.moments]
    return told


@contextmanager
def _cgroup() -> Iterator[Path]:
    made = client.cgroup_root() / f"driftline-agent-{os.getpid()}"
    made.mkdir()
    try:
        yield made
    finally:
        remove(made)


def _live(driftline: Watch, cgroup: Path, told: Told, agents: list[Agent], say: Callable[[str], None]) -> None:
    agents.append(Agent(cgroup, told.home, "model-a", "tickets"))
    _keep(driftline, told, "it runs with model-a and one tool server", ["model-a"], ["mcp-tickets"], say)
    driftline.until(lambda: 'what="stdio/workloads"} 1' in driftline.metrics(), "its pipes to be read")
    agents.pop().end()
    edit(told.home)
    agents.append(Agent(cgroup, told.home, "model-b", "tickets"))  # it cannot have model-a, and falls back
    _keep(driftline, told, "it has fallen back to model-b, with an edited skill", ["model-b"], ["mcp-tickets"], say)
    agents[0].serve("files")
    _keep(driftline, told, "a second tool server was side-loaded", ["model-b"], ["mcp-files", "mcp-tickets"], say)
    first, last = told.moments[0].at, told.moments[-1].at
    told.changes = driftline.ask("inventory", "diff", AGENT, "--from", first, "--to", last)
    told.checked = driftline.ask("inventory", "check", AGENT, "--manifest", str(told.home / "manifest.json"))
    told.bom = driftline.ask("inventory", "export", AGENT, "--format", "cyclonedx", "--at", last)


def _keep(
    driftline: Watch, told: Told, words: str, models: list[str], servers: list[str], say: Callable[[str], None]
) -> None:
    """Waits until driftline tells what is so now, and keeps a moment of it; the next act comes in another second."""
    driftline.until(lambda: _is_so(_shown(driftline, "now"), models, servers), words)
    skill = version(told.home)
    driftline.until(lambda: _is_read(_shown(driftline, "now") or {}, skill), f"{words}: what stands in its files")
    if told.moments:  # the first has begun before anybody could hear it
        driftline.until(
            lambda: _are_heard(_shown(driftline, "now") or {}), f"{words}: what its servers say of themselves"
        )
    text = f"{datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"
    found = driftline.until(lambda: _shown(driftline, text), f"{text} to have been observed")
    told.moments.append(Moment(words, text, names(found, "model"), names(found, "mcp"), found))
    say(f"{text}  {words}")


def _shown(driftline: Watch, at: str, *more: str) -> Inventory | None:
    return driftline.ask("inventory", "show", AGENT, "--at", at, *more)


def _is_so(found: Inventory | None, models: list[str], servers: list[str]) -> bool:
    """An inventory of these; what each process of the agent reads at its start is there, too."""
    if found is None or not (names(found, "prompt") and names(found, "skill")):
        return False
    return (names(found, "model"), names(found, "mcp")) == (models, servers)


def problem_of_files(told: Told) -> list[str]:
    """What the sensor should have read of the files at each moment and did not."""
    out = []
    for moment in told.moments:
        items = {(i["kind"], i["name"]): i for i in moment.found["items"]}
        model = items["model", moment.models[0]]["more"]
        layers = {"model-a": "2", "model-b": "3"}[moment.models[0]]
        if (model.get("named"), model.get("tensors")) != (moment.models[0], layers) or len(
            model.get("sha256", "")
        ) != 64:
            out.append(f"{moment.at}: the weights say {model}")
        for kind, name in (("prompt", "system.md"), ("skill", "refund/SKILL.md")):
            if not items[kind, name]["version"].startswith("sha256:"):
                out.append(f"{moment.at}: {name} has no version")
    return out


def _are_heard(found: Inventory) -> bool:
    return all(i["version"] == "3.1" for i in found.get("items", ()) if i["kind"] == "mcp")


def _is_read(found: Inventory, skill: str) -> bool:
    items = found.get("items", ())
    digests = all("sha256" in i["more"] for i in items if i["kind"] == "model")
    prompts = all(i["version"] != "unknown" for i in items if i["kind"] == "prompt")
    return digests and prompts and [i["version"] for i in items if i["kind"] == "skill"] == [skill]


def names(found: Inventory, kind: str) -> list[str]:
    """Items of a kind, by name."""
    return sorted(i["name"] for i in found.get("items", ()) if i["kind"] == kind)


def problems(told: Told) -> list[str]:
    """What is not as it should be."""
    got = [(m.models, m.servers) for m in told.moments]
    wanted = [
        (["model-a"], ["mcp-tickets"]),
        (["model-b"], ["mcp-tickets"]),
        (["model-b"], ["mcp-files", "mcp-tickets"]),
    ]
    out = [] if got == wanted else [f"the three moments show {got}"]
    for moment, again in zip(told.moments, told.replayed, strict=True):
        if (names(again, "model"), names(again, "mcp")) != (moment.models, moment.servers):
            out.append(f"the trace says something else of {moment.at}")
    kept = {(c["change"], c["name"]) for c in told.changes if c["kind"] not in ("tool", "library")}
    servers = {("added", "mcp-files"), ("changed", "refund/SKILL.md")}
    if kept - {("changed", "mcp-tickets")} != {("removed", "model-a"), ("added", "model-b"), *servers}:
        out.append(f"the comparison lists {sorted(kept)}")
    status = {(r["declared"] or r["loaded"]): r["status"] for r in told.checked}
    if (status.get("model-b"), status.get("mcp-files")) != ("undeclared", "undeclared"):
        out.append(f"the manifest is held against {status}")
    return out + problem_of_files(told) + schema(told.bom)


def schema(bom: Inventory) -> list[str]:
    """What the official schema has against a bill of materials."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom))
    return [] if found is None and bom else [f"no valid CycloneDX 1.6: {found}"]
