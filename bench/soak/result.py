"""Raw samples and rests → slopes, differences, and whether anything is wrong. Pure."""

from __future__ import annotations

from typing import Any

from bench.soak.slope import slope
from bench.soak.tally import differences

WARM_UP = 1200.0  # seconds that no slope is taken of; of a short trial a quarter
PROGRAMS = ("sensor", "classifier")
MEMORY = ("rss", "pss", "anonymous", "tables")


def of(raw: dict[str, Any]) -> dict[str, Any]:
    """The raw values, and what follows from them."""
    found = {"slopes": slopes(raw["samples"]), "checks": checks(raw), "cpu": cpu(raw["samples"])}
    return raw | found | {"wrong": wrong(raw, found["checks"])}


def slopes(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """KiB an hour by program and kind of memory, after the warm-up."""
    last = samples[-1]["at"] if samples else 0.0
    warm = min(WARM_UP, last / 4)
    late = [s for s in samples if s["at"] >= warm and all(p in s["programs"] for p in PROGRAMS)]
    times = [s["at"] for s in late]
    found: dict[str, Any] = {"warm_up": warm}
    for name in PROGRAMS:
        found[name] = {
            kind: slope(times, [s["programs"][name][kind] for s in late]).plain() for kind in MEMORY if len(late) > 1
        }
    return found


def checks(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """One for each rest of which driftline's counts are known."""
    return [
        {
            "at": round(rest["begin"] - raw["began"], 1),
            "rows": differences(rest["told"], rest["kernel"], rest["own"], raw["of_exec"]),
        }
        for rest in raw["rests"]
        if rest.get("told")
    ]


def cpu(samples: list[dict[str, Any]]) -> dict[str, float]:
    """Percent of a core, from the first sample to the last."""
    if len(samples) < 2:
        return {}
    first, last = samples[0], samples[-1]
    seconds = last["at"] - first["at"]
    found = {
        name: sum(last["programs"][name][k] - first["programs"][name][k] for k in ("user", "system", "children"))
        for name in PROGRAMS
        if name in last["programs"] and name in first["programs"]
    }
    found |= {"loads": last["loads_cpu"] - first["loads_cpu"], "soak": last["soak_cpu"] - first["soak_cpu"]}
    return {name: round(100 * used / seconds, 3) for name, used in found.items()}


def wrong(raw: dict[str, Any], found: list[dict[str, Any]]) -> list[str]:
    """What must not be: each counter that differs, loss that nobody was told of, trouble of the run, what was left behind."""
    told_loss = bool((raw.get("whole") or {}).get("losses") or (raw.get("whole") or {}).get("gaps"))
    lines = [
        f"after {check['at']:.0f} s {r['what']}: {r['more']:+d} of {r['true']} ({r['by']})"
        for check in found
        for r in check["rows"]
        if r["more"] and not told_loss
    ]
    if raw.get("done") and not found:
        lines.append("no rest could be compared")
    return lines + list(raw["trouble"]) + [f"left in the kernel: {name}" for name in raw["left"]]
