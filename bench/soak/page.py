"""The result as rows of a table: what, measured, unit, asked."""

from __future__ import annotations

from typing import Any

KINDS = (("rss", "resident"), ("anonymous", "of no file"), ("late", "resident, last quarter"))


def rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """For people and for docs/performance.md. `value` is the number alone, as rows of bench/residence.py have it.

    Args:
        results: As `bench.soak.result.of` or `kept` gives it.
    """
    steady = _steady(results.get("steady") or {})
    return [*_memory(results["slopes"]), *steady, *_cpu(results["cpu"]), *_counters(results), *_said(results)]


def _memory(slopes: dict[str, Any]) -> list[dict[str, Any]]:
    minutes = slopes.get("until", 0.0) / 60
    found = [_row("observed", minutes, f"{minutes:.0f}", "minutes")]
    for name in ("sensor", "classifier"):
        if last := slopes.get(name, {}).get("at_last"):
            found.append(_row(f"memory of the {name} at the end", last / 1024, f"{last / 1024:.1f}", "MiB"))
        for kind, text in KINDS:
            s = slopes.get(name, {}).get(kind)
            if s and s["value"] is not None:
                found.append(_row(f"memory of the {name}, {text}, slope", s["value"], _span(s), "KiB an hour", "0"))
    kernel = slopes.get("kernel")
    if kernel and kernel["value"] is not None:
        found.append(_row("memory of the kernel's tables, slope", kernel["value"], _span(kernel), "KiB an hour", "0"))
    return found


def _steady(slopes: dict[str, Any]) -> list[dict[str, Any]]:
    """Of a run in which no replica came or went; the slope with that, and until when it went."""
    found = []
    for name in ("sensor", "classifier"):
        s = slopes.get(name, {}).get("rss")
        if s and s["value"] is not None:
            until = (
                f"KiB an hour, minutes {slopes['warm_up'] / 60:.0f} to {slopes['until'] / 60:.0f} of a run of its own"
            )
            found.append(
                _row(f"memory of the {name}, no replica comes or goes, slope", s["value"], _span(s), until, "0")
            )
    return found


def _cpu(shares: dict[str, float]) -> list[dict[str, Any]]:
    return [_row(f"CPU of the {name}", share, f"{share:.2f}", "% of a core") for name, share in shares.items()]


def _counters(results: dict[str, Any]) -> list[dict[str, Any]]:
    if not results["checks"]:
        return []
    found = []
    last = results["checks"][-1]
    for r in last["rows"]:
        worst = max((_more(check, r["what"]) for check in results["checks"]), key=abs)
        text = f"{r['more']:+d} of {r['true']:,} ({r['ppm']:g} ppm)"
        reason = f"; {r['known']}" if "known" in r and worst else ""
        found.append(
            _row(
                f"{r['what']}, against {r['by']}",
                worst,
                text,
                f"in {len(results['checks'])} rests at most {worst:+d}{reason}",
                "0",
            )
        )
    w = last["workloads"]
    found.append(
        _row(
            "counters of single workloads that differ",
            len(w["differ"]),
            str(len(w["differ"])),
            f"of {w['compared']}",
            "0",
        )
    )
    return found


def _more(check: dict[str, Any], what: str) -> int:
    """Of a check with whole rows, or of one whose rows were shortened."""
    for r in check["rows"]:
        if isinstance(r, dict) and r["what"] == what:
            return r["more"]
        if isinstance(r, list) and r[0] == what:
            return r[2]
    return 0


def _said(results: dict[str, Any]) -> list[dict[str, Any]]:
    whole = results.get("whole") or {}
    lost = sum((whole.get("losses") or {}).values())
    rests = results.get("rests")
    gone = rests[-1]["kernel"]["ended"] if rests else 0
    return [
        _row("losses told", lost, f"{lost:g}", "events", "0"),
        _row("gaps told", len(whole.get("gaps") or ()), str(len(whole.get("gaps") or ())), "", "0"),
        _row("replicas that came and went", gone, str(gone), ""),
        _row("what is wrong", len(results["wrong"]), str(len(results["wrong"])), "", "0"),
    ]


def _span(s: dict[str, Any]) -> str:
    if s["low"] is None:
        return f"{s['value']:+.0f}"
    return f"{s['value']:+.0f} [{s['low']:+.0f}, {s['high']:+.0f}]"


def _row(what: str, value: float, measured: str, unit: str, asked: str = "") -> dict[str, Any]:
    return {"what": what, "value": round(value, 3), "measured": measured, "unit": unit, "asked": asked}
