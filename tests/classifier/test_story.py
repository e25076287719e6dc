"""What a person sees: two agents learn, a rollout passes, an attack does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from classifier.drift.finding import EXPECTED, REVIEW, RISKY, findings_json
from classifier.pipeline import Pipeline
from tests.classifier.story import (
    ATTACK,
    NEW_PEER,
    POLICY,
    TOOL,
    born,
    days,
    learned,
    play,
    rollout,
)
from tests.factories import SHOP, event, use

OTHER = SHOP.replace("cart", "billing")
NEWS = (NEW_PEER, TOOL)


def demo():
    """Agents 1-2 of the cart and 11 of billing learn; cart rolls out to 3-4; then 11 is attacked."""
    yield from learned(1, 2)
    yield born(11, workload=OTHER)
    yield from days(0, 40, 11)
    yield rollout(40.0)
    yield born(3, revision="r2", time=40.5)
    yield born(4, revision="r2", time=40.5)
    yield from days(41, 60, 3, 4, 11, uses={3: NEWS, 4: NEWS})
    yield from days(60, 63, 3, 4, 11, uses={3: NEWS, 4: NEWS, 11: ATTACK})
    yield from days(63, 80, 3, 4, 11, uses={3: NEWS, 4: NEWS})


def labels(pipeline: Pipeline) -> list[str]:
    return [f.label for f in pipeline.findings()]


def test_demo_ends_with_one_expected_evolution_and_one_risky_drift():
    pipeline = play(demo())
    evolution, risky = pipeline.findings()
    assert (evolution.label, evolution.workload, evolution.deploy) == (EXPECTED, SHOP, "d1")
    assert (risky.label, risky.workload, risky.deploy) == (RISKY, OTHER, None)
    assert "no matching event" in risky.why_no_deploy
    assert {"n1/e1/70", "n1/e1/71", "n1/e1/72", "n1/e1/73"} == set(risky.evidence)
    assert (risky.replicas, len(risky.deviations)) == (1, 4)
    assert [w.state for w in pipeline.workloads()] == ["converged", "converged"]


def test_a_replay_gives_the_same_bytes():
    once, twice = (findings_json(play(demo()).findings()) for _ in range(2))
    assert once == twice


def test_expected_evolution_enters_the_envelope_after_probation():
    pipeline = play([*demo(), *days(80, 110, 3, 4, uses={3: NEWS, 4: NEWS})])
    behaviours = pipeline.envelope(SHOP).items
    assert behaviours[NEW_PEER.behaviour].state == "admitted" and "event d1" in behaviours[NEW_PEER.behaviour].because
    play(days(110, 115, 5, uses={5: NEWS}), pipeline=play([born(5, revision="r2", time=109.0)], pipeline=pipeline))
    assert len(pipeline.findings()) == 2


def test_risky_behaviour_is_never_learned():
    pipeline = play([*demo(), *days(80, 140, 11, uses={11: ATTACK})])
    assert not any(pipeline.envelope(OTHER).knows(a.behaviour) for a in ATTACK)
    assert labels(pipeline).count(RISKY) == 1


@pytest.mark.parametrize("minute", [41, 48], ids=["first-second-of-the-new-revision", "later"])
def test_theft_soon_after_a_prompt_revision_is_risky(minute):
    """D103: the event is genuine, in time, and explains nothing of this."""
    prompt = rollout(40.0, kind="prompt", scope=(), revision=None)
    pipeline = play(
        [*learned(1, 2), prompt, *days(40, minute, 1, 2), *days(minute, minute + 5, 1, 2, uses={1: ATTACK})]
    )
    assert labels(pipeline) == [RISKY]


def test_theft_in_a_rollout_is_risky_and_the_rollout_still_expected():
    both = (*NEWS, *ATTACK)
    new = [born(n, revision="r2", time=40.5) for n in (3, 4)]
    pipeline = play([*learned(1, 2), rollout(40.0), *new, *days(41, 60, 3, 4, uses={3: both, 4: NEWS})])
    assert sorted(labels(pipeline)) == [EXPECTED, RISKY]
    risky = next(f for f in pipeline.findings() if f.label == RISKY)
    assert "does not name it" in risky.because and risky.replicas == 1


def test_first_pod_of_a_new_revision_is_judged_at_once():
    """D045: its first window, not a learning period later."""
    pipeline = play([*learned(1, 2), rollout(40.0), born(3, revision="r2", time=40.5)])
    found = [f for r in days(41, 42, 3, uses={3: ATTACK}) for f in pipeline.feed(r)]
    assert found and found[0].label == RISKY and found[0].opened <= 42.0


def test_canary_behaviour_of_the_new_revision_only_is_expected():
    pipeline = play(
        [*learned(1, 2), rollout(40.0), born(3, revision="r2", time=40.5), *days(41, 50, 1, 2, 3, uses={3: NEWS})]
    )
    assert labels(pipeline) == [EXPECTED]


def test_behaviour_that_old_replicas_show_too_is_not_correlated():
    """D101."""
    uses = {1: (NEW_PEER,), 3: (NEW_PEER,)}
    pipeline = play(
        [*learned(1, 2), rollout(40.0), born(3, revision="r2", time=40.5), *days(41, 50, 1, 2, 3, uses=uses)]
    )
    (finding,) = pipeline.findings()
    assert finding.label == REVIEW and "other revisions show it too" in finding.because


def test_rollback_to_the_old_revision_is_silent():
    forth = [born(3, revision="r2", time=40.5), *days(41, 50, 3, uses={3: NEWS})]
    back = [born(5, revision="r1", time=55.0), *days(56, 70, 5)]
    assert labels(play([*learned(1, 2), rollout(40.0), *forth, *back])) == [EXPECTED]


def test_late_deploy_event_relabels_and_keeps_the_history():
    """D105."""
    seen = [*learned(1, 2), born(3, revision="r2", time=40.5), *days(41, 50, 3, uses={3: NEWS})]
    pipeline = play(seen)
    (before,) = pipeline.findings()
    assert before.label == REVIEW and "new revision r2 without an authenticated event" in before.why_no_deploy
    late = replace(rollout(40.0), received=50.0)
    (after,) = pipeline.feed(late)
    assert (after.id, after.label, after.version) == (before.id, EXPECTED, before.version + 1)
    assert [v.label for v in after.history] == [REVIEW, EXPECTED]


def test_event_that_comes_far_too_late_relabels_nothing():
    pipeline = play([*learned(1, 2), born(3, revision="r2", time=40.5), *days(41, 50, 3, uses={3: NEWS})])
    assert pipeline.feed(replace(rollout(40.0), received=200.0)) == []
    assert labels(pipeline) == [REVIEW]


def test_second_delivery_changes_nothing():
    pipeline = play([*learned(1, 2), rollout(40.0), rollout(40.0)])
    assert len(pipeline.deploys()) == 1 and pipeline.counters["deploys_repeated"] == 1


@pytest.mark.parametrize("changes", [{"refused": "bad signature"}, {"refused": "replayed"}], ids=["forged", "replayed"])
def test_refused_event_has_no_weight_and_is_a_finding(changes):
    """D104."""
    records = [
        *learned(1, 2),
        rollout(40.0, **changes),
        born(3, revision="r2", time=40.5),
        *days(41, 50, 3, uses={3: NEWS}),
    ]
    forged, drift = play(records).findings()
    assert forged.title.startswith("deploy_event_forgery") and forged.label == RISKY
    assert drift.label == REVIEW and drift.deploy is None


def test_unsigned_event_has_no_weight():
    records = [*learned(1, 2), rollout(40.0, trust="none"), born(3, revision="r2", time=40.5)]
    (finding,) = play([*records, *days(41, 50, 3, uses={3: NEWS})]).findings()
    assert finding.label == REVIEW and "has no weight" in finding.why_no_deploy


def test_wildcard_scope_declares_nothing():
    records = [*learned(1, 2), rollout(40.0, scope=("*",)), born(3, revision="r2", time=40.5)]
    assert RISKY in labels(play([*records, *days(41, 50, 3, uses={3: ATTACK})]))


def test_ordinary_calls_and_sequences_alone_raise_nothing():
    strange = days(40, 60, 1, 2)
    strange = [
        replace(r, syscalls=dict.fromkeys(range(30), 5), grams=(7 << 20 | 9,)) if hasattr(r, "uses") else r
        for r in strange
    ]
    assert play([*learned(1, 2), *strange]).findings() == []


def test_first_use_of_a_sensitive_call_is_a_finding():
    records = [replace(r, syscalls={101: 2}) if hasattr(r, "uses") else r for r in days(40, 44, 1)]
    (finding,) = play([*learned(1, 2), *records]).findings()
    assert finding.deviations[0].behaviour == "syscall:ptrace" and finding.label == RISKY


def test_known_peer_with_far_more_bytes_and_no_deploy_is_risky():
    """FX-1: the destination is sanctioned, the amount is not."""
    theft = replace(use(ORDINARY_PEER, 3, bytes_out=4_900_000, bytes_in=9_000), data={"lineage": "python3.11"})
    records = [replace(r, uses=(theft,)) if hasattr(r, "uses") else r for r in days(40, 45, 1)]
    (finding,) = play([*learned(1, 2), *records]).findings()
    assert (finding.label, finding.signals[2].holds) == (RISKY, False)
    assert "4900000 bytes out" in finding.because


def test_ordinary_use_long_after_a_theft_is_no_evidence_of_it():
    """FX-5 showed, as records of a theft, what other replicas sent to the same peer a week later."""
    theft = replace(use(ORDINARY_PEER, 3, bytes_out=4_900_000), data={"lineage": "python3.11"})
    records = [replace(r, uses=(theft,)) if hasattr(r, "uses") else r for r in days(40, 45, 1)]
    end = 46 + int(POLICY.cause_window)
    near = event(1, "egress", ORDINARY_PEER, time=45.0, id="n1/near")
    late = event(2, "egress", ORDINARY_PEER, time=float(end), id="n1/late")
    (finding,) = play([*learned(1, 2), *records, near, *days(45, end, 1, 2), late]).findings()
    assert finding.evidence == ("n1/near",)


ORDINARY_PEER = "egress:tcp:models.example.org:443"
assert POLICY.day == 1.0


def test_rollout_announced_twice_is_one_finding():
    """The cluster and a person both tell of it; each explains a part best."""
    records = [*learned(1, 2), rollout(40.0), rollout(40.1, id="k8s-7", scope=(), trust="local")]
    more = use("open:config:/app/v2.yaml", data={"lineage": "python3.11"})
    records += [
        born(3, revision="r2", time=40.5),
        *days(41, 42, 3, uses={3: NEWS}),
        *days(42, 55, 3, uses={3: (*NEWS, more)}),
    ]
    (finding,) = play(records).findings()
    assert (finding.label, finding.deploy, len(finding.deviations)) == (EXPECTED, "d1", 3)


@pytest.mark.parametrize(("pods", "label"), [((3,), RISKY), ((3, 4), REVIEW)], ids=["on-one-of-two", "on-both"])
def test_undeclared_shell_in_a_new_revision_depends_on_where_it_runs(pods, label):
    """An intruder sits in one replica; an image brings its shell to all (drift-model 4.6)."""
    new = [born(n, revision="r2", time=40.5) for n in (3, 4)]
    uses = dict.fromkeys(pods, (ATTACK[0],))
    pipeline = play([*learned(1, 2), rollout(40.0, scope=()), *new, *days(41, 50, 3, 4, uses=uses)])
    assert labels(pipeline) == [label]
