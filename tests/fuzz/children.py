"""One process for each decoder: what crashes or hangs one, or fills its memory, is seen and told, and harms no other."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.rounds import Outcome, run
from tests.fuzz.table import BY_NAME

SPARE = 90  # seconds of CPU time for the start and the last round, behind which a child is ended
PATIENCE = 60.0  # seconds of the clock for each second of CPU time, as on a very busy machine
MEMORY = 6 << 30  # bytes of address space: a length that lies must not take the machine down
ROOT = Path(__file__).parents[2]


def outcomes(names: Sequence[str], *, seconds: float, seed: int, jobs: int) -> Iterator[Outcome]:
    """What comes of each, as they end."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(_ask, name, seconds, seed) for name in names]
        yield from (done.result() for done in as_completed(waiting))


def _ask(name: str, seconds: float, seed: int) -> Outcome:
    command = [sys.executable, "-m", "tests.fuzz", "--child", name, "--seconds", str(seconds), "--seed", str(seed)]
    return watched(name, command, patience=(seconds + SPARE) * PATIENCE)


def watched(name: str, command: Sequence[str], *, patience: float) -> Outcome:
    """What a child says, or how it ended without a word. `--progress FILE` is put behind the command."""
    with tempfile.NamedTemporaryFile(prefix="driftline-fuzz-") as progress:
        try:
            done = subprocess.run(
                [*command, "--progress", progress.name], cwd=ROOT, capture_output=True, timeout=patience, check=False
            )
        except subprocess.TimeoutExpired:
            return _lost(name, progress.name, f"stood still for {patience:g} s")
        try:
            return Outcome(**json.loads(done.stdout.splitlines()[-1]))
        except (ValueError, IndexError, TypeError):
            words = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            return _lost(name, progress.name, " ".join([_ending(done.returncode), *words]))


def _lost(name: str, progress: str, why: str) -> Outcome:
    text = Path(progress).read_bytes()[:20].strip()
    number = int(text) if text.isdigit() else 0
    return Outcome(name, number, 0.0, 0, f"round {number}: {why}; again: --only {name} --round {number}")


def _ending(code: int) -> str:
    if code == -signal.SIGXCPU:
        return "no end, not even for a signal"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def child(name: str, *, seconds: float, seed: int, progress: str) -> None:
    """The rounds of one decoder, in this process; the outcome is one line of JSON."""
    limit = int(seconds + SPARE)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    told = os.open(progress, os.O_WRONLY | os.O_CLOEXEC)
    found = run(BY_NAME[name], seconds=seconds, seed=seed, note=lambda n: os.pwrite(told, b"%20d" % n, 0))
    print(json.dumps(asdict(found)))
