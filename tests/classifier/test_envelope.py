"""Laws of what is merged, life of an item, states of an envelope."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.envelope import convergence, daily, items, merge, volume
from classifier.envelope.cells import DAYS, LINEAGES, Cell, latest, smallest
from classifier.envelope.envelope import Envelope
from classifier.envelope.items import ADMITTED, DORMANT, MOVES, PROVISIONAL, QUARANTINED, RETIRED, Item
from classifier.envelope.ledger import GAPS, Ledger, united
from classifier.envelope.lineage import base, lineage_of, plain_lineage
from classifier.envelope.profiles import Profiles
from classifier.envelope.state import freeze, stored, thaw
from classifier.envelope.strangers import INTO, NEW, OUT
from classifier.envelope.view import digest, shown
from classifier.policy import DAY, Policy
from tests.classifier.story import ORDINARY, POLICY
from tests.factories import SHOP, replica, use
from wire.records import Window

NAMES = ("egress:tcp:a:443", "egress:tcp:b:443", "exec:/bin/x<y", "open:data:/z", "identity:token:/t")
step = st.tuples(
    st.integers(1, 4),  # replica
    st.integers(0, 12),  # day
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 5), st.integers(0, 10**7)), max_size=3),
    st.booleans(),  # loss
    st.sets(st.integers(1, 50), max_size=3),  # grams
)
histories = st.lists(step, max_size=12)


def taught(history, node: str, policy: Policy = POLICY) -> Envelope:
    """An envelope that saw these windows on one node; equal prefixes are earlier states of the same writer."""
    e = Envelope(SHOP, policy)
    for number, day, uses, loss, grams in history:
        known = tuple(use(b, n, bytes_out=size, data={"lineage": f"l{n}"}) for b, n, size in uses)
        values = {"loss": {"ring": 1} if loss else {}, "grams": tuple(sorted(grams)), "syscalls": {number: day + 1}}
        e.learn(
            Window(replica(number, node), float(day), day + 1.0, known, **values), revision=f"r{number % 2}", epoch=node
        )
    return e


def plain(e: Envelope) -> dict:
    return shown(e) | {"grams": sorted(e.grams), "folded": sorted(e.folded), "profiles": e.profiles.kept}


@settings(max_examples=40, deadline=None)
@given(histories, histories)
def test_merge_is_commutative(one, two):
    a, b = taught(one, "n1"), taught(two, "n2")
    assert plain(a.merge(b)) == plain(b.merge(a))


@settings(max_examples=40, deadline=None)
@given(histories, histories, histories)
def test_merge_is_associative(one, two, three):
    a, b, c = taught(one, "n1"), taught(two, "n2"), taught(three, "n3")
    assert plain(a.merge(b).merge(c)) == plain(a.merge(b.merge(c)))


@settings(max_examples=40, deadline=None)
@given(histories, histories, st.integers(0, 12))
def test_merge_twice_or_with_an_earlier_state_changes_nothing(one, two, cut):
    a, b = taught(one, "n1"), taught(two, "n2")
    both = a.merge(b)
    assert plain(both.merge(b)) == plain(both) == plain(both.merge(both))
    counts = [i["count"] for i in shown(both.merge(taught(one[:cut], "n1")))["behaviours"]]
    assert counts == [i["count"] for i in shown(both)["behaviours"]]


@settings(max_examples=30, deadline=None)
@given(histories, histories)
def test_merge_leaves_its_inputs_alone(one, two):
    a, b = taught(one, "n1"), taught(two, "n2")
    before = copy.deepcopy((plain(a), plain(b)))
    c = merge.merged(a, b)
    c.learn(Window(replica(9), 50.0, 51.0, (use("exec:/new<x"),), grams=(77,)))
    assert (plain(a), plain(b)) == before


@settings(max_examples=30, deadline=None)
@given(histories)
def test_state_survives_bytes(history):
    e = taught(history, "n1")
    assert thaw(freeze(e)) == e and freeze(thaw(freeze(e))) == freeze(e)


def test_folding_replicas_loses_no_count_and_no_replica():
    policy = replace(POLICY, max_lanes=4)
    e = Envelope(SHOP, policy)
    for n in range(1, 40):
        e.learn(Window(replica(n), float(n), n + 1.0, (use(NAMES[0], 3, bytes_out=100),)))
    daily.sweep(e, 40)
    row = shown(e)["behaviours"][0]
    assert (row["count"], row["replicas"], row["bytes_out"]["windows"]) == (117, 39, 39) and len(e.lanes) <= 5


def test_one_replica_that_keeps_being_folded_stays_one_replica():
    """Poisoning (D056): many live replicas push each other out of the lanes; that must not multiply one of them."""
    e = Envelope(SHOP, replace(POLICY, max_lanes=4))
    for day in range(30):
        for n in range(1, 12):
            leak = (use(NAMES[0]),) if n == 3 else ()
            e.learn(Window(replica(n), float(day), day + 1.0, (use(NAMES[3]), *leak)))
    assert e.items[NAMES[0]].replicas == 1 and e.items[NAMES[0]].state == QUARANTINED


def test_memory_stays_bounded():
    policy = replace(POLICY, max_behaviours=10, max_exposures=5, max_grams=20, max_profiles=8)
    e = Envelope(SHOP, policy)
    for n in range(200):
        e.learn(Window(replica(n), 0.0, 1.0, (use(f"egress:tcp:h{n}:443"),), {1: n}, grams=tuple(range(n, n + 5))))
    assert len(e.items) == 10 and len(e.ledger.exposures) == 5 and len(e.grams) == 20 and len(e.profiles.kept) <= 8
    assert e.overflow["behaviours"] == 190 and e.overflow["sequences"] > 0 and "full" in e.state(1.0)[1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({}, None, id="as-learned"),
        pytest.param({"bytes_out": 3_900}, None, id="within-the-margin"),
        pytest.param({"bytes_out": 900_000}, OUT, id="far-more-out"),
        pytest.param({"bytes_in": 90_000_000}, INTO, id="far-more-in"),
        pytest.param({"behaviour": "egress:tcp:new:443"}, NEW, id="unknown"),
    ],
)
def test_strangers_are_handed_back_with_the_reason(change, why):
    e = taught_calm()
    odd = replace(use("egress:tcp:a:443", bytes_out=2_000, bytes_in=30_000), **change)
    strangers = e.learn(Window(replica(1), 41.0, 42.0, (odd,)), accept=-1)
    assert [s.why for s in strangers] == ([why] if why else [])


def taught_calm(days: int = 40) -> Envelope:
    e = Envelope(SHOP, POLICY)
    for day in range(days):
        for n in (1, 2):
            e.learn(
                Window(replica(n), float(day), day + 1.0, (use("egress:tcp:a:443", bytes_out=2_000, bytes_in=30_000),))
            )
    return e


def test_diff_names_what_one_has_and_the_other_has_not():
    one, two = taught_calm(), taught_calm()
    two.learn(Window(replica(1), 41.0, 42.0, (use("exec:/x<y"),)))
    assert one.diff(two) == {"added": ["exec:/x<y"], "removed": [], "changed": []}
    assert one.diff(one) == {"added": [], "removed": [], "changed": []}
    assert digest(one) != digest(two)


@pytest.mark.parametrize("start", [PROVISIONAL, QUARANTINED, ADMITTED, DORMANT, RETIRED])
@pytest.mark.parametrize("event", ["covered", "accepted", "unseen", "forgotten", "seen", "suspected", "confirmed"])
def test_item_moves_only_by_the_table(start, event):
    item = Item(start)
    if (start, event) in MOVES:
        item.move(event, "test")
        assert item.state == MOVES[start, event]
    else:
        with pytest.raises(ValueError, match="cannot be"):
            item.move(event, "test")
        assert item.state == start


@pytest.mark.parametrize(
    ("days", "mine", "all_", "severity", "state"),
    [
        pytest.param(1, 2, 2, 1, PROVISIONAL, id="one-day"),
        pytest.param(3, 1, 5, 1, PROVISIONAL, id="one-of-five-replicas"),
        pytest.param(3, 2, 5, 1, ADMITTED, id="three-days-two-replicas"),
        pytest.param(3, 1, 1, 1, ADMITTED, id="all-of-one-replica"),
        pytest.param(9, 2, 5, 3, PROVISIONAL, id="credential-on-few"),
        pytest.param(9, 5, 5, 3, ADMITTED, id="credential-on-all"),
    ],
)
def test_promotion_needs_days_and_replicas(days, mine, all_, severity, state):
    item = Item(replicas=mine, days=set(range(days)))
    items.promote(item, Policy(), replicas=all_, severity=severity)
    assert item.state == state and item.suspect == (severity == 3 and mine == 2)


def test_items_become_dormant_and_are_forgotten_by_days():
    item, policy = Item(ADMITTED, days={0}), Policy()
    items.age(item, policy, 28)
    assert item.state == ADMITTED
    items.age(item, policy, 29)
    assert item.state == DORMANT
    items.age(item, policy, 181)
    assert item.state == RETIRED


@pytest.mark.parametrize(
    ("days", "openers", "windows", "name"),
    [
        pytest.param(0, 0, 0, "missing", id="nothing-seen"),
        pytest.param(2, 0, 5, "learning", id="two-days"),
        pytest.param(13, 0, 50, "converging", id="below-the-floor"),
        pytest.param(14, 0, 50, "converged", id="calm"),
        pytest.param(14, 20, 50, "converging", id="still-new-every-day"),
        pytest.param(28, 100, 50, "non-converging", id="new-for-ever"),
    ],
)
def test_state_follows_coverage_not_time(days, openers, windows, name):
    c = convergence.Coverage(2 * days, days, openers, 0, openers, 50)
    state, because = convergence.state(c, Policy(), windows=windows, idle=0.0, loss="")
    assert state == name and (name == "missing" or str(days) in because)
    loud, _ = convergence.state(c, Policy(), windows=windows, idle=0.0, loss="ring 3")
    assert loud == (name if name in ("missing", "learning") else "partial")


def test_idle_workload_does_not_converge():
    """D041: windows without activity are no active days."""
    e = Envelope(SHOP, POLICY)
    for day in range(40):
        e.learn(Window(replica(1), float(day), day + 1.0))
    assert e.state(40.0)[0] == "insufficient_traffic" and e.stage == "learning"


def test_converged_envelope_ages_without_traffic():
    e = taught_calm()
    assert e.state(41.0)[0] == "converged"
    assert e.state(41.0 + POLICY.validity)[0] == "ageing"


def test_new_behaviour_every_day_never_converges():
    """FX-4."""
    e = Envelope(SHOP, POLICY)
    for day in range(40):
        e.learn(
            Window(replica(1), float(day), day + 1.0, (*ORDINARY, *(use(f"exec:/w/{day}-{i}<sh") for i in range(4))))
        )
    assert e.state(40.0)[0] == "non-converging" and e.coverage().expected > 0.9


def test_coverage_counts_an_odd_session_once():
    """drift-model 2.5: one clumsy trace must not inflate the rate."""
    seen = {f"x{n}": {(1, 5)} for n in range(78)} | {"a": {(1, d) for d in range(20)}, "b": {(1, 1), (1, 2)}}
    c = convergence.coverage(seen, 20, 20)
    assert (c.singles, c.openers, c.doubles, c.expected) == (78, 1, 1, 0.05) and c.unseen > 1000


@given(st.lists(st.integers(0, 1 << 45), min_size=1, max_size=50))
def test_quantiles_stay_within_a_bucket_of_the_truth(values):
    h: volume.Histogram = {}
    for v in values:
        h[volume.bucket(v)] = h.get(volume.bucket(v), 0) + 1
    truth = sorted(values)[(len(values) + 1) // 2 - 1]
    assert truth <= volume.quantile(h, 0.5) <= truth * 1.0626 + 1
    assert max(values) <= volume.maximum(h) <= max(values) * 1.0626 + 1


@given(st.integers(0, 1 << 60))
def test_bucket_and_its_end_agree(n):
    b = volume.bucket(n)
    assert n <= volume.upper(b) and volume.bucket(volume.upper(b)) == b and volume.bucket(volume.upper(b) + 1) > b


def test_hot_path_uses_the_same_buckets():
    e, sizes = Envelope(SHOP, Policy()), (1, 31, 32, 500, 1_000_000, 7)
    for n, size in enumerate(sizes):
        e.learn(Window(replica(1), float(n), n + 1.0, (use("egress:tcp:a:1", bytes_out=size, bytes_in=size),)))
    out, into = e.volume_of("egress:tcp:a:1")
    assert out == into == {volume.bucket(s): 1 for s in sizes}


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 20)).map(lambda p: (p[0], p[0] + p[1])), max_size=30))
def test_spans_unite_to_the_same_time(spans):
    whole = united(spans)
    assert len(whole) <= GAPS and list(whole) == sorted(whole)
    points = {t + 0.5 for a, b in spans for t in range(a, b)}
    assert points == {t + 0.5 for a, b in whole for t in range(a, b)}


def test_ledger_counts_only_observed_time():
    ledger = Ledger(10)
    for t in range(10):
        ledger.extend(replica(1), "r1", float(t), t + 1.0, lossy=t == 3)
    ledger.blind("n1", 5.0, 7.0)
    e = ledger.exposures[replica(1)]
    assert e.seen(0.0, 10.0) == 7.0 and e.blind(3.5, 3.6) and not e.blind(8.0, 9.0)
    ledger.close(replica(1), 12.0)
    assert not ledger.blind("n1", 20.0, 21.0) and ledger.revisions() == {"r1": 0.0}


def test_profiles_tell_a_strange_window():
    p = Profiles(64)
    for n in range(200):
        p.add({0: 50 + n % 7, 1: 20, 257: n % 3})
    assert p.p_value({0: 52, 1: 20, 257: 1}) > 0.2 > 0.05 > p.p_value({59: 9, 41: 3})
    assert p.p_value({}) is None and Profiles(64).p_value({1: 1}) is None


def test_bounds_of_small_parts():
    assert latest(set(range(200))) == set(range(200 - DAYS, 200))
    assert smallest({f"{n:03}" for n in range(99)}) == {f"{n:03}" for n in range(LINEAGES)}
    assert plain_lineage("curl<sh<python3.12") == "curl<sh<python" and base("/usr/bin/perl5.36") == "perl"
    assert lineage_of(use("exec:/x")) == "" and Cell(0.0, 1.0).merged(Cell(0.5, 2.0)).last == 2.0


def test_policy_scales_times_and_nothing_else():
    p = Policy().scaled(2)
    assert (p.day, p.deploy_after, p.evaluations[0]) == (DAY / 2, DAY / 2, 450.0)
    assert (p.converged_days, p.volume_z, p.expected_new) == (14, 6.0, 1.0)
    assert Policy().scaled(DAY).deploy_after == 60.0
    with pytest.raises(ValueError, match="positive"):
        Policy().scaled(0)


def test_only_registered_classes_are_stored():
    class Foreign:
        pass

    with pytest.raises(TypeError, match="no place"):
        freeze(Foreign())
    assert stored.__doc__


def test_cap_on_the_growth_of_a_bound_survives_a_clock_that_jumped():
    """CI found by chance that a window far in the future overflowed it (issue 2)."""
    h = {volume.bucket(50_000): POLICY.volume_windows}
    assert items.limit(h, POLICY, 20_000, 1e9) == items.limit(h, POLICY, items.NO_LIMIT, 0.0)
    assert items.limit(h, POLICY, 20_000, 7.0) == 22_000
