"""How the sensor itself is: what its probes see, what it sent, what was lost and why, how full its tables are, what it costs."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from pathlib import Path

from sensor.observe.observer import Observer
from sensor.probes import abi
from sensor.probes.catalogue import BY_NAME
from sensor.probes.kernel import Kernel
from wire.records import ProbeState

PAGE = resource.getpagesize()


def health(kernel: Kernel, observer: Observer, sent: Mapping[str, int], waiting: int) -> dict[str, float]:
    """Names as metrics have them, a `/` before the label: `fill/flows` is 0 to 1, `lost/files` counts since the probes began."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    values = {f"fill/{table}": round(share, 4) for table, share in kernel.fill().items()}
    values |= {f"lost/{why}": float(n) for why, n in zip(abi.LOSSES, kernel.slots["lost"].sum(axis=0), strict=True)}
    values |= {f"sent/{kind}": float(n) for kind, n in sent.items()}
    values |= {f"observer/{name}": float(n) for name, n in observer.counters.items()}
    values |= {
        "resident_bytes": float(_resident()),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 3),
        "waiting_bytes": float(waiting),
        "replicas": float(len(observer.replicas)),
    }
    return dict(sorted(values.items()))


def states(probes: Mapping[str, str]) -> tuple[ProbeState, ...]:
    """What each probe sees and misses, from "on", or why it is not, by its name."""
    return tuple(
        ProbeState(name, BY_NAME[name].state, BY_NAME[name].misses) if why == "on" else ProbeState(name, "off", (why,))
        for name, why in sorted(probes.items())
    )


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
