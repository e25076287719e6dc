"""The ordinary life of pods as scenes: short ones, restarts, `exec`, init containers, sidecars, the node's network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.containers.claims import Work, checked, hold
from tests.containers.cluster import PEER, Cluster, until
from tests.containers.said import Said

HASH = "7c9f8d6b5"  # a pod-template-hash
CALLS = 3


def deployed(name: str, number: int = 0) -> tuple[str, str, dict[str, str]]:
    """Name, uid and labels of a pod of a Deployment, as its controllers make them."""
    return f"{name}-{HASH}-{_letters(number)}", f"{name}{number:04d}", {"pod-template-hash": HASH, "app": name}


def _letters(number: int) -> str:
    """The five random signs of generateName, which end each pod's name.

    >>> _letters(1)
    'bbbbc'
    """
    return "".join("bcdfghjklm"[int(digit)] for digit in f"{number:05d}")


def key(deployment: str, container: str) -> str:
    return f"lab/shop/Deployment/{deployment}/{container}"


class Base:
    """A scene that needs nothing before driftline runs, and what its containers did."""

    claim = ""

    def __init__(self, runtime: str = "runc") -> None:
        self.works: list[Work] = []
        self.runtime = runtime  # the program that makes the containers

    @property
    def owners(self) -> frozenset[str]:
        """Their containers', and those of the sandboxes around them."""
        found = {work.workload for work in self.works}
        return frozenset(found | {f"{owner.rpartition('/')[0]}/POD" for owner in found})

    def before(self, cluster: Cluster) -> None:
        """Nothing."""

    def run(
        self, cluster: Cluster, pod, container: str, calls: int = CALLS, seconds: float = 0, attempt: int = 0
    ) -> Work:
        """Starts a container that makes its calls, and notes what it is to make. Its word at the peer is its own."""
        name = pod[1].metadata.name
        deployment = pod[1].labels["app"]
        word = f"{name}/{container}/{attempt}"
        id_ = cluster.node.container(pod, container, *cluster.work(calls, seconds, word), attempt=attempt)
        self.works.append(Work(id_, key(deployment, container), name, calls, word))
        return self.works[-1]

    def finish(self, cluster: Cluster, *works: Work) -> None:
        """Waits for their ends; the peer must have heard of every call, else nothing was done that could be seen."""
        for work in works or self.works:
            code, heard = cluster.ended(work.container), cluster.peer.words[work.word]
            made = work.calls + work.strays
            if code or heard != made:
                raise RuntimeError(f"{work.word} ended with {code}, {heard} of {made} calls reached the peer")


class Short(Base):
    """Pods that are gone two seconds after they began, several at a time, as a busy CronJob or CI makes them."""

    def __init__(self, pods: int, at_once: int) -> None:
        super().__init__()
        self.pods, self.at_once = pods, at_once
        self.claim = f"{pods} pods that live two seconds"

    def act(self, cluster: Cluster) -> str:
        with ThreadPoolExecutor(self.at_once) as pool:
            list(pool.map(lambda number: self._live(cluster, number), range(self.pods)))
        calls = self.pods * CALLS
        return f"{self.pods} pods of {min(10, self.pods)} Deployments, {self.at_once} at a time; {calls} execs, {calls} connects"

    def _live(self, cluster: Cluster, number: int) -> None:
        name, uid, labels = deployed(f"short{number % 10}", number)
        pod = cluster.node.pod(name, uid, labels, own_network=True)
        self.finish(cluster, self.run(cluster, pod, "main", seconds=2))
        cluster.node.remove(pod)

    def look(self, said: Said) -> str:
        found = [checked(work, said, revision=HASH) for work in self.works]
        hold(len({next(iter(s.identities)) for s in found}) == self.pods, "containers share a cgroup")
        execs, connects = sum(s.execs("/bin/call") for s in found), sum(s.connects for s in found)
        named = sum(s.named for s in found) / sum(len(s.events) for s in found)
        hold(named == 1, f"{named:.2%} of their events have an owner")
        return f"{execs} execs, {connects} connects; {named:.0%} of all their events have pod, container, workload, revision"


