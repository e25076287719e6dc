"""Week seven: what must be true at its end, and the story itself where the kernel can be observed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from classifier.drift.finding import EXPECTED, RISKY
from console.cli.failure import Failure
from console.demo.breach import ending, stage, story, town
from console.demo.programs import LabError
from guard.audit.keys import public
from guard.audit.verify import verify

RISK = {"id": "f1", "label": RISKY}
GOOD = ending.Outcome(
    findings=[{"id": "f0", "label": EXPECTED}, RISK],
    risky=RISK,
    row={"completeness": "4/4", "trigger": {"state": "captured", "excerpt": "Ticket ZD-7 of customer 1: x"}},
    ticket="ZD-7",
    seconds=3.0,
    written=5_000_000,
    reads=town.CUSTOMERS,
    same=True,
    left="",
    bundle=Path("bundle.zip"),
    key=Path("audit.pub"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param({}, "", id="as-it-must"),
        pytest.param({"findings": [*GOOD.findings, RISK]}, "2 risky findings", id="paged-twice"),
        pytest.param({"seconds": 61.0}, "the label took 61.0 s", id="late"),
        pytest.param({"seconds": -2.0}, "", id="before-the-write"),
        pytest.param({"ticket": "ZD-8"}, "the trigger is captured", id="another-ticket"),
        pytest.param({"reads": 17}, "17 records were read", id="theft-unfinished"),
        pytest.param({"same": False}, "a replay", id="not-replayable"),
        pytest.param({"left": "/sys/fs/bpf/x"}, "left in the kernel", id="left-behind"),
    ],
)
def test_story_ends_well_only_as_it_is_told(change, fault):
    found = ending.wrong(replace(GOOD, **change), heard=True)
    assert len(found) == bool(fault) and fault in "".join(found)


def test_without_words_two_layers_and_no_trigger_are_what_must_be_said():
    assert len(ending.wrong(GOOD, heard=False)) == 2
    silent = replace(GOOD, row={"completeness": "2/4", "trigger": {"state": "not_captured"}})
    assert ending.wrong(silent, heard=False) == []


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_played(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(story, "why_not", lambda: None)
    monkeypatch.setattr(story, "play", lambda *_, **__: pytest.fail("it played"))
    with pytest.raises(Failure, match="cannot make the folder"):
        story.run(output=str(tmp_path / "file" / "below"))


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """What is kept of a run that ended with these findings."""
    printed = {"show": json.dumps(GOOD.row), "key": "pem", "export": "", "replay": "[]"}
    monkeypatch.setattr(story, "_driftline", lambda lab, noun, verb, *words: printed[verb])
    (tmp_path / "demo.trace").write_bytes(b"")
    (tmp_path / "kept").mkdir()
    told = {"ticket": "ZD-7", "seconds": 3.0, "written": 5_000_000, "reads": town.CUSTOMERS}

    def kept(*findings):
        lab = SimpleNamespace(trace=tmp_path / "demo.trace", findings=list(findings), left=lambda: "")
        printed["replay"] = json.dumps(lab.findings)
        return story._kept(lab, tmp_path / "kept", told)

    return kept


def test_a_story_that_paged_twice_is_told_as_one(ended):
    """It ended in "this is a mistake in driftline", and nothing of it was kept."""
    other = {"id": "f2", "label": RISKY}
    found = ended(RISK, other)
    assert found.risky == RISK and ending.wrong(found, heard=True) == ["2 risky findings, one is wanted"]


def test_a_story_whose_finding_is_risky_no_more_has_failed(ended):
    with pytest.raises(LabError, match="no finding is risky any more"):
        ended({"id": "f1", "label": EXPECTED})


def test_every_revision_that_is_rolled_out_has_an_image():
    assert {*story.ROLLOUTS.values(), "v1"} == stage.REVISIONS.keys() and story.SCOPE.keys() == story.KINDS.keys()


def test_without_root_it_says_so_and_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert story.run(output="/nonexistent") == 1
    told = capsys.readouterr()
    assert "needs root" in told.out + told.err and "Hint" in told.out + told.err
    assert told.out == "" and [line.partition(":")[0] for line in told.err.splitlines()] == ["Error", "Hint"]


@pytest.mark.kernel
def test_week_seven_is_labelled_and_its_ticket_named(tmp_path):
    """Shows 1 and 2 of issue 4, with words; `make demo-breach` plays it without them, too."""
    if lacking := story.why_not():
        pytest.skip(f"root, BPF or a package is missing: {lacking[0]}")
    command = [sys.executable, "-c", "import sys; from console.demo.breach import story; "
               "sys.exit(story.run(output=sys.argv[1], words=(True,)))", tmp_path]  # fmt: skip
    played = subprocess.run(command, capture_output=True, text=True, timeout=800)
    assert played.returncode == 0, played.stdout + played.stderr
    bundle = tmp_path / "with-words/bundle.zip"
    key = (tmp_path / "with-words/audit.pub").read_text()
    assert verify(bundle.read_bytes(), public(key)).good
    changed = bytearray(bundle.read_bytes())
    changed[len(changed) // 2] ^= 1
    assert not verify(bytes(changed), public(key)).good
