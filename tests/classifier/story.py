"""A workload's life for tests: learns, rolls out, is attacked. One day of the policy is one second."""

from __future__ import annotations

from dataclasses import replace

from classifier.pipeline import Pipeline
from classifier.policy import DAY, Policy
from tests.factories import SHOP, deploy, head, identity, replica, use
from wire.records import Record, Tick, Window

POLICY = Policy().scaled(DAY)
MODEL = use("egress:tcp:models.example.org:443", 3, bytes_out=2_000, bytes_in=9_000, data={"lineage": "python3.11"})
ORDINARY = (
    use("exec:/usr/bin/python3.11<containerd-shim"),
    MODEL,
    use("ingress:tcp:8080", 2, bytes_in=900, bytes_out=4_000),
    use("open:code:/app/agent.py", data={"lineage": "python3.11"}),
    use("open:config:/app/settings.yaml", data={"lineage": "python3.11"}),
)
CALLS = {0: 40, 1: 30, 42: 3, 257: 12, 3: 12}
GRAMS = (1 << 20 | 2 << 10 | 3, 2 << 20 | 3 << 10 | 4)
NEW_PEER = use("egress:tcp:tickets.example.org:443", 2, bytes_out=1_500, bytes_in=3_000, data={"lineage": "python3.11"})
TOOL = use("exec:/opt/tools/summarise<python3.11", data={"lineage": "summarise<python3.11"})
ATTACK = (
    use("exec:/bin/sh<python3.11", evidence=("n1/e1/70",), data={"lineage": "sh<python3.11"}),
    use("exec:/usr/bin/curl<sh", evidence=("n1/e1/71",), data={"lineage": "curl<sh<python3.11"}),
    use(
        "identity:token:/var/run/secrets/kubernetes.io/serviceaccount/token",
        evidence=("n1/e1/72",),
        data={"lineage": "curl<sh<python3.11"},
    ),
    use("egress:tcp:203.0.113.9:443", bytes_out=6_000, evidence=("n1/e1/73",), data={"lineage": "curl<sh<python3.11"}),
)
SCOPE = ("egress:tcp:tickets.example.org:443", "exec:/opt/tools/summarise<*")


def window(number: int, start: float, *uses, node: str = "n1", **changes) -> Window:
    """One second of one replica: what it always does, and `uses`."""
    values = {"syscalls": CALLS, "grams": GRAMS if start < 2 else ()}
    return Window(replica(number, node), start, start + 1, (*ORDINARY, *uses), **(values | changes))


def born(
    number: int, *, revision: str | None = "r1", workload: str = SHOP, time: float = 0.0, node: str = "n1", **changes
):
    """The identity of a replica."""
    plain = identity(number, workload=workload, revision=revision, time=time, **changes)
    return replace(plain, replica=replica(number, node))


def days(first: int, last: int, *numbers: int, uses: dict[int, tuple] | None = None, node: str = "n1") -> list[Record]:
    """Windows of some replicas for a span of days, each day closed by a tick."""
    out: list[Record] = []
    for t in range(first, last):
        out += [window(n, float(t), *(uses or {}).get(n, ()), node=node) for n in numbers]
        out.append(Tick(node, t + 1.0))
    return out


def learned(*numbers: int, until: int = 40) -> list[Record]:
    """A workload that has converged."""
    return [head(), *(born(n) for n in numbers), *days(0, until, *numbers)]


def rollout(time: float, **changes) -> Record:
    values = {"scope": SCOPE, "trust": "signed"}
    return deploy(time=time, received=time, **(values | changes))


def play(records, policy: Policy = POLICY, pipeline: Pipeline | None = None) -> Pipeline:
    pipeline = pipeline or Pipeline(policy)
    for record in records:
        pipeline.feed(record)
    return pipeline
