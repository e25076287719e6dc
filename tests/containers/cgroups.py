"""Cgroups that a workload makes and moves through, as scenes: what is below a container is the container's.

The pods here are privileged: the runtime shows such a one the node's whole hierarchy, writable, at /sys/fs/cgroup.
"""

from __future__ import annotations

from tests.containers.claims import Work, checked, hold
from tests.containers.cluster import Cluster
from tests.containers.pods import CALLS, Base, deployed, key
from tests.containers.said import Said

ALL = "/sys/fs/cgroup"
OWN = f"D={ALL}$(busybox sed -n s/^0:://p /proc/self/cgroup); "  # to $D: the container's own cgroup
FALSE_ID = "f" * 64


class Privileged(Base):
    """A scene of a privileged pod with one container."""

    def script(self, cluster: Cluster, deployment: str, text: str, calls: int = CALLS, strays: int = 0) -> None:
        """Runs a shell's text; `{work}` in it makes some calls. Notes how many there are to be in the container's name."""
        pod = cluster.node.pod(*deployed(deployment), own_network=True, privileged=True)
        name = pod[1].metadata.name
        text = text.format(work=" ".join(cluster.work(CALLS, 0, f"{name}/main")))
        id_ = cluster.node.container(pod, "main", *cluster.shell(OWN + text))
        self.works.append(Work(id_, key(deployment, "main"), name, calls, f"{name}/main", strays))
        self.finish(cluster, self.works[-1])
        cluster.node.remove(pod)


class Nested(Privileged):
    """A container with systemd or another runtime inside makes cgroups, and may name them like anybody's."""

    claim = "nested cgroups inside a container"
    names = ("app.service", f"kubepods/burstable/podshort0000/{FALSE_ID}")

    def act(self, cluster: Cluster) -> str:
        steps = [f"mkdir -p $D/{n}; (echo 0 > $D/{n}/cgroup.procs; exec {{work}}); " for n in self.names]
        self.script(cluster, "nest", "".join(steps) + "{work}", calls=3 * CALLS)
        return (
            f"{CALLS} calls each in it, below it in a cgroup named like a unit and in one named like another container"
        )

    def look(self, said: Said) -> str:
        seen = checked(self.works[0], said)
        hold(len(seen.identities) == 3, f"cgroups {[i.path for i in seen.identities.values()]}")
        return f"{seen.connects} calls in three cgroups, all of {self.works[0].workload}"


class Moves(Privileged):
    """A workload that moves one of its processes from a cgroup of its own to another, and back."""

    claim = "a workload moves a process between its cgroups"

    def act(self, cluster: Cluster) -> str:
        move = "".join(f"echo 0 > $D/{place}/cgroup.procs; {{work}}; " for place in "aba")
        self.script(cluster, "mover", f"mkdir $D/a $D/b; {move}", calls=3 * CALLS)
        return f"one process in a, in b and in a again, {CALLS} calls in each"

    def look(self, said: Said) -> str:
        seen = checked(self.works[0], said)
        chains = seen.callers("/bin/call")
        hold(chains == {f"call<work<busybox<{self.runtime}"}, f"called by {chains}")
        return f"{seen.connects} calls of {self.works[0].workload}, the chain of callers unbroken"


class Intruder(Privileged):
    """A process goes into another pod's container. From then on it is that container's for the kernel, and for driftline."""

    claim = "a privileged pod moves a process into another pod"

    def act(self, cluster: Cluster) -> str:
        victim = cluster.node.pod(*deployed("victim"), own_network=True)
        self.run(cluster, victim, "main", seconds=3600)
        theirs = cluster.cgroup(self.works[0].container).relative_to(cluster.node.cgroup)
        self.script(
            cluster, "intruder", f"{{work}}; (echo 0 > {ALL}/{theirs}/cgroup.procs; exec {{work}})", strays=CALLS
        )
        cluster.stop(self.works[0].container)
        cluster.node.remove(victim)
        return f"{CALLS} calls at home, then {CALLS} from the cgroup of a pod that makes {CALLS} itself"

    def look(self, said: Said) -> str:
        victim, intruder = self.works
        checked(intruder, said)
        seen = checked(Work(victim.container, victim.workload, victim.pod, 2 * CALLS, victim.word), said)
        strays = seen.callers("/bin/work") - {f"work<{self.runtime}"}
        hold(strays == {f"work<busybox<{self.runtime}"}, f"the stray's chain is {strays}")
        return (
            f"{CALLS} of {intruder.workload}; the others are {victim.workload}'s, as they are for the kernel, "
            "with a caller that it never had: exec:/bin/work<busybox"
        )


class Forged(Privileged):
    """A cgroup beside the real ones, named as the kubelet would name a container's. No runtime knows it."""

    claim = "a privileged pod forges a container's cgroup"
    path = f"{ALL}/kubepods/burstable/podvictim0000/{FALSE_ID}"

    def act(self, cluster: Cluster) -> str:
        enter = f"(echo 0 > {self.path}/cgroup.procs; exec {{work}})"
        self.script(cluster, "forger", f"mkdir -p {self.path}; {enter}; {{work}}", strays=CALLS)
        return f"{CALLS} calls from /kubepods/burstable/podvictim0000/fff…, {CALLS} from its own cgroup"

    def look(self, said: Said) -> str:
        checked(self.works[0], said)
        forged = said.of(FALSE_ID)
        hold(forged.workloads == {None}, f"the forged cgroup is {forged.workloads}")
        hold(forged.connects == CALLS, f"{forged.connects} calls of the forged cgroup")
        return f"{CALLS} of {self.works[0].workload}; {CALLS} of a workload that nobody knows, named by its cgroup's id"
