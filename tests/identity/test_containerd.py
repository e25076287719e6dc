"""Identities of real pods: containerd with CRI, runc, and the cgroups that they make."""

from __future__ import annotations

import time

import pytest

from sensor.identity import cri
from sensor.identity.paths import parse
from sensor.identity.resolver import Resolver
from sensor.identity.settings import IdentitySettings
from tests.identity import node as nodes
from tests.observe.capability import need
from wire.records import CgroupId, Identity, Replica

pytestmark = pytest.mark.kernel
DEADLINE = 60.0  # seconds, for a machine that does other things too
SLEEP = ("/bin/busybox", "sleep", "600")


@pytest.fixture(scope="module")
def node():
    pytest.importorskip("cri_api")
    need(not nodes.missing(), nodes.missing())
    with nodes.started() as node:
        yield node


@pytest.fixture
def resolver(node, monkeypatch):
    monkeypatch.setattr(cri, "PATIENCE", DEADLINE)
    resolver = Resolver(IdentitySettings(cluster="lab", cri_sockets=(node.socket,), patience=DEADLINE))
    yield resolver
    resolver.close()


class Watch:
    """The sensor's part: meets cgroups as they appear and asks whose they are."""

    def __init__(self, node, resolver: Resolver) -> None:
        self._node, self._resolver = node, resolver
        self.known: dict[str, Identity] = {}
        self._replicas: dict[Replica, str] = {}

    def look(self) -> None:
        for path, inode in self._node.cgroups().items():
            replica = Replica("n1", CgroupId(inode))
            if replica not in self._replicas:
                self._replicas[replica] = path
                self.known[path] = self._resolver.resolve(replica, path, time.monotonic())
        for identity in self._resolver.poll(time.monotonic()):
            self.known[self._replicas[identity.replica]] = identity

    def until(self, done) -> None:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and not done():
            self.look()
            time.sleep(0.02)

    def of(self, container: str) -> Identity | None:
        return next((i for path, i in self.known.items() if path.endswith(container)), None)

    def names(self, *containers: str) -> bool:
        return all((i := self.of(c)) is not None and i.name for c in containers)


def test_container_of_a_deployment_is_known_by_its_cgroup(node, resolver):
    pod = node.pod("cart-7c9f8d6b5-abcde", "0f7a", {"pod-template-hash": "7c9f8d6b5"})
    container = node.container(pod, "cart", *SLEEP)
    watch = Watch(node, resolver)
    watch.until(lambda: watch.names(container, pod[0]))
    found, sandbox = watch.of(container), watch.of(pod[0])
    node.remove(pod)
    assert found.path == f"/kubepods/burstable/pod0f7a/{container}"
    assert (found.workload, found.revision) == ("lab/shop/Deployment/cart/cart", "7c9f8d6b5")
    assert (found.source, found.container, found.pod) == ("cri", container, "shop/cart-7c9f8d6b5-abcde")
    assert found.image == nodes.IMAGE
    assert (sandbox.workload, sandbox.name) == ("lab/shop/Deployment/cart/POD", "POD")
    assert sandbox.pod == "shop/cart-7c9f8d6b5-abcde"


def test_pods_that_live_two_seconds_are_attributed(node, resolver):
    """Six at once, each removed as soon as its program has ended."""
    watch, pods, containers = Watch(node, resolver), [], []
    for number in range(6):
        pods.append(node.pod(f"sum-{number}abcd", f"1a{number}", {"job-name": "sum"}))
        containers.append(node.container(pods[-1], "sum", "/bin/busybox", "sleep", "2"))
        watch.look()
    watch.until(lambda: not any(c in path for path in node.cgroups() for c in containers))
    for pod in pods:
        node.remove(pod)
    watch.until(lambda: watch.names(*containers))
    assert [watch.of(c).workload for c in containers] == ["lab/shop/Job/sum/sum"] * 6
    assert not resolver.dropped


def test_sub_cgroup_that_a_container_names_like_another_is_its_own(node, resolver):
    pod = node.pod("evil-7c9-abcde", "2b", {"pod-template-hash": "7c9"})
    container = node.container(pod, "evil", *SLEEP)
    nested = node.cgroup / f"kubepods/burstable/pod2b/{container}/kubepods/burstable/pod0f7a/{'a' * 64}"
    nested.mkdir(parents=True)
    path = "/" + str(nested.relative_to(node.cgroup))
    replica = Replica("n1", CgroupId(nested.stat().st_ino))
    before, late, end = resolver.resolve(replica, path, 1.0), [], time.monotonic() + DEADLINE
    while not late and time.monotonic() < end:
        late = resolver.poll(2.0)
        time.sleep(0.02)
    node.remove(pod)
    assert (before.container, parse(path).base) == (container, path.partition("/kubepods/burstable/pod0f7a")[0])
    assert late[0].workload == "lab/shop/Deployment/evil/evil"
