"""Figures to a picture: the factor of the time of an operation, by load and tool, with intervals, on a log scale. SVG."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from bench.beside.figures import PEERS, Figure, duration, figures, loads, nanoseconds

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.hashsalt": "driftline",  # ids in the file are hashes; with a fixed salt the same figures give the same bytes
    "svg.fonttype": "path",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
OURS, THEIRS, FLOOR = "#c1440e", "#1f4e79", "#8a8f98"
APART = 0.17  # of a row, between a tool's two marks
WIDE = 3  # panels in a row
WORDS = "Time of an operation with the tool / without it (log scale; bars: 95 % intervals)"


def draw(results: dict[str, Any]) -> bytes:
    """The picture. The same figures give the same bytes with the same matplotlib."""
    found, names = figures(results), loads(results)
    rows = -(-len(names) // WIDE)
    with matplotlib.rc_context(STYLE):
        canvas = Canvas(figsize=(11, 0.9 + 2.6 * rows), layout="constrained")
        panels = canvas.subplots(rows, WIDE, sharey=True, sharex=True, squeeze=False).flat
        for panel, load in zip(panels, names, strict=False):
            _panel(
                panel, [f for f in found if f.load == load], f"{load}, {duration(nanoseconds(results, load))} without"
            )
        for panel in list(panels)[len(names) :]:
            panel.set_visible(False)
        _axes(canvas.axes[0], found)
        canvas.supxlabel(WORDS, fontsize=9)
        canvas.legend(handles=_legend(), loc="outside upper center", ncols=2, frameon=False)
        return _svg(canvas)


def _panel(ax: Axes, found: list[Figure], title: str) -> None:
    ax.set_title(title, fontsize=9, loc="left", fontweight="bold")
    ax.axvline(1, color="#444444", linewidth=0.8)
    ax.grid(axis="x", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    there = {f.peer: f for f in found}
    for row, peer in enumerate(PEERS):
        colour = _colour(peer)
        if peer not in there:
            ax.text(1.05, row, "did not run", color=colour, fontsize=7, va="center")
            continue
        for where, shift in (("inside", -APART), ("outside", APART)):
            e = getattr(there[peer], where)
            fill = colour if where == "inside" else "white"
            ax.plot([e.low, e.high], [row + shift] * 2, color=colour, linewidth=1.4, solid_capstyle="butt")
            ax.plot([e.value], [row + shift], "o", markersize=5, markerfacecolor=fill, markeredgecolor=colour, zorder=3)


def _axes(ax: Axes, found: list[Figure]) -> None:
    """All panels share these."""
    values = [v for f in found for e in (f.inside, f.outside) for v in (e.low, e.high)]
    ax.set_xscale("log")
    ax.set_xlim(min(0.7, *values) * 0.95, max(3.0, *values) * 1.15)
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if max(values) < 30 else (1.0, 3.0)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{value:,.3g}" if value < 1000 else f"×{value:,.0f}"))
    ax.set_yticks(range(len(PEERS)), PEERS)
    ax.set_ylim(len(PEERS) - 0.5, -0.5)


def _colour(peer: str) -> str:
    return OURS if peer.startswith("driftline") else FLOOR if peer == "empty tracepoint" else THEIRS


def _legend() -> list[Line2D]:
    common = {"color": "#444444", "marker": "o", "markersize": 5, "linewidth": 1.4}
    return [
        Line2D([], [], label="what the tool watches", **common),
        Line2D([], [], label="the same load beside it, not watched", markerfacecolor="white", **common),
    ]


def _svg(canvas: Canvas) -> bytes:
    out = io.BytesIO()
    canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()
