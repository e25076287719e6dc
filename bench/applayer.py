"""What listening to an agent costs: the sensor's CPU for a call, what is lost at fifty calls a second, what the agent waits longer.

A call is a prompt of 1 MB and a streamed answer of 200 events. Two equal processes ask in turn, one in a cgroup that is listened
to and one in a cgroup that is not, so that each pair sees the same machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.daemon import Daemon
from bench.stage import Stage
from bench.statistic import added, percent

LOADS = Path(__file__).with_name("loads")
SIZE, EVENTS = 1_000_000, 200
PAIRS, CALLS = 40, 50
RATE, PROCESSES, SECONDS = 50, 5, 10
THINK = 0.5  # seconds of a model that thinks
AGENTS = "unit:listened*"


class Model:
    """A server that plays a model."""

    def __init__(self, stage: Stage, think: float) -> None:
        self.ca, key = stage.folder / "ca.pem", stage.folder / "key.pem"
        if not self.ca.exists():
            subprocess.run(
                [
                    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                    *("-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
                    *("-keyout", key, "-out", self.ca),
                ],
                check=True,
                capture_output=True,
            )
        self._process = subprocess.Popen(
            [sys.executable, LOADS / "model.py", self.ca, key, str(think), str(EVENTS)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Asker:
    """An agent that asks when it is told to."""

    def __init__(self, stage: Stage, cgroup: Path, model: Model) -> None:
        command = [sys.executable, LOADS / "agent.py", model.port, model.ca, SIZE]
        self.process = stage.work(cgroup, "run", *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def begin(self, times: int, pause: float = 0.0) -> None:
        self.process.stdin.write(f"{times} {pause}\n")
        self.process.stdin.flush()

    def end(self) -> list[float]:
        return json.loads(self.process.stdout.readline())

    def ask(self, times: int = 1) -> list[float]:
        self.begin(times)
        return self.end()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def measure(stage: Stage, say: Callable[[str], None]) -> dict[str, Any]:
    """Rows of name, value and unit; samples of the pairs."""
    rule = {"match": f"/{stage.base.name}/scope/(?P<name>[a-z0-9]+)", "workload": "unit:{name}"}
    more = {"sensor": {"capture": {"agents": [AGENTS]}}, "identity": {"rules": [rule]}}
    daemon = Daemon(stage, stage.settings("applayer"), more)
    try:
        rows = _memory(stage, daemon, say)
        samples: dict[str, list[float]] = {}
        for think in (0.0, THINK):
            samples |= _pairs(stage, daemon, think, say)
        return {"rows": [*rows, *_latency(samples), *_load(stage, daemon, say)], "samples": samples}
    finally:
        daemon.close()


def _row(what: str, value: float, unit: str, asked: str = "") -> dict[str, Any]:
    return {"what": what, "value": round(value, 3), "unit": unit, "asked": asked}


def _memory(stage: Stage, daemon: Daemon, say: Callable[[str], None]) -> list[dict[str, Any]]:
    say("memory with no agent")
    other = stage.work(stage.cgroup("other"), "run", "sleep", "60")
    time.sleep(12)
    found = daemon.memory()["resident"]
    other.kill()
    other.wait()
    return [_row("daemon, resident, no agent", found, "MB")]


def _stand(stage: Stage, daemon: Daemon, model: Model, names: list[str]) -> list[Asker]:
    """Agents in cgroups of these names, once those that are listened to are attached to."""
    heard = daemon.events["coverage: symbol"]
    askers = [Asker(stage, stage.cgroup(name), model) for name in names]
    wanted = heard + sum(n.startswith("listened") for n in names)
    end = time.monotonic() + 60
    while daemon.events["coverage: symbol"] < wanted:
        if time.monotonic() > end:
            raise RuntimeError("the agents were not attached to within a minute")
        time.sleep(0.1)
    return askers


def _pairs(stage: Stage, daemon: Daemon, think: float, say: Callable[[str], None]) -> dict[str, list[float]]:
    model = Model(stage, think)
    name = f"{think:g} s" if think else "at once"
    heard, plain = _stand(stage, daemon, model, ["listened0", "plain"])
    samples: dict[str, list[float]] = {f"{name}, on": [], f"{name}, off": []}
    for number in range(PAIRS):
        say(f"a model that answers {name}: pair {number + 1} of {PAIRS}")
        order = [("on", heard), ("off", plain)]
        for what, asker in order if number % 2 else order[::-1]:
            samples[f"{name}, {what}"] += asker.ask()
    for asker in (heard, plain):
        asker.close()
    model.close()
    return samples


def _latency(samples: dict[str, list[float]]) -> list[dict[str, Any]]:
    rows = []
    for name in ("at once", f"{THINK:g} s"):
        on, off = f"{name}, on", f"{name}, off"
        half = sorted(samples[off])[PAIRS // 2] * 1e3
        rows.append(_row(f"a call to a model that answers {name}, without, p50", half, "ms"))
        rows.append(_row("  added, median of pairs", added(samples, on, off).value * 1e3, "ms"))
        share = percent(samples, on, off)
        rows.append(
            _row(f"  added [{share.low:.2f}, {share.high:.2f}]", share.value, "%", "2" if name != "at once" else "")
        )
    return rows


def _load(stage: Stage, daemon: Daemon, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """One agent at ease, then fifty calls a second of five."""
    model = Model(stage, 0.0)
    names = [f"listened{n}" for n in range(1, PROCESSES + 1)]
    askers = _stand(stage, daemon, model, names)
    time.sleep(2)
    say("the sensor's CPU for a call")
    idle = daemon.share(5.0) / 100
    rows = []
    used, begun, told = daemon.cpu(), time.monotonic(), daemon.events["llm"]
    askers[0].begin(CALLS, 0.2)
    askers[0].end()
    _settle(daemon, told + CALLS)
    spent = daemon.cpu() - used - idle * (time.monotonic() - begun)
    rows.append(_row("sensor, CPU for a call, 5 a second", spent / CALLS * 1e3, "ms", "15"))
    rows.append(_row("sensor, CPU while five agents are idle", idle * 100, "% of a core"))
    for rate in (10, 20, RATE):
        rows += _rated(daemon, askers, rate, say)
    rows.append(_row("daemon, resident, five agents", daemon.memory()["resident"], "MB"))
    for asker in askers:
        asker.close()
    model.close()
    return rows


def _rated(daemon: Daemon, askers: list[Asker], rate: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    say(f"{rate} calls a second")
    calls = rate * SECONDS // PROCESSES
    told, whole, lost = daemon.events["llm"], daemon.events["llm: whole"], dict(daemon.losses)
    used, begun = daemon.cpu(), time.monotonic()
    for asker in askers:
        asker.begin(calls, PROCESSES / rate)
    for asker in askers:
        asker.end()
    took, total = time.monotonic() - begun, calls * PROCESSES
    _settle(daemon, told + total)
    spent = daemon.cpu() - used
    time.sleep(11)  # until the window that says what was lost
    gone = sum(n - lost.get(why, 0) for why, n in daemon.losses.items() if why in BYTES)
    name = f"{rate} calls a second asked for, {total / took:.0f} made"
    return [
        _row(f"{name}: told", daemon.events["llm"] - told, f"of {total}", str(total)),
        _row("  told whole", daemon.events["llm: whole"] - whole, f"of {total}", str(total)),
        _row("  bytes lost", 100 * gone / (total * SIZE), "%", "0"),
        _row("  sensor, CPU for a call", spent / total * 1e3, "ms", "15"),
    ]


BYTES = ("tls_ring", "tls_budget", "tls_unreadable", "tls_long")


def _settle(daemon: Daemon, calls: int) -> None:
    """Until all calls were told, or nothing more comes."""
    last, end = -1, time.monotonic() + 30
    while daemon.events["llm"] < calls and time.monotonic() < end:
        if daemon.events["llm"] != last:
            last, end = daemon.events["llm"], time.monotonic() + 5
        time.sleep(0.1)
