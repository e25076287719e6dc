"""The pipeline as a whole: the same stream gives the same findings, scale and churn give none, bounds hold."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.drift.finding import EXPECTED, REVIEW, RISKY, findings_json
from classifier.drift.verdict import TABLE
from classifier.drift.ward import Ward
from classifier.envelope.envelope import Envelope
from classifier.envelope.state import StateError
from classifier.pipeline import Pipeline
from classifier.policy import DAY, Policy
from tests.classifier.story import ATTACK, NEW_PEER, POLICY, SCOPE, TOOL, born, days, learned, play, rollout, window
from tests.factories import SHOP, event, head, replica, use
from wire.codec import decode, encode
from wire.records import Gap, Tick, Triage, Window

NEWS = (NEW_PEER, TOOL)
WEDNESDAY = 5 * 7 * DAY + 6 * DAY + 14.5 * 3600


def life():
    """Everything that can happen to a small workload."""
    records = [*learned(1, 2, until=20), event(9, "exec", "exec:/bin/true<sh", time=19.0)]
    records += [
        born(3, revision="r2", time=20.5),
        *days(21, 26, 1, 3, uses={3: NEWS}),
        replace(rollout(20.0), received=26.0),
    ]
    records += [Gap("n1", 26.0, 27.0, "restart"), *days(27, 30, 1, 3, uses={1: ATTACK, 3: NEWS})]
    records += [rollout(29.0, id="d9", refused="bad signature"), replace(born(2, time=2.0), ended=29.5)]
    records += [head(time=31.0, epoch="e2"), *days(31, 34, 1, 3, uses={3: NEWS}), *days(34, 36, 7, 3)]
    return records


LIFE = life()
PLAIN = play(LIFE)


@settings(max_examples=25, deadline=None)
@given(cuts=st.sets(st.integers(0, len(LIFE)), max_size=4))
def test_snapshot_and_restore_at_any_point_change_nothing(cuts):
    pipeline = Pipeline(POLICY)
    for n, record in enumerate(LIFE):
        if n in cuts:
            pipeline = Pipeline.restore(POLICY, pipeline.snapshot())
        pipeline.feed(record)
    assert findings_json(pipeline.findings()) == findings_json(PLAIN.findings())
    assert pipeline.snapshot() == PLAIN.snapshot()
    assert pipeline.workloads() == PLAIN.workloads() and pipeline.counters == PLAIN.counters


def test_records_through_the_codec_give_the_same_findings():
    coded = play([decode(encode(r)) for r in LIFE])
    assert findings_json(coded.findings()) == findings_json(PLAIN.findings())


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\x92\x02\xc0", PLAIN.snapshot()[:-3], b"\xc7\x01\x03\xa1"],
    ids=["empty", "int", "newer", "cut", "tag"],
)
def test_damaged_snapshot_is_refused_with_a_remedy(data):
    with pytest.raises(StateError, match="replay the journal"):
        Pipeline.restore(POLICY, data)


def test_autoscaling_and_restarts_alone_give_no_finding():
    """D046, D038: 2 to 40 replicas and back, three times a day, with restarts."""
    rng, records, number = random.Random(7), learned(1, 2, until=20), 100
    for day in range(20, 32):
        for _ in range(3):
            extra = list(range(number, number + 38))
            number += 38
            records += [born(n, time=float(day)) for n in extra]
            records += [window(n, day + rng.choice((0.0, 0.3)), grams=()) for n in extra]
            records += [replace(born(n, time=float(day)), ended=day + 0.9) for n in extra]
        records += days(day, day + 1, 1 if day % 2 else 3, 2)
        records += [born(3, time=day + 0.5)]
    pipeline = play(records)
    assert pipeline.findings() == []
    envelope = pipeline.envelope(SHOP)
    assert len(envelope.lanes) <= POLICY.max_lanes and envelope.replicas == 38 * 36 + 3
    assert pipeline.workloads()[0].state == "converged"


def test_digest_stays_through_churn():
    """D038: the baseline changes when behaviour does."""
    stable = play(learned(1, 2))
    digest = stable.envelope(SHOP).to_dict()["digest"]
    play(
        [born(n, time=41.0, node="n2") for n in range(5, 25)] + days(41, 45, *range(5, 25), node="n2"), pipeline=stable
    )
    assert stable.envelope(SHOP).to_dict()["digest"] == digest


def test_one_cause_on_forty_replicas_is_one_finding():
    """D113."""
    pods = range(1, 41)
    many = use("egress:tcp:new.example.org:443", 250, data={"lineage": "python3.11"})
    pipeline = play([*learned(*pods, until=20), *days(20, 26, *pods, uses=dict.fromkeys(pods, (many,)))])
    (finding,) = pipeline.findings()
    assert (finding.replicas, finding.count, finding.version) == (40, 40 * 250 * 6, 1)


def test_separate_process_trees_on_separate_replicas_are_separate_findings():
    uses = {1: (ATTACK[0],), 2: (use("egress:tcp:odd.example.org:443", data={"lineage": "python3.11"}),)}
    pipeline = play([*learned(1, 2), *days(40, 45, 1, 2, uses=uses)])
    assert sorted(f.label for f in pipeline.findings()) == [REVIEW, RISKY]


def test_ephemeral_replica_without_identity_is_unresolved_and_never_guessed():
    records = (
        [head()] + [r for n in range(50, 60) for r in (window(n, float(n)), Tick("n1", n + 1.0))] + [Tick("n1", 99.0)]
    )
    pipeline = play(records)
    assert [w.workload for w in pipeline.workloads()] == [f"unresolved:{n}" for n in range(50, 60)]
    assert pipeline.findings() == [] and pipeline.counters["parked"] == 0


def test_many_unresolved_replicas_stay_within_the_bound():
    policy = replace(POLICY, max_workloads=8)
    records = [r for n in range(50, 90) for r in (window(n, float(n)), Tick("n1", n + 1.0))]
    pipeline = play([head(), *records, Tick("n1", 200.0)], policy)
    assert pipeline.counters["workloads"] == 8 and pipeline.counters["unresolved_evicted"] == 32


def test_late_identity_attributes_what_waited():
    pipeline = play([head(), window(1, 0.0), Tick("n1", 1.0), born(1), Tick("n1", 2.0)])
    assert [w.workload for w in pipeline.workloads()] == [SHOP]


def test_behaviour_of_one_replica_in_learning_stays_provisional():
    """D056: on one of five, every day; it is listed for sign-off and not admitted."""
    leak = use("open:secret:/etc/vault/token", data={"lineage": "python3.11"})
    pods = range(1, 6)
    envelope = play([*learned(*pods, until=2), *days(2, 30, *pods, uses={2: (leak,)})]).envelope(SHOP)
    shown = envelope.to_dict()
    assert leak.behaviour not in envelope.admitted
    assert envelope.knows(leak.behaviour) is False or leak.behaviour in shown["sign_off"]


@pytest.mark.parametrize("decision", ["accept", "risky", "dismiss"])
def test_triage_is_final(decision):
    pipeline = play([*learned(1, 2), *days(40, 45, 1, 2, uses={1: (NEW_PEER,)})])
    (before,) = pipeline.findings()
    (after,) = pipeline.feed(Triage(50.0, before.id, decision, "ada", "seen"))
    assert after.version == before.version + 1 and "ada decided" in after.because
    play(days(50, 60, 1, 2, uses={1: (NEW_PEER,), 2: (NEW_PEER,)}), pipeline=pipeline)
    envelope = pipeline.envelope(SHOP)
    assert envelope.knows(NEW_PEER.behaviour) == (decision == "accept")
    assert (NEW_PEER.behaviour in envelope.sticky) == (decision == "risky")
    assert pipeline.findings()[0].label == (RISKY if decision == "risky" else REVIEW)


def test_triage_of_an_unknown_finding_is_counted():
    assert play([Triage(1.0, "none", "accept", "ada")]).counters["triage_without_finding"] == 1


def test_review_ages_to_a_decision_with_an_owner():
    pipeline = play([*learned(1, 2), *days(40, 45, 1, 2, uses={1: (NEW_PEER,)}), Tick("n1", 2000.0)])
    (finding,) = pipeline.findings()
    assert (finding.state, finding.owner) == ("aged", "workload owner") and "did not decide" in finding.because


def test_gap_makes_an_envelope_partial_and_never_converged():
    pipeline = play([*learned(1, 2), Gap("n1", 39.5, 40.5, "ring full"), *days(41, 42, 1, 2)])
    (status,) = pipeline.workloads()
    assert status.state == "partial" and "gap: ring full 1" in status.because


def test_lossy_windows_make_an_envelope_partial_and_still_report():
    lossy = [replace(r, loss={"ring": 3}) if isinstance(r, Window) else r for r in days(40, 45, 1, uses={1: ATTACK})]
    pipeline = play([*learned(1, 2), *lossy])
    assert pipeline.workloads()[0].state == "partial"
    (finding,) = pipeline.findings()
    assert finding.partial and finding.label == RISKY


def test_new_sensor_epoch_without_a_gap_record_is_a_gap_all_the_same():
    pipeline = play([*learned(1, 2), head(time=45.0, epoch="e2"), *days(45, 46, 1, 2)])
    exposure = pipeline.envelope(SHOP).ledger.exposures[replica(1)]
    assert exposure.gaps == ((40.0, 45.0),) and pipeline.workloads()[0].state == "partial"


def test_replica_unseen_in_a_gap_is_unknown_not_innocent():
    new = [born(n, revision="r2", time=40.5) for n in (3, 4)]
    records = [
        *learned(1),
        rollout(40.0),
        *new,
        *days(41, 42, 4),
        Gap("n1", 42.0, 43.0, "x"),
        *days(43, 50, 3, uses={3: NEWS}),
    ]
    (finding,) = play(records).findings()
    assert "on 1 of 1 replicas with the change and 0 of 0 without, 2 unknown" in finding.because


def cell(d: bool, p: bool, r: bool):
    """A rollout whose one new peer gives these three signals."""
    trail = "python3.11" if p else "strange<python3.11"
    peer = replace(NEW_PEER, bytes_out=1_500 if r else 90_000_000, data={"lineage": trail})
    records = [*learned(1, 2), born(3, revision="r2", time=40.5)]
    records += [rollout(40.0)] if d else []
    return [*records, *days(41, 46, 3, uses={3: (peer,)})]


@pytest.mark.parametrize(("signals", "expected"), TABLE.items(), ids=["".join("yn"[not s] for s in k) for k in TABLE])
def test_all_eight_combinations_get_the_label_of_the_table(signals, expected):
    """D097: demands.md 3.2, 8 of 8, end to end."""
    (finding,) = play(cell(*signals)).findings()
    assert tuple(s.holds for s in finding.signals) == signals
    assert (finding.label, finding.severity) == expected


def test_every_finding_of_a_story_obeys_the_table_or_says_which_rule_stands_above_it():
    for f in PLAIN.findings():
        label, _ = TABLE[tuple(bool(s.holds) if s.holds is not None else True for s in f.signals)]
        assert f.label == label or ";" in f.because


def test_identity_named_by_a_believed_event_may_be_expected():
    token = use("identity:token:/var/run/secrets/other/token", data={"lineage": "python3.11"})
    scoped = rollout(40.0, scope=(token.behaviour,))
    records = [*learned(1, 2), scoped, born(3, revision="r2", time=40.5), *days(41, 46, 3, uses={3: (token,)})]
    (finding,) = play(records).findings()
    assert finding.label in (EXPECTED, REVIEW)
    (unnamed,) = play([r if r is not scoped else rollout(40.0, scope=()) for r in records]).findings()
    assert unnamed.label == RISKY


def test_memfd_exec_is_never_simply_expected():
    memfd = use("exec:/memfd:x<python3.11", data={"lineage": "x<python3.11", "layer": "memfd"})
    records = [*learned(1, 2), rollout(40.0, scope=("exec:/memfd:*",)), born(3, revision="r2", time=40.5)]
    (finding,) = play([*records, *days(41, 46, 3, uses={3: (memfd,)})]).findings()
    assert finding.label != EXPECTED


def test_floor_speaks_even_while_learning():
    policy = replace(POLICY, learn_days=100)
    memfd = use("exec:/dev/shm/x<python3.11")
    pipeline = play([*learned(1, 2), *days(40, 45, 1, 2, uses={1: (memfd, *NEWS)})], policy)
    (finding,) = pipeline.findings()
    assert finding.deviations[0].behaviour == memfd.behaviour and len(finding.deviations) == 1


def test_rate_of_growth_of_a_learned_bound_is_limited():
    """A drip that doubles its volume every day must not carry the bound along."""
    e = Envelope(SHOP, POLICY)
    for day in range(60):
        size = 1_000_000 if day < 20 else int(1_000_000 * 1.9 ** (day - 19))
        e.learn(
            Window(replica(1), float(day), day + 1.0, (use("egress:tcp:a:443", bytes_out=size),)),
            accept=-1 if day > 5 else 3,
        )
        for extra in (0.2, 0.4, 0.6):
            e.learn(Window(replica(1), day + extra, day + extra, (use("egress:tcp:a:443", bytes_out=1_000_000),)))
    assert e.items["egress:tcp:a:443"].limit_out < 2_200_000 * 1.1 ** (60 / 7)


@pytest.mark.parametrize(
    ("event", "level"),
    [
        pytest.param((), "critical", id="no-deploy"),
        pytest.param(
            (rollout(WEDNESDAY - 600, kind="prompt", scope=(), revision=None),), "high", id="after-a-prompt-revision"
        ),
        pytest.param((rollout(WEDNESDAY - 600, scope=SCOPE, revision="r1"),), "critical", id="after-another-rollout"),
    ],
)
def test_off_schedule_export_by_another_process_is_risky(event, level):
    """FX-1 and FX-1d: the weekly export's destination, used on a Wednesday by the worker."""
    hour, week = 3600.0, 7 * DAY
    policy = Policy()
    work = use("egress:tcp:crm.example.org:443", 3, bytes_in=15_000, bytes_out=5_000, data={"lineage": "worker"})
    export = use("egress:tcp:s3.example.org:443", bytes_out=18_000_000, data={"lineage": "export.py<worker"})
    records = [head(interval=600.0), born(1), born(2)]
    for t in range(0, int(5 * week), int(hour)):
        weekly = t % int(week) == int(3 * DAY + 2 * hour)
        records += [
            Window(replica(1), t, t + 600.0, (work, export) if weekly else (work,)),
            Window(replica(2), t, t + 600.0, (work,)),
        ]
        records.append(Tick("n1", t + 600.0))
    quiet = play(records, policy)
    assert quiet.findings() == [] and quiet.workloads()[0].state == "converged"
    start = WEDNESDAY
    theft = use("egress:tcp:s3.example.org:443", bytes_out=4_900_000, data={"lineage": "worker"})
    bulk = replace(work, count=2400, bytes_in=5_100_000)
    play([*event, Window(replica(1), start, start + 600, (bulk, theft)), Tick("n1", start + 660)], pipeline=quiet)
    (finding,) = quiet.findings()
    assert (finding.label, finding.severity) == (RISKY, level)
    assert {d.why for d in finding.deviations} == {"schedule", "volume in"} and finding.updated - start <= 660


