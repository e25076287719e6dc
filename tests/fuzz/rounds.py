"""Rounds of one decoder in this process: how many, the worst of them, how much memory, and the first fault."""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.decoder import Decoder

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the rounds of one decoder."""

    name: str
    rounds: int
    worst: float  # seconds of CPU time of the longest round
    growth: int  # KiB that the process grew by
    fault: str = ""  # "" for none; else what happened, and how to see it again


class TooLong(BaseException):
    """A round that does not end. No `except Exception` of a decoder holds it."""


def case(decoder: Decoder, wholes: list[Any], seed: int, number: int) -> object:
    """The input of a round: the same for the same seed and number."""
    rng = random.Random(f"{seed} {decoder.name} {number}")
    return decoder.harm(rng, rng.choice(wholes))


def run(
    decoder: Decoder,
    *,
    seconds: float,
    seed: int = 1,
    least: int = 1,
    note: Callable[[int], None] = lambda number: None,
) -> Outcome:
    """Reads the whole inputs, then damaged ones until the time is over or one is a fault.

    Args:
        seconds: CPU time of this process.
        least: rounds that are made however long they take.
        note: told of each round before it begins, for whoever looks from outside.
    """
    wholes = decoder.whole()
    fault = next((f for whole in wholes if (f := _fault(decoder, whole))), "")
    if fault:
        return Outcome(decoder.name, 0, 0.0, 0, f"whole input: {fault}")
    before, end, number, worst = peak(), time.process_time() + seconds, 0, 0.0
    while not fault and (number < least or time.process_time() < end):
        number += 1
        note(number)
        made = case(decoder, wholes, seed, number)
        began = time.process_time()
        fault = _fault(decoder, made)
        worst = max(worst, time.process_time() - began)
    growth = max(0, peak() - before)
    if not fault and growth > decoder.memory:
        fault = f"grew by {growth >> 10} MiB, {decoder.memory >> 10} MiB are allowed"
    elif fault:
        again = f"python -m tests.fuzz --only {decoder.name} --round {number} --seed {seed}"
        fault = f"round {number} of seed {seed}: {fault}; again: {again}"
    return Outcome(decoder.name, number, worst, growth, fault)


def _fault(decoder: Decoder, made: object) -> str:
    """Why an input is a fault of the decoder; "" where it was read or refused."""
    try:
        with limited(decoder.seconds):
            decoder.read(made)
    except decoder.refusals:
        return ""
    except TooLong:
        return f"no end after {decoder.seconds:g} s"
    except Exception as e:
        where = traceback.extract_tb(e.__traceback__)[-1]
        return f"{type(e).__name__} at {os.path.relpath(where.filename, ROOT)}:{where.lineno}: {e!s:.300}".replace(
            "\n", " "
        )
    return ""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Ends what takes more CPU time. What hangs within C is ended by the limit of the whole process."""

    def over(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def peak() -> int:
    """KiB that this process ever had resident. Not ru_maxrss: that begins with what the parent had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])
