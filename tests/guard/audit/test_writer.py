"""The feed becomes rows in its order, each thing once; layers and trigger say what is there and never more."""

from dataclasses import replace

import pytest

from classifier.drift.finding import Version
from guard.audit import page
from guard.audit.attendant import key_for, same_key
from guard.audit.five import NAMES
from guard.audit.keys import AuditKeyError
from guard.audit.ledger import Ledger, NotNow
from guard.audit.writer import DAY, Writer
from tests.factories import SHOP, deploy, event, head, replica
from tests.guard.audit.trail import BUCKET, KEY, OTHER, Told, deviation, finding, story
from wire.records import Gap, Pin, ProbeState, Triage


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "audit", writer=True)
    yield ledger
    ledger.close()


def written(ledger, source, *, now=200.0, **options):
    Writer(ledger, KEY, source, **options).turn(now)
    return rows(ledger)


def rows(ledger):
    return [ledger.row(seq).value for seq in range(1, ledger.size + 1)]


def on(*names):
    return head(probes=tuple(ProbeState(n, "on") for n in names))


# the whole story --------------------------------------------------------------------------------------------------------


def test_one_row_ties_the_input_the_calls_and_the_bytes(ledger):
    (row,) = written(ledger, Told(finding(), events=story()))
    assert row["completeness"] == "4/4"
    assert row["trigger"]["state"] == "captured" and "ZD-88213" in row["trigger"]["excerpt"]
    assert row["trigger"]["digest"] == "a" * 64 and row["trigger"]["record"] == "n1/e1/1"
    kinds = {(e["from"], e["to"], e["kind"]) for e in row["chain"]["edges"]}
    assert {("n1/e1/1", "n1/e1/2", "llm>tool"), ("n1/e1/2", "n1/e1/9", "call>egress")} <= kinds
    assert all(e["method"] and e["basis"] for e in row["chain"]["edges"])
    assert row["acts"]["bytes_out"] == 4_900_000 and row["acts"]["tools"][0]["name"] == "export"
    assert {r["id"] for r in row["records"]} == {"n1/e1/1", "n1/e1/2", "n1/e1/9"}
    assert set(ledger.records(1)) == {r["digest"] for r in row["records"]}
    assert row["context"]["versions"]["model"] == "m1 (verified)" and row["context"]["versions"]["weights"] == "unknown"


def test_a_row_names_the_policy_that_redacted_its_words(ledger):
    events = [replace(e, data=e.data | {"redaction": "pci-1"}) if e.kind == "llm" else e for e in story()]
    (row,) = written(ledger, Told(finding(), events=events))
    assert row["redaction_policy"] == "pci-1" and "pci-1" in page.text(row)


def test_a_row_without_words_says_that_none_were_redacted(ledger):
    (row,) = written(ledger, Told(finding(), events=[e for e in story() if e.kind not in ("llm", "tool")]))
    assert row["redaction_policy"] == "none: no words are cited"


def test_every_model_and_tool_call_has_five_fields_or_says_why_not(ledger):
    llm, tool, egress = story()
    offered = replace_data(llm, id=llm.id, tools="export=ffff0000 search=11112222")
    stray = event(1, "tool", "tool:shell", id="n1/e1/5", time=150.0, name="shell", pid=9)
    (row,) = written(ledger, Told(finding(evidence=("n1/e1/9", "n1/e1/5")), events=[offered, tool, egress, stray]))
    calls = {call.pop("record"): call for call in row["calls"]}
    assert set(calls) == {"n1/e1/1", "n1/e1/2", "n1/e1/5"}
    assert all(set(call) == set(NAMES) for call in calls.values())
    assert all(bool(f["value"]) != bool(f["reason"]) for call in calls.values() for f in call.values())
    assert "ZD-88213" in calls["n1/e1/2"]["intent"]["value"] and "offered" in calls["n1/e1/2"]["authorisation"]["value"]
    assert calls["n1/e1/2"]["downstream"]["value"] == "n1/e1/9"


def test_without_words_the_same_row_has_two_layers_and_no_trigger(ledger):
    (row,) = written(ledger, Told(on("process", "network"), finding(), events=story(words=False)))
    assert row["completeness"] == "2/4" and row["label"] == "risky_drift"
    assert row["trigger"]["state"] == "not_captured" and "excerpt" not in row["trigger"]
    assert {n: layer["state"] for n, layer in row["layers"].items()} == {
        "kernel": "present",
        "network": "present",
        "prompt": "missing",
        "tools": "missing",
    }
    assert "no feed" in row["layers"]["prompt"]["reason"]


