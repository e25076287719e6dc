"""Every client in a container of its own, asking a model over TLS: what was said beside what driftline tells of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clients import asks, kinds, node, watch
from tests.clients.kinds import Client
from tests.clients.node import SERVER, Box, Node, Talker
from tests.clients.watch import Watch
from tests.kernel.test_tls import certificate
from wire.records import Event

ROOT = Path(__file__).parents[2]
SECRET = "sk-never-to-be-kept"  # in a header of each request
NOT_TRIED = "not tried"
Words = dict[str, Any]


@dataclass
class Row:
    """One client of the table."""

    client: str
    words: str
    expected: str
    rung: str = NOT_TRIED
    library: str = ""
    reason: str = ""
    calls: int = 0  # that the server answered
    told: int = 0  # of them, with model and digests equal
    tools: int = 0  # calls of tools, likewise
    loud: dict[str, str] = field(default_factory=dict)  # place → what it says of an uncovered client
    faults: list[str] = field(default_factory=list)


class Model(Talker):
    """The server, inside the node's network namespace."""

    def __init__(self, host: Node, folder: Path) -> None:
        self.ca, key = certificate(folder, node.HOST)
        command = host.command(sys.executable, "-m", "tests.clients.server", self.ca, key, SERVER, mounts=False)
        with (folder / "model.log").open("w") as log:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            super().__init__(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))
        self.port = int(self.line())

    def calls(self, many: int) -> list[Words]:
        """The next calls that it has answered."""
        return [json.loads(self.line()) for _ in range(many)]


def run(say: Callable[[str], None] = lambda _: None) -> list[Row]:
    """The whole table.

    Args:
        say: Takes a line now and then.

    Raises:
        NodeError, WatchError: Nothing could be tried.
    """
    with watch.passable("driftline-clients-") as folder:
        work = folder / "work"
        work.mkdir()
        clients = kinds.every(work)
        with node.started(folder) as host:
            model = Model(host, folder)
            shutil.copy(model.ca, work / "ca.pem")
            try:
                return _tried(host, model, folder, clients, say)
            finally:
                model.end()


def _tried(host: Node, model: Model, folder: Path, clients: list[Client], say: Callable[[str], None]) -> list[Row]:
    rows = {c.name: Row(c.name, c.words, c.rung, reason=c.missing) for c in clients}
    asked: dict[str, list[Words]] = {}
    with watch.started(folder / "driftline", host.cgroup, ["auto", "unit:static*"]) as driftline:
        say("sensor and classifier run")
        for client in (c for c in clients if not c.missing):
            files = asks.write(folder / "work", client.name)
            box = _start(host, client, client.command(model.port, files), folder / "work")
            _stand(driftline, box, rows[client.name])
            asked[client.name] = _talk(box, model, rows[client.name], len(files))
            say(f"{client.words}: {rows[client.name].rung}, {len(files)} calls")
        for name in asked:
            _settle(driftline, host, rows[name])
        for box in host.boxes:
            box.end()
        driftline.until(lambda: not driftline.attached(), "the sensor to let go of what nobody runs any more")
        driftline.stop()
        events, log = driftline.events(), driftline.log()
    for name, calls in asked.items():
        _compare(rows[name], calls, [e for e in events if e.replica.cgroup == host.box(name).id])
        if SECRET in repr(events) + log:
            rows[name].faults.append("a header with a secret was kept")
    return list(rows.values())


def _start(host: Node, client: Client, argv: list[str], work: Path) -> Box:
    box = host.start(client.name, argv, files=work, trees=client.trees, environment=client.environment)
    if box.line() != "ready":
        raise node.NodeError(f"{client.name} does not run: {host.log(client.name)}")
    return box


def _stand(driftline: Watch, box: Box, row: Row) -> None:
    """Where its process stands, by the command that a person would ask."""

    def ask() -> Words | None:
        found = driftline.ask("inventory", "show", f"unit:{box.name}")
        rows = found["coverage"]["processes"] if found else []
        return next((p for p in rows if p["pid"] in box.pids() and p["source"] == "tls"), None)

    found = driftline.until(ask, f"the rung of {box.name}")
    row.rung, row.library, row.reason = found["rung"], found["library"], found["reason"]
    if row.rung != row.expected:
        row.faults.append(f"stands on {row.rung} and not on {row.expected}")


def _talk(box: Box, model: Model, row: Row, many: int) -> list[Words]:
    """It asks; the calls that the server saw."""
    box.say()
    heard = box.line().split()
    if len(heard) != many:
        raise node.NodeError(f"{box.name} ended within its calls")
    calls = model.calls(many)
    row.calls = len(calls)
    if sorted(heard) != sorted(c["body"] for c in calls):
        row.faults.append("what it heard is not what the server said")
    return calls


def _settle(driftline: Watch, host: Node, row: Row) -> None:
    """Waits until everything is told that will be."""
    id_ = host.box(row.client).id
    if row.rung in ("uncovered", "metadata"):
        row.loud = driftline.until(lambda: loud(driftline, f"unit:{row.client}"), f"all places to tell of {row.client}")
        return

    def heard() -> bool:
        return sum(e.kind == "llm" and e.replica.cgroup == id_ for e in driftline.events()) >= row.calls

    driftline.until(heard, f"the {row.calls} calls of {row.client}")


def loud(driftline: Watch, workload: str) -> dict[str, str] | None:
    """What each place says of a client that is not covered; None until all of them do."""
    shown, kept = driftline.ask("workload", "show", workload), driftline.ask("envelope", "show", workload)
    trail = driftline.ask("audit", "list", "--workload", workload) or []
    places = {
        "inventory show": _line(driftline.told("inventory", "show", workload), "UNCOVERED"),
        "workload show": next((s for s in (shown or {}).get("blind_spots", ()) if "is uncovered" in s), ""),
        "envelope show": next((s for s in (kept or {}).get("blind_spots", ()) if "uncovered" in s), ""),
        "audit show": next(
            (line for r in trail if (line := _line(driftline.told("audit", "show", r["id"]), "uncovered"))), ""
        ),
        "metrics": _line(driftline.metrics(), f'driftline_uncovered{{workload="{workload}"}}'),
        "log": _line(driftline.log(), "is uncovered"),
    }
    return places if all(places.values()) else None


def _line(text: str, word: str) -> str:
    return next((" ".join(line.split()) for line in text.splitlines() if word in line), "")


def _compare(row: Row, calls: list[Words], events: list[Event]) -> None:
    """Calls that were made beside those that were told."""
    llm = {str(e.data.get("user_turn_digest")): e for e in events if e.kind == "llm"}
    tools = {str(e.data.get("id")): str(e.data.get("arguments_digest")) for e in events if e.kind == "tool"}
    row.told = sum(call["user"] in llm and _equal(call, llm[call["user"]]) for call in calls)
    row.tools = sum(tools.get(f"call_{call['user'][:16]}") == call["arguments"] for call in calls)
    expected = row.calls if row.expected == "symbol" else 0
    if (row.told, row.tools) != (expected, expected):
        row.faults.append(f"{row.told} calls and {row.tools} calls of tools were told, not {expected}")
    if not any(e.kind == "coverage" and e.data.get("rung") == row.expected for e in events):
        row.faults.append(f"no event of coverage says {row.expected}")


def _equal(call: Words, event: Event) -> bool:
    data = event.data
    said = (data.get("model_asked"), data.get("model_answered"), data.get("streamed"), data.get("partial", ""))
    return said == (call["model"], call["answered"], 1, "")
