"""Smallest valid records; a test names only what matters to it."""

from __future__ import annotations

from wire.records import (
    Behaviour,
    CgroupId,
    Deploy,
    Event,
    Head,
    Identity,
    Replica,
    Use,
    Window,
    Workload,
)

SHOP = Workload("lab/shop/Deployment/cart/cart")


def replica(number: int = 1, node: str = "n1") -> Replica:
    return Replica(node, CgroupId(number))


def head(**changes) -> Head:
    values = {"time": 0.0, "node": "n1", "kernel": "6.18", "epoch": "e1", "scope": "/lab", "interval": 10.0}
    return Head(**(values | changes))


def identity(
    number: int = 1, *, workload: str | None = SHOP, revision: str | None = "r1", time: float = 0.0, **changes
):
    values = {"path": f"/lab/{number}", "source": "rule"}
    owner = None if workload is None else Workload(workload)
    return Identity(time, replica(number), workload=owner, revision=revision, **(values | changes))


def use(behaviour: str, count: int = 1, **changes) -> Use:
    return Use(Behaviour(behaviour), count, **changes)


def window(number: int = 1, *behaviours: str | Use, start: float = 0.0, length: float = 10.0, **changes) -> Window:
    uses = tuple(b if isinstance(b, Use) else use(b) for b in behaviours)
    return Window(replica(number), start, start + length, uses, **changes)


def event(
    number: int = 1, kind: str = "exec", behaviour: str | None = None, *, time: float = 0.0, id: str = "n1/e1/1", **data
):
    return Event(id, time, replica(number), kind, None if behaviour is None else Behaviour(behaviour), data)


def deploy(
    *, time: float = 0.0, workload: str = SHOP, kind: str = "image", revision: str | None = "r2", **changes
) -> Deploy:
    values = {"id": "d1", "received": time, "source": "cli", "trust": "local"}
    return Deploy(time=time, workload=Workload(workload), kind=kind, revision=revision, **(values | changes))
