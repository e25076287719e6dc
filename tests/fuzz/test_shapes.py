"""Input made to hurt one reader, where random damage would not come upon it."""

from __future__ import annotations

import random

import pytest

from sensor.importers import strace, strace_lines
from tests.observe.stdio.pipes import Pipes, lines
from wire.records import Tick


@pytest.mark.parametrize(
    "shape",
    [b") ", b"(", b'"', b'\\"', b"= ", b") = ", b" <unfinished ...>", b"    ", b"1", b"sin_port=htons(1), ", b"\\7"],
    ids=lambda shape: repr(shape)[2:-1],
)
def test_a_long_line_of_a_bad_shape_is_read(shape):
    """Patterns must not go back and forth: with a megabyte of what nearly fits this test would never end."""
    text = "12 1.5 read(" + (shape * (1_000_000 // len(shape))).decode()
    strace_lines.parse(text)
    strace_lines.strings(text)
    strace_lines.address(text)


def test_time_that_jumps_about_gives_windows_in_order(tmp_path):
    rng = random.Random(1)
    rows = "".join(f"{rng.randrange(5)} {rng.choice([1, 50, 10**10])}.5 getpid() = 1\n" for _ in range(500))
    (tmp_path / "x").write_text(rows)
    ticks = [r.time for r in strace.records(tmp_path / "x") if isinstance(r, Tick)]
    assert ticks == sorted(ticks)


@pytest.mark.parametrize("seed", range(12))
def test_whole_conversations_over_pipes_in_any_pieces_lose_no_call(seed):
    rng, expected, pipes = random.Random(seed), Pipes(), Pipes()
    for lane, line in lines("initialize"):
        expected.read(lane, line)
        while line:
            size = rng.choice([1, 2, 10, 100, len(line)])
            pipes.read(lane, line[:size])
            line = line[size:]
    assert pipes.told() == expected.told()