def test_dormant_behaviour_that_returns_in_its_old_shape_is_for_review():
    """D044, with a policy of short memory."""
    policy = replace(POLICY, dormant_after=20.0, forget_after=500.0)
    rare = use("egress:tcp:report.example.org:443", data={"lineage": "python3.11"})
    first = {1: (rare,), 2: (rare,)}
    records = [*learned(1, 2, until=5), *days(5, 10, 1, 2, uses=first), *days(10, 60, 1, 2)]
    same = play([*records, *days(60, 65, 1, 2, uses={1: (rare,)})], policy)
    other = play(
        [*records, *days(60, 65, 1, 2, uses={1: (replace(rare, data={"lineage": "nc<sh<python3.11"}),)})], policy
    )
    assert [(f.label, f.deviations[0].why) for f in same.findings()] == [(REVIEW, "dormant return")]
    assert [f.label for f in other.findings()] == [RISKY]


def test_deviations_beyond_the_bound_are_counted():
    policy = replace(POLICY, max_deviations=10)
    flood = tuple(use(f"egress:tcp:h{n}:443") for n in range(50))
    assert play([*learned(1, 2), *days(40, 42, 1, uses={1: flood})], policy).counters["deviations_dropped"] == 80


def test_a_ward_is_watched_from_its_first_window():
    assert Ward(SHOP, Envelope(SHOP, POLICY)).wake == float("inf")


