"""The result as rows of a table: what, measured, unit, asked."""

from __future__ import annotations

from typing import Any


def rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows in the format of bench/residence.py, for people and for docs/performance.md."""
    found = []
    for name in ("sensor", "classifier"):
        for kind, text in (("rss", "resident"), ("anonymous", "its own pages")):
            s = results["slopes"].get(name, {}).get(kind)
            if s:
                span = f"[{s['low']:.0f}, {s['high']:.0f}]"
                found.append(
                    _row(f"memory of the {name}, {text}: slope", f"{s['value']:.0f} {span}", "KiB an hour", "0 inside")
                )
    for name, share in results["cpu"].items():
        found.append(_row(f"CPU of the {name}", f"{share:g}", "% of a core"))
    checks = results["checks"]
    for r in checks[-1]["rows"] if checks else ():
        found.append(_row(f"{r['what']}, against {r['by']}", f"{r['more']:+d} of {r['true']}", "", "0"))
    return found


def _row(what: str, measured: str, unit: str, asked: str = "") -> dict[str, Any]:
    return {"what": what, "measured": measured, "unit": unit, "asked": asked}
