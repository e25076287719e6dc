"""What a label costs: time a window, memory a workload, and the time of an evaluation."""

from __future__ import annotations

import gc
import os
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

from classifier.envelope.envelope import Envelope
from classifier.envelope.state import freeze
from classifier.lab.harness import judge
from classifier.lab.simulate import Plan, deployment
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from wire.records import Behaviour, CgroupId, Event, Head, Identity, Record, Replica, Tick, Use, Window, Workload

WIDE = 1000  # behaviours
USES = 20  # in a window
WORKLOADS = 10_000
HOUR, DAY, INTERVAL = 3600.0, 86_400.0, 10.0
CALLS = {0: 40, 1: 30, 3: 12, 42: 3, 44: 3, 45: 1, 202: 8, 257: 12}
SEED = 4000  # no fit and no choice of a rule has seen it
MONTHS = 320


def measure(say: Callable[[str], None], deployments: int) -> dict[str, Any]:
    """Rows of the section."""
    say("windows at 1,000 behaviours")
    rows = _windows()
    say("ten thousand workloads")
    rows += _many()
    say("simulated deployments")
    return {"rows": rows + _lab(say, deployments)}


# one window -------------------------------------------------------------------------------------------------------------


def _windows() -> list[dict[str, Any]]:
    """Windows of 20 of 1,000 behaviours; CPU of the whole pipeline."""
    p, end = _wide()
    known = [_cost(p, _window(end + n * INTERVAL, n)) for n in range(720)]
    fresh = [_cost(p, _window(end + 2 * HOUR + n * HOUR, 0)) for n in range(20)]
    end += 24 * HOUR
    news = [_cost(p, *_news(end + n * INTERVAL, n)) for n in range(100)]
    size, stored = _memory(lambda: _wide()[0].envelope(Workload("a/b/Deployment/wide/main")))
    return [
        _row("a known window of 20 uses, 1,000 behaviours known", known, "us", "< 200"),
        _row("the first window of an hour, the same", fresh, "us", "< 200"),
        _row("an event of a new credential, judged and told at once", news, "us", ""),
        {
            "what": "envelope of 1,000 behaviours on two replicas, 50 of them peers",
            "value": size,
            "unit": "KB",
            "asked": "< 100",
        },
        {"what": "the same as a snapshot", "value": stored, "unit": "KB", "asked": ""},
    ]


def _wide() -> tuple[Pipeline, float]:
    """Five days of two replicas that do everything once a day, and some of it always."""
    p = Pipeline(Policy())
    p.feed(Head(0.0, "n1", "6.12", "e1", "/", INTERVAL))
    for n in (1, 2):
        p.feed(Identity(0.0, Replica("n1", CgroupId(n)), f"/{n}", Workload("a/b/Deployment/wide/main"), "r1", "rule"))
    for hour in range(120):
        for n in (1, 2):
            p.feed(_window(hour * HOUR, hour, n, WIDE if hour % 24 == 0 else USES, HOUR))
        p.feed(Tick("n1", (hour + 1) * HOUR))
    return p, 120 * HOUR


def _window(start: float, salt: int, replica: int = 1, uses: int = USES, length: float = INTERVAL) -> Window:
    some = tuple(_use(n, salt) for n in range(uses))
    return Window(Replica("n1", CgroupId(replica)), start, start + length, some, CALLS)


def _use(n: int, salt: int) -> Use:
    data = {"lineage": "python3.11<containerd-shim"}
    if n >= 50:
        return Use(Behaviour(f"open:data:/srv/app/part{n // 40}/file{n}.dat"), 3, data=data)
    size = 2000 + (salt * 37 + n) % 900
    return Use(Behaviour(f"egress:tcp:host{n}.example.org:443"), 3, size, 9 * size, data=data)


