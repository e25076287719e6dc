"""The story of week seven as a busy machine plays it: its reads take seconds, which are days of its policy.

It was seen at a load above ten: reads of seven seconds, each second a window. The trail took every call of a minute to either
side for one that may have done it, twenty tickets, and the write was a finding of its own because it began more than three
seconds (two hours of that policy) after the reads. What holds now: the turn that was under way says whose both are (#5).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from classifier.drift.finding import RISKY, finding_to_dict
from classifier.links.reach import ran
from classifier.links.road import of_list, road
from classifier.links.view import about
from classifier.pipeline import Pipeline
from classifier.policy import DAY, Policy
from guard.audit.chain import trigger
from tests.golden.slowed import slowed, theft_of
from wire.records import Event
from wire.trace import read

TRACE = Path(__file__).with_name("weekly-export.trace")
CRM, BUCKET = (f"egress:tcp:{name}.acme.internal:80" for name in ("crm", "acme-weekly-export.s3"))
TICKET = "Ticket ZD-88282 "  # that was injected


@cache
def recorded():
    return list(read(TRACE))


@cache
def played(takes):
    """Findings, what was told of each version of those about the reads, and the questions of a road."""
    records = slowed(recorded(), takes, CRM)
    pipeline, told, events = Pipeline(Policy().scaled(DAY / 3)), [], []
    for record in records:
        if isinstance(record, Event):
            events.append(record)
        told += [(f, tuple(events)) for f in pipeline.feed(record) if CRM in {d.behaviour for d in f.deviations}]
    return pipeline, told, of_list(events)


def test_a_slowed_recording_has_the_same_reads_in_more_windows():
    whole, slow = recorded(), slowed(recorded(), 7.0, CRM)
    mine = theft_of(whole).replica

    def reads(records):
        uses = [u for w in records for u in getattr(w, "uses", ()) if w.replica == mine and u.behaviour == CRM]
        return sum(u.bytes_in for u in uses), sum(u.count for u in uses)

    assert reads(slow) == reads(whole)
    call = theft_of(slow)
    assert float(call.data["ended"]) - float(call.data["began"]) == pytest.approx(7.0)


@pytest.mark.parametrize("takes", [0.5, 3.0, 7.0, 20.0])
def test_a_theft_is_one_finding_however_slow_its_reads_are(takes):
    pipeline, _, _ = played(takes)
    [theft] = [f for f in pipeline.findings() if f.label == RISKY]
    assert {CRM, BUCKET, "tool:put_object"} <= {d.behaviour for d in theft.deviations}
    crm = [
        f for f in pipeline.findings() if any(d.behaviour == CRM and d.lineage == "python<python" for d in f.deviations)
    ]
    assert [f.id for f in crm] == [theft.id]


@pytest.mark.parametrize("takes", [0.5, 3.0, 7.0, 20.0])
def test_its_trigger_is_the_injected_ticket_by_links(takes):
    pipeline, _, asked = played(takes)
    [theft] = [f for f in pipeline.findings() if f.label == RISKY]
    found, _ = road(finding_to_dict(theft), *asked)
    assert (found.state, found.by) == ("captured", "evidence")
    assert found.chain.trigger.excerpt.startswith(TICKET)


def test_before_the_write_its_reads_alone_lead_to_no_other_ticket():
    """A row is written when only the reads were judged: counters have no id, the call under way has."""
    _, told, _ = played(7.0)
    alone, events = next((f, e) for f, e in told if f.deviations[-1].lineage == "python<python")
    assert {d.behaviour for d in alone.deviations} == {CRM}
    found, _ = road(finding_to_dict(alone), *of_list(events))
    assert (found.state, found.by) == ("inferred", "time")
    assert found.chain.trigger.excerpt.startswith(TICKET) and "no id ties them" in found.why


@pytest.mark.parametrize("takes", [0.5, 7.0])
def test_the_command_and_the_row_name_the_same_trigger_of_every_finding(takes):
    pipeline, _, asked = played(takes)
    for finding in map(finding_to_dict, pipeline.findings()):
        found, _ = road(finding, *asked, lambda *span: ran(pipeline.known(), *span))
        shown = about(finding, *asked, lambda *span: ran(pipeline.known(), *span))["trigger"]
        row = trigger(found)
        assert (shown["state"], shown["excerpt"]) == (row["state"], row.get("excerpt", ""))
        assert row.get("record", shown["event"]) == shown["event"]
