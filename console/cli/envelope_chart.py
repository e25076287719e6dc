"""Rows of convergence to a PNG: what was new, what is still unseen, how far the envelope moved. Needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from console.cli.envelope_converge import Row, date, spread_ratio, total
from console.cli.escape import escape

TEXT = {"parse_math": False}  # a workload may have a $ in its name
PARTS = {
    "exec": "#c1440e",
    "egress": "#1f77b4",
    "ingress": "#17a398",
    "file": "#8a8f98",
    "identity": "#9467bd",
    "syscall": "#d6a419",
}


def draw(name: str, state: str, rows: list[Row]) -> bytes:
    """The chart. The same rows give the same bytes with the same matplotlib."""
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False}):
        figure = Figure(figsize=(9, 8), dpi=110, layout="constrained")
        top, middle, low = figure.subplots(3, 1, sharex=True)
        figure.suptitle(_short(name, 90), fontsize=12, fontweight="bold", **TEXT)
        whole = total(rows)
        _new(top, rows)
        _unseen(middle, rows, whole)
        _moved(low, whole)
        _states(figure.axes, whole)
        _dates(low, [r["day"] for r in whole])
        ratio = spread_ratio(rows)
        words = "" if ratio is None else f"  |  spread of the last 3 days: {ratio:.1%} of the first 3"
        figure.supxlabel(_short(state, 80) + words, fontsize=8, **TEXT)
        return _png(figure)


def _short(text: str, most: int) -> str:
    line = escape(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1] + "…"


def _series(rows: list[Row], part: str, key: str) -> tuple[list[int], list[float]]:
    known = [(r["day"], r[key]) for r in rows if r["dimension"] == part and r[key] is not None]
    return [d for d, _ in known], [v for _, v in known]


def _new(ax: Axes, rows: list[Row]) -> None:
    floor: dict[int, float] = {}
    for part, colour in PARTS.items():
        days, values = _series(rows, part, "new")
        if any(values):
            ax.bar(days, values, bottom=[floor.get(d, 0) for d in days], color=colour, label=part, width=0.8)
        floor |= {d: floor.get(d, 0) + v for d, v in zip(days, values, strict=True)}
    days, values = _series(rows, "total", "size")
    if values:
        right = ax.twinx()
        right.plot(days, values, color="#1b1b1b", lw=1.2, ls="--")
        right.set_ylabel("envelope size (dashed)", fontsize=8)
        right.set_ylim(0, max(values) * 1.25 + 1)
    _dress(ax, "new behaviours a day")


def _unseen(ax: Axes, rows: list[Row], whole: list[Row]) -> None:
    days = [r["day"] for r in whole]
    ax.fill_between(days, [0.0] * len(days), [r["spread"] for r in whole], color="#1b1b1b", alpha=0.12, lw=0)
    for part, colour in PARTS.items():
        at, values = _series(rows, part, "mass")
        if any(values):
            ax.plot(at, values, color=colour, lw=0.9, alpha=0.8, label=part)
    ax.plot(days, [r["mass"] for r in whole], color="#1b1b1b", lw=2, label="total, with 90 % interval")
    _dress(ax, "unseen mass (Good-Turing)")


def _moved(ax: Axes, whole: list[Row]) -> None:
    for key, colour, words in (
        ("distance", "#1f77b4", "day to the day before"),
        ("movement", "#c1440e", "envelope to the day before"),
    ):
        known = [(r["day"], r[key]) for r in whole if r[key] is not None]
        ax.plot([d for d, _ in known], [v for _, v in known], color=colour, lw=1.4, label=words)
    ax.set_ylim(-0.02, 1.02)
    _dress(ax, "Jaccard distance")


def _dress(ax: Axes, label: str) -> None:
    ax.set_ylabel(label)
    ax.grid(axis="y", alpha=0.25, lw=0.6)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=7, frameon=False, ncols=4, loc="upper right")


def _states(axes: Sequence[Any], whole: list[Row]) -> None:
    """A line where the state changed, its name on the topmost panel."""
    before, changes = "", 0
    for row in whole:
        if row["stage"] == before:
            continue
        before, changes = row["stage"], changes + 1
        for ax in axes:
            ax.axvline(row["day"] - 0.5, color="#1b1b1b", lw=0.7, ls=":")
        axes[0].annotate(
            before,
            (row["day"] - 0.4, 1.0 + 0.06 * (changes % 2)),
            xycoords=("data", "axes fraction"),
            fontsize=7,
            va="bottom",
            **TEXT,
        )


def _dates(ax: Axes, days: list[int]) -> None:
    step = max(1, len(days) // 10)
    ax.set_xticks(days[::step], [date(d) for d in days[::step]], rotation=30, ha="right", fontsize=7)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
