"""Scores: one agent of each class is told, what is thin stays unknown, and every point has a reason."""

from __future__ import annotations

import pytest

from classifier.classes.endpoints import INFERRED, is_address, purpose
from classifier.classes.facts import facts
from classifier.classes.score import MARGIN, rank
from classifier.classes.table import CLASSES, UNKNOWN, Term, stricter
from classifier.envelope.envelope import Envelope
from classifier.policy import Policy
from tests.classes.agents import AGENTS, LLM, REQUESTS, lived, run
from tests.factories import SHOP, use, window


def ranked(e: Envelope):
    return rank(facts(e), least_days=3)


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_of_each_class_is_told_with_a_margin(name):
    found = ranked(lived(name))
    assert found.winner == name and found.margin >= MARGIN, found.because


@pytest.mark.parametrize("name", AGENTS)
def test_points_are_the_sum_of_reasons_in_words(name):
    for score in ranked(lived(name)).scores:
        assert score.points == pytest.approx(sum(r.points for r in score.reasons))
        assert all(r.words and r.points for r in score.reasons)


def test_every_class_has_an_agent_in_these_tests():
    assert AGENTS.keys() == CLASSES.keys()


def idle() -> Envelope:
    """Nine days in which a replica lived and did nothing that has a name."""
    e = Envelope(SHOP, Policy())
    for hour in range(24 * 9):
        e.learn(window(1, start=hour * 3600.0, length=3600.0, syscalls={0: 1}))
    return e


@pytest.mark.parametrize(
    "envelope",
    [
        pytest.param(Envelope(SHOP, Policy()), id="nothing-seen"),
        pytest.param(lived("web-service", days=2), id="too-few-days"),
        pytest.param(idle(), id="idle"),
    ],
)
def test_what_is_not_known_well_enough_is_unknown(envelope):
    """Absences alone make no class: an idle workload starts nothing and asks no model, as do many others."""
    assert ranked(envelope).winner == UNKNOWN


def test_two_classes_that_are_close_are_said_to_be():
    """FX-1's support agent is never seen to ask a model, so behaviour cannot tell it from a web service: a person must."""
    mixed = lived("web-service", more=(use("egress:tcp:crm.example.com:443", bytes_out=9_000, bytes_in=900),
                                       use("egress:tcp:desk.example.com:443", bytes_out=9_000, bytes_in=900)))  # fmt: skip
    found = ranked(mixed)
    assert found.winner == UNKNOWN and "too close" in found.because


def test_evidence_names_the_behaviours_that_speak():
    score = ranked(lived("code-execution")).of("code-execution")
    speaking = {b for r in score.reasons for b in r.shown_by}
    assert "exec:/usr/bin/python3.11<python3.11" in speaking


def test_the_start_of_a_container_is_no_exec_of_its_agent():
    known = facts(lived("read-only-retrieval")).known
    assert known["execs"].value == 0 and known["execs"].words == "0 execs a day"


def test_what_cannot_be_known_is_missing_and_not_zero():
    known = facts(lived("model-server")).known
    assert "sent" not in known and "writes" in known


def test_rates_are_of_recent_days_only():
    """An agent that turned to running code a week ago is no average of its quiet months."""
    e = lived("tool-user", days=40)
    before = facts(e).known["interpreters"].value
    for hour in range(24 * 7):
        start = (40 * 24 + hour) * 3600.0
        e.learn(window(0, LLM, REQUESTS, run("/usr/bin/python3.11"), start=start, length=3600.0))
    assert before == 0 and facts(e).known["interpreters"].value == pytest.approx(24)


def test_counts_of_long_lives_are_rates_over_all_their_days():
    assert facts(lived("code-execution", days=100)).known["execs"].value == pytest.approx(96, rel=0.02)


@pytest.mark.parametrize(
    ("behaviour", "what"),
    [
        ("egress:tcp:bedrock-runtime.eu-west-1.amazonaws.com:443", "llm"),
        ("egress:tcp:team.openai.azure.com:443", "llm"),
        ("egress:tcp:10.1.2.3:11434", "llm"),
        ("egress:tcp:notapi.openai.com.evil.example:443", "tool"),
        ("egress:tcp:acme-weekly-export.s3.amazonaws.com:443", "store"),
        ("egress:tcp:[fd00::1]:5432", "store"),
        ("egress:tcp:cart:80", "internal"),
        ("egress:tcp:10.1.2.3:8080", "internal"),
        ("egress:udp:10.0.0.2:53", "names"),
        ("egress:tcp:203.0.113.9:443", "tool"),
        ("egress:tcp:8.8.8.8:443", "tool"),
        ("egress:nonsense", "tool"),
    ],
)
def test_a_destination_is_told_by_name_or_port(behaviour, what):
    assert purpose(behaviour) == what


def test_a_model_endpoint_is_said_to_be_inferred():
    assert INFERRED in facts(lived("tool-user")).known["llm"].words
    assert is_address("[fd00::1]") and not is_address("a.example")


def test_a_term_without_a_fact_adds_nothing():
    assert Term("llm", 1, 0, 2.0).absence and rank(facts(Envelope(SHOP, Policy())), least_days=3).scores[0].points == 0


def test_of_two_classes_the_stricter_one_counts():
    assert stricter("tool-user", "code-execution") == "code-execution"
    assert stricter(UNKNOWN, UNKNOWN) == UNKNOWN
