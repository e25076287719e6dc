"""Findings as a list for people, one by its id, and what belongs to it; `showing` prints one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from console.cli.answers import rows
from console.cli.failure import Failure
from console.cli.output import emit_list, moment

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
EVIDENCE = 20  # events that are asked for


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


def evidence(source: Asked, found: Values, *, every: bool = False) -> list[dict[str, Any]]:
    """The events behind a finding that the store still has."""
    events = []
    for id in (found.get("evidence") or ())[: None if every else EVIDENCE]:
        try:
            events.append(source.get("events", id))
        except Failure:  # retention has removed it; its id is still shown
            continue
    return events


def side_by_side(source: Asked, id: str) -> list[dict[str, Any]]:
    """The replicas of a finding; none where the classifier has forgotten them or is too old to tell."""
    try:
        return rows(source.get("findings", id, "replicas"), "replicas")
    except Failure:
        return []
