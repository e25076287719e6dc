"""A label is held against the truth by what it names: a common behaviour, replica and time."""

from __future__ import annotations

import pytest

from classifier.drift.posterior import shipped
from classifier.lab.harness import Member, caught, judge
from classifier.lab.simulate import Plan
from classifier.lab.truth import Fact
from tests.factories import replica

FACT = Fact("risky", "escape", 0, "w", 1_000.0, 2_000.0, ("syscall:ptrace",), (replica(1),))


@pytest.mark.parametrize(
    ("changes", "shows"),
    [
        pytest.param({}, True, id="same"),
        pytest.param({"behaviour": "syscall:mount"}, False, id="other-behaviour"),
        pytest.param({"replicas": frozenset({replica(2)})}, False, id="other-replica"),
        pytest.param({"first": 9_000.0, "last": 9_100.0}, False, id="later"),
        pytest.param({"behaviour": "deploy_event_forgery:bad signature"}, False, id="forgery-of-another-family"),
    ],
)
def test_a_member_shows_a_fact(changes, shows):
    values = {"behaviour": "syscall:ptrace", "why": "new", "first": 1_100.0, "last": 1_200.0}
    assert Member(**({"replicas": frozenset({replica(1)})} | values | changes)).shows(FACT) is shows


@pytest.fixture(scope="module")
def outcome():
    return judge(Plan(5, deployments=1, days=8, attacks=20.0, families=("credential-theft",), stealth=(0,)), 0)


def test_a_naive_theft_of_credentials_is_called_risky_at_once(outcome):
    attacks = [n for n, f in enumerate(outcome.truth.facts) if f.kind == "risky"]
    delays = [at - outcome.truth.facts[n].start for n in attacks if (at := caught(outcome, n)[0]) is not None]
    assert attacks and len(delays) == len(attacks) and min(delays) <= 60


def test_every_cause_has_a_reading_that_sums_to_one(outcome):
    assert outcome.cases and outcome.months == pytest.approx(8 / 30)
    for case in outcome.cases:
        p = case.last.posterior
        assert p.evolution + p.benign + p.risky == pytest.approx(1, abs=2e-4) and p.weights == shipped().version


def test_the_recorder_changes_no_label(outcome):
    plan = Plan(5, deployments=1, days=8, attacks=20.0, families=("credential-theft",), stealth=(0,))
    plain = judge(plan, 0, cases=False)
    assert [(t.final, t.labels) for t in plain.told] == [(t.final, t.labels) for t in outcome.told]