def test_a_silent_feed_is_a_row_and_the_reason_in_rows_after_it(ledger):
    feed = [event(kind="coverage", id=f"n1/e1/c{n}", time=float(n), rung=rung, reason="libssl replaced")
            for n, rung in ((1, "symbol"), (2, "uncovered"))]  # fmt: skip
    gap, row = written(ledger, Told(*feed, finding(), events=story(words=False)))
    assert (gap["kind"], gap["what"], gap["layer"]) == ("sensing_gap", "feed_silent", "prompt")
    assert row["layers"]["prompt"]["reason"] == "feed uncovered: libssl replaced"


def test_a_feed_that_comes_back_says_so(ledger):
    rungs = ("symbol", "none", "metadata", "uncovered", "otlp", "symbol")
    feed = [event(kind="coverage", id=f"n1/e1/c{n}", time=float(n), rung=rung) for n, rung in enumerate(rungs)]
    assert [row["what"] for row in written(ledger, Told(*feed))] == ["feed_silent", "feed_back"]


def test_many_processes_that_are_never_read_for_one_reason_are_one_row(ledger):
    feed = [event(kind="coverage", id=f"n1/e1/c{n}", time=float(n), rung="uncovered", reason="static TLS", pid=n)
            for n in range(5)]  # fmt: skip
    reads = event(kind="coverage", id="n1/e1/r", time=9.0, rung="symbol", pid=99)
    *gaps, row = written(ledger, Told(*feed, reads, finding(), events=story(words=False)))
    assert [g["what"] for g in gaps] == ["feed_silent"] and "static TLS" in gaps[0]["words"]
    assert row["layers"]["prompt"]["reason"] == "in part: feed uncovered: static TLS"


def counted(*events):
    """A finding that rests on counters, with calls of its replica around it."""
    return Told(finding(evidence=()), events=events)


def test_what_only_time_joins_is_marked_inferred(ledger):
    (row,) = written(ledger, counted(*story()[:2]))
    assert row["trigger"]["state"] == "inferred" and row["trigger"]["basis"] == "inferred"
    assert row["chain"]["joined"]["by"] == "time" and "INFERRED" in _page(row)
    assert row["ordering"]["time_error_ms"] == 5.0


def test_two_turns_at_one_time_are_not_told_apart(ledger):
    llm, tool = story()[:2]
    again = replace_data(
        llm, id="n1/e1/3", user_turn_digest="f" * 64, user_turn="another", answer_chain="9" * 64, pid=8
    )
    call = replace_data(tool, id="n1/e1/4", llm="n1/e1/3", pid=8)
    (row,) = written(ledger, counted(llm, tool, again, call))
    assert row["trigger"] == {"state": "ambiguous", "possible": ["n1/e1/1", "n1/e1/3"], "why": row["trigger"]["why"]}
    assert row["chain"]["edges"] == []


def replace_data(event, *, id, **data):
    return type(event)(id, event.time, event.replica, event.kind, event.behaviour, {**event.data, **data})


def _page(row):
    from guard.audit.page import text

    return text(row)


def test_no_sensor_no_claim_about_kernel_and_network(ledger):
    (row,) = written(ledger, Told(finding(evidence=(), deviations=())))
    assert row["layers"]["kernel"]["state"] == row["layers"]["network"]["state"] == "unknown"
    assert row["completeness"] == "0/4"


def test_a_probe_that_is_off_is_the_reason(ledger):
    (row,) = written(ledger, Told(on("process"), finding(evidence=(), deviations=(deviation("exec:/bin/sh"),))))
    assert row["layers"]["network"] == row["layers"]["network"] | {
        "state": "missing",
        "reason": "not watched on n1: network is not loaded",
    }


# kinds of rows ----------------------------------------------------------------------------------------------------------


