"""The evaluation as one picture: recall by family and stealth, and how far the probabilities can be believed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from classifier.lab.evaluate import Evaluation


def draw(e: Evaluation, path: Path) -> None:
    """Write the picture; the file's suffix decides its format."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 7), width_ratios=(2, 1), layout="constrained")
    _families(left, e)
    _reliability(right, e)
    figure.suptitle(f"{e.months:.0f} simulated deployment-months, weights {e.weights.version}")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _families(axes, e: Evaluation) -> None:
    from classifier.lab.evaluate import by_family

    rows = by_family(e.outcomes)[::-1]
    for row, r in enumerate(rows):
        for offset, level in ((0.22, 0), (0.0, 1), (-0.22, 2)):
            f = r[f"stealth {level}"]
            if f.n:
                axes.barh(row + offset, f.value, height=0.2, color=f"C{level}")
                axes.plot((f.low, f.high), (row + offset,) * 2, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [r["family"] + (" *" if r["unseen"] else "") for r in rows])
    for level in (0, 1, 2):
        axes.barh(-9, 0, color=f"C{level}", label=f"stealth {level}")
    axes.set(xlim=(0, 1), ylim=(-0.6, len(rows) - 0.4), xlabel="risky recall, with 95 % interval")
    axes.legend(loc="lower right")


def _reliability(axes, e: Evaluation) -> None:
    from classifier.lab import score

    error, bins = score.calibration(e.outcomes)
    axes.plot((0, 1), (0, 1), color="grey", linestyle=":")
    axes.plot([b.predicted for b in bins], [b.observed for b in bins], marker="o")
    for b in bins:
        axes.annotate(str(b.n), (b.predicted, b.observed), textcoords="offset points", xytext=(4, -10), fontsize=8)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability of risky", ylabel="share that were attacks")
    axes.set_title(f"expected calibration error {error:.3f}")
