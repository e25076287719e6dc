"""`driftline lab simulate`: a table of what happened, or a trace that a replay takes, with its truth."""

from __future__ import annotations

import csv
import io
import json

import pytest

from wire.records import Head
from wire.trace import read, verify

SMALL = ("lab", "simulate", "--seed", 7, "--deployments", 2, "--days", 4, "--learn-days", 3)


def test_the_table_tells_what_happened(driftline):
    done = driftline(*SMALL, "--csv", "--attacks", 40, "--families", "escape,new-binary", "--stealth", "0")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.exit_code == 0
    risky = {(r["family"], r["stealth"]) for r in rows if r["kind"] == "risky"}
    assert risky == {("escape", "0"), ("new-binary", "0")}


def test_json_is_the_whole_truth(driftline):
    truths = json.loads(driftline(*SMALL, "--json").stdout)
    assert len(truths) == 2 and all(t["judged_from"] < t["until"] for t in truths)
    assert {"kind", "behaviours", "replicas", "deploy"} <= truths[0]["facts"][0].keys()


def test_a_trace_is_whole_and_the_truth_lies_beside_it(driftline, tmp_path):
    file, truth = tmp_path / "fleet.trace", tmp_path / "truth.json"
    done = driftline(*SMALL, "-o", file, "--truth", truth, "--json")
    assert done.exit_code == 0, done.stderr
    found = list(read(file))
    assert isinstance(found[0], Head) and verify(file).complete
    assert json.loads(done.stdout)["records"] == len(found)
    assert len(json.loads(truth.read_text())) == 2


def test_the_same_command_gives_the_same_bytes(driftline, tmp_path):
    for name in ("a", "b"):
        driftline(*SMALL, "-o", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "wrong",
    [("--families", "shell"), ("--stealth", "3"), ("--families", ""), ("--days", "0"), ("--csv", "-o", "x.trace")],
    ids=" ".join,
)
def test_what_cannot_be_simulated_is_refused(driftline, wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = driftline(*SMALL, *wrong)
    assert done.exit_code == 2 and not list(tmp_path.iterdir())
