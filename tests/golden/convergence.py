"""FX-3 and FX-4 as traces that anybody can replay: `python -m tests.golden.convergence` writes both anew.

FX-3: a read-only retrieval agent for 28 days, from two replicas to forty and back three times a day, twelve rolling
restarts, one node drained. FX-4: an agent that runs code, four new binaries a day for 60 days. Windows are coarse.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from tests.factories import head, use
from wire.records import CgroupId, Identity, Record, Replica, Tick, Use, Window, Workload
from wire.trace import Writer

HERE = Path(__file__).parent
MONDAY = 1_767_571_200.0  # 2026-01-05 00:00 UTC
HOUR, DAY = 3600.0, 86400.0
RETRIEVAL = Workload("prod/agents/Deployment/retrieval/agent")
CODER = Workload("prod/agents/Deployment/coder/agent")
PY = {"lineage": "python3.11"}
PEAKS = (8, 13, 19)  # hours at which thirty-eight more replicas come, for two hours
RESTARTS = range(1, 25, 2)  # days with a rolling restart
DRAIN = 17  # day on which node n1 is emptied
SETTLED = 10  # day after which the retrieval agent finds no further shelf
SHELVES = 90
NAMES = ("alpha", "bravo", "cedar", "delta", "ember", "flint", "grove", "heron", "iris", "joker")
CORE = (
    use("exec:/usr/bin/python3.11<containerd-shim"),
    use("open:code:/app/agent.py", data=PY),
    use("open:config:/app/settings.yaml", data=PY),
)
CALLS = {0: 400, 1: 300, 3: 120, 42: 30, 257: 120}


class Cluster:
    """Records of pods that come and go, with a number each."""

    def __init__(self, workload: Workload) -> None:
        self.workload, self.numbers, self.records = workload, itertools.count(1), list[tuple[float, int, Record]]()

    def pod(self, start: float, end: float, node: str, windows: Iterator[tuple[float, float, tuple[Use, ...]]]) -> None:
        """One pod's identity, windows and end."""
        replica = Replica(node, CgroupId(next(self.numbers)))
        born = Identity(start, replica, f"/k/{replica.cgroup}", self.workload, "r1", "cri")
        self.records.append((start, 0, born))
        for left, right, uses in windows:
            self.records.append((right, 1, Window(replica, left, right, uses, CALLS)))
        self.records.append(
            (end, 2, Identity(start, replica, f"/k/{replica.cgroup}", self.workload, "r1", "cri", ended=end))
        )

    def stream(self, start: float, days: int) -> list[Record]:
        """Everything in order, with ticks of both nodes every two hours."""
        nodes = ("n1", "n2")
        ticks = [
            (start + n * 2 * HOUR, 3, Tick(node, start + n * 2 * HOUR)) for n in range(12 * days + 1) for node in nodes
        ]
        heads = [head(time=start, node=node, interval=6 * HOUR) for node in nodes]
        return [*heads, *(r for _, _, r in sorted([*self.records, *ticks], key=lambda t: t[:2]))]


def fx3(seed: int = 3) -> list[Record]:
    """Everything that must change nothing: scaling, restarts, a drained node."""
    rng, cluster, seen = random.Random(seed), Cluster(RETRIEVAL), set[int]()

    def uses(start: float, end: float) -> tuple[Use, ...]:
        asked = int(rng.uniform(80, 120) * (end - start) / HOUR)
        shelves = {min(SHELVES - 1, int(rng.paretovariate(0.7)) - 1) for _ in range(4)}
        if start >= MONDAY + SETTLED * DAY:
            shelves &= seen
        seen.update(shelves)
        found = [use(f"open:data:/library/shelf{NAMES[s % 10]}{NAMES[s // 10]}.idx", data=PY) for s in sorted(shelves)]
        back = int(asked * rng.uniform(8_000, 9_000))
        return (
            *CORE,
            use("ingress:tcp:8080", asked, bytes_out=back, bytes_in=asked * 700, data=PY),
            use("egress:tcp:vectors.example.org:443", asked, bytes_out=asked * 900, bytes_in=back, data=PY),
            *found,
        )

    def life(start: float, end: float, step: float) -> Iterator[tuple[float, float, tuple[Use, ...]]]:
        edges = [
            start,
            *(MONDAY + n * step for n in range(int(28 * DAY / step) + 1) if start < MONDAY + n * step < end),
            end,
        ]
        for left, right in itertools.pairwise(edges):
            yield left, right, uses(left, right)

    spans = []
    cuts = sorted({0.0, 28 * DAY, DRAIN * DAY + 11 * HOUR, *(d * DAY + 10 * HOUR for d in RESTARTS)})
    for left, right in itertools.pairwise(cuts):
        drained = left == DRAIN * DAY + 11 * HOUR
        spans += [(MONDAY + left, MONDAY + right, node) for node in (("n2", "n2") if drained else ("n1", "n2"))]
    for day, hour, n in itertools.product(range(28), PEAKS, range(38)):
        start = MONDAY + day * DAY + hour * HOUR + n * 5  # all within three minutes
        spans.append((start, start + 2 * HOUR, f"n{n % 2 + 1}"))
    for start, end, node in sorted(spans):
        cluster.pod(start, end, node, life(start, end, 6 * HOUR))
    return cluster.stream(MONDAY, 28)


def fx4(seed: int = 4, days: int = 60) -> list[Record]:
    """Four binaries a day that nobody has seen before; everything else stays."""
    rng, cluster, made = random.Random(seed), Cluster(CODER), itertools.count()

    def life(which: int) -> Iterator[tuple[float, float, tuple[Use, ...]]]:
        for n in range(2 * days):
            left = MONDAY + n * DAY / 2
            asked = rng.randint(200, 260)
            fresh = [next(made)] if (n + which) % 2 == 0 else [next(made) for _ in range(3)]
            built = [
                use(f"exec:/workspace/build/{_word(k)}<sh", data={"lineage": f"{_word(k)}<sh<python3.11"})
                for k in fresh
            ]
            model = use(
                "egress:tcp:models.example.org:443", asked, bytes_out=asked * 4_000, bytes_in=asked * 2_000, data=PY
            )
            came = use("ingress:tcp:8080", asked, bytes_out=asked * 900, bytes_in=asked * 500, data=PY)
            shell = use("exec:/bin/sh<python3.11", 40, data={"lineage": "sh<python3.11"})
            yield left, left + DAY / 2, (*CORE, came, model, shell, *(built if which == n % 4 // 2 else ()))

    for which, node in enumerate(("n1", "n2")):
        cluster.pod(MONDAY, MONDAY + days * DAY, node, life(which))
    return cluster.stream(MONDAY, days)


def _word(k: int) -> str:
    return f"{NAMES[k % 10]}-{NAMES[k // 10 % 10]}-{NAMES[k // 100 % 10]}"


STORIES = {"fx3": fx3, "fx4": fx4}


def main() -> None:
    for name, story in STORIES.items():
        with Writer(HERE / f"{name}.trace") as trace:
            for record in story():
                trace.add(record)


if __name__ == "__main__":
    main()
