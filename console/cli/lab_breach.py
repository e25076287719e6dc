"""`driftline lab breach`: the breach of week seven and its variants, ten seeds each, against what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from console.cli.configured import folder
from console.cli.output import emit_json, emit_table, json_option, say, working

if TYPE_CHECKING:
    from classifier.drift.finding import Finding
    from classifier.lab.breach.judged import Outcome
    from wire.records import Event

VARIANTS = ("fx1", "fx1b", "fx1c-1", "fx1c-2", "fx1d", "fx1e", "fx1e-worker", "quiet")


@click.command()
@click.option("--variant", "variants", type=click.Choice(VARIANTS), multiple=True, help="Only this; again for more.")
@click.option("--seeds", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many.")
@click.option("--first-seed", type=click.IntRange(1, 2**31), default=1, show_default=True, help="The first of them.")
@click.option("--words/--no-words", default=True, show_default=True, help="With what the agent says, or without.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
@click.option("-o", "--output", type=click.Path(file_okay=False), help="Folder for a trace of each.")
@json_option
def breach(
    variants: tuple[str, ...],
    seeds: int,
    first_seed: int,
    words: bool,
    workers: int,
    output: str | None,
    as_json: bool,
) -> None:
    """Judge the breach of week seven and its variants, and hold the labels against what was expected.

    Seconds are from the first byte that left to the label. A trace is replayed by "driftline trace replay".

    \b
    Example:
      driftline lab breach --variant fx1b --seeds 10
      driftline lab breach --variant fx1 --seeds 1 -o traces
    """
    from classifier.lab.breach.judged import Job
    from classifier.lab.breach.table import outcomes, rows

    place = str(folder(output)) if output else ""
    chosen = [v for v in VARIANTS if v in variants or not variants]
    jobs = [Job(v, s, words, place, trigger) for v in chosen for s in range(first_seed, first_seed + seeds)]
    found = []
    with working("judging", len(jobs)) as progress:
        for n, one in enumerate(outcomes(jobs, workers), 1):
            found.append(one)
            progress(n)
    if as_json:
        emit_json({"words": words, "variants": rows(found), "outcomes": [asdict(o) for o in found]})
        return
    _show(rows(found), found, words=words)


def trigger(finding: Finding, events: Sequence[Event]) -> tuple[str, str]:
    """State and excerpt of what set a finding off."""
    from classifier.drift.finding import finding_to_dict
    from classifier.links.road import of_list, road

    found, _ = road(finding_to_dict(finding), *of_list(events))
    return found.state, found.chain.trigger.excerpt


def _show(rows: list[dict[str, Any]], found: list[Outcome], *, words: bool) -> None:
    heads = ["variant", "expected", "got", "right", "seconds", "slowest", "ticket named", "other risky", "reviews"]
    emit_table(heads, [_line(r) for r in rows])
    if not words:
        say("\nWithout the agent's words: which ticket it was is not captured.")
    for o in found:
        if o.verdict == "undecidable" or not o.right or o.others:
            more = "".join(f"; also risky: {title}" for title in o.others)
            say(f"\n{o.variant}, seed {o.seed}: {o.verdict}. {o.because[:400]}{more}")


def _line(r: dict[str, Any]) -> list[str]:
    got = ", ".join(f"{label} {n}" for label, n in r["got"].items())
    named = "-" if r["named"] is None else f"{r['named']}/{r['seeds']}"
    return [
        r["variant"], r["expected"], got, f"{r['right']}/{r['seeds']}", _seconds(r["seconds"]), _seconds(r["slowest"]), named,
        str(r["others"]), str(r["reviews"]),
    ]  # fmt: skip


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
