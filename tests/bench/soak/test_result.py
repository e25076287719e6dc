"""What follows from raw samples and rests, and what is called wrong."""

import json

import pytest

from bench.soak import page
from bench.soak.result import columns, kept, of
from tests.bench.soak.test_tally import KERNEL, NETWORK, OWN, counts, told, whole


def sample(at, rss=1000.0):
    own = {"rss": rss, "pss": rss, "anonymous": rss, "tables": 0, "user": at / 100, "system": 0.0, "children": 0.0}
    programs = {"sensor": own, "classifier": own | {"rss": 2000.0}}
    return {"at": at, "programs": programs, "maps": {"bytes": 4096}, "loads_cpu": at / 50, "soak_cpu": 0.0}


def rest(begin, **changes):
    values = {"begin": begin, "end": begin + 20, "still": True, "kernel": KERNEL, "own": OWN, "workloads": {}}
    return values | {"told": told(whole()) | {"apps": {}}} | changes


def raw(**changes):
    values = {
        "machine": {"command": "python -m bench.soak", "kernel": "6.18"},
        "samples": [sample(10.0 * i) for i in range(600)],
        "rests": [rest(600.0 * i) for i in range(1, 11)],
        "whole": told(whole()),
        "trouble": [],
        "left": [],
        "of_exec": 2,
        "began": 0.0,
        "done": True,
    }
    return values | changes


def test_a_run_in_which_all_is_equal_has_nothing_wrong():
    found = of(raw())
    assert found["wrong"] == []
    assert found["slopes"]["sensor"]["rss"]["value"] == 0
    assert found["cpu"] == {"sensor": 1.0, "classifier": 1.0, "loads": 2.0, "soak": 0.0}
    assert all(d["value"] == 0 for d in found["drift"].values())


def test_memory_that_grows_is_a_slope_after_the_warm_up():
    samples = [sample(10.0 * i, 1000.0 + (i if i < 120 else 120 + (i - 120) / 36)) for i in range(600)]
    assert of(raw(samples=samples))["slopes"]["sensor"]["rss"]["value"] == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trouble": ["LoadError: no"]}, "LoadError: no"),
        ({"left": ["driftline-soak"]}, "left in the kernel: driftline-soak"),
        ({"rests": []}, "no rest could be compared"),
        ({"rests": [rest(600.0, still=False)]}, "did not"),
        ({"rests": [rest(600.0, own=OWN | {"opens": 7})]}, "opens, calls: -1 of 7"),
        ({"rests": [rest(600.0, workloads={"wl1": counts(writes=1)})]}, "writes of wl1: -1 of 1"),
    ],
    ids=["trouble", "leavings", "nothing-compared", "no-rest", "counter", "workload"],
)
def test_what_must_not_be_is_said(changes, said):
    assert said in " ".join(of(raw(**changes))["wrong"])


def test_less_is_not_wrong_where_loss_was_told_but_more_is():
    lossy = told(whole(loss={"files": 1})) | {"apps": {}}
    less = rest(600.0, own=OWN | {"opens": 7}, told=lossy)
    more = rest(600.0, own=OWN | {"opens": 5}, told=lossy)
    assert of(raw(rests=[less]))["wrong"] == []
    assert [line for line in of(raw(rests=[more]))["wrong"] if "+1 of 5" in line]


@pytest.mark.parametrize(
    ("more", "is_wrong"), [(-3, False), (-4, True), (1, True)], ids=["one-a-connection", "more-of-them", "twice"]
)
def test_packets_that_no_cgroup_has_are_known_up_to_one_a_connection(more, is_wrong):
    network = NETWORK | {"segments_out": 20 - more}
    found = of(raw(rests=[rest(600.0, kernel=KERNEL | {"network": network})]))
    assert any("packets out" in line for line in found["wrong"]) == is_wrong
    assert any("no cgroup" in row["unit"] for row in page.rows(found))


def test_a_run_that_was_cut_off_at_once_has_a_result():
    found = of(raw(samples=[], rests=[], whole=None, done=False))
    assert found["wrong"] == []
    assert page.rows(found)
    assert kept(found)["samples"] == {}


def test_a_kept_result_is_as_small_as_asked_and_gives_the_same_table():
    found = of(raw())
    small = kept(found, limit=30_000)
    assert len(json.dumps(small, separators=(",", ":"))) <= 30_000
    assert small["every"] > 1
    assert page.rows(small) == page.rows(found)


def test_a_value_that_only_some_samples_have_keeps_its_place():
    assert columns([{"at": 1}, {"at": 2, "x": {"y": 5}}]) == {"at": [1, 2], "x.y": [None, 5]}


def test_slopes_of_a_steady_run_stand_beside():
    found = of(raw()) | {"steady": of(raw())["slopes"]}
    assert sum("no replica comes or goes" in row["what"] for row in page.rows(found)) == 2


def test_rows_have_what_a_page_asks_for():
    for row in page.rows(of(raw())):
        assert row.keys() == {"what", "value", "measured", "unit", "asked"}
        assert isinstance(row["value"], int | float)
    assert any(r["measured"] == "+0 of 50 (0 ppm)" for r in page.rows(of(raw())))


def test_the_network_of_the_factory_is_consistent():
    assert NETWORK["segments_in"] == NETWORK["lo_packets"]
