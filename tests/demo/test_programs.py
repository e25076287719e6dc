"""The programs of a demo: orders and answers, ends that are told, and a workplace that is always taken away."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from console.demo.lab import workplace
from console.demo.programs import LabError, Programs, driftline

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


def test_programs_apart_have_sessions_of_their_own_and_are_listed_until_they_end(tmp_path):
    found = Programs(tmp_path, apart=True)
    found.launch("sensor", [sys.executable, "-c", "import time; time.sleep(600)"])
    [(name, pid)] = found.pids().items()
    assert name == "sensor" and os.getsid(pid) == pid
    found.end("sensor")
    assert found.pids() == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_the_classifier_is_nobody_in_particular_and_owns_its_folders(tmp_path):
    commands = driftline(tmp_path / "driftline.yaml")
    assert {p.name: p.stat().st_uid != 0 for p in tmp_path.iterdir()} == {"run": True, "state": True}
    assert commands["sensor"][0] == sys.executable and commands["classifier"][0] != sys.executable


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
