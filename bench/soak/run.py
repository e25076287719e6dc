"""The soak itself: starts everything, looks every ten seconds, lets all rest every ten minutes, writes what it has each time."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from bench.soak import result
from bench.soak.field import ROLLED, Field
from bench.soak.programs import INTERVAL, Programs
from bench.soak.sampling import sample
from bench.soak.tally import Rest, at_rests
from bench.stage import cpu_of
from wire.trace import TraceError, read

EVERY = 10.0  # seconds between samples
BETWEEN = 600.0  # seconds between rests
RESTING = 2.2 * INTERVAL  # seconds: at least one tick lies in it
EDGE = 0.5  # seconds at both ends of a rest in which a tick is not taken: clocks of two programs
STEP = 0.5  # seconds


class Soak:
    """One run in a folder. A signal ends it in order; what there is by then is its result, and all is taken away.

    Args:
        say: Takes lines about what goes on.
        keep: Takes what is known at each rest.
        steady: Every replica stays to the end.
    """

    def __init__(
        self,
        folder: Path,
        minutes: float,
        say: Callable[[str], None],
        keep: Callable[[dict[str, Any]], None],
        *,
        steady: bool = False,
    ) -> None:
        self._folder, self._seconds, self._say, self._keep = folder, 60 * minutes, say, keep
        self._between = min(BETWEEN, max(40.0, self._seconds / 4))
        self._asked, self._steady = 0, steady
        self.raw: dict[str, Any] = {"machine": _machine(minutes, steady)}
        self.raw |= {name: [] for name in ("samples", "missed", "rests", "trouble", "left")}
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, number: int, _frame: object) -> None:
        self._asked += 1
        if self._asked > 2:
            raise SystemExit(128 + number)

    def run(self) -> dict[str, Any]:
        """The whole result, which is also in its file."""
        field = Field(self._folder, {} if self._steady else ROLLED)
        programs = Programs(self._folder, field)
        try:
            self._run(field, programs)
        except Exception as e:
            self.raw["trouble"].append(f"{type(e).__name__}: {e}")
            self._say(f"trouble: {e}")
        finally:
            try:
                self._finish(field, programs)
            finally:
                field.close()
                self.raw["left"] = programs.clear()
        self._evaluate(programs.trace)
        return self._result(done=True)

    def _run(self, field: Field, programs: Programs) -> None:
        programs.start()
        field.start()
        programs.settle(field.step)
        self.raw |= {"of_exec": field.of_exec.reads, "began": _now(), "probes": programs.probes()}
        self._say(f"observing {len(field.places)} replicas of 50 workloads in {field.scope}")
        begun = time.monotonic()
        due, rest_due = begun, begun + self._between
        while time.monotonic() < begun + self._seconds and not self._asked:
            field.step()
            programs.alive()
            if time.monotonic() >= due:
                self._sample(field, programs, time.monotonic() - begun)
                due += EVERY * (1 + (time.monotonic() - due) // EVERY)
            if time.monotonic() >= rest_due:
                self._rest(field)
                self._evaluate(programs.trace)
                self._keep(self._result(done=False))
                rest_due += self._between
            time.sleep(STEP)
        self._rest(field)
        self._sample(field, programs, time.monotonic() - begun)

    def _sample(self, field: Field, programs: Programs, seconds: float) -> None:
        try:
            self._taken(field, programs, seconds)
        except (OSError, psutil.Error) as e:  # a file went while we looked; the next sample has it
            self.raw["missed"].append([round(seconds, 2), str(e)])

    def _taken(self, field: Field, programs: Programs, seconds: float) -> None:
        """Not of the loads' processes: outside of a rest one may end at any moment."""
        own = psutil.Process().cpu_times()
        self.raw["samples"].append(
            {
                "at": round(seconds, 2),
                **sample(programs),
                "loads_cpu": cpu_of(field.base) / 1e6,
                "soak_cpu": own.user + own.system,
                "started": field.totals.started,
                "ended": field.totals.ended,
                "rounds": field.own()["rounds"],
            }
        )

    def _rest(self, field: Field) -> None:
        """All loads rest for two windows: what was counted by then stands still on both sides."""
        field.rest()
        begin = _now()
        kernel, own = field.kernel(), dict(field.own())
        time.sleep(RESTING)
        still = kernel == field.kernel() and own == dict(field.own())
        rest = {"begin": begin + EDGE, "end": _now() - EDGE, "still": still}
        self.raw["rests"].append(rest | {"kernel": kernel, "own": own, "workloads": field.by_workload()})
        self.raw["trouble"] += field.totals.trouble
        field.totals.trouble.clear()
        field.go_on()

    def _finish(self, field: Field, programs: Programs) -> None:
        """All replicas end, driftline tells the rest, both programs stop."""
        field.end()
        self.raw["end"] = {
            "kernel_ended": field.totals.ended,
            "kernel_started": field.totals.started,
            "own": dict(field.own()),
        }
        if "sensor" in programs.pids():
            time.sleep(1.2 * INTERVAL)
            programs.stop()
        self.raw["end"] |= {"words": programs.last_words()}

    def _evaluate(self, trace: Path) -> None:
        """What driftline had told at each rest, as far as the trace goes by now; the classifier writes it in blocks."""
        rests = [Rest(r["begin"], r["end"]) for r in self.raw["rests"]]
        if not trace.exists():
            return
        try:
            found = at_rests(read(trace, salvage=True), [*rests, Rest(0.0, float("inf"))])
        except TraceError as e:
            self.raw["trouble"].append(f"the trace: {e}")
            return
        for rest, told in zip(self.raw["rests"], found, strict=False):
            rest["told"] = told
        self.raw["whole"] = found[-1]

    def _result(self, *, done: bool) -> dict[str, Any]:
        self.raw["done"] = done and not self._asked
        return result.of(self.raw)


def _now() -> float:
    """Seconds since the epoch, to be held against event time."""
    return time.time()  # noqa: TID251  the soak is an agent of its own


def _machine(minutes: float, steady: bool) -> dict[str, Any]:
    return {
        "name": platform.machine(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "command": f"python -m bench.soak --minutes {minutes:g}{' --steady' if steady else ''}",
    }