class Restart(Base):
    """The kubelet starts a container of a pod again: another id, another cgroup, the same workload."""

    claim = "a container is restarted"

    def act(self, cluster: Cluster) -> str:
        pod = cluster.node.pod(*deployed("again"), own_network=True)
        for attempt in range(2):
            work = self.run(cluster, pod, "main", attempt=attempt)
            self.finish(cluster, work)
            cluster.stop(work.container)
        cluster.node.remove(pod)
        return f"two lives in one pod, {CALLS} calls in each"

    def look(self, said: Said) -> str:
        found = [checked(work, said, revision=HASH) for work in self.works]
        replicas = {replica for seen in found for replica in seen.identities}
        hold(len(replicas) == 2, f"replicas {replicas}")
        return f"two replicas of {self.works[0].workload}, {CALLS} calls each"


class Exec(Base):
    """`kubectl exec`: a process that the runtime puts into a container which runs already."""

    claim = "`exec` into a container"

    def act(self, cluster: Cluster) -> str:
        pod = cluster.node.pod(*deployed("entered"), own_network=True)
        work = self.run(cluster, pod, "main", calls=0, seconds=3600)
        self.works = [Work(work.container, work.workload, work.pod, 2, work.word)]
        for _ in range(2):
            cluster.execute(work.container, *cluster.call(work.word))
        cluster.stop(work.container)
        cluster.node.remove(pod)
        return "two calls by `exec`"

    def look(self, said: Said) -> str:
        seen = checked(self.works[0], said)
        chains = seen.callers("/bin/call")
        hold(chains == {f"call<{self.runtime}"}, f"called by {chains}")
        return f"two calls of the container, their parent is {self.runtime} and not its program"


class Companions(Base):
    """An init container that ends before the others begin, and a sidecar beside the main container."""

    claim = "an init container and a sidecar"

    def act(self, cluster: Cluster) -> str:
        pod = cluster.node.pod(*deployed("joint"), own_network=True)
        self.finish(cluster, self.run(cluster, pod, "init", 1))
        self.run(cluster, pod, "main", 2, seconds=1)
        self.run(cluster, pod, "proxy", 4, seconds=1)
        self.finish(cluster)
        cluster.node.remove(pod)
        return "init 1 call, then main 2 beside proxy 4"

    def look(self, said: Said) -> str:
        found = {work.name: checked(work, said, revision=HASH).connects for work in self.works}
        return f"three workloads of one pod: {', '.join(f'{name} {n}' for name, n in found.items())}"


class HostNetwork(Base):
    """A pod in the node's network namespace has no address of its own."""

    claim = "a host-network pod"

    def act(self, cluster: Cluster) -> str:
        pods = [cluster.node.pod(*deployed(name), own_network=own) for name, own in (("bare", False), ("netted", True))]
        for pod in pods:
            self.run(cluster, pod, "main", seconds=1)
        self.finish(cluster)
        for pod in pods:
            cluster.node.remove(pod)
        bare, netted = (cluster.peer.callers[work.word] for work in self.works)
        if bare != PEER or netted == PEER:
            raise RuntimeError(f"the peer was called from {bare} and {netted}")
        return f"{CALLS} calls from the node's address, {CALLS} at the same time by a pod with an address of its own"

    def look(self, said: Said) -> str:
        found = [checked(work, said) for work in self.works]
        return f"{found[0].connects} of {self.works[0].workload}, {found[1].connects} of {self.works[1].workload}"


class Before(Base):
    """A container that was there when the sensor came: what it did before is unknown, and said to be."""

    claim = "a container that is older than the sensor"

    def before(self, cluster: Cluster) -> None:
        self.pod = cluster.node.pod(*deployed("older"), own_network=True)
        name = self.pod[1].metadata.name
        calls = " ".join(cluster.work(CALLS, 0, f"{name}/late"))
        first = " ".join(cluster.call(f"{name}/early"))
        script = f"{first}; until [ -e /go ]; do busybox sleep 0.1; done; {calls}"
        id_ = cluster.node.container(self.pod, "main", *cluster.shell(script))
        until(lambda: cluster.peer.words[f"{name}/early"], "its first call")
        self.works = [Work(id_, key("older", "main"), name, CALLS, f"{name}/late")]

    def act(self, cluster: Cluster) -> str:
        cluster.execute(self.works[0].container, "/bin/busybox", "touch", "/go")
        self.finish(cluster)
        cluster.node.remove(self.pod)
        return f"one call before the sensor began, {CALLS} after"

    def look(self, said: Said) -> str:
        seen = checked(self.works[0], said, revision=HASH)
        observed = {i.startup_observed for i in seen.identities.values()}
        hold(observed == {False}, f"startup_observed {observed}")
        return f"{seen.connects} calls of {self.works[0].workload}, marked as not observed from its start"
