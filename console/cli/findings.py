"""Findings for people: a table of many, or one with everything a sceptic needs to check it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from console.cli.answers import rows
from console.cli.failure import Failure
from console.cli.output import COLOURS, emit_list, emit_table, moment, say

if TYPE_CHECKING:
    from classifier.drift.finding import Finding
    from console.cli.configured import Asked

Values = Mapping[str, Any]
COLUMNS = {
    "id": "id",
    "label": "label",
    "severity": "severity",
    "when": "first seen",
    "workload": "workload",
    "title": "what",
    "rests_on": "deploy",
    "state": "state",
}
SIGNALS = {
    "deploy_correlation": "deploy correlation",
    "pattern_continuity": "pattern continuity",
    "resource_bounds": "resource bounds",
}
HOLDS = {True: "holds", False: "fails", None: "cannot be told"}
EVIDENCE = 20  # events that are shown in full


def print_canonical(found: Iterable[Finding]) -> None:
    """The canonical JSON, as UTF-8 whatever the locale is: the bytes are what people compare."""
    from classifier.drift.finding import findings_json

    click.echo(findings_json(found).encode(), nl=False)


def plain(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as plain values."""
    from classifier.drift.finding import finding_to_dict

    return [finding_to_dict(finding) for finding in found]


def chosen(answer: Any, label: str | None, workload: str | None) -> list[dict[str, Any]]:
    """The findings of an answer that a person asked for."""
    found = rows(answer, "findings")
    return [f for f in found if label in (None, f.get("label")) and workload in (None, f.get("workload"))]


def by_id(source: Asked, id: str, ask: Callable[[str], Any]) -> Any:
    """What `ask` answers about a finding that is named by its id, or by a beginning that no other id has.

    Raises:
        Failure: There is no such finding, or there are several.
    """
    try:
        return ask(id)
    except Failure as e:
        whole = _whole(source, id)
        if whole is None:
            raise e
        return ask(whole)


def _whole(source: Asked, begin: str) -> str | None:
    """The id that begins so; None: none does, or nobody can tell."""
    try:
        known = [str(f.get("id")) for f in rows(source.get("findings"), "findings")]
    except Failure:
        return None
    found = [id for id in known if begin and id.startswith(begin) and id != begin]
    if len(found) > 1:
        raise Failure(f"{len(found)} findings begin with {begin}", "give more of the id")
    return found[0] if found else None


def print_list(found: Iterable[Values], *, as_json: bool = False, as_csv: bool = False) -> None:
    """Many findings, one a line."""
    if as_json and not as_csv:
        emit_list(list(found), COLUMNS, as_json=True)
        return
    shown = [{**f, "when": moment(f.get("opened")), "rests_on": f.get("deploy") or "none"} for f in found]
    emit_list(shown, COLUMNS, as_json=as_json, as_csv=as_csv, empty="no findings")


def print_one(found: Values, events: Iterable[Values] = ()) -> None:
    """One finding: label, signals, deploy, deviations, evidence."""
    label = str(found.get("label"))
    say(f"{found.get('id')}  {label}  {found.get('severity')}", style=COLOURS.get(label, ""))
    say(str(found.get("title")))
    say(f"workload   {found.get('workload')}")
    say(f"seen       {moment(found.get('opened'))} to {moment(found.get('updated'))}, {found.get('count')} times")
    say(f"replicas   {found.get('replicas')}, revisions {', '.join(found.get('revisions') or ()) or 'unknown'}")
    say(f"because    {found.get('because')}")
    say(f"state      {found.get('state')}" + (f", for {found['owner']} to decide" if found.get("owner") else ""))
    if found.get("partial"):
        say("partial    something was lost in its windows")
    _signals(found.get("signals") or {})
    _deploy(found)
    _deviations(found.get("deviations") or ())
    _history(found.get("history") or ())
    _evidence(found.get("evidence") or (), events)


def evidence(source: Asked, found: Values) -> list[dict[str, Any]]:
    """The events behind a finding that the store still has."""
    from console.cli.failure import Failure

    events = []
    for id in (found.get("evidence") or ())[:EVIDENCE]:
        try:
            events.append(source.get("events", id))
        except Failure:  # retention has removed it; its id is still shown
            continue
    return events


def _heading(text: str) -> None:
    click.echo()
    say(text)


def _signals(signals: Values) -> None:
    _heading("Signals")
    for key, name in SIGNALS.items():
        signal = signals.get(key) or {}
        say(
            f"  {name:<18}  {HOLDS[signal.get('holds')]:<14}  {_number(signal.get('value'))}  {signal.get('words', '')}"
        )


def _number(value: Any) -> str:
    return f"{value:+8.2f}" if isinstance(value, int | float) else f"{'-':>8}"


def _deploy(found: Values) -> None:
    _heading("Deploy")
    say(f"  rests on {found['deploy']}" if found.get("deploy") else f"  none: {found.get('why_no_deploy')}")


def _deviations(deviations: Iterable[Values]) -> None:
    _heading("Deviations")
    headings = ("behaviour", "why", "severity", "technique", "count", "replicas", "out", "in", "lineage")
    keys = ("behaviour", "why", "severity", "technique", "count", "replicas", "bytes_out", "bytes_in", "lineage")
    emit_table(headings, ([d.get(key) for key in keys] for d in deviations))


def _history(history: Iterable[Values]) -> None:
    versions = list(history)
    if len(versions) < 2:
        return
    _heading("History")
    for v in versions:
        say(f"  {v.get('version')}  {moment(v.get('time'))}  {v.get('label')}  {v.get('because')}")


def _evidence(ids: Iterable[str], events: Iterable[Values]) -> None:
    _heading("Evidence")
    known = {event.get("id"): event for event in events}
    for id in ids:
        event = known.get(id)
        say(f"  {id}  {_event(event)}" if event else f"  {id}")


def _event(event: Values) -> str:
    data = event.get("data") or {}
    words = " ".join(f"{name}={value}" for name, value in sorted(data.items()))
    return f"{moment(event.get('time'))} {event.get('kind')} {event.get('behaviour') or ''} {words}".rstrip()
