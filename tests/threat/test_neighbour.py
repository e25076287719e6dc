"""What a hostile workload sends through the sensor changes nothing of what is learned and said of another."""

import pytest

from classifier.drift.finding import finding_to_dict
from tests.classifier.story import ATTACK, NEW_PEER, born, days, learned, play, rollout
from tests.factories import SHOP, event, use
from tests.factories import window as bare
from wire.records import Tick

HOSTILE = "lab/shop/Deployment/mallory/c"
FIRST = 1000  # number of its first replica


def ordinary():
    """Forty days of learning, a rollout that was announced, a theft."""
    new = [rollout(40.0), born(3, revision="r2", time=40.0)]
    return [*learned(1, 2), *new, *days(40, 44, 1, 3, uses={3: (NEW_PEER,)}), *days(44, 50, 1, 3, uses={1: ATTACK})]


def behaviours(day):
    """More of everything than an envelope takes, new ones each day."""
    return [bare(FIRST, *(use(f"egress:tcp:10.{day}.{n // 256}.{n % 256}:443", 9) for n in range(600)), start=day)]


def replicas(day):
    """Short lives, each with an owner, and some that nobody names."""
    made = [born(FIRST + 100 * int(day) + n, workload=HOSTILE, time=day, pod=f"shop/mallory-{n}") for n in range(40)]
    return [
        *made,
        *(bare(r.replica.cgroup, "exec:/bin/sh<runc", start=day) for r in made),
        bare(9, "exec:x<y", start=day),
    ]


def bytes_out(day):
    return [bare(FIRST, use("egress:tcp:203.0.113.9:443", 10**9, bytes_out=1 << 50), start=day)]


def losses(day):
    return [bare(FIRST, "open:data:/x", start=day, loss={"facts": 10**6})]


def names(day):
    """Its neighbour's own behaviours, and that theft a day before."""
    return [bare(FIRST, *ATTACK, NEW_PEER, start=day)]


def events(day):
    made = [event(FIRST, "exec", "exec:/bin/sh<x", time=day, id=f"n1/h/{day}/{n}", pid=n) for n in range(300)]
    return [*made, *(event(FIRST, "llm", time=day, id=f"n1/l/{day}/{n}", history="[" * 500) for n in range(50))]


FLOODS = (behaviours, replicas, bytes_out, losses, names, events)


def beside(flood):
    """The stream of both: the flood comes at the end of every day."""
    stream = [*ordinary()]
    out = [stream[0], born(FIRST, workload=HOSTILE)]
    for record in stream[1:]:
        if isinstance(record, Tick):
            out += flood(record.time - 1.0)
        out.append(record)
    return out


def told(pipeline):
    return [finding_to_dict(f) for f in pipeline.findings() if f.workload == SHOP], pipeline.envelope(SHOP).to_dict()


@pytest.fixture(scope="module")
def alone():
    found = told(play(ordinary()))
    assert {f["label"] for f in found[0]} >= {"expected_evolution", "risky_drift"}
    return found


@pytest.mark.parametrize("flood", FLOODS, ids=lambda f: f.__name__)
def test_findings_and_envelope_of_a_neighbour_are_the_same_beside_a_flood(flood, alone):
    pipeline = play(beside(flood))
    assert pipeline.envelope(HOSTILE) is not None, "the flood was taken in"
    assert told(pipeline) == alone
