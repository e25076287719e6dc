"""What one replica does day after day, while those beside it never do: learned before anybody looked, and told all the same."""

from __future__ import annotations

import pytest

from classifier.drift.finding import ACCEPTED, REVIEW, RISKY
from tests.classifier.story import born, days, play
from tests.factories import head, use
from wire.records import Triage

ODD = "egress:tcp:collect.example.net:443"
SIX = (1, 2, 3, 4, 5, 6)


def poisoned(*odd: int, behaviour: str = ODD, until: int = 40, start: int = 3):
    """Six replicas; some show one thing more from the third day on, long before the envelope has converged."""
    more = dict.fromkeys(odd, (use(behaviour, 2, bytes_out=900, data={"lineage": "python3.11"}),))
    records = [head(), *(born(n) for n in SIX), *days(0, start, *SIX), *days(start, until, *SIX, uses=more)]
    return play(records)


def lone(pipeline):
    return [f for f in pipeline.findings() if f.deviations[0].why == "one replica alone"]


def test_what_was_learned_from_one_replica_alone_is_told_when_learning_ends():
    (finding,) = lone(poisoned(1))
    assert finding.label == REVIEW and finding.replicas == 1
    assert "never in 5 that ran beside" in finding.because


def test_a_credential_that_one_replica_alone_keeps_using_is_risky():
    secret = "identity:token:/run/secrets/kubernetes.io/serviceaccount/token"
    assert RISKY in {f.label for f in poisoned(1, behaviour=secret).findings()}


@pytest.mark.parametrize(
    ("odd", "behaviour"),
    [
        pytest.param((1, 2, 3, 4), ODD, id="several-replicas-do-it"),
        pytest.param((1,), "open:data:/srv/cache/a.txt", id="an-ordinary-file"),
    ],
)
def test_what_is_nothing_special_is_not_told(odd, behaviour):
    assert lone(poisoned(*odd, behaviour=behaviour)) == []


def test_it_is_told_once_and_a_person_may_admit_it():
    pipeline = poisoned(1)
    (finding,) = lone(pipeline)
    pipeline.feed(Triage(40.5, finding.id, "accept", "ada", "the canary's own collector"))
    play([*days(41, 60, *SIX, uses={1: (use(ODD, 2, bytes_out=900),)})], pipeline=pipeline)
    (again,) = lone(pipeline)
    assert again.id == finding.id and again.state == ACCEPTED
