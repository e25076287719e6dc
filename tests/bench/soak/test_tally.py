"""What driftline counted up to a rest is summed from its records and held against the kernel's own."""

import pytest

from bench.soak.tally import Rest, Seen, app_differences, at_rests, differences, ppm
from tests.factories import head, identity, use, window
from wire.records import Gap, Tick

OWN = {
    "reaped_execs": 4,
    "info_up": 500,
    "info_down": 70,
    "reaped": 9,
    "opens": 6,
    "ids": 100,
}
NETWORK = {
    "active": 3,
    "passive": 3,
    "segments_in": 20,
    "segments_out": 20,
    "lo_packets": 20,
    "octets_in": 570 + 20 * 52 + 6 * 8,
}
KERNEL = {"reads": 50 + 2 * 5, "writes": 8, "started": 1, "ended": 0, "network": NETWORK}


def talk(kind, **changes):
    values = {"bytes_out": 500, "bytes_in": 70, "data": {"opens": 3, "packets_out": 10, "packets_in": 10}}
    return use(f"{kind}:tcp:127.0.0.1:80", 3, **(values | changes))


def whole(**changes):
    """The window of exactly what was done."""
    calls = {0: 40, 17: 5, 19: 5, 1: 6, 20: 2, 257: 6, 110: 100, 42: 3, 43: 3, 56: 9, 61: 9, 231: 9}
    uses = (
        use("exec:/load<-"),
        use("exec:/load<load", 4),
        use("open:data:/data", 5),
        use("write:data:/out"),
        talk("egress"),
        talk("ingress", bytes_out=70, bytes_in=500),
    )
    return window(1, *uses, **({"syscalls": calls} | changes))


def told(*records):
    seen = Seen()
    for record in records:
        seen.add(record)
    return seen.plain()


def tick(time):
    return Tick("n1", time)


def test_nothing_differs_where_windows_hold_what_was_done():
    rows = differences(told(whole()), KERNEL, OWN, of_exec=2)
    assert {r["what"]: r["more"] for r in rows if r["more"]} == {}
    assert all(r["true"] for r in rows)


@pytest.mark.parametrize(
    ("calls", "what", "more"),
    [({0: 39}, "read calls", -1), ({1: 7}, "write calls", 1), ({257: 0}, "opens, calls", -6)],
    ids=["lost", "twice", "none-seen"],
)
def test_what_is_counted_otherwise_is_told(calls, what, more):
    syscalls = dict(whole().syscalls) | calls
    rows = {r["what"]: r for r in differences(told(whole(syscalls=syscalls)), KERNEL, OWN, of_exec=2)}
    assert rows[what]["more"] == more
    assert sum(bool(r["more"]) for r in rows.values()) == 1


def test_reads_that_the_kernel_does_in_an_exec_are_no_calls():
    rows = {r["what"]: r for r in differences(told(whole()), KERNEL, OWN, of_exec=0)}
    assert rows["read calls"]["more"] == -10


def test_counts_are_those_up_to_the_last_tick_of_a_rest():
    records = [head(), whole(), tick(10.0), whole(), tick(20.0), tick(25.0), whole(), tick(40.0)]
    first, second = at_rests(records, [Rest(12.0, 27.0), Rest(38.0, 50.0)])
    assert (first["tick"], first["counts"]["writes"]) == (25.0, 16)
    assert (second["tick"], second["counts"]["writes"]) == (40.0, 24)


def test_a_rest_without_a_tick_is_not_known():
    assert at_rests([head(), tick(10.0), tick(30.0)], [Rest(12.0, 20.0), Rest(40.0, 50.0)]) == [None, None]


def test_losses_gaps_and_unknown_owners_are_kept():
    found = told(identity(1, workload=None), window(1, loss={"ring": 3}), Gap("n1", 0.0, 1.0, "restart"))
    assert found["losses"] == {"ring": 3}
    assert found["gaps"] == ["restart"]
    assert found["counts"]["identities/unknown"] == 1


def test_windows_are_summed_by_the_workload_that_their_replica_has():
    found = told(identity(1, workload="soak/shop/Deployment/wl1/wl1"), whole(), window(2, syscalls={1: 2}))
    assert found["apps"]["wl1"]["writes"] == 8
    assert found["apps"]["unknown"]["writes"] == 2


def test_what_is_one_workloads_must_not_be_anothers():
    own = {"wl1": counts(writes=8), "wl2": counts(writes=2)}
    found = app_differences({"wl1": {"writes": 2}, "wl2": {"writes": 8}, "unknown": {"calls": 1}}, own)
    assert found["compared"] == 18
    assert [(r["what"], r["more"]) for r in found["differ"]] == [
        ("writes of wl1", -6),
        ("writes of wl2", 6),
        ("calls of unknown", 1),
    ]


def counts(**changes):
    names = "reads writes opens ids forks connects accepts info_up info_down".split()
    return dict.fromkeys(names, 0) | changes


@pytest.mark.parametrize(
    ("more", "of", "share"),
    [(0, 0, 0), (3, 0, 1e6), (-1, 1_000_000, -1), (0, 9, 0)],
    ids=["none", "all", "one", "same"],
)
def test_a_difference_is_told_by_the_million(more, of, share):
    assert ppm(more, of) == share
