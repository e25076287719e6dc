"""What a workload says of itself against what was seen: a finding of its own, and the kernel wins (issue 4, section 4)."""

from __future__ import annotations

import doctest
import json
from dataclasses import replace

import pytest

from classifier.drift import contradiction
from classifier.drift.finding import ACCEPTED, REVIEW, findings_json
from classifier.pipeline import Pipeline
from classifier.policy import DAY, Policy
from guard.audit.ledger import Ledger
from guard.audit.sources import Replayed
from guard.audit.writer import Writer
from tests.factories import event, head, identity, replica
from tests.guard.audit.trail import KEY
from wire.records import Tick, Triage

HELD = "self_report_conflict:"


def call(source, number=1, time=100.0, id=None, **data):
    """A model call, as it was told (`otlp`) or seen (`tls`)."""
    basis = "self_reported" if source == "otlp" else "verified"
    values = {"model_asked": "gpt-5", "response_id": f"r{time}", "began": time - 2, "ended": time, "source": source,
              "basis": basis, "role": "client"}  # fmt: skip
    return event(number, "llm", time=time, id=id or f"n1/{source}/{number}/{time}", **(values | data))


def told(**data):
    return call("otlp", **data)


def seen(**data):
    return call("tls", **data)


def played(*records, cut=None, people=1):
    pipeline = Pipeline(Policy())
    for n, record in enumerate([head(), *(identity(p) for p in range(1, people + 1)), *records]):
        if n == cut:
            pipeline = Pipeline.restore(Policy(), pipeline.snapshot())
        pipeline.feed(record)
    return pipeline


def lied(time=100.0, number=1):
    return (seen(time=time, number=number, model_asked="gpt-5-mini"), told(time=time, number=number))


def test_examples_in_docstrings_run():
    assert doctest.testmod(contradiction).failed == 0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["seen-first", "told-first"])
def test_a_conflict_is_a_review_with_both_events_as_evidence(order):
    both = lied()
    (finding,) = played(*(both[n] for n in order)).findings()
    (deviation,) = finding.deviations
    assert (finding.label, finding.severity, deviation.behaviour) == (REVIEW, "medium", HELD + "model_asked")
    assert set(finding.evidence) == {e.id for e in both} and deviation.why == "conflict"
    assert "'gpt-5'" in finding.title and "'gpt-5-mini'" in finding.title
    assert "the latter is believed" in finding.because and finding.deploy is None


def test_it_is_told_at_once():
    pipeline = played(lied()[0])
    (finding,) = pipeline.feed(lied()[1])
    assert finding.opened == 100.0


def test_what_agrees_is_no_finding():
    assert played(seen(), told(), seen(time=200.0), told(time=200.0)).findings() == []


def test_once_for_a_replica_an_attribute_and_a_day():
    many = [e for n in range(10) for e in lied(time=100.0 + 60 * n)]
    many += [e for n in range(2) for e in lied(time=DAY + 100.0 + 60 * n)]
    many += [e for n in range(2) for e in lied(time=200.0 + DAY + 60 * n, number=2)]
    found = played(*many, people=2).findings()
    assert len(found) == 3 and [f.count for f in found] == [10, 2, 2]
    assert sorted(f.replicas for f in found) == [1, 1, 1]


def test_two_attributes_are_two_findings():
    found = played(seen(model_asked="a", host="x.org"), told(model_asked="b", host="y.org")).findings()
    assert {f.deviations[0].behaviour for f in found} == {HELD + "model_asked", HELD + "host"}


def test_a_tool_told_under_another_name_has_both_events():
    data = {"source": "tls", "basis": "verified", "name": "search"}
    one = event(1, "tool", "tool:search", time=99.0, id="n1/e1/7", **data)
    other = event(1, "tool", time=100.0, id="n1/o/8", **(data | {"source": "otlp", "name": "delete"}))
    one, other = (replace(e, data={**e.data, "id": "c1"}) for e in (one, other))
    (finding,) = played(one, other).findings()
    assert set(finding.evidence) == {"n1/e1/7", "n1/o/8"} and "'delete'" in finding.title


