"""The programs of a demo: orders and answers, ends that are told, and a workplace that is always taken away."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from console.demo.lab import workplace
from console.demo.programs import LabError, Programs

ECHO = "import sys\nprint('{\"ready\": true}', flush=True)\nfor line in sys.stdin: print(line.strip(), flush=True)"
WORDS = "import sys; print('first\\nlast words', file=sys.stderr)"


@pytest.fixture
def programs(tmp_path):
    found = Programs(tmp_path)
    yield found
    for name in ("stage", "sensor"):
        found.end(name)


def test_the_stage_answers_each_order_and_ends_with_its_input(programs):
    programs.launch("stage", [sys.executable, "-c", ECHO])
    assert programs.answer() == {"ready": True}
    assert programs.order({"start": "agent"}) == {"start": "agent"}
    programs.end("stage")
    programs.alive()  # nobody is left to miss


def test_a_program_that_ended_is_told_with_its_last_words(programs):
    programs.launch("sensor", [sys.executable, "-c", WORDS])
    end = time.monotonic() + 60
    with pytest.raises(LabError, match="the sensor ended with 0; sensor said: last words"):
        while time.monotonic() < end:
            programs.alive()
            time.sleep(0.02)


def test_a_stage_that_ended_is_an_error_and_no_answer(programs):
    programs.launch("stage", [sys.executable, "-c", WORDS])
    with pytest.raises(LabError, match="the stage ended"):
        programs.answer()


@pytest.mark.parametrize("ending", [lambda: None, lambda: os.kill(os.getpid(), signal.SIGTERM)], ids=["end", "sigterm"])
def test_a_workplace_is_gone_afterwards(ending):
    before, place = signal.getsignal(signal.SIGTERM), None
    try:
        with workplace("driftline-test-") as place:
            assert place.is_dir()
            ending()
            time.sleep(0)  # a signal is handled between two steps
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
    assert place is not None and not place.exists()