BEHAVIOURS = [*ATTACK, *NEWS, use("open:data:/x"), use("egress:tcp:big:443", bytes_out=10**8)]
numbers = st.integers(1, 6)
records = st.one_of(
    st.builds(
        lambda n, t, k: window(n, t, *k), numbers, st.floats(0, 90), st.lists(st.sampled_from(BEHAVIOURS), max_size=3)
    ),
    st.builds(lambda n, t: born(n, revision=f"r{n % 2}", time=t), numbers, st.floats(0, 90)),
    st.builds(lambda n, t: born(n, workload=None, time=t), numbers, st.floats(0, 90)),
    st.builds(lambda n, t: born(n, time=t, ended=t + 1), numbers, st.floats(0, 90)),
    st.builds(lambda t, i: rollout(t, id=f"d{i}", revision=None if i % 2 else "r0"), st.floats(0, 90), numbers),
    st.builds(lambda t: rollout(t, refused="replayed"), st.floats(0, 90)),
    st.builds(lambda t: Gap("n1", t, t + 3, "x"), st.floats(0, 90)),
    st.builds(lambda t, i: head(time=t, epoch=f"e{i}"), st.floats(0, 90), numbers),
    st.builds(lambda t: Tick("n1", t), st.floats(0, 2000)),
    st.builds(lambda n, t: event(n, "exec", "exec:/bin/sh<x", time=t, id=f"n1/e1/{n}"), numbers, st.floats(0, 90)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(records, max_size=40), st.integers(0, 40), st.sampled_from(["accept", "risky", "dismiss"]))
def test_any_stream_is_survived_and_may_be_cut_anywhere(stream, cut, decision):
    stream = [*learned(1, 2, until=12), *stream]
    whole = play(stream)
    stream += [Triage(95.0, f.id, decision, "ada") for f in whole.findings()[:2]] + [Tick("n1", 99.0), Tick("n1", 1e6)]
    whole, half = play(stream), play(stream[: 40 + cut])
    resumed = play(stream[40 + cut :], pipeline=Pipeline.restore(POLICY, half.snapshot()))
    assert findings_json(resumed.findings()) == findings_json(whole.findings())
    assert resumed.snapshot() == whole.snapshot()
    ids = [f.id for f in whole.findings()]
    assert len(ids) == len(set(ids)) and all(len(f.history) == f.version for f in whole.findings())


def test_full_house_forgets_what_was_decided_first():
    policy = replace(POLICY, max_deviations=3)
    flood = [use(f"egress:tcp:h{n}:443", data={"lineage": "python3.11"}) for n in range(6)]
    pipeline = play([*learned(1, 2), *days(40, 44, 1, uses={1: tuple(flood[:3])})], policy)
    (finding,) = pipeline.findings()
    pipeline.feed(Triage(44.0, finding.id, "dismiss", "ada"))
    play(days(44, 50, 1, uses={1: (flood[4],)}), pipeline=pipeline)
    assert [f.deviations[0].behaviour for f in pipeline.findings()] == ["egress:tcp:h4:443"]


def test_bare_address_that_a_believed_event_names_is_expected():
    peer = use("egress:tcp:10.7.0.9:9443", bytes_out=900, data={"lineage": "python3.11"})
    stream = [*learned(1, 2), born(3, revision="r2", time=40.5), *days(41, 46, 3, uses={3: (peer,)})]
    (before,) = play(stream).findings()
    (after,) = play([*stream, rollout(40.0, scope=(peer.behaviour,))]).findings()
    assert (before.label, after.label) == (RISKY if not before.signals[1].holds else REVIEW, EXPECTED)


def test_secret_read_by_the_same_program_under_another_parent_is_no_deviation():
    token = use("identity:token:/t", data={"lineage": "python3.11<sh"})
    stream = [
        *learned(1, 2, until=0),
        *days(0, 40, 1, 2, uses={1: (token,), 2: (token,)}),
        born(3, revision="r2", time=40.0),
    ]
    same = replace(token, data={"lineage": "python3.12<tini"})
    other = replace(token, data={"lineage": "cat<sh<python3.11"})
    assert play([*stream, *days(41, 45, 3, uses={3: (same,)})]).findings() == []
    (finding,) = play([*stream, *days(41, 45, 3, uses={3: (other,)})]).findings()
    assert (finding.label, finding.deviations[0].why) == (RISKY, "owner")
