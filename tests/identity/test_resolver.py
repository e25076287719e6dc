from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import pytest

from sensor.identity import cri, docker, rules
from sensor.identity.resolver import Resolver
from sensor.identity.settings import IdentitySettings
from tests.factories import replica
from tests.identity import runtimes
from tests.waiting import until

DEADLINE = 60.0  # seconds, for a machine that does other things too
A, P, K = "a1" * 32, "b2" * 32, "c3" * 32
POD_PATH = f"/kubepods/burstable/pod0f7a/{A}"
DOCKER_PATH = f"/system.slice/docker-{A}.scope"
WEB = {"Id": A, "Name": "/web", "Image": "sha256:beef", "Config": {"Image": "shop/cart:2", "Labels": {}}}


@pytest.fixture
def resolver_of(tmp_path, monkeypatch):
    """Builds resolvers of a machine under tmp_path, and closes them. A busy machine's runtimes may answer late."""
    for runtime in (docker, cri):
        monkeypatch.setattr(runtime, "PATIENCE", DEADLINE)
    made = []
    (tmp_path / "run").mkdir()

    def build(**changes) -> Resolver:
        values = {"host": str(tmp_path), "patience": 0.3, "cluster": "lab", "cri_sockets": ("/run/cri.sock",)}
        made.append(Resolver(IdentitySettings(**(values | changes))))
        return made[-1]

    yield build
    for resolver in made:
        resolver.close()


def polled(resolver, count=1, at=9.0):
    until, found = time.monotonic() + DEADLINE, []
    while len(found) < count and time.monotonic() < until:
        found += resolver.poll(at)
        time.sleep(0.01)
    return found


def quiet(resolver, reason="no answer"):
    """Polls until a question has been given up; returns what came until then."""
    until, found = time.monotonic() + DEADLINE, []
    while not resolver.dropped[reason] and time.monotonic() < until:
        found += resolver.poll(9.0)
        time.sleep(0.01)
    return found


def test_rule_comes_before_everything(resolver_of):
    known = rules.load(
        [{"match": "/system.slice/(?P<u>[^/]+)", "workload": "lab/a/b/c/{u}", "revision": "r7", "name": "n"}]
    )
    found = resolver_of(rules=known).resolve(replica(), DOCKER_PATH, 3.0)
    assert (found.workload, found.revision, found.source) == (f"lab/a/b/c/docker-{A}.scope", "r7", "rule")
    assert (found.container, found.name, found.time) == (A, "n", 3.0)


def test_container_that_nobody_knows_keeps_its_id_and_gets_no_workload(resolver_of):
    resolver = resolver_of()
    found = resolver.resolve(replica(), DOCKER_PATH, 3.0)
    assert (found.workload, found.container, found.source) == (None, A, "cgroup")
    assert quiet(resolver) == []
    assert resolver.resolve(replica(), DOCKER_PATH, 8.0) == found


def test_answer_of_docker_comes_with_a_poll(resolver_of, tmp_path):
    with runtimes.docker(tmp_path / "run/docker.sock", {A: WEB}):
        resolver = resolver_of()
        assert resolver.resolve(replica(1), DOCKER_PATH, 3.0).workload is None
        resolver.resolve(replica(2), f"{DOCKER_PATH}/nested", 3.0)
        late = polled(resolver, 2)
    assert {i.replica.cgroup for i in late} == {1, 2}
    assert {(i.workload, i.source, i.time) for i in late} == {("docker/default/Container/web/web", "docker", 9.0)}
    assert resolver.resolve(replica(3), DOCKER_PATH, 10.0).name == "web", "known from now on"
    assert resolver.basis(replica(3)) == "container name"


class Answers(dict):
    """Of a runtime; they tell when they were asked for."""

    def __init__(self):
        self.asked = threading.Event()

    def get(self, *asked):
        self.asked.set()
        return super().get(*asked)


def test_container_that_docker_learns_late_is_asked_for_again(resolver_of, tmp_path):
    answers = Answers()
    with runtimes.docker(tmp_path / "run/docker.sock", answers):
        resolver = resolver_of(patience=DEADLINE)
        resolver.resolve(replica(), DOCKER_PATH, 3.0)
        assert answers.asked.wait(DEADLINE)
        assert resolver.poll(3.2) == []
        answers[A] = WEB
        assert polled(resolver)[0].name == "web"


