"""Damaged, torn and made-up lanes: nothing fails, nothing grows, and what comes whole is told.

``DRIFTLINE_FUZZ_SECONDS`` (20): a tenth of it is spent here. Seeded by ``DRIFTLINE_FUZZ_SEED`` (1); a failure names the round.
"""

import os
import random
import time

from sensor.observe.applayer.limits import Limits
from sensor.observe.stdio.lane import LONGEST
from sensor.probes.stdio import DATA, ENDED, LEFT_ALONE
from tests.fuzz.test_readers import damaged
from tests.observe.applayer.test_fuzz import Strict
from tests.observe.stdio.pipes import CLIENT, SERVER, TO_CLIENT, TO_SERVER, Pipes, lines

SECONDS = float(os.environ.get("DRIFTLINE_FUZZ_SECONDS", "20")) / 20
SEED = int(os.environ.get("DRIFTLINE_FUZZ_SEED", "1"))
LIMITS = Limits(body=1 << 18, event=1 << 16, waiting=1 << 16, connection=1 << 20, total=4 << 20)
TEXTS = [line for generation in ("initialize", "meta") for line in lines(generation)]
JUNK = [
    b"\0" * 300,
    b"\xff\xfe\n" * 20,
    b"{" * 500,
    b"[" * 500 + b"\n",
    b"\n" * 100,
    b'{"jsonrpc":"2.0","id":{}}\n',
    b'"\n',
]


def rounds():
    end = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < end:
        number += 1
        yield number, random.Random(f"{SEED}/{number}")


def some(rng):
    """A lane's number and bytes of it."""
    lane, text = rng.choice(TEXTS)
    if rng.random() < 0.3:
        text = damaged(rng, text)
    return (lane, text) if rng.random() < 0.9 else (rng.choice([TO_SERVER, TO_CLIENT, 5]), rng.choice(JUNK))


def act(rng, pipes):
    lane, text = some(rng)
    strange = {}
    if rng.random() < 0.1:
        ids = [0, 1, CLIENT, SERVER, 2**32 - 1]
        strange = {
            "reader": rng.choice(ids),
            "writer": rng.choice(ids),
            "mate": rng.choice([0, TO_CLIENT, TO_SERVER, lane]),
        }
    if rng.random() < 0.05:
        strange["born"] = rng.randrange(9)
    if rng.random() < 0.02:
        strange["offset"] = rng.choice([0, 2**63, 2**64 - 1])
    what = rng.random()
    if what < 0.9:
        pipes.read(lane, text, rng.choice([None, 1, 3, 50, 4096]), **strange)
    elif what < 0.94:
        pipes.lose(lane, rng.randrange(5000))
    elif what < 0.98:
        pipes.feed(pipes.chunk(lane, kind=rng.choice([ENDED, LEFT_ALONE, DATA, 9]), **strange))
    else:
        pipes.streams.doubt(1)
        pipes.streams.resolve(pipes.clock)
        pipes.streams.expire(pipes.clock, lambda pid: rng.random() < 0.8)


def test_nothing_that_a_workload_does_to_its_pipes_breaks_the_reading():
    for number, rng in rounds():
        pipes = Pipes(decoder=Strict(LIMITS))
        for _ in range(rng.randrange(1, 60)):
            act(rng, pipes)
        held = sum(lane.waiting for lane in pipes.streams.undecided)
        assert held == pipes.streams._waiting <= 3 * LONGEST, f"round {number}"
        pipes.streams.forget(1, pipes.clock)
        assert len(pipes.streams) == 0, f"round {number}"
        assert pipes.streams._waiting == 0, f"round {number}"
        assert pipes.streams.links == [], f"round {number}"


def test_whole_conversations_in_any_pieces_lose_no_call():
    expected = Pipes()
    for lane, line in lines("initialize"):
        expected.read(lane, line)
    for number, rng in rounds():
        pipes = Pipes()
        for lane, line in lines("initialize"):
            while line:
                size = rng.choice([1, 2, 10, 100, len(line)])
                pipes.read(lane, line[:size])
                line = line[size:]
        assert pipes.told() == expected.told(), f"round {number}"
