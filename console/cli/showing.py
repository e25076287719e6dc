"""One finding for people: label and probability, signals, deploys, replicas, terms, history, records, what would change it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import click

from console.cli.fold import tell, width
from console.cli.output import COLOURS, emit_table, moment, say
from console.report.words import (
    HOLDS,
    considered,
    otherwise,
    own_probability,
    own_reading,
    placement,
    probability,
    reason,
    record,
    rule,
    seen,
    signals,
    sure,
    waiting,
)

Values = Mapping[str, Any]
LISTED = 20  # records in the short form
RECORD = 200  # characters of a record's line
REPLICAS = 24  # rows
TERMS = 12
WIDE = 100  # columns that a table of deviations needs
RULE = re.compile(r"(?:expected_evolution|risky_drift|needs_review) \(\w+\) by (.*)$", re.DOTALL)


def print_one(found: Values, events: Iterable[Values] = (), replicas: Iterable[Values] = (), *, whole: bool = False):
    """One finding: label and probability, signals, deploys, replicas, terms, history, records, what would change it."""
    _head(found)
    _signals(found)
    _deploys(found)
    _replicas(found, list(replicas))
    _terms(found.get("terms") or ())
    _deviations(found.get("deviations") or ())
    _history(found.get("history") or ())
    _evidence(found.get("evidence") or (), events, whole=whole)
    _heading("What would change the label")
    for words in otherwise(found):
        tell(words, begin="  - ")


def _head(found: Values) -> None:
    label = str(found.get("label"))
    own = sure(label, own_reading(found), own_probability(found))
    begin = f"{found.get('id')}  {label}" + (f"  probability {own}" if own else "")
    say(f"{begin}  {found.get('severity')}", style=COLOURS.get(label, ""))
    tell(str(found.get("title")))
    facts = {
        "posterior": probability(found),
        "workload": str(found.get("workload")),
        "seen": "{} to {}, {} times".format(*map(moment, seen(found)), found.get("count")),
        "replicas": f"{found.get('replicas')}, revisions {', '.join(found.get('revisions') or ()) or 'unknown'}",
        "magnitude": str(found.get("magnitude") or ""),
        "change": _attribution(found),
        "rule": rule(found),
        "state": waiting(str(found.get("state")), str(found.get("owner") or ""), found.get("review_until")),
        "partial": "something was lost in its windows" if found.get("partial") else "",
    }
    for name, words in facts.items():
        if words:
            tell(words, begin=f"{name:<9}  ")


def _attribution(found: Values) -> str:
    kind, why = found.get("attribution"), found.get("attribution_because")
    return f"{kind}" + (f": {why}" if why else "") if kind and (why or kind != "unknown") else ""


def _heading(text: str) -> None:
    click.echo()
    tell(text)


def _signals(found: Values) -> None:
    _heading("Signals")
    for name, holds, value, words in signals(found):
        tell(words, begin=f"  {name:<18}  {HOLDS[holds]:<14}  {_number(value)}  ", indent=4)


def _number(value: Any) -> str:
    return f"{value:+8.2f}" if isinstance(value, int | float) else f"{'-':>8}"


def _deploys(found: Values) -> None:
    _heading("Deploy events considered")
    told, said = considered(found), [words for *_, words in signals(found)]
    for c in told:
        verdict = "explains it" if c.get("explains") else "rejected"
        begin = f"  {c.get('deploy')}  {c.get('kind')}  {moment(c.get('time'))}  {verdict}  {_number(c.get('value'))}  "
        tell(reason(c, said), begin=begin, indent=4)
    if found.get("deploy") and not told:
        say(f"  rests on {found['deploy']}")
    elif not found.get("deploy"):
        tell(f"none: {found.get('why_no_deploy')}", begin="  ")


def _replicas(found: Values, replicas: list[Values]) -> None:
    counted = placement(found)
    if not counted and not replicas:
        return
    _heading("Old and new replicas side by side")
    if counted:
        tell(counted, begin="  ")
    for words in _sides(replicas):
        tell(words, begin="  ")
    if replicas:
        shown = ([r.get("replica"), r.get("revision"), r.get("saw"), r.get("hours")] for r in replicas[:REPLICAS])
        emit_table(("replica", "revision", "", "hours watched"), shown)
    if replicas[REPLICAS:]:
        say(f"  and {len(replicas) - REPLICAS} more; --json lists them")


def _sides(replicas: list[Values]) -> Iterable[str]:
    """One line a revision, the oldest first."""
    by_revision: dict[str, list[str]] = {}
    for r in sorted(replicas, key=lambda r: r.get("start") or 0.0):
        by_revision.setdefault(str(r.get("revision") or "unknown"), []).append(str(r.get("saw")))
    for revision, answers in by_revision.items():
        unknown = f", {answers.count('unknown')} unknown" if "unknown" in answers else ""
        yield f"revision {revision}: {answers.count('saw it')} of {len(answers)} saw it{unknown}"


def _terms(terms: Iterable[Values]) -> None:
    top = list(terms)[:TERMS]
    if not top:
        return
    _heading("Terms, as log odds of risky against rare but benign")
    for t in top:
        tell(str(t.get("words", "")), begin=f"  {_number(t.get('value'))}  {t.get('name')}: ", indent=4)


def _deviations(deviations: Iterable[Values]) -> None:
    _heading("Deviations")
    columns = width()
    if columns is not None and columns < WIDE:
        for d in deviations:
            tell(_deviation(d), begin=f"  {d.get('behaviour')}  ", indent=4)
        return
    headings = ("behaviour", "why", "severity", "technique", "count", "replicas", "out", "in", "lineage")
    keys = ("behaviour", "why", "severity", "technique", "count", "replicas", "bytes_out", "bytes_in", "lineage")
    emit_table(headings, ([d.get(key) for key in keys] for d in deviations))


def _deviation(d: Values) -> str:
    """One as a sentence, where a table has no room."""
    times = f"{d.get('why')}, {d.get('count')} times on {d.get('replicas')} replicas by {d.get('lineage') or 'unknown'}"
    return f"{times}, {d.get('bytes_out')} bytes out, {d.get('bytes_in')} in, {d.get('technique')}"


def _history(history: Iterable[Values]) -> None:
    versions = list(history)
    if len(versions) < 2:
        return
    _heading("History")
    print_history(versions)


def print_history(versions: Iterable[Values]) -> None:
    """Every label a finding had, with the rule or the person that gave it."""
    for v in versions:
        begin = f"  {v.get('version')}  {moment(v.get('time'))}  {v.get('label')}  "
        tell(_brief(str(v.get("because"))), begin=begin, indent=4)


def _brief(because: str) -> str:
    """Of a label that the classifier gave, its rule; what a person or time decided stays as it is."""
    found = RULE.search(because)
    return found[1] if found else because


def _evidence(ids: Iterable[str], events: Iterable[Values], *, whole: bool) -> None:
    _heading("Records")
    known = {event.get("id"): event for event in events}
    every = list(ids)
    if not every:
        say("  none was kept")
    for id in every[: None if whole else LISTED]:
        event = known.get(id)
        tell(record(event, limit=None if whole else RECORD) if event else "", begin=f"  {id}  " if event else f"  {id}")
        if event and whole:
            _whole_record(event)
    if not whole and every[LISTED:]:
        say(f"  and {len(every) - LISTED} more; --records prints all of them whole")


def _whole_record(event: Values) -> None:
    for name, value in sorted(event.items()):
        if name not in ("id", "time", "kind", "behaviour", "data"):
            tell(str(value), begin=f"      {name}: ")
    for name, value in sorted((event.get("data") or {}).items()):
        tell(str(value), begin=f"      data.{name}: ")