def test_replica_that_ended_before_the_answer_is_still_named(resolver_of, tmp_path):
    answers = {}
    with runtimes.docker(tmp_path / "run/docker.sock", answers):
        resolver = resolver_of(patience=DEADLINE)
        resolver.resolve(replica(), DOCKER_PATH, 3.0)
        assert resolver.ended(replica(), 5.0).ended == 5.0
        answers[A] = WEB
        late = polled(resolver)[0]
    assert (late.workload, late.ended) == ("docker/default/Container/web/web", 5.0)
    assert not resolver._known, "then it is forgotten"


def test_pod_and_its_sandbox_get_their_deployment(resolver_of, tmp_path):
    pytest.importorskip("cri_api")
    sandboxes = {P: runtimes.pod("cart-7c9-abcde", {"pod-template-hash": "7c9"})}
    with runtimes.cri(tmp_path / "run/cri.sock", {A: runtimes.container("cart", P)}, sandboxes):
        resolver = resolver_of(patience=DEADLINE)
        resolver.resolve(replica(1), POD_PATH, 3.0)
        resolver.resolve(replica(2), POD_PATH.replace(A, P), 3.0)
        late = {i.replica.cgroup: i for i in polled(resolver, 2)}
    assert (late[1].workload, late[1].revision, late[1].source) == ("lab/shop/Deployment/cart/cart", "7c9", "cri")
    assert (late[2].workload, late[2].name) == ("lab/shop/Deployment/cart/POD", "POD")
    assert late[2].pod == "shop/cart-7c9-abcde"


def test_bundle_names_the_pod_where_cri_does_not_answer(resolver_of, tmp_path):
    bundle = tmp_path / "run/containerd/io.containerd.runtime.v2.task/k8s.io" / A
    bundle.mkdir(parents=True)
    notes = {
        "container-type": "container",
        "container-name": "cart",
        "sandbox-namespace": "shop",
        "sandbox-name": "cart-0",
    }
    (bundle / "config.json").write_text(
        json.dumps({"annotations": {f"io.kubernetes.cri.{k}": v for k, v in notes.items()}})
    )
    resolver = resolver_of()
    resolver.resolve(replica(), POD_PATH, 3.0)
    late = polled(resolver)[0]
    assert (late.workload, late.pod, late.name) == (None, "shop/cart-0", "cart")


def test_ctr_container_counts_only_where_containerd_has_it(resolver_of, tmp_path):
    bundle = tmp_path / "run/containerd/io.containerd.runtime.v2.task/default/shell"
    bundle.mkdir(parents=True)
    (bundle / "config.json").write_text("{}")
    resolver = resolver_of()
    assert resolver.resolve(replica(1), "/default/shell", 3.0).container == ""
    resolver.resolve(replica(2), "/lab/n1", 3.0)
    late = polled(resolver)
    assert [(i.replica.cgroup, i.container, i.workload) for i in late] == [
        (1, "shell", "containerd/default/Container/shell/shell")
    ]


def test_users_container_is_asked_of_that_users_runtime_only(resolver_of, tmp_path):
    (tmp_path / "run/podman").mkdir()
    (tmp_path / "run/user/1000/podman").mkdir(parents=True)
    path = f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope/container"
    admin, theirs = WEB | {"Name": "/admin"}, WEB | {"Name": "/theirs"}
    with (
        runtimes.docker(tmp_path / "run/podman/podman.sock", {A: admin, K: admin | {"Id": K}}),
        runtimes.docker(tmp_path / "run/user/1000/podman/podman.sock", {A: theirs}),
    ):
        resolver = resolver_of()
        resolver.resolve(replica(1), path, 3.0)
        resolver.resolve(replica(2), path.replace(A, K), 3.0)
        late = polled(resolver) + quiet(resolver)
    assert [(i.replica.cgroup, i.workload) for i in late] == [(1, "podman@1000/default/Container/theirs/theirs")]


def test_unit_is_known_at_once_and_its_revision_soon(resolver_of, tmp_path):
    unit = tmp_path / "etc/systemd/system/cart.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/bin/cart\n")
    resolver = resolver_of()
    assert resolver.resolve(replica(1), "/system.slice/cart.service/worker", 3.0).workload == "unit:cart.service"
    first = polled(resolver)[0].revision
    unit.write_text("[Service]\nExecStart=/bin/cart --new\n")
    resolver.resolve(replica(2), "/system.slice/cart.service", 3.0)
    assert polled(resolver)[0].revision not in (first, None), "a restart reads the file anew"