def test_a_sender_that_names_another_pod_is_a_finding_with_what_the_kernel_calls_it():
    claims = json.dumps([["k8s.pod.name", "pay-1", "cart-7"]])
    (finding,) = played(told(conflict="k8s.pod.name", claims=claims, service="cart")).findings()
    assert finding.label == REVIEW and finding.deviations[0].behaviour == HELD + "k8s.pod.name"
    assert "'pay-1'" in finding.title and "'cart-7'" in finding.title and len(finding.evidence) == 1


def test_what_a_person_accepts_is_silent_from_then_on_and_another_contradiction_is_not():
    pipeline = played(*lied())
    pipeline.feed(Triage(200.0, pipeline.findings()[0].id, "accept", "ada", "our gateway renames it"))
    for e in lied(time=300.0) + lied(time=DAY + 300.0):
        pipeline.feed(e)
    assert [f.state for f in pipeline.findings()] == [ACCEPTED]
    for e in (seen(time=DAY + 400.0, model_asked="other"), told(time=DAY + 400.0)):
        pipeline.feed(e)
    assert len(pipeline.findings()) == 2


def test_a_review_of_words_never_ages_into_something_risky():
    pipeline = played(*lied())
    for day in range(1, 10):
        pipeline.feed(Tick("n1", day * DAY))
    assert [f.label for f in pipeline.findings()] == [REVIEW]


def test_a_flood_of_contradictions_is_bounded_and_hostile_names_change_nothing():
    odd = "\x1b[31m" + "x" * 5_000
    many = [
        told(time=100.0 + n, number=n % 100 + 1, conflict=f"{odd}{n} k{n} {n}", claims="[[" * 9) for n in range(500)
    ]
    pipeline = played(*many, people=100)
    found = pipeline.findings()
    assert len(found) <= contradiction.A_DAY and all(len(f.title) < 600 for f in found)
    assert findings_json(found).isascii()


def test_a_hundred_replicas_that_misname_themselves_are_so_many_findings_a_day_and_no_more():
    many = [told(time=100.0 + n, number=n + 1, conflict="k8s.pod.name") for n in range(100)]
    pipeline = played(*many, told(time=DAY + 100.0, conflict="k8s.pod.name"), people=100)
    assert len(pipeline.findings()) == contradiction.A_DAY + 1
    assert pipeline.counters["deviations_dropped"] == 100 - contradiction.A_DAY


def test_a_snapshot_in_between_changes_nothing():
    records = [e for n in range(4) for e in lied(time=100.0 + n * DAY / 3)]
    wanted = played(*records)
    for cut in range(1, len(records) + 2):
        again = played(*records, cut=cut)
        assert findings_json(again.findings()) == findings_json(wanted.findings())
        assert again.snapshot() == wanted.snapshot()


def test_it_is_a_row_of_the_audit_trail_that_cites_both(tmp_path):
    ledger, source = Ledger(tmp_path, writer=True), Replayed(Pipeline(Policy()))
    writer, both = Writer(ledger, KEY, source, mode="replay"), lied()
    for record in (head(), identity(), *both):
        source.take(record)
    writer.turn(source.now)
    rows = [ledger.row(seq).value for seq in range(1, ledger.size + 1)]
    ledger.close()
    (row,) = [r for r in rows if r["kind"] == "finding"]
    assert row["label"] == REVIEW and {r["id"] for r in row["records"]} == {e.id for e in both}
    assert {r["basis"] for r in row["records"]} == {"verified", "self_reported"}
    assert row["layers"]["kernel"]["state"] != "present"  # no kernel event is behind a word


def test_whose_it_is_stands_in_the_key():
    from classifier.inventory.feed import Conflict

    one, other = (Conflict(1.0, "host", "a", "b", "id", "x", "y", replica(n)) for n in (1, 2))
    assert len({contradiction.key(c, d) for c in (one, other) for d in (1, 2)}) == 4
