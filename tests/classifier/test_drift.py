"""Each signal by itself, and what grouping and labels promise."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.deploys.timeline import Timeline, covers, names, trusted
from classifier.drift import bounds, cause, compatibility, continuity, decision, finding, severity, sighting, verdict
from classifier.drift.correlation import Group, correlate, rate_ratio
from classifier.envelope.envelope import Envelope
from classifier.envelope.ledger import Ledger
from classifier.policy import DAY, Policy
from tests.classifier.story import ATTACK, NEW_PEER, POLICY, SCOPE, days, learned, play, rollout
from tests.factories import SHOP, deploy, replica
from wire.records import Triage

HOURS = st.floats(0.0, 72.0)


def seen(behaviour: str = NEW_PEER.behaviour, *, why: str = "new", first: float = 41.0, lineage: str = "", **on: str):
    """A sighting on replicas ``_3="r2"``."""
    s = sighting.Sighting(behaviour, why, first, first + 1, first)
    for name, revision in on.items():
        s.see(replica(int(name[1:])), revision, first, first + 1, uses=1, events=0)
    s.explain((), {"lineage": lineage} if lineage else {})
    return s


def ledger(**revisions: str) -> Ledger:
    out = Ledger(100)
    for name, revision in revisions.items():
        out.extend(replica(int(name[1:])), revision, 40.0, 60.0)
    return out


SIDES = ledger(_1="r1", _2="r1", _3="r2", _4="r2")


@pytest.mark.parametrize(
    ("changes", "on", "holds", "words"),
    [
        pytest.param({}, {"_3": "r2", "_4": "r2"}, True, "named by", id="declared"),
        pytest.param({"scope": ()}, {"_3": "r2", "_4": "r2"}, True, "nothing declared", id="undeclared-but-fitting"),
        pytest.param({"scope": ("exec:/x<*",)}, {"_3": "r2"}, False, "scope_match=false", id="other-scope"),
        pytest.param({}, {"_1": "r1", "_3": "r2"}, False, "other revisions", id="old-replica-has-it-too"),
        pytest.param({}, {"_1": "r1"}, False, "other revisions", id="old-replica-only"),
        pytest.param({"trust": "none"}, {"_3": "r2"}, False, "no weight", id="unsigned"),
        pytest.param({"time": 200.0}, {"_3": "r2"}, False, "no matching event", id="too-early"),
        pytest.param({"received": 999.0}, {"_3": "r2"}, False, "no relabel", id="too-late"),
        pytest.param({"revision": None}, {"_1": "r1"}, True, "all carry it", id="hot-reload"),
    ],
)
def test_deploy_correlation_is_causal(changes, on, holds, words):
    d = deploy(**({"time": 40.0, "received": 40.0, "scope": SCOPE, "trust": "signed"} | changes))
    c = correlate(seen(**on), [d], SIDES, POLICY)
    assert c.signal.holds is holds and words in c.signal.words and (c.deploy == "d1") is holds


def test_the_event_of_a_replica_without_a_window_yet_counts_where_its_revision_is_known():
    """A credential is judged at once; the window that brings its replica into the ledger comes later."""
    before = ledger(_1="r1", _2="r1")
    c = correlate(seen(_9="r2"), [rollout(40.9)], before, POLICY)
    assert c.signal.holds is True and c.placement.new_hits == 1
    assert correlate(seen(_9="r1"), [rollout(40.9)], before, POLICY).signal.holds is False


def test_a_later_revision_inherits_what_a_change_brought():
    later = ledger(_1="r1", _2="r1", _3="r2", _4="r2")
    later.extend(replica(5), "r3", 45.0, 60.0)
    c = correlate(seen(_3="r2", _4="r2", _5="r3"), [rollout(40.0)], later, POLICY)
    assert c.signal.holds is True and c.placement.old_hits == 0


def test_prompt_does_not_explain_an_executable():
    d = rollout(40.0, kind="prompt", scope=(), revision=None)
    c = correlate(seen("exec:/usr/bin/git<python3.11", _1="r1"), [d], SIDES, POLICY)
    assert c.signal.holds is False and "does not make this (-3.0)" in c.signal.words


def test_the_better_of_two_events_is_named():
    both = [rollout(40.0, scope=("exec:/x<*",)), rollout(40.5, id="d2")]
    assert correlate(seen(_3="r2", _4="r2"), both, SIDES, POLICY).deploy == "d2"


def test_signal_is_the_sum_of_its_terms():
    c = correlate(seen(_3="r2", _4="r2"), [rollout(40.0)], SIDES, POLICY)
    assert math.isclose(c.signal.value, sum(t.value for t in c.terms), abs_tol=1e-3) and len(c.terms) == 4


@given(st.lists(HOURS, min_size=1, max_size=9), st.lists(HOURS, max_size=9))
def test_rate_ratio_is_bounded_and_hits_on_old_replicas_only_lower_it(hits, misses):
    new = Group(tuple(hits), tuple(misses), 0)
    calm = rate_ratio(new, Group((), (5.0,), 0))
    assert -8.0 <= rate_ratio(new, Group((5.0,), (), 0)) <= calm <= 8.0


def test_more_replicas_of_the_revision_speak_for_it():
    values = [rate_ratio(Group((5.0,) * k, (5.0,) * (8 - k), 0), Group((), (), 0)) for k in range(1, 9)]
    assert values == sorted(values) and values[0] < 0 < values[-1]


@pytest.mark.parametrize(
    ("pattern", "behaviour", "named"),
    [
        ("egress:tcp:*.example.org:443", "egress:tcp:a.example.org:443", True),
        ("egress:tcp:[fd00::1]:53", "egress:tcp:[fd00::1]:53", True),
        ("egress:tcp:a?b:443", "egress:tcp:axb:443", False),
        ("*", "identity:token:/x", False),
        ("exec:/opt/*", "exec:/usr/bin/curl<sh", False),
    ],
    ids=["wildcard", "brackets-are-literal", "question-mark-is-literal", "everything-is-nothing", "other"],
)
def test_declared_scope_names_literally_but_for_the_star(pattern, behaviour, named):
    assert (names(deploy(scope=(pattern,)), behaviour) == pattern) is named


def test_timeline_keeps_each_event_once_and_refused_ones_apart():
    t = Timeline(2)
    assert [t.add(rollout(1.0)), t.add(rollout(1.0)), t.add(rollout(2.0, refused="replayed"))] == [True, False, True]
    t.add(rollout(3.0, id="d2"))
    t.add(rollout(4.0, id="d3"))
    assert list(t.events) == ["d2", "d3"] and t.dropped == 1 and len(t.all()) == 3
    assert t.near(SHOP, 3.5, POLICY) == t.of(SHOP) and t.near("other", 3.5, POLICY) == []
    assert [d.id for d in t.of(SHOP)] == ["d2", "d3"] and not trusted(rollout(1.0, trust="none"))


def test_event_for_a_deployment_is_for_its_containers():
    t = Timeline(9)
    t.add(rollout(1.0, workload=SHOP.rsplit("/", 1)[0]))
    assert t.of(SHOP) and not t.of("lab/shop/Deployment/cart2/cart")


@pytest.mark.parametrize(
    ("away", "inside"), [(-1801, False), (-1799, True), (DAY - 1, True), (DAY + 1, False)], ids=str
)
def test_window_of_an_event_is_thirty_minutes_before_to_a_day_after(away, inside):
    assert covers(deploy(time=DAY), DAY + away, Policy()) is inside


@pytest.mark.parametrize(
    ("behaviour", "level"),
    [
        ("identity:token:/var/run/secrets/x", 3),
        ("open:secret:/root/.ssh/id", 3),
        ("syscall:ptrace", 3),
        ("syscall:read", 0),
        ("exec:/memfd:x<sh", 3),
        ("exec:/tmp/x<sh", 3),
        ("exec:/bin/bash<python3.11", 2),
        ("exec:/usr/bin/curl<sh", 2),
        ("egress:tcp:10.0.0.1:443", 2),
        ("egress:udp:[fd00::1]:53", 2),
        ("egress:tcp:api.example.org:443", 1),
        ("exec:/usr/bin/python3.11<sh", 1),
        ("write:code:/app/x.py", 2),
        ("open:data:/x", 0),
        ("io_uring:openat", 2),
        ("io_uring:sendmsg_zc", 2),
        ("io_uring:nop", 1),
        ("io_uring:openat_some_day", 1),
    ],
    ids=str,
)
def test_severity_table(behaviour, level):
    assert severity.severity(behaviour) == level


def test_only_dangerous_calls_can_open_a_finding():
    assert severity.judged("syscall:bpf") and not severity.judged("syscall:read") and not severity.judged("gram:a>b>c")
    for arch in ("x86_64", "aarch64"):
        assert {"ptrace", "mount", "bpf", "setns", "unshare"} <= set(severity.sensitive_calls(arch).values())
    assert severity.sensitive_calls("riscv64") == {}


CALM = play(learned(1, 2)).envelope(SHOP)


@pytest.mark.parametrize(
    ("s", "holds"),
    [
        pytest.param(seen("exec:/opt/tool<python3.11"), True, id="known-parent"),
        pytest.param(seen("exec:/bin/sh<python3.11"), False, id="shell-under-a-known-parent"),
        pytest.param(seen("exec:/opt/tool<weird"), False, id="unknown-parent"),
        pytest.param(replace(seen(lineage="python3.12"), near=1.0), True, id="upgraded-interpreter-is-the-same-owner"),
        pytest.param(seen(lineage="python3.11"), None, id="name-of-an-unknown-owner"),
        pytest.param(seen("open:data:/host/etc/shadow", lineage="python3.11"), False, id="file-of-the-host"),
        pytest.param(seen(lineage="curl<sh<python3.11"), False, id="new-image"),
        pytest.param(seen("egress:tcp:10.9.8.7:443", lineage="python3.11"), False, id="bare-address"),
        pytest.param(seen("syscall:ptrace"), False, id="escape"),
        pytest.param(seen(), None, id="nothing-known"),
    ],
)
def test_pattern_continuity(s, holds):
    assert continuity.continuity(s, CALM, POLICY.continuity)[0].holds is holds


@pytest.mark.parametrize(
    ("peak", "envelope", "holds"),
    [(900, CALM, True), (90_000_000, CALM, False), (900, Envelope(SHOP, POLICY), None)],
    ids=["ordinary", "larger-than-any-peer", "nothing-learned"],
)
def test_resource_bounds_of_a_new_peer(peak, envelope, holds):
    s = seen()
    s.measure(peak, 0)
    assert bounds.bounds(s, envelope, POLICY).holds is holds


def test_truth_table_is_the_published_one():
    table = {"yyy": "expected_evolution", "yyn": "needs_review", "yny": "needs_review", "ynn": "risky_drift"}
    table |= {"nyy": "needs_review", "nyn": "risky_drift", "nny": "risky_drift", "nnn": "risky_drift"}
    assert {"".join("ny"[b] for b in k): v[0] for k, v in verdict.TABLE.items()} == table


def test_losing_a_signal_never_makes_a_label_better():
    order = (finding.EXPECTED, finding.REVIEW, finding.RISKY)
    for key, (label, _) in verdict.TABLE.items():
        for i in range(3):
            worse = tuple(b and n != i for n, b in enumerate(key))
            assert order.index(verdict.TABLE[worse][0]) >= order.index(label)


@pytest.mark.parametrize(
    ("change", "kind", "sign"), [("model", "model", 1), ("prompt", "exec", -1), ("new", "exec", -1)]
)
def test_compatibility(change, kind, sign):
    assert compatibility.fits(change, kind) * sign > 0


def test_files_come_with_an_image_but_executables_and_secrets_must_be_named():
    assert compatibility.implied("image", "open:code:/app/x.py")
    assert not compatibility.implied("image", "exec:/usr/bin/curl<sh")
    assert not compatibility.implied("image", "open:secret:/x")
    assert compatibility.kind_of("identity:token:/x", "new") == "secret"


def test_companions_are_one_cause_by_replica_or_by_line_of_ancestors():
    shell = seen(ATTACK[0].behaviour, lineage="sh<python3.11", _1="r1")
    curl = seen(ATTACK[1].behaviour, lineage="curl<sh<python3.11", _2="r1")
    other = seen(lineage="python3.11", _2="r1")
    assert cause.related(curl, [shell]) and cause.related(other, [curl]) and not cause.related(other, [shell])


def test_sightings_are_bounded():
    s = seen()
    for n in range(3000):
        s.see(replica(n), "r1", 1.0, 2.0, uses=1, events=2)
        s.explain((f"e{n}",), {"lineage": chr(97 + n % 26)})
    assert len(s.sights) == sighting.REPLICAS and s.overflow == 952 and s.count == 2 * sighting.REPLICAS
    assert len(s.evidence) == 16 and len(s.lineages) == 4


def test_json_is_canonical_and_names_the_signals():
    pipeline = play([*learned(1, 2), *days(40, 45, 1, uses={1: ATTACK})])
    text = finding.findings_json(pipeline.findings())
    (row,) = map(finding.finding_to_dict, pipeline.findings())
    assert set(row["signals"]) == {"deploy_correlation", "pattern_continuity", "resource_bounds"}
    assert text.startswith("[") and text.index('"because"') < text.index('"count"') and "\u00a0" not in text
    assert finding.findings_json([]) == "[]\n"


def test_a_decision_nobody_knows_decides_nothing():
    pipeline = play([*learned(1, 2), *days(40, 45, 1, uses={1: ATTACK})])
    (ward,) = pipeline._state.wards.values()
    (held,) = ward.causes.values()
    assert not decision.person(ward, held, Triage(50.0, held.id, "shrug", "ada"))
    assert pipeline.findings()[0].state == "open"
