"""Accepted records → what driftline counted up to a moment of rest, and what that differs in from the kernel. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.soak.kernel import payload
from wire.records import Event, Gap, Identity, Record, Tick, Window

READS = (0, 17, 19, 295, 327)  # read, pread64, readv, preadv, preadv2 of x86_64
WRITES = (1, 18, 20, 296, 328)
CALLS = {"openat": 257, "getppid": 110, "connect": 42, "accept": 43, "clone": 56, "wait4": 61, "exit_group": 231}


class Seen:
    """What a stream has told so far."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.losses: Counter[str] = Counter()
        self.apps: dict[str, Counter[str]] = {}  # by workload's name
        self.health: dict[str, float] = {}
        self.gaps: list[str] = []
        self._apps: dict[Any, str] = {}  # by replica

    def add(self, record: Record) -> None:
        kind = type(record).__name__.lower()
        self.counts[f"records/{kind}"] += 1
        if isinstance(record, Window):
            self._window(record)
        elif isinstance(record, Identity):
            self._apps[record.replica] = (record.workload or "unknown").rpartition("/")[2]
            self.counts["identities/unknown"] += record.workload is None
            self.counts["identities/ended"] += record.ended is not None
        elif isinstance(record, Event):
            self.counts[f"events/{record.kind}"] += 1
        elif isinstance(record, Tick):
            self.health = dict(record.health)
        elif isinstance(record, Gap):
            self.gaps.append(record.reason)

    def _window(self, window: Window) -> None:
        own: Counter[str] = Counter()
        calls = window.syscalls
        own["reads"] = sum(calls.get(n, 0) for n in READS)
        own["writes"] = sum(calls.get(n, 0) for n in WRITES)
        for name, number in CALLS.items():
            own[f"calls/{name}"] = calls.get(number, 0)
        own["calls"] = sum(calls.values())
        own["foreign"] = window.foreign
        for use in window.uses:
            kind = use.behaviour.partition(":")[0]
            own[f"uses/{kind}"] += use.count
            if kind in ("egress", "ingress"):
                own[f"{kind}/out"] += use.bytes_out
                own[f"{kind}/in"] += use.bytes_in
                for name in ("opens", "packets_out", "packets_in"):
                    own[f"{kind}/{name}"] += int(use.data.get(name, 0))
        self.losses.update(window.loss)
        self.counts.update(own)
        self.apps.setdefault(self._apps.get(window.replica, "unknown"), Counter()).update(own)

    def plain(self) -> dict[str, Any]:
        return {
            "counts": {k: v for k, v in sorted(self.counts.items()) if v},
            "losses": dict(self.losses),
            "lost": {k: v for k, v in self.health.items() if k.startswith("lost/") and v},
            "gaps": list(self.gaps),
            "apps": {name: {k: v for k, v in sorted(own.items()) if v} for name, own in sorted(self.apps.items())},
        }


@dataclass(frozen=True, slots=True)
class Rest:
    """A span in which no load did anything."""

    begin: float  # seconds since the epoch
    end: float


def at_rests(records: Iterable[Record], rests: Sequence[Rest]) -> list[dict[str, Any] | None]:
    """What had been told at the last tick within each rest. None: the stream does not go as far, or no tick lies there."""
    seen, found = Seen(), [None] * len(rests)
    due = list(enumerate(rests))
    for record in records:
        seen.add(record)
        if not isinstance(record, Tick):
            continue
        while due and record.time > due[0][1].end:
            due.pop(0)
        if due and record.time >= due[0][1].begin:
            found[due[0][0]] = seen.plain() | {"tick": record.time}
    return found


