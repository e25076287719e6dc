"""Whose an observation is: many containers, late names, ids that are used again."""

from dataclasses import replace

from classifier.pipeline import Pipeline
from tests.classifier.story import POLICY, born, learned, play, window
from tests.factories import SHOP, head, identity
from tests.factories import window as bare
from wire.records import Tick, Workload


def counts(pipeline, workload):
    return {name: item["count"] for name, item in shown(pipeline, workload).items()}


def shown(pipeline, workload):
    return {b["behaviour"]: b for b in pipeline.envelope(workload).to_dict()["behaviours"]}


def test_a_cgroup_id_after_a_reboot_is_another_replica(fault):
    pipeline = Pipeline(POLICY)
    for boot, owner in ((1, "lab/a/Deployment/one/c"), (2, "lab/a/Deployment/two/c")):
        for number in range(100):
            who = replace(identity(number, workload=owner, time=10.0 * boot).replica, generation=boot)
            pipeline.feed(replace(identity(number, workload=owner, time=10.0 * boot), replica=who))
            pipeline.feed(replace(bare(number, f"exec:/bin/of-{boot}<sh", start=10.0 * boot), replica=who))
        pipeline.feed(Tick("n1", 10.0 * boot + 10.0))
    for boot, owner in ((1, "lab/a/Deployment/one/c"), (2, "lab/a/Deployment/two/c")):
        assert counts(pipeline, owner) == {f"exec:/bin/of-{boot}<sh": 100}
        assert pipeline.envelope(owner).replicas == 100
    fault(lost="0 of 200 replicas, none mixed with another", told="nothing to tell")


def test_ten_thousand_containers_each_keep_their_own(daemon, scaled, fault):
    many, owners = scaled(10_000, 1000), scaled(200, 20)
    d = daemon().start()
    names = [f"lab/shop/Deployment/w{n}/c" for n in range(owners)]
    stream = [head()]
    for number in range(many):
        stream += [identity(number, workload=names[number % owners], pod=f"shop/p{number}")]
        stream += [bare(number, f"exec:/bin/of-{number % owners}<sh", start=1.0)]
    d.send([*stream, Tick("n1", 11.0)])
    rows = {w["workload"]: w for w in d.get("/workloads")[1]}
    assert set(rows) == set(names) and {w["replicas"] for w in rows.values()} == {many // owners}
    for n in (0, owners // 2, owners - 1):
        [behaviour] = d.get(f"/envelopes/{names[n]}")[1]["behaviours"]
        assert (behaviour["behaviour"], behaviour["count"]) == (f"exec:/bin/of-{n}<sh", many // owners)
    counters = d.get("/health")[1]["counters"]
    assert (counters["parked_dropped"], counters["records_window"], counters["records_failed"]) == (0, many, 0)
    assert d.stop() == 0
    fault(
        done=f"{many:,} identities of {owners} workloads with a window each, to one classifier",
        lost=f"0 of {many:,} containers",
        told="nothing to tell",
    )


def test_an_identity_that_comes_late_gets_everything_once(fault):
    """The runtime names it after four seconds, and ten times over."""
    pipeline = Pipeline(POLICY)
    for number in range(200):
        for second in range(4):
            pipeline.feed(bare(number, "exec:/bin/sh<-", start=float(second), length=1.0))
    assert pipeline.envelope(SHOP) is None
    for number in range(200):
        for _ in range(10):
            pipeline.feed(identity(number, time=4.0))
    assert counts(pipeline, SHOP) == {"exec:/bin/sh<-": 800}
    assert pipeline.counters["parked"] == 0
    fault(
        done="200 containers named after 4 of at most 5 seconds, ten times each; then 40 of which 10 find no room to wait",
        lost="0 of 800 windows, none counted twice",
        told="`parked` of the metrics while they wait",
    )


def test_what_found_no_room_to_wait_for_its_owner_is_a_loss_of_that_owner(fault):
    pipeline = play(learned(1, 2), replace(POLICY, park_limit=30))
    assert pipeline.envelope(SHOP).state(40.0)[0] == "converged"
    for number in range(10, 50):
        pipeline.feed(window(number, 40.0))
    for number in range(10, 50):
        pipeline.feed(born(number, time=41.0))
    pipeline.feed(Tick("n1", 42.0))
    state, because = pipeline.envelope(SHOP).state(42.0)
    assert state == "partial" and "no room to wait for its owner 10" in because
    assert pipeline.counters["parked_dropped"] == 10
    fault(lost="10 of those 40 windows", told="`loss` of the envelope, `partial`; `parked_dropped`")


def test_what_nobody_ever_named_is_unresolved_and_never_guessed():
    pipeline = play([head(), bare(7, "exec:/bin/sh<-"), Tick("n1", 100.0)])
    assert {w.workload for w in pipeline.workloads()} == {Workload("unresolved:7")}