def test_versions_of_a_finding_are_named_by_what_they_bring(ledger):
    first = finding()
    more = replace(first, count=9)
    relabelled = replace(first, version=2, label="needs_review", count=9)
    by_hand = Version(3, "needs_review", 300.0, "ada decided dismiss: test")
    closed = replace(relabelled, version=3, state="dismissed", history=(*first.history, by_hand))
    aged = replace(relabelled, id="beef", state="aged", version=2)
    source = Told(first, more, relabelled, Triage(300.0, "f00d", "dismiss", "ada", "test"), closed)
    assert [row["what"] for row in written(ledger, source)] == ["opened", "counted", "label_changed", "triaged"]
    assert rows(ledger)[-1]["response"] == [
        {"actor": "ada", "decision": "dismiss", "kind": "triage", "note": "test", "time": 300}
    ]
    source.tell(replace(aged, version=1, state="open"), aged)
    assert [row["what"] for row in written(ledger, source)][4:] == ["opened", "closed"]
    assert rows(ledger)[3]["before"] == "AR-000003"


@pytest.mark.parametrize(
    ("record", "kind", "what"),
    [
        pytest.param(Gap("n1", 1.0, 9.0, "ring full"), "sensing_gap", "gap", id="gap"),
        pytest.param(deploy(refused="bad signature"), "deploy_refused", "bad signature", id="refused"),
        pytest.param(Pin(5.0, SHOP, "allow", BUCKET, "ada", "for now"), "override", "allow", id="override"),
    ],
)
def test_what_is_no_finding_has_a_row_that_cites_it(ledger, record, kind, what):
    (row,) = written(ledger, Told(record))
    assert (row["kind"], row["what"]) == (kind, what) and row["words"]
    assert [r["digest"] for r in row["records"]] == list(ledger.records(1))


def test_a_finding_that_nobody_answers_is_told_once_more(ledger):
    source = Told(finding(), finding(id="beef", label="expected_evolution"), finding(id="cafe"), events=story())
    writer = Writer(ledger, KEY, source)
    writer.turn(130.0)
    source.tell(Triage(140.0, "cafe", "reject", "ada", "no"), finding(id="cafe", version=2))
    writer.turn(141.0)
    for now in (150.0, 500.0, 900.0):
        writer.unanswered(now, within=300.0)
    assert [(r["what"], r["finding_id"], r["response_state"]) for r in rows(ledger)[4:]] == [
        ("unanswered", "f00d", "unanswered")
    ]
    assert ledger.records(5) == ledger.records(1) and rows(ledger)[4]["before"] == "AR-000001"
    assert rows(ledger)[3]["response_state"] == "answered"


def test_a_sensor_that_began_anew_leaves_a_gap_and_one_that_counted_on_none(ledger):
    source = Told(head(), head(time=3.0), head(time=9.0, epoch="e2"))
    (row,) = written(ledger, source)
    assert row["what"] == "sensor_started" and row["gap"] == {"node": "n1", "start": 5, "end": 9}


def test_a_node_that_is_silent_is_a_row_once_and_again_when_it_speaks(ledger):
    writer = Writer(ledger, KEY, Told())
    for now, tick in ((100.0, 90.0), (400.0, 90.0), (500.0, 90.0), (510.0, 505.0), (900.0, 505.0)):
        writer.silence({"n1": tick}, now, 120.0)
    assert [row["what"] for row in rows(ledger)] == ["feed_silent", "feed_back", "feed_silent"]


def test_a_node_that_never_comes_back_after_a_restart_is_missed(ledger):
    Writer(ledger, KEY, Told()).silence({"n1": 90.0, "n2": 90.0}, 100.0, 120.0)
    Writer(ledger, KEY, Told()).silence({"n2": 290.0}, 300.0, 120.0)
    assert [row["gap"]["node"] for row in rows(ledger)] == ["n1"]
    Writer(ledger, KEY, Told()).silence({}, 300.0 + 31 * DAY, 120.0)
    assert ledger.size == 1


def test_what_the_feed_let_go_is_a_row(ledger):
    source = Told(*[Gap("n1", 0.0, float(n), "x") for n in range(1, 6)])
    source.entries = source.entries[3:]
    found = written(ledger, source)
    assert found[0]["what"] == "feed_hole" and found[0]["entries"] == {"first": 1, "last": 3}
    assert len(found) == 3


def test_an_entry_that_cannot_be_told_does_not_end_the_trail(ledger):
    source = Told(finding(), Gap("n1", 0.0, 1.0, "x"))
    source.entries[0] = replace(source.entries[0], body=b'{"workload": 5}')
    bad, good = written(ledger, source)
    assert bad["kind"] == "untold" and list(ledger.records(1).values()) == [b'{"workload": 5}']
    assert good["kind"] == "sensing_gap"


