"""No envelope with a loss or a gap within its memory says that it has converged, wherever the loss was."""

import random

import pytest

from classifier.pipeline import Pipeline
from sensor.probes import abi
from tests.classifier.story import ATTACK, ORDINARY, POLICY, born, days, learned, play, window
from tests.factories import SHOP, head, use
from wire.loss import Loss
from wire.records import Gap, Tick

LEARNED = 40
SENSOR = ("names of files", "no room to wait for its owner")


def state(pipeline):
    return pipeline.envelope(SHOP).state(pipeline._state.now)[0]


def lost(reason):
    return [window(1, 40.0, loss={reason: 1})]


def spool():
    loss = Loss()
    loss.add(window(1, 40.0))
    return loss.gaps()


WHATEVER = [pytest.param(lost(reason), id=reason) for reason in (*abi.LOSSES, *SENSOR)] + [
    pytest.param([Gap("n1", 40.0, 41.0, "no free slot for new cgroups")], id="no-slot"),
    pytest.param(spool(), id="spool"),
    pytest.param([head(time=41.0, epoch="e2")], id="sensor-began-anew"),
]


@pytest.mark.parametrize("loss", WHATEVER)
def test_no_envelope_with_a_loss_says_converged(loss, fault):
    pipeline = play(learned(1, 2, until=LEARNED))
    assert state(pipeline) == "converged"
    play([*loss, Tick("n1", 41.0)], pipeline=pipeline)
    assert state(pipeline) == "partial"
    shown = pipeline.envelope(SHOP).to_dict()
    assert shown["state"] == "partial" and shown["valid_until"] is None
    assert {state for state, _ in pipeline.envelope(SHOP).states(41.0).values()} == {"partial"}
    memory = int(POLICY.partial_memory)
    play(days(41, 41 + memory - 1, 1, 2), pipeline=pipeline)
    assert state(pipeline) == "partial"
    play(days(41 + memory - 1, 44 + memory, 1, 2), pipeline=pipeline)
    assert state(pipeline) == "converged"
    fault(
        done=f"{len(WHATEVER)} kinds of loss and gap, one each; then 300 random streams with 20 losses in 60 days",
        lost="1 of that kind",
        told="`partial` for seven days, with the reason and its number",
    )


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_when_a_loss_is_never_converged(seed, scaled):
    for number in range(scaled(100, 7)):
        chance = random.Random(seed * 1000 + number)
        kept = Pipeline(POLICY)
        play(learned(1, 2, until=20), pipeline=kept)
        moments = {chance.randrange(20, 80) for _ in range(20)}
        last = float("-inf")
        for day in range(20, 80):
            if day in moments:
                last = _lose(kept, day, chance)
            play(days(day, day + 1, *([2] if day in moments else [1, 2])), pipeline=kept)
            assert state(kept) != "converged" or day + 1 - last > POLICY.partial_memory, (number, day)


def _lose(pipeline, day, chance):
    """Some loss on this day; when it ended."""
    if chance.random() < 0.5:
        pipeline.feed(window(1, float(day), loss={chance.choice(abi.LOSSES): chance.randrange(1, 9)}))
        return day + 1.0
    end = day + chance.random()
    pipeline.feed(Gap("n1", float(day), end, "lost before the classifier: window 3"))
    return end


def test_what_finds_no_room_in_an_envelope_is_told(fault):
    """The bound is 4,096 behaviours; a flood of 5,000."""
    pipeline = play([head(), *learned(1, 2, until=2)[1:]])
    flood = [use(f"egress:tcp:10.{n // 65536}.{n // 256 % 256}.{n % 256}:443") for n in range(5000)]
    play([window(1, 2.0, *flood), Tick("n1", 3.0)], pipeline=pipeline)
    envelope = pipeline.envelope(SHOP)
    because = envelope.state(3.0)[1]
    full = sum(envelope.overflow.values())
    assert len(envelope.items) <= POLICY.max_behaviours and full >= 5000 - POLICY.max_behaviours
    assert "full: " in because and pipeline.counters["envelope_full"] == full
    fault(
        done="5,000 peers of one workload within a window, of 4,096 behaviours that it may have",
        lost=f"{full:,} that it did not learn; they stay unknown, so each further use is new again",
        told='"full" with its number in the envelope\'s reason, `envelope_full` of the metrics',
    )


def test_what_a_later_replica_does_is_learned_and_judged(fault):
    """No replica completes an envelope for the others."""
    pipeline = play(learned(1, 2))
    before = {b["behaviour"]: b["count"] for b in pipeline.envelope(SHOP).to_dict()["behaviours"]}
    play([born(3, time=40.0), *days(40, 50, 3, uses={3: ATTACK})], pipeline=pipeline)
    after = {b["behaviour"]: b["count"] for b in pipeline.envelope(SHOP).to_dict()["behaviours"]}
    grown = {name: after[name] - n for name, n in before.items()}
    assert grown == {u.behaviour: 10 * u.count for u in ORDINARY}
    [finding] = pipeline.findings()
    new = {u.behaviour for u in ATTACK}
    assert new.issuperset(d["behaviour"] if isinstance(d, dict) else d.behaviour for d in finding.deviations)
    assert len(finding.deviations) == len(ATTACK)
    fault(
        done=f"two replicas converge; a third then does what they do, and {len(ATTACK)} things more",
        lost=f"0 of {sum(grown.values())} known uses, 0 of {len(ATTACK)} new behaviours",
        told="a finding",
    )
