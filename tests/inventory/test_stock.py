"""FX-7 through the pipeline: what is there at any moment, and what cannot be said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from classifier.inventory.moment import OutsideError, changes, difference, shown
from classifier.inventory.view import changed, one, read, recorded
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from tests.fixtures import fx7
from tests.fixtures.fx7 import ADAPTERS, END, LAST_SERVER, MINUTE, SIDE_LOADED, START, SWAP, WORKLOAD
from wire.records import Gap, Identity, Window


def play(records, pipeline=None) -> Pipeline:
    pipeline = pipeline or Pipeline(Policy())
    for record in records:
        pipeline.feed(record)
    return pipeline


def told(records, workload: str = WORKLOAD):
    return recorded(play(records).known(), workload)


@pytest.fixture(scope="module")
def seven():
    return told(fx7.fx7())


def names(found, kind: str) -> set[str]:
    return {row["name"] for row in found["items"] if row["kind"] == kind}


def item(found, kind: str, name: str):
    return next(row for row in found["items"] if (row["kind"], row["name"]) == (kind, name))


def test_the_model_that_is_loaded_is_told_with_its_evidence(seven):
    model = item(shown(seven, START + 10 * MINUTE), "model", "model-b")
    assert model["basis"] == "verified" and model["place"] == "/models/model-b" and len(model["replicas"]) == 2
    assert model["evidence"] and model["images"] == ["/usr/bin/python3.11"] and model["revisions"] == ["r1"]


def test_a_remote_model_is_inferred_and_its_name_not_captured(seven):
    model = item(shown(seven, END), "model", "api.openai.com:443")
    assert model["basis"] == "inferred" and model["more"]["model"] == "unknown(not_captured)"
    assert model["more"]["provider"] == "openai" and model["bytes_out"] > 0


def test_a_framework_has_the_version_that_was_read_and_unknown_where_none_was(seven):
    found = shown(seven, END)
    langchain, openai = item(found, "framework", "langchain"), item(found, "framework", "openai")
    assert (langchain["version"], langchain["basis"], langchain["version_basis"]) == (
        "0.2.3",
        "verified",
        "self_reported",
    )
    assert langchain["more"]["record"] == "1 of 900 files differ"
    assert (openai["version"], openai["basis"]) == ("unknown", "verified")
    assert item(found, "library", "leftpad")["basis"] == "inferred"  # only its metadata was read


def test_three_moments_give_three_true_answers(seven):
    before, between, after = (shown(seven, t + MINUTE) for t in (SWAP - 2 * MINUTE, SWAP, LAST_SERVER))
    only_first = {"api.openai.com:443", "model-b"}
    assert names(before, "model") == only_first and names(between, "model") == only_first | {"model-c"}
    assert [len(item(s, "model", "model-b")["replicas"]) for s in (before, between)] == [2, 1]
    assert names(after, "mcp") - names(between, "mcp") == {"mcp-files"}


def test_a_side_loaded_server_and_adapters_come_when_they_come(seven):
    assert names(shown(seven, SIDE_LOADED - 1), "mcp") == {"mcp-tickets", "@modelcontextprotocol/server-git"}
    server = item(shown(seven, SIDE_LOADED + 1), "mcp", "some-mcp")
    assert server["since"] == pytest.approx(SIDE_LOADED, abs=1) and server["more"]["transport"] == "stdio"
    assert names(shown(seven, ADAPTERS - 1), "adapter") == set()
    assert names(shown(seven, ADAPTERS + 2), "adapter") == {"lora-1", "lora-2"}


def test_the_difference_names_exactly_what_changed(seven):
    rows = difference(seven, SIDE_LOADED - MINUTE, SIDE_LOADED + MINUTE)
    assert [(r["change"], r["kind"], r["name"]) for r in rows] == [("added", "mcp", "some-mcp")] and rows[0]["evidence"]
    assert difference(seven, START + 10 * MINUTE, START + 20 * MINUTE) == []


def test_changes_are_told_with_their_times(seven):
    rows = [(c.change, c.kind, c.name) for c in changes(seven, START + 10 * MINUTE) if c.kind != "data"]
    assert rows == [
        ("added", "mcp", "some-mcp"),
        ("added", "adapter", "lora-1"),
        ("added", "adapter", "lora-2"),
        ("added", "model", "model-c"),
        ("removed", "adapter", "lora-1"),
        ("removed", "adapter", "lora-2"),
        ("added", "mcp", "mcp-files"),
    ]
    assert changes(seven, END) == []


@pytest.mark.parametrize("at", [pytest.param(START - 1, id="before"), pytest.param(END + 1, id="after")])
def test_a_moment_that_is_not_known_is_refused(seven, at):
    with pytest.raises(OutsideError):
        shown(seven, at)


def test_absence_is_only_told_where_nothing_was_missed(seven):
    assert shown(seven, START + 10 * MINUTE)["kinds"]["adapter"] == "absent"
    late = told(fx7.records(fx7.agent(1, observed=False)))
    found = shown(late, START + 10 * MINUTE)
    assert found["kinds"]["adapter"] == "unknown(startup_not_observed)" and not found["complete"]
    assert found["replicas"][0]["since"] == "unknown(startup_not_observed)"


def test_a_loss_or_a_gap_makes_absence_unknown_from_then_on():
    lossy = told(fx7.records(fx7.agent(1), loss={"paths": 3}))
    assert shown(lossy, END)["kinds"]["adapter"] == "unknown(gap_or_loss)"
    records = fx7.records(fx7.agent(1))
    gap = Gap("n1", START + 600, START + 900, "sensor updated")
    history = told([*records[: len(records) // 2], gap, *records[len(records) // 2 :]])
    assert shown(history, START + 300)["kinds"]["adapter"] == "absent"
    assert shown(history, END)["kinds"]["adapter"] == "unknown(gap_or_loss)"


def test_a_replica_that_falls_silent_is_not_known_any_more():
    records = fx7.records(fx7.agent(1), end=START + 3600)
    ticks = [r for r in fx7.records(end=END) if type(r).__name__ == "Tick" and r.time > START + 3600]
    assert shown(told([*records, *ticks]), END)["unknown"] == ["silent"]


def test_tools_and_prompts_wait_for_the_application_layer(seven):
    assert shown(seven, END)["kinds"]["tool"] == "unknown(not_captured)"
    found = shown(told(fx7.with_calls()), END)
    assert names(found, "tool") == {"search", "refund"} and item(found, "tool", "search")["version"] == "a1"
    assert item(found, "model", "gpt-5")["basis"] == "self_reported" and names(found, "prompt") == {"system prompt"}


def test_a_snapshot_anywhere_changes_nothing():
    records = fx7.fx7()
    whole = play(records)
    for cut in (1, len(records) // 3, len(records) // 2):
        half = play(records[:cut])
        again = play(records[cut:], Pipeline.restore(Policy(), half.snapshot()))
        assert again.snapshot() == whole.snapshot()
    assert read(one(whole.known(), WORKLOAD)) == recorded(whole.known(), WORKLOAD)


def test_who_judges_is_told_what_changed_since():
    known = play(fx7.fx7()).known()
    assert [c.name for c in changed(known, WORKLOAD, SWAP + 1)] == ["mcp-files"] and changed(known, "nobody", 0.0) == []


def test_what_came_before_anybody_named_the_owner_is_the_owners():
    records = fx7.records(fx7.agent(1))
    owner = next(r for r in records if isinstance(r, Identity))
    rest = [r for r in records if r is not owner]
    nameless = replace(owner, workload=None, revision=None)
    late = [r for r in rest if (r.end if isinstance(r, Window) else r.time) > START + 60]
    early = [r for r in rest if r not in late]
    known = play([nameless, *early, replace(owner, time=START + 60), *late]).known()
    found = shown(recorded(known, WORKLOAD), END)
    assert names(found, "model") == {"model-b", "api.openai.com:443"} and found["complete"]
    assert set(known.inventories) == {WORKLOAD}
