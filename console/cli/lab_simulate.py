"""`driftline lab simulate`: a fleet that never was, as a trace with its truth or as a table of what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from console.cli.configured import Number, Output
from console.cli.output import emit_json, emit_list, list_options, moment, say, track, working

if TYPE_CHECKING:
    from classifier.lab.simulate import Plan
    from classifier.lab.truth import Truth

COLUMNS = {
    "when": "start",
    "hours": "hours",
    "workload": "workload",
    "kind": "kind",
    "family": "family",
    "stealth": "stealth",
    "replicas": "replicas",
    "deploy": "deploy",
    "behaviours": "behaviours",
}
SHOWN = 3  # behaviours of a row


class Some(click.ParamType):
    """Some of a set of words, separated by commas."""

    name = "LIST"

    def __init__(self, choose: str) -> None:
        self._choose = choose

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """The chosen ones, in the order of the set."""
        from classifier.lab.simulate import FAMILIES

        every = {"families": {f: f for f in FAMILIES}, "stealth": {"0": 0, "1": 1, "2": 2}}[self._choose]
        wanted = [w.strip() for w in value.split(",")]
        unknown = sorted({w for w in wanted if w not in every})
        if unknown:
            self.fail(f"unknown: {', '.join(unknown)}; there are {', '.join(every)}", param, ctx)
        return tuple(every[w] for w in every if w in wanted)


@click.command()
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, show_default=True, help="Of the world and its fleet.")
@click.option("--deployments", type=click.IntRange(1, 256), default=4, show_default=True, help="How many.")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="Days that are judged.")
@click.option("--learn-days", type=click.IntRange(2, 90), default=14, show_default=True, help="Days before them.")
@click.option(
    "--attacks", type=Number(0, 100), default=1.0, show_default=True, help="Expected in a deployment and 30 days."
)
@click.option("--families", type=Some("families"), help="Only these families of attacks, separated by commas.")
@click.option("--stealth", type=Some("stealth"), help="Only these levels of stealth, such as 0,1.")
@click.option(
    "--shift",
    type=click.Choice(["none", "busy"]),
    default="none",
    show_default=True,
    help="A world that differs: busy has more deploys and more novelty.",
)
@click.option("-o", "--output", type=Output(), help="Trace to write; without it a table of what happened.")
@click.option("--truth", "answer", type=Output(), help="JSON file for what really happened.")
@list_options
def simulate(output: str | None, answer: str | None, as_json: bool, as_csv: bool, **wanted: Any) -> None:
    """Simulate a fleet of deployments with rollouts, accidents and attacks.

    \b
    Example:
      driftline lab simulate --seed 7 --deployments 4 -o fleet.trace --truth truth.json
    """
    from classifier.lab.fleet import fleet

    if as_csv and output:
        raise click.UsageError("--csv is for the table; a trace has a summary, as --json")
    plan = _plan(wanted)
    with working("planning", plan.deployments) as progress:
        records, truths = fleet(plan, progress)
    if answer:
        _write_truth(answer, truths)
    if output is None:
        emit_list(_rows(truths, whole=as_json), COLUMNS, as_json=as_json, as_csv=as_csv, empty="nothing happened")
        return
    summary = {"trace": output, "records": _write(output, records)} | _counts(truths)
    emit_json(summary) if as_json else say(", ".join(f"{name} {value}" for name, value in summary.items()))


def _plan(wanted: dict[str, Any]) -> Plan:
    from classifier.lab.simulate import Plan

    return Plan(**{name: value for name, value in wanted.items() if value is not None})


def _write(output: str, records: Any) -> int:
    from wire.trace import Writer

    with Writer(output) as writer:
        for record in track(records, "writing"):
            writer.add(record)
        return writer.records


def _write_truth(answer: str, truths: list[Truth]) -> None:
    import json
    from pathlib import Path

    from classifier.lab.truth import plain

    Path(answer).write_text(json.dumps([plain(t) for t in truths], indent=1, sort_keys=True) + "\n")


def _counts(truths: list[Truth]) -> dict[str, int]:
    facts = [f for f, _ in _judged(truths)]
    return {kind: sum(f.kind == kind for f in facts) for kind in ("evolution", "benign", "risky")}


def _judged(truths: list[Truth]) -> list[tuple[Any, Truth]]:
    """Facts that begin in the days that are judged, and attacks that go on in them."""
    return [(f, t) for t in truths for f in t.facts if (f.end if f.kind == "risky" else f.start) >= t.judged_from]


def _rows(truths: list[Truth], *, whole: bool) -> list[dict[str, Any]]:
    """A row for each fact of the judged days, by time; as a whole, the truth of each deployment."""
    from classifier.lab.truth import plain

    if whole:
        return [plain(t) for t in truths]
    return [_row(f) for f, _ in sorted(_judged(truths), key=lambda pair: (pair[0].start, pair[0].workload))]


def _row(fact: Any) -> dict[str, Any]:
    more = len(fact.behaviours) - SHOWN
    return {
        "when": moment(fact.start),
        "hours": f"{(fact.end - fact.start) / 3600:.1f}",
        "workload": fact.workload,
        "kind": fact.kind,
        "family": fact.family,
        "stealth": fact.stealth if fact.kind == "risky" else None,
        "replicas": len(fact.replicas),
        "deploy": fact.deploy or None,
        "behaviours": " ".join(fact.behaviours[:SHOWN]) + (f" and {more} more" if more > 0 else ""),
    }