WORKLOADS = [
    pytest.param("/system.slice/cart@blue.service", "unit:cart@blue.service", id="instance"),
    pytest.param("/user.slice/user-7.slice/session-3.scope", "unit:user-7.slice", id="session-by-its-slice"),
    pytest.param(
        "/user.slice/user-7.slice/user@7.service/app.slice/a.service", "unit:user@7:a.service", id="user-unit"
    ),
    pytest.param("/system.slice", "unit:system.slice", id="slice"),
    pytest.param("/lxc.payload.web", None, id="lxc"),
    pytest.param("/", None, id="root"),
]


@pytest.mark.parametrize(("path", "workload"), WORKLOADS)
def test_units_are_workloads(resolver_of, path, workload):
    assert resolver_of().resolve(replica(), path, 1.0).workload == workload


def test_kind_node_is_recognised_by_its_label(resolver_of, tmp_path):
    node = WEB | {"Name": "/kind", "Config": {"Labels": {"io.x-k8s.kind.cluster": "kind"}}}
    with runtimes.docker(tmp_path / "run/docker.sock", {A: node}):
        resolver = resolver_of()
        assert resolver.resolve(replica(1), f"/docker/{A}/kubelet/kubepods/pod0f7a/{K}", 3.0).container == A
        assert polled(resolver)[0].container == K
        assert resolver.resolve(replica(2), f"/docker/{A}/kubelet/kubepods/pod0f7a/{P}", 3.0).container == P
        assert resolver.resolve(replica(3), f"/docker/{A}", 3.0).container == A


def test_a_question_keeps_while_the_reader_of_cri_begins(resolver_of, tmp_path, monkeypatch):
    """It was given up after `patience`, so what a busy node had already when the sensor came had no name for life (#5)."""
    pytest.importorskip("cri_api")
    gate = tmp_path / "gate"
    wait = f'until [ -e {gate} ]; do sleep 0.02; done; exec {sys.executable} -m sensor.identity.cri_child "$0" 30'
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0, "cwd": cri.ROOT}
    monkeypatch.setattr(cri.Cri, "_start", lambda self: subprocess.Popen(["sh", "-c", wait, self.socket], **pipes))
    monkeypatch.setattr(cri, "PATIENCE", 0.05)
    sandboxes = {P: runtimes.pod("cart-7c9-abcde", {"pod-template-hash": "7c9"})}
    with runtimes.cri(tmp_path / "run/cri.sock", {A: runtimes.container("cart", P)}, sandboxes):
        resolver = resolver_of(patience=0.3)
        resolver.resolve(replica(), POD_PATH, 1.0)
        asked_often = "pauses of 0.05, 0.1, 0.2 s: beyond its patience"
        until(lambda: resolver.poll(2.0) or sum(resolver.refused.values()) >= 5 or resolver.dropped, asked_often)
        assert not resolver.dropped
        monkeypatch.setattr(cri, "PATIENCE", DEADLINE)
        gate.touch()
        assert polled(resolver)[0].workload == "lab/shop/Deployment/cart/cart"


def test_everything_is_bounded_and_counted(resolver_of):
    resolver = resolver_of(queue=2, replicas=4, patience=60.0)
    for number in range(10):
        resolver.resolve(replica(number), f"/docker/{number:064x}", 1.0)
    assert resolver.dropped == {"queue full": 8, "replicas full": 6}
    assert len(resolver._known) == 4


def test_path_of_a_record_is_escaped_and_bounded(resolver_of):
    found = resolver_of().resolve(replica(), f"/docker/{A}/\x1b[31m" + "/x" * 4000, 1.0)
    assert found.path.startswith(f"/docker/{A}/\\x1b[31m/x")
    assert len(found.path) == 4096


def test_close_ends_the_thread_while_a_question_waits(resolver_of):
    resolver = resolver_of(patience=60.0)
    resolver.resolve(replica(), DOCKER_PATH, 1.0)
    resolver.close()
    resolver._fetcher._thread.join(DEADLINE)
    assert not resolver._fetcher._thread.is_alive()
