"""Probes and the setting `sensor.hooks` to the variant of each: the better hooks where the kernel takes them, by trying.

The loader asks before it compiles, and `driftline doctor` asks the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from sensor.probes import fexit
from sensor.probes.catalogue import FEXIT, RAW, Probe

AUTO = "auto"
CHOICES = (AUTO, RAW)
BY_SETTING = "`sensor.hooks` is `raw`"


def of(probes: Iterable[Probe], hooks: str) -> tuple[dict[str, str], dict[str, str]]:
    """Name → variant of those that have more than one, and name → why it is the raw one."""
    reasons = {p.name: _refused(p, hooks) for p in probes if p.fexit}
    return {n: RAW if why else FEXIT for n, why in reasons.items()}, {n: why for n, why in reasons.items() if why}


def _refused(probe: Probe, hooks: str) -> str:
    return BY_SETTING if hooks == RAW else fexit.refused(h.target for h in probe.fexit)
