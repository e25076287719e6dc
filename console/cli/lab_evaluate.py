"""`driftline lab evaluate`: what the label is worth, on simulated fleets or on recorded sets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.configured import Output
from console.cli.output import emit_csv, emit_json, emit_table, list_options, say, working

if TYPE_CHECKING:
    from collections.abc import Iterator

    from classifier.lab.evaluate import Evaluation
    from classifier.lab.score import Figure

FIRST_SEED = 1  # the fit uses seeds from 1000 on
COLUMNS = dict.fromkeys(("table", "row", "figure", "value", "low", "high", "n"), "")
OF_DATA = ("data", "learn", "as_json", "as_csv")


class Picture(Output):
    """A picture to write, of a kind that the drawing knows."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path of a text."""
        path = super().convert(value, param, ctx)
        if Path(path).suffix.lower() not in (".png", ".svg"):
            self.fail(f"{path} ends in neither .png nor .svg.", param, ctx)
        return path


@click.command()
@click.option("--seeds", type=click.IntRange(1, 900), default=20, show_default=True, help="How many worlds.")
@click.option(
    "--first-seed", type=click.IntRange(1, 999), default=FIRST_SEED, show_default=True, help="The first of them."
)
@click.option("--deployments", type=click.IntRange(1, 64), default=16, show_default=True, help="In each world.")
@click.option(
    "--days", type=click.IntRange(7, 90), default=30, show_default=True, help="Judged, after 14 days of learning."
)
@click.option("--families", help="Attack families, by comma; all without it.")
@click.option("--stealth", default="0,1,2", show_default=True, help="Stealth levels of the attackers, by comma.")
@click.option(
    "--shift", type=click.Choice(["none", "busy"]), default="none", help="A world with more deploys and novelty."
)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
@click.option("--data", type=click.Path(exists=True, file_okay=False), help="A folder with a recorded set instead.")
@click.option(
    "--learn", type=click.Path(exists=True, file_okay=False), help="With --data: learn from this folder instead."
)
@click.option("--plot", type=Picture(), help="Write the picture (PNG or SVG) here.")
@list_options
@click.pass_context
def evaluate(
    ctx: click.Context,
    data: str | None,
    learn: str | None,
    plot: str | None,
    as_json: bool,
    as_csv: bool,
    **how: Any,
) -> None:
    """Measure recall, false alarms, reviews, precision, calibration and delay of the label.

    Seeds, and four attack families, have been seen by no fit. Brackets are 95 % intervals over deployments.

    \b
    Example:
      driftline lab evaluate --seeds 20 --plot label.png
      driftline lab evaluate --data ../shared/data/adfa-ld
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if data is not None:
        from console.cli.lab_data import evaluate_data

        _refuse_others(ctx)
        evaluate_data(data, learn, as_json=as_json, as_csv=as_csv)
        return
    if learn is not None:
        raise click.UsageError("--learn belongs to --data")
    found = _simulated(**how)
    if as_json:
        emit_json(found.plain())
    elif as_csv:
        emit_csv(_flat(found), COLUMNS)
    else:
        _show(found)
    if plot:
        from console.cli.lab_plot import draw

        draw(found, Path(plot))


def _refuse_others(ctx: click.Context) -> None:
    """What belongs to simulated fleets means nothing for a recorded set."""
    given = [
        p.opts[-1]
        for p in ctx.command.params
        if p.name not in OF_DATA and ctx.get_parameter_source(str(p.name)) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"a recorded set has no {', '.join(given)}; leave that out, or --data")


def _simulated(
    *,
    seeds: int,
    first_seed: int,
    deployments: int,
    days: int,
    families: str | None,
    stealth: str,
    shift: str,
    workers: int,
) -> Evaluation:
    from classifier.lab.evaluate import evaluate as measure
    from classifier.lab.simulate import FAMILIES, Plan

    chosen = tuple(families.split(",")) if families else FAMILIES
    if unknown := sorted(set(chosen) - set(FAMILIES)):
        raise click.UsageError(f"no such attack family: {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    levels = stealth.split(",")
    if not set(levels) <= {"0", "1", "2"}:
        raise click.UsageError("stealth levels are 0, 1 and 2")
    plan = Plan(0, deployments=deployments, days=days, families=chosen, stealth=tuple(map(int, levels)), shift=shift)
    with working("deployments", seeds * deployments) as progress:
        return measure(
            plan,
            range(first_seed, first_seed + seeds),
            workers=workers,
            progress=lambda done, of: progress(done),
            clock=time.monotonic,
        )


def _show(e: Evaluation) -> None:
    from classifier.lab import score
    from classifier.lab.evaluate import BUDGET, by_family, by_type, overall

    windows = sum(o.windows for o in e.outcomes)
    say(
        f"{e.months:.0f} deployment-months, {windows:,} windows, {e.seconds:.0f} s, weights {e.weights.version}",
        style="bold",
    )
    emit_table(["figure", "value", "95 %", "of"], [[n, *_figure(f)] for n, f in overall(e.outcomes).items()])
    say("\nRisky recall by attack family and stealth (* never seen by the fit)", style="bold")
    columns = ["stealth 0", "stealth 1", "stealth 2", "recall", "with review"]
    rows = [
        [r["family"] + (" *" if r["unseen"] else ""), *(_short(r[c]) for c in columns)] for r in by_family(e.outcomes)
    ]
    emit_table(["family", *columns], rows)
    say("\nBy type of workload; false risky and idle reviews a deployment-month", style="bold")
    kinds = ["recall", "with review", "false risky", "idle reviews", "evolution precision"]
    emit_table(["type", *kinds], [[r["type"], *(_short(r[c]) for c in kinds)] for r in by_type(e.outcomes)])
    delays = e.plain()["seconds_to_risky"]
    say(f"\nSeconds from the first act to risky: median {delays['median']}, p95 {delays['p95']} of {delays['n']}")
    error, bins = score.calibration(e.outcomes)
    say(f"Calibration of the risky probability: expected error {error:.4f}", style="bold")
    emit_table(
        ["from", "predicted", "observed", "causes"],
        [[f"{b.low:.1f}", f"{b.predicted:.3f}", f"{b.observed:.3f}", str(b.n)] for b in bins],
    )
    say("\nSimpler rules on the same causes (recall of causes, not of whole attacks)", style="bold")
    names = ["rule", "recall", "reviewed", "false_risky", "reviews", "precision"]
    emit_table(names, [[_word(r.plain()[n]) for n in names] for r in e.baselines()])
    say(f"\nRecall of causes by the posterior alone at {BUDGET} false risky a deployment-month", style="bold")
    emit_table(["signals", "recall"], [[n, f"{v:.3f}"] for n, v in e.ablations()])


def _flat(e: Evaluation) -> Iterator[dict[str, Any]]:
    """One row a figure."""
    told = e.plain()
    yield from ({"table": "overall", "row": "all", "figure": name} | f for name, f in told["overall"].items())
    for table, key in (("by_family", "family"), ("by_type", "type")):
        for row in told[table]:
            figures = {name: f for name, f in row.items() if isinstance(f, dict)}
            yield from ({"table": table, "row": row[key], "figure": name} | f for name, f in figures.items())


def _figure(f: Figure) -> list[str]:
    return ["-", "-", "0"] if not f.n else [f"{f.value:.3f}", f"[{f.low:.3f}, {f.high:.3f}]", str(f.n)]


def _short(f: Figure) -> str:
    return f"{f.value:.2f} ({f.n})" if f.n else "-"


def _word(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:.3f}"