def _news(start: float, n: int) -> tuple[Record, ...]:
    """A credential that was never used: it is told at once."""
    replica, name = Replica("n1", CgroupId(1)), Behaviour(f"open:secret:/run/secrets/key{n}")
    event = Event(f"n1/e1/{n}", start + 1, replica, "open", name, {"lineage": "sh<python3.11<containerd-shim"})
    return event, Tick("n1", start + INTERVAL)


def _cost(p: Pipeline, *records: Record) -> float:
    """Microseconds of CPU."""
    begun = time.process_time_ns()
    for record in records:
        p.feed(record)
    return (time.process_time_ns() - begun) / 1e3


# many workloads -----------------------------------------------------------------------------------------------------------


def _many() -> list[dict[str, Any]]:
    """A window of every workload, again and again; the share of ten seconds of one core that it takes."""
    p, rounds = Pipeline(Policy()), []
    before = _resident()
    p.feed(Head(0.0, "n1", "6.12", "e1", "/", INTERVAL))
    for n in range(WORKLOADS):
        p.feed(Identity(0.0, Replica("n1", CgroupId(n)), f"/{n}", Workload(f"a/b/Deployment/w{n}/main"), "r1", "rule"))
    for number in range(8):
        windows = [_window(number * INTERVAL, number + n, n) for n in range(WORKLOADS)]
        rounds.append(_cost(p, *windows, Tick("n1", (number + 1) * INTERVAL)) / 1e6)
    kilobytes = (_resident() - before) / 1024 / WORKLOADS
    return [
        _row("10,000 workloads, one window each, of which there is one in 10 s", rounds[2:], "s", "< 10"),
        {"what": "memory of one of them, resident", "value": round(kilobytes, 1), "unit": "KB", "asked": "< 100"},
    ]


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# the lab --------------------------------------------------------------------------------------------------------------------


def _lab(say: Callable[[str], None], deployments: int) -> list[dict[str, Any]]:
    """CPU of an evaluation, and the envelopes that it ends with."""
    seconds, sizes, stored = [], [], []
    gc.disable()  # as the workers of an evaluation do
    for n in range(deployments):
        plan = Plan(seed=SEED + n // 16)
        begun = time.process_time()
        judge(plan, n % 16)
        seconds.append(time.process_time() - begun)
        size, snapshot = _memory(partial(_envelope_of, plan, n % 16))
        sizes.append(size)
        stored.append(snapshot)
        say(f"simulated deployments {n + 1}")
    gc.enable()
    mean = statistics.mean(seconds)
    spread = f"{min(seconds):.2f} to {max(seconds):.2f} s of CPU each, {deployments} measured"
    return [
        {
            "what": f"{MONTHS} deployment-months on two cores ({spread})",
            "value": round(mean * MONTHS / 2, 1),
            "unit": "s",
            "asked": "< 120",
        },
        _row("envelope of a deployment after 44 days", sizes, "KB", "< 100"),
        _row("the same as a snapshot", stored, "KB", ""),
    ]


def _envelope_of(plan: Plan, index: int) -> Envelope | None:
    """What a deployment's stream ends with; the pipeline goes."""
    p = Pipeline(Policy())
    for record in deployment(plan, index)[0]:
        p.feed(record)
    return next(e for w in p.workloads() if (e := p.envelope(w.workload)) is not None)


def _memory(make: Callable[[], Envelope]) -> tuple[float, float]:
    """Kilobytes of an envelope in memory, all that was allocated for it, and as a snapshot."""
    make()  # what is remembered by name for all workloads is no part of it
    gc.collect()
    tracemalloc.start()
    e = make()
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return round(size / 1024, 1), round(len(freeze(e)) / 1024, 1)


def _row(what: str, values: list[float], unit: str, asked: str) -> dict[str, Any]:
    """The median, and the 5th and the 95th of 100."""
    cuts = statistics.quantiles(values, n=20)
    spread = f"{_short(cuts[0])} to {_short(cuts[-1])}"
    return {
        "what": f"{what} ({spread})",
        "value": float(_short(statistics.median(values))),
        "unit": unit,
        "asked": asked,
    }


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
