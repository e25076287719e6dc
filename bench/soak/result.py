"""Raw samples and rests → slopes, differences, and whether anything is wrong; the whole of it in a file that can be kept. Pure."""

from __future__ import annotations

import json
from typing import Any

from bench.soak.slope import slope
from bench.soak.tally import app_differences, differences

WARM_UP = 1200.0  # seconds that no slope is taken of; of a short trial a quarter
LATE = 0.75  # part of a run after which a second slope is taken: what fills up has filled up by then, or not
PROGRAMS = ("sensor", "classifier")
MEMORY = ("rss", "pss", "anonymous", "tables")
LIMIT = 300_000  # bytes of a file that is kept


def of(raw: dict[str, Any]) -> dict[str, Any]:
    """The raw values, and what follows from them."""
    found = checks(raw)
    follows = {
        "slopes": slopes(raw["samples"]),
        "checks": found,
        "drift": drift(found),
        "cpu": cpu(raw["samples"]),
        "wrong": wrong(raw, found),
    }
    return raw | follows


def slopes(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """KiB an hour by program and kind of memory, after the warm-up; likewise the kernel's tables."""
    last = samples[-1]["at"] if samples else 0.0
    warm = min(WARM_UP, last / 4)
    found: dict[str, Any] = {"warm_up": round(warm, 1), "until": last}
    used = [s for s in samples if s["at"] >= warm and all(p in s["programs"] for p in PROGRAMS)]
    for name in PROGRAMS:
        found[name] = {kind: _slope(used, name, kind) for kind in MEMORY}
        found[name]["late"] = _slope([s for s in used if s["at"] >= LATE * last], name, "rss")
        found[name]["at_last"] = used[-1]["programs"][name]["rss"] if used else None
    found["kernel"] = slope([s["at"] for s in used], [s["maps"]["bytes"] / 1024 for s in used]).plain()
    return found


def _slope(samples: list[dict[str, Any]], name: str, kind: str) -> dict[str, float | None]:
    return slope([s["at"] for s in samples], [s["programs"][name][kind] for s in samples]).plain()


def checks(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """One for each rest of which driftline's counts are known."""
    return [_check(raw, rest) for rest in raw["rests"] if rest.get("told")]


def _check(raw: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    told = rest["told"]
    return {
        "at": round(rest["begin"] - raw["began"], 1),
        "still": rest["still"],
        "rows": differences(told, rest["kernel"], rest["own"], raw["of_exec"]),
        "workloads": app_differences(told.get("apps", {}), rest.get("workloads", {})),
        "told_lost": bool(told["losses"] or told["lost"] or told["gaps"]),
    }


def drift(found: list[dict[str, Any]]) -> dict[str, Any]:
    """By counter, what driftline's number has more an hour."""
    times = [check["at"] for check in found]
    names = [r["what"] for r in found[0]["rows"]] if found else []
    return {
        name: slope(times, [check["rows"][i]["more"] for check in found], mean=0).plain()
        for i, name in enumerate(names)
    }


def cpu(samples: list[dict[str, Any]]) -> dict[str, float]:
    """Percent of a core, from the first sample to the last."""
    if len(samples) < 2:
        return {}
    first, last = samples[0], samples[-1]
    used = {name: _cpu(last, name) - _cpu(first, name) for name in PROGRAMS if name in last["programs"]}
    used |= {"loads": last["loads_cpu"] - first["loads_cpu"], "soak": last["soak_cpu"] - first["soak_cpu"]}
    return {name: round(100 * seconds / (last["at"] - first["at"]), 3) for name, seconds in used.items()}


def _cpu(sample: dict[str, Any], name: str) -> float:
    return sum(sample["programs"][name][k] for k in ("user", "system", "children"))


def wrong(raw: dict[str, Any], found: list[dict[str, Any]]) -> list[str]:
    """What must not be: a counter with more than there was, or with less and no loss told; trouble of the run; leavings."""
    lines = []
    for check in found:
        if not check["still"]:
            lines.append(f"after {check['at']:.0f} s: what was to rest did not, so nothing can be compared")
        lines += [
            f"after {check['at']:.0f} s, {r['what']}: {r['more']:+d} of {r['true']} ({r['by']})"
            for r in check["rows"] + check["workloads"]["differ"]
            if r["more"] > 0 or (r["more"] < 0 and not check["told_lost"] and not known(r, check["rows"]))
        ]
    if raw.get("done") and not found:
        lines.append("no rest could be compared")
    return lines + list(raw["trouble"]) + [f"left in the kernel: {name}" for name in raw["left"]]


def known(row: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Whether it is a difference that has a known reason, and within what that reason allows: one for each connection."""
    connections = next(r["true"] for r in rows if r["what"] == "connections begun")
    return "known" in row and -connections <= row["more"] < 0


def kept(whole: dict[str, Any], limit: int = LIMIT) -> dict[str, Any]:
    """For a file: samples as columns, of every second or fourth and so on where it would be larger than `limit` bytes."""
    rests = [
        {k: v for k, v in rest.items() if k != "workloads"} | {"told": _short(rest.get("told"))}
        for rest in whole["rests"]
    ]
    checks_ = [
        check | {"rows": [[r["what"], r["true"], r["more"]] for r in check["rows"]]} for check in whole["checks"][:-1]
    ] + whole["checks"][-1:]
    small = whole | {"rests": rests, "whole": _short(whole.get("whole")), "checks": checks_, "every": 1}
    step = 1
    while True:
        small |= {"samples": columns(whole["samples"][::step]), "every": step}
        if len(json.dumps(small, separators=(",", ":"))) <= limit or step >= 64:
            return small
        step *= 2


def _short(told: dict[str, Any] | None) -> dict[str, Any] | None:
    return {k: v for k, v in told.items() if k != "apps"} if told else told


def columns(samples: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Plain values by dotted name; None where a sample has none. One that never changes is kept once.

    >>> columns([{"at": 1, "p": {"rss": 3}}, {"at": 2, "p": {"rss": 3}}])
    {'at': [1, 2], 'p.rss': [3]}
    """
    flat = [dict(_flat("", s)) for s in samples]
    names = dict.fromkeys(name for row in flat for name in row)
    found = {name: [row.get(name) for row in flat] for name in names}
    return {name: values if len(set(map(str, values))) > 1 else values[:1] for name, values in found.items()}


def _flat(above: str, values: dict[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _flat(f"{above}{name}.", value)
        else:
            found.append((above + name, round(value, 2) if isinstance(value, float) else value))
    return found
