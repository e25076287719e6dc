"""A Deployment of six pods, a new revision beside the old one, and what the classifier calls it. A day takes one second here."""

from __future__ import annotations

import time
from typing import Any

from classifier.drift.finding import EXPECTED
from classifier.policy import DAY
from tests.containers.claims import Row, hold, looked
from tests.containers.cluster import NEWCOMER, PORT, STRANGER, Cluster, until
from tests.containers.pods import key
from tests.containers.product import Product, observed

REPLICAS = 6
OLD, NEW = "5d4f8b7c9", "86c7d9f4b"  # pod-template-hashes
AGENT = "agent"
WORKLOAD = key(AGENT, "main")
LEARN = 28.0  # seconds = days of the policy, twice what convergence takes
ROUND = 0.25  # seconds between two rounds of a pod
SCOPE = (f"egress:tcp:{NEWCOMER}:{PORT}", "exec:/bin/search<*")  # what the deploy event declares
LATE = 90.0  # seconds for a finding
CLAIMS = {
    "declared": "a rollout: old and new revision side by side",
    "undeclared": "one pod does more than was declared",
    "escape": "a program makes a call that its runtime makes in every container",
}


class Deployment:
    """Replicas as a ReplicaSet controller keeps them: each a pod with one container, named by its revision."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._pods: list[tuple[str, Any, str]] = []  # revision, pod, container

    def start(self, revision: str, number: int) -> None:
        name = f"{AGENT}-{revision}-{'bcdfgh'[number] * 5}"
        labels = {"pod-template-hash": revision, "app": AGENT}
        pod = self._cluster.node.pod(name, f"{revision}{number}", labels, own_network=True)
        container = self._cluster.node.container(pod, "main", *self._program(revision))
        self._pods.append((revision, pod, container))

    def stop_oldest(self) -> None:
        _, pod, _ = self._pods.pop(0)
        self._cluster.node.remove(pod)

    def execute(self, *command: str) -> str:
        """Runs a command in the newest pod; returns the pod's name."""
        _, pod, container = self._pods[-1]
        self._cluster.execute(container, *command)
        return pod[1].metadata.name

    def clear(self) -> None:
        while self._pods:
            self.stop_oldest()

    def _program(self, revision: str) -> tuple[str, ...]:
        """The new revision searches with a new tool in a new place; else it does what the old one does. Both can be told to
        leave their mount namespace, as a first step out."""
        steps = [self._cluster.call(revision)]
        steps += [self._cluster.call(revision, NEWCOMER, "/bin/search")] if revision == NEW else []
        text = "; ".join(" ".join(step) for step in steps)
        step_out = "[ ! -e /go ] || busybox unshare -m /bin/busybox true"
        return self._cluster.shell(f"while :; do {text}; {step_out}; busybox sleep {ROUND}; done")


def rows(cluster: Cluster) -> list[Row]:
    """The rollout and, after it, the change that nobody declared."""
    with observed(cluster, time_scale=DAY) as product:
        deployment = Deployment(cluster)
        try:
            for number in range(REPLICAS):
                deployment.start(OLD, number)
            _learn(product)
            return [act(product, deployment) for act in (_declared, _undeclared, _escape)]
        finally:
            deployment.clear()


def _learn(product: Product) -> None:
    time.sleep(LEARN)  # days in which the Deployment is observed
    until(lambda: _state(product) == "converged", f"convergence of {WORKLOAD}")


def _state(product: Product) -> str:
    return next((w["state"] for w in product.rows("workloads") if w["workload"] == WORKLOAD), "unknown")


def _declared(product: Product, deployment: Deployment) -> Row:
    product.announce(WORKLOAD, NEW, SCOPE)
    half = REPLICAS // 2
    for number in range(half):
        deployment.start(NEW, number)
        deployment.stop_oldest()
    pods = f"{half} pods of revision {OLD} beside {half} of {NEW}, with a new tool and a new peer"
    return looked(
        CLAIMS["declared"], f"{REPLICAS} pods for {LEARN:g} days, a deploy event, {pods}", lambda: _explained(product)
    )


def _explained(product: Product) -> str:
    found = until(lambda: _findings(product), "a finding of the rollout", LATE)
    labels = {f["label"] for f in found}
    hold(labels == {EXPECTED}, [(f["label"], f["title"]) for f in found])
    hold(all(f["deploy"] for f in found), "no deploy event in the finding")
    revisions = next(w["revisions"] for w in product.rows("workloads") if w["workload"] == WORKLOAD)
    hold(set(revisions) == {OLD, NEW}, f"revisions {revisions}")
    behaviours = sorted({d["behaviour"] for f in found for d in f["deviations"]})
    return f"{EXPECTED}: {', '.join(behaviours)}"


def _undeclared(product: Product, deployment: Deployment) -> Row:
    pod = deployment.execute("/bin/call", STRANGER, str(PORT), "stolen")
    stranger = f"egress:tcp:{STRANGER}:{PORT}"
    return looked(CLAIMS["undeclared"], f"`exec` in {pod}: a call to a stranger", lambda: _refused(product, stranger))


def _escape(product: Product, deployment: Deployment) -> Row:
    pod = deployment.execute("/bin/busybox", "touch", "/go")
    done = f"the program of {pod} unshares its mounts, as runc did for each of the {REPLICAS + REPLICAS // 2} pods"
    return looked(CLAIMS["escape"], done, lambda: _refused(product, "syscall:unshare"))


def _refused(product: Product, behaviour: str) -> str:
    """The labels of what names a behaviour, none of which the deploy event may explain."""

    def naming() -> list[dict[str, Any]]:
        return [f for f in _findings(product) if any(d["behaviour"] == behaviour for d in f["deviations"])]

    found = until(naming, f"a finding that names {behaviour}", LATE)
    labels = {f["label"] for f in found}
    hold(EXPECTED not in labels, [(f["label"], f["title"]) for f in found])
    return f"{', '.join(sorted(labels))}: {behaviour}"


def _findings(product: Product) -> list[dict[str, Any]]:
    return [f for f in product.rows("findings") if f["workload"] == WORKLOAD]
