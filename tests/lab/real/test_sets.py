"""A folder is known by its files; what is printed; and the real sets, where they are."""

import json
from pathlib import Path

import pytest

from classifier.lab.real import adfa, agents, cdl, cdl_methods, cdl_windows, kernel, sets, unm
from classifier.lab.real.table import DataError, number
from console.cli.lab_data import evaluate_data
from tests.lab.real import tiny

DATA = Path(__file__).parents[4] / "shared/data"
real = pytest.mark.skipif(not DATA.is_dir(), reason=f"the recorded sets are not at {DATA}")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        pytest.param(tiny.traces, "adfa-ld", id="adfa-ld"),
        pytest.param(lambda d: tiny.traces(d, split=False), "unm", id="unm"),
        pytest.param(tiny.counts, "cdl-shil", id="cdl-shil"),
        pytest.param(tiny.agent_runs, "agent-runs", id="agent-runs"),
        pytest.param(tiny.sysflow, "sysflow-lab", id="sysflow-lab"),
    ],
)
def test_a_set_is_known_by_its_files(tmp_path, make, name):
    folder = tmp_path / "any-name"
    folder.mkdir()
    assert sets.recognise(make(folder)) == name


@pytest.mark.parametrize(
    ("path", "says"),
    [
        pytest.param("missing", "is no folder; give", id="missing"),
        pytest.param("empty", "known are", id="empty"),
        pytest.param(".", "give one of its folders .empty", id="folder of folders"),
    ],
)
def test_what_is_no_set_says_what_to_give(tmp_path, path, says):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=says):
        sets.evaluate(tmp_path / path)


def test_adfa_ld_learns_from_another_folder(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        tiny.traces(tmp_path / name)
    report = sets.evaluate(tmp_path / "a", tmp_path / "b")
    assert [t.title for t in report.tables] == ["ADFA-LD, learned elsewhere"]
    assert report.tables[0].protocol.startswith("120 normal traces learned; tested on 120 normal and 30")
    (tmp_path / "c").mkdir()
    with pytest.raises(DataError, match="leave the other folder out"):
        sets.evaluate(tiny.agent_runs(tmp_path / "c"), tmp_path / "a")


def test_what_is_printed(tmp_path, capsys):
    tiny.agent_runs(tmp_path)
    evaluate_data(str(tmp_path))
    text = capsys.readouterr().out
    assert "AgentDojo" in text and "reached: AUC" in text and "does not deliver tool calls yet" in text
    assert "chosen with the development parts of these sets in sight" in text


def test_json_and_csv_hold_the_same_figures(tmp_path, capsys):
    tiny.agent_runs(tmp_path)
    evaluate_data(str(tmp_path), as_json=True)
    found = json.loads(capsys.readouterr().out)
    first = found["tables"][0]["rows"][0]
    assert found["set"] == "agent-runs" and first["figures"]["AUC"]["value"] == 1.0
    evaluate_data(str(tmp_path), as_csv=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "set,table,method,kind,figure,value,low,high"
    assert any(first["method"] in line and ",AUC,1.0," in line for line in lines)


@real
def test_adfa_ld_little_learned_ours_beats_the_best_baseline():
    table = adfa.table("little learned", *adfa.parts(DATA / "adfa-ld"))
    assert {a.what for a in table.aims if a.reached} >= {"AUC", "DR@1%"}
    assert number(next(r for r in table.rows if r.method == "ours: profile distance").figures["AUC"]) > 0.84


@real
def test_unm_lpr_is_found_by_trigrams():
    report = unm.evaluate(DATA / "unm")
    table = report.tables[-1]
    assert number(next(r for r in table.rows if r.method == "ours: new trigrams told").figures["AUC"]) > 0.99
    assert report.keeps == kernel.KEEPS


@real
def test_cdl_shil_beats_what_was_published():
    servers = cdl_windows.read(DATA / "cdl-shil")
    method = cdl_methods.OURS[cdl_methods.HEADLINE]
    row = cdl._row("ours", "ours", method, servers, cdl.POOLED, cdl_windows.SLIDING)
    assert number(row.figures["detected"]) > 0.8415 and number(row.figures["window FPR"]) < 0.0035


@real
def test_agent_runs_foreign_places_beat_unseen_pairs():
    table = agents.evaluate(DATA / "agent-runs").tables[0]
    assert all(a.reached for a in table.aims)


@real
def test_sysflow_lab_is_recognised():
    assert sets.recognise(DATA / "sysflow-lab") == "sysflow-lab"