def differences(
    told: dict[str, Any], kernel: dict[str, Any], own: dict[str, int], of_exec: int
) -> list[dict[str, Any]]:
    """Rows of counter, by whom it is known, the true number, driftline's, and what it has more.

    Args:
        told: As `Seen.plain`.
        kernel: As `Field.kernel`.
        own: What the loads counted themselves.
        of_exec: Reads that the kernel accounts to a process for one exec; no system calls.
    """
    c, net = told["counts"], kernel["network"]
    execs = kernel["started"] + own["reaped_execs"]
    rows = [
        ("read calls", "/proc/PID/io syscr", kernel["reads"] - of_exec * execs, c.get("reads", 0)),
        ("write calls", "/proc/PID/io syscw", kernel["writes"], c.get("writes", 0)),
        ("connections begun", "Tcp ActiveOpens", net["active"], c.get("egress/opens", 0)),
        ("connections taken", "Tcp PassiveOpens", net["passive"], c.get("ingress/opens", 0)),
        ("bytes sent by clients", "TCP_INFO of servers", own["info_up"], c.get("egress/out", 0)),
        ("bytes got by clients", "TCP_INFO of clients", own["info_down"], c.get("egress/in", 0)),
        ("bytes got by servers", "TCP_INFO of servers", own["info_up"], c.get("ingress/in", 0)),
        ("bytes sent by servers", "TCP_INFO of clients", own["info_down"], c.get("ingress/out", 0)),
        (
            "payload both ways",
            "IpExt InOctets less headers",
            payload(net),
            c.get("egress/out", 0) + c.get("egress/in", 0),
        ),
        (
            "packets out",
            "Tcp OutSegs",
            net["segments_out"],
            c.get("egress/packets_out", 0) + c.get("ingress/packets_out", 0),
        ),
        ("packets in", "lo packets", net["lo_packets"], c.get("egress/packets_in", 0) + c.get("ingress/packets_in", 0)),
        ("processes ended", "wait4, of loads and soak", kernel["ended"] + own["reaped"], c.get("calls/exit_group", 0)),
        ("processes begun", "wait4 of the loads", own["reaped"], c.get("calls/clone", 0)),
        ("programs run", "wait4 of the loads", execs, c.get("uses/exec", 0)),
        ("waits", "the loads", own["reaped"], c.get("calls/wait4", 0)),
        ("opens, calls", "the loads", own["opens"], c.get("calls/openat", 0)),
        ("opens, files", "the loads", own["opens"], sum(c.get(f"uses/{k}", 0) for k in ("open", "write", "identity"))),
        ("getppid", "the loads", own["ids"], c.get("calls/getppid", 0)),
    ]
    return [row(*r) | ({"known": KNOWN[r[0]]} if r[0] in KNOWN else {}) for r in rows]


TIME_WAIT = "TIME_WAIT answers, of no cgroup"
KNOWN = {"packets out": TIME_WAIT, "packets in": TIME_WAIT}  # what driftline cannot count, at most one a connection


OF_WORKLOADS = {  # what a load counts → what driftline counts of it; reads of the kernel's own are in neither
    "reads": "reads",
    "writes": "writes",
    "opens": "calls/openat",
    "ids": "calls/getppid",
    "forks": "calls/clone",
    "connects": "egress/opens",
    "accepts": "ingress/opens",
    "info_up": "egress/out",
    "info_down": "egress/in",
}


def app_differences(told: dict[str, dict[str, int]], own: dict[str, dict[str, int]]) -> dict[str, Any]:
    """How many counters of single workloads were compared, and rows of those that differ: what is one's must not be another's."""
    pairs = [
        row(f"{theirs} of {name}", "the load", counts[theirs], told.get(name, {}).get(ours, 0))
        for name, counts in own.items()
        for theirs, ours in OF_WORKLOADS.items()
    ]
    strangers = [
        row(f"calls of {name}", "nobody", 0, told[name].get("calls", 0)) for name in sorted(told.keys() - own.keys())
    ]
    return {"compared": len(pairs), "differ": [p for p in pairs if p["more"]] + strangers}


def row(what: str, by: str, true: int, driftline: int) -> dict[str, Any]:
    """A difference, absolute and per million."""
    more = driftline - true
    return {"what": what, "by": by, "true": true, "driftline": driftline, "more": more, "ppm": ppm(more, true)}


def ppm(more: int, of: int) -> float:
    """Per million; of nothing, nothing is 0 and something is all."""
    return round(1e6 * more / of, 4) if of else (0.0 if not more else 1e6)