def test_hostile_names_are_rows_like_any_other(ledger):
    nasty, half = "\x1b[2J\u202e" + "x" * 5000, "\ud800"  # no frame holds half a character, a finding's JSON can
    told = finding(
        id="n", workload=nasty + half, title=half, deviations=(deviation("egress:tcp:" + nasty + ":1", lineage=nasty),)
    )
    says = event(kind="coverage", id=nasty, rung=nasty, reason=nasty)
    found = written(ledger, Told(says, told, Pin(1.0, nasty, nasty, nasty, nasty)))
    assert len(found) == 3 and all(_page(row).replace("\n", "").isprintable() for row in found)


# once, whatever happens -------------------------------------------------------------------------------------------------


class Torn(Told):
    """A source that fails at some of its first answers, in the middle of a batch."""

    def __init__(self, *things, failing, **options):
        super().__init__(*things, **options)
        self.asked, self._failing = 0, failing

    def situation(self, workload, at):
        self.asked += 1
        if self.asked in self._failing:
            raise NotNow("database locked")
        return super().situation(workload, at)


def test_what_fails_is_written_later_and_once(ledger):
    source, failed = Torn(*[finding(version=n) for n in range(1, 9)], failing={1, 4, 9, 13}), 0
    while source.done < 8:
        try:
            Writer(ledger, KEY, source).turn(1.0)
        except NotNow:
            failed += 1
            assert ledger.size == 0
    assert failed == 4 and [row["finding"]["version"] for row in rows(ledger)] == list(range(1, 9))


def test_a_feed_that_tells_everything_again_adds_nothing(ledger):
    things = [finding(version=n) for n in range(1, 4)]
    written(ledger, Told(*things))
    again = Told(*things)
    again.entries = [replace(e, seq=e.seq + 3) for e in again.entries]
    assert len(written(ledger, again)) == 3


def test_every_batch_is_signed_and_silence_too_after_an_hour(ledger):
    writer = Writer(ledger, KEY, Told(finding()))
    assert writer.turn(10.0) == 1
    first = ledger.head()
    assert writer.turn(20.0) == 0 and ledger.head() == first
    writer.turn(10.0 + 3600.0)
    assert ledger.head() != first


# retention --------------------------------------------------------------------------------------------------------------


def test_rows_and_records_stay_for_their_days_and_what_goes_is_told(ledger):
    writer = Writer(ledger, KEY, Told(finding(), events=story()), days=92.0)
    writer.turn(0.0)
    writer.retain(91.9 * DAY)
    assert ledger.row(1).body is not None and len(ledger.records(1)) == 3
    writer.retain(92.1 * DAY)
    assert ledger.row(1).body is None and ledger.records(1) == {}
    told = rows(ledger)[1]
    assert told["kind"] == "retention" and told["removed"] == {"days": 92, "last": 1, "records": 3, "rows": 1}
    writer.retain(92.2 * DAY)
    assert ledger.size == 2


def test_less_than_ninety_two_days_are_refused(ledger):
    with pytest.raises(ValueError, match="92"):
        Writer(ledger, KEY, Told(), days=30.0)


# the key ----------------------------------------------------------------------------------------------------------------


def test_a_new_trail_gets_a_key_and_an_old_one_is_not_continued_without(ledger, tmp_path):
    key = key_for(ledger, tmp_path / "audit/key.pem")
    Writer(ledger, key, Told(finding())).turn(1.0)
    (tmp_path / "audit/key.pem").unlink()
    with pytest.raises(AuditKeyError):
        key_for(ledger, tmp_path / "audit/key.pem")


def test_another_key_is_told_by_a_row_once(ledger):
    written(ledger, Told(finding()))
    for now in (5.0, 6.0):
        same_key(ledger, OTHER, now)
    assert [row["kind"] for row in rows(ledger)] == ["finding", "key"]


def test_replicas_of_others_are_not_drawn_in(ledger):
    llm, tool, egress = story()
    stranger = type(llm)("n1/e1/7", 99.5, replica(2), "llm", None, dict(llm.data))
    (row,) = written(ledger, Told(finding(), events=[llm, tool, egress, stranger]))
    assert "n1/e1/7" not in {r["id"] for r in row["records"]}
