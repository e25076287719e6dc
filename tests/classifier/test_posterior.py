"""The shipped weights: whole, reproducible by hand, and what they may never say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.drift import source
from classifier.drift.correlation import correlate
from classifier.drift.finding import EXPECTED, REVIEW, RISKY, Posterior, Signal, Term
from classifier.drift.posterior import shipped
from classifier.drift.verdict import TABLE, VARIANCE, Judged, verdict
from classifier.lab.fit import SIGNS
from tests.classifier.story import NEW_PEER, POLICY, learned, play, rollout
from tests.classifier.test_drift import SIDES, seen

PROBABILITY = st.floats(0.0, 1.0)
ANSWER = st.sampled_from((True, False, None))
NAMES = sorted({*shipped().risky, *shipped().evolution})


def judged(*, why: str = "new", behaviour: str = NEW_PEER.behaviour) -> Judged:
    s = seen(behaviour, why=why, _3="r2", _4="r2")
    yes = Signal(True, 1.0, "")
    return Judged(s, correlate(s, [rollout(40.0)], SIDES, POLICY), yes, yes)


def test_weights_keep_the_signs_that_their_terms_mean():
    w = shipped()
    for name, (evolution, risky) in SIGNS.items():
        assert evolution * w.evolution.get(name, 0.0) >= 0 and risky * w.risky.get(name, 0.0) >= 0, name


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.floats(-6, 6)), max_size=12))
def test_a_posterior_is_three_probabilities_and_its_explanation_adds_up(parts):
    w = shipped()
    terms = [Term(n, v, "") for n, v in dict(parts).items()]
    p = w.judge(terms)
    assert math.isclose(p.evolution + p.benign + p.risky, 1, abs_tol=2e-4)
    score = w.bias[1] + sum(t.value for t in w.explain(terms))
    if p.risky > 0.001 and p.benign > 0.001:
        assert math.isclose(score, math.log(p.risky / p.benign), abs_tol=0.2)


@given(ANSWER, ANSWER, ANSWER, PROBABILITY, st.booleans())
def test_the_truth_table_is_an_invariant(d, p, r, risky, quiet):
    """Demands 3.2: where the signals decide, the posterior has no say; where they do not, only a cell's label or less."""
    signals = tuple(Signal(s, 0.0, "") for s in (d, p, r))
    posterior = Posterior(0.0, round(1 - risky, 4), risky, "v")
    v = verdict([judged()], signals, posterior, (0.5, 0.1, 0.9), quiet=quiet)
    cells = {TABLE[a, b, c] for a in _of(d) for b in _of(p) for c in _of(r)}
    labels = {label for label, _ in cells}
    if len(labels) == 1 and labels != {REVIEW}:
        assert v.label in labels
    if None not in (d, p, r) and (quiet or (d, p, r) != (False, True, True)):
        assert v.label == TABLE[d, p, r][0]
    if v.label == RISKY:
        assert RISKY in labels
    if v.label == EXPECTED:
        assert EXPECTED in labels
    if v.label == VARIANCE:
        assert not quiet and (False, True, True) in {(a, b, c) for a in _of(d) for b in _of(p) for c in _of(r)}


def _of(answer: bool | None) -> tuple[bool, ...]:
    return (True, False) if answer is None else (answer,)


def test_a_secret_that_no_event_names_is_never_below_risky():
    m = judged(behaviour="identity:token:/var/run/secrets/x")
    v = verdict(
        [m],
        (Signal(True, 9.0, ""), *([Signal(True, 1.0, "")] * 2)),
        Posterior(1.0, 0.0, 0.0, "v"),
        (0.5, 0.1),
        quiet=False,
    )
    assert (v.label, v.severity) == (RISKY, "high")


def test_what_changed_is_named():
    assert source.of([judged()])[0] == "dependency"
    assert source.of([judged(behaviour="identity:token:/x")])[0] in ("permission", "dependency")


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        pytest.param("exec:/vendor/yaml/.bin/agentd<python3.11", "dependency", id="program-of-a-package"),
        pytest.param("open:code:/usr/lib/python3/dist-packages/x/y.py", "dependency", id="code-of-a-package"),
        pytest.param("exec:/opt/tools/x<vendor/", "tools", id="only-its-parent"),
        pytest.param("open:data:/srv/vendor/list.csv", "unknown", id="data-of-a-vendor"),
    ],
)
def test_what_lies_among_the_files_of_a_package_is_a_dependency(behaviour, kind):
    """FX-5: a tampered dependency was attributed to tools (D110)."""
    alone = replace(judged(behaviour=behaviour), correlation=correlate(seen(behaviour, _3="r2"), [], SIDES, POLICY))
    assert source.of([alone])[0] == kind


def test_rare_variation_of_a_busy_workload_is_kept_in_view_and_not_told():
    """D115: what a workload does now and then by itself makes no finding, but stands in its envelope."""
    from tests.classifier.story import days, use

    pipeline = play(learned(1, 2, until=12))
    odd = [use(f"open:data:/srv/x{n}.csv", data={"lineage": "python3.11"}) for n in range(60)]
    for n in range(60):
        play(days(12 + n, 13 + n, 1, 2, uses={1: (odd[n],)}), pipeline=pipeline)
    ward = next(iter(pipeline._state.wards.values()))
    told = [f for f in pipeline.findings() if f.label == RISKY]
    assert not told and ward.envelope.knows(odd[0].behaviour) and len(pipeline.findings()) < 30
