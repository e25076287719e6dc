"""Every decoder reads or refuses what is damaged, here for a moment each and in `make fuzz` for minutes; and a fault is found."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz.children import ROOT, watched
from tests.fuzz.decoder import Decoder
from tests.fuzz.rounds import run
from tests.fuzz.table import BY_NAME, DECODERS

MOMENT = 0.1  # seconds of CPU time


@pytest.mark.parametrize("name", BY_NAME)
def test_damage_is_read_or_refused(name):
    assert run(BY_NAME[name], seconds=MOMENT, least=20).fault == ""


def test_no_two_decoders_have_one_name():
    assert len(BY_NAME) == len(DECODERS)


def stumbles(case):
    if len(case) > 3:
        raise KeyError(case)


def spins(case):
    while case:
        pass


@pytest.mark.parametrize(
    ("read", "wanted"),
    [
        pytest.param(stumbles, "whole input: KeyError at", id="whole-input"),
        pytest.param(
            lambda case: stumbles(case + b"xx") if case != b"abc" else None, "KeyError at tests/fuzz/", id="crash"
        ),
        pytest.param(lambda case: spins(case != b"abc"), "no end after 0.1 s", id="hang"),
    ],
)
def test_a_fault_is_found_and_says_how_to_see_it_again(read, wanted):
    whole = b"abcd" if read is stumbles else b"abc"
    fault = run(Decoder("planted", lambda: [whole], read, (), seconds=0.1), seconds=5).fault
    assert wanted in fault
    assert fault.startswith("whole") or "--only planted --round" in fault


GROWS = """
from tests.fuzz.decoder import Decoder
from tests.fuzz.rounds import run
held = []
read = lambda case: held.append(bytes(1 << 20).replace(b"\\0", b"x")) if case != b"abc" else None
print(run(Decoder("grows", lambda: [b"abc"], read, memory=8 << 10), seconds=0, least=64).fault)
"""


def test_memory_that_grows_is_a_fault():
    done = subprocess.run([sys.executable, "-c", GROWS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("grew by "), done.stdout


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        pytest.param("import os; os.abort()", "killed by SIGABRT", id="crash-in-c"),
        pytest.param("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "no end", id="hang-in-c"),
        pytest.param("raise SystemExit(3)", "exit 3", id="exit"),
        pytest.param("import sys, time; time.sleep(600)", "stood still", id="blocked"),
    ],
)
def test_a_child_that_ends_without_a_word_is_a_fault(code, wanted):
    patience = 2.0 if wanted == "stood still" else 600.0
    assert wanted in watched("planted", [sys.executable, "-c", code], patience=patience).fault


def test_a_child_says_in_which_round_it_died():
    code = "import sys, os; open(sys.argv[2], 'w').write('   77'); os.abort()"
    found = watched("planted", [sys.executable, "-c", code], patience=600.0)
    assert found.rounds == 77 and "--round 77" in found.fault


def test_the_command_tries_what_is_asked_for(capsys):
    assert command.main(["--minutes", "0.0005", "--only", "dns", "--only", "policy", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {o["name"] for o in told["outcomes"]} == {"dns", "policy"}
    assert (told["decoders"], told["faults"]) == (2, 0) and all(o["rounds"] for o in told["outcomes"])


def test_a_fault_makes_the_command_fail(capsys):
    assert command.told([command.Outcome("x", 1, 0.0, 0, "why")], 1, as_json=False) == 1
    assert "FAULT x: why" in capsys.readouterr().err


def test_an_unknown_decoder_is_wrong_usage():
    with pytest.raises(SystemExit) as caught:
        command.main(["--only", "nobody"])
    assert caught.value.code == 2


def test_a_round_can_be_seen_again(capsys):
    assert command.main(["--only", "frame", "--round", "5"]) == 0
    assert capsys.readouterr().out.startswith("frame: b")
