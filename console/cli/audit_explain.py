"""`driftline audit explain`: a minute of a workload from a trace or from the running classifier, for people."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.configured import control, refuse_of_trace, settings, traced
from console.cli.failure import Failure
from console.cli.output import emit_table, moment, note, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guard.audit.ledger import Kept
    from wire.records import Record

LISTED = 40
LATER = 300.0  # seconds behind a moment after which its findings are told
ROWS = 3600.0  # seconds around a moment in which rows are looked for


def told(
    ctx: click.Context, workload: str, at: float, folder: str | None, *, trace: str | None, policy: str | None,
    time_scale: float | None, salvage: bool,
) -> dict[str, Any]:  # fmt: skip
    """What is known of a minute."""
    if trace is None:
        refuse_of_trace(policy, time_scale, salvage)
        found = _live(ctx, workload, at)
    else:
        found = _counted(traced(trace, salvage=salvage), workload, at, policy or "default", time_scale)
    return {
        "workload": workload,
        "at": at,
        **found,
        "rows": _rows(ctx, workload, at, folder, asked_for=folder is not None),
    }


def _counted(
    records: Iterable[Record], workload: str, at: float, policy: str, time_scale: float | None
) -> dict[str, Any]:
    """The minute counted again from a trace, against the envelope as it was then."""
    from classifier.envelope.view import shown as view
    from classifier.pipeline import Pipeline
    from console.cli.policies import named
    from console.cli.records import time_of
    from guard.audit import explain
    from wire.records import Identity, Window

    pipeline, owners, windows = Pipeline(named(policy, time_scale)), {}, []
    envelope = None
    for record in records:
        if (
            envelope is None
            and time_of(record) > at + explain.HALF
            and (now := pipeline.envelope(workload)) is not None
        ):
            envelope = view(now)
        if isinstance(record, Identity) and record.workload is not None:
            owners[record.replica] = record.workload
        if isinstance(record, Window) and explain.within([record], at):
            windows.append(record)
        if time_of(record) > at + LATER and envelope is not None:
            break
        pipeline.feed(record)
    if envelope is None:
        now = pipeline.envelope(workload)
        if now is None:
            raise Failure(f"the trace holds no workload {workload}", 'see "driftline workload list --trace FILE"')
        envelope = view(now)
    mine = [f for f in pipeline.findings() if f.workload == workload]
    seen = [w for w in windows if owners.get(w.replica) == workload]
    uses = explain.used(seen, envelope, explain.deviating(mine, at))
    return {
        "counted": True,
        "uses": [asdict(use) for use in uses],
        "explained": explain.share(uses),
        "envelope": {name: envelope[name] for name in ("state", "because", "digest")},
    }


def _live(ctx: click.Context, workload: str, at: float) -> dict[str, Any]:
    from guard.audit import explain

    envelope = control(ctx).get("envelopes", workload)
    return {
        "counted": False,
        "known": explain.known_then(envelope, at),
        "envelope": {name: envelope[name] for name in ("state", "because", "digest")},
    }


def _rows(ctx: click.Context, workload: str, at: float, folder: str | None, *, asked_for: bool) -> list[dict[str, Any]]:
    """Rows of the hour around it: findings of the workload, and whatever concerns every workload."""
    from guard.audit.ledger import Ledger, LedgerError

    try:
        ledger = Ledger(Path(folder) if folder else settings(ctx).audit_dir)
    except LedgerError:
        if asked_for:
            raise
        return []
    try:
        return [_brief(row) for row in ledger.between(workload, at - ROWS, at + ROWS)]
    finally:
        ledger.close()


def _brief(row: Kept) -> dict[str, Any]:
    value = row.value
    words = value.get("words") or (value.get("finding") or {}).get("title") or "past its retention"
    return {
        "id": row.id,
        "time": value.get("time"),
        "kind": value.get("kind"),
        "what": value.get("what"),
        "words": words,
    }


def shown(found: dict[str, Any]) -> None:
    """A minute for people."""
    e = found["envelope"]
    say(f"{found['workload']}, the minute around {moment(found['at'])}")
    say(f"envelope {e['digest']}: {e['state']}, {e['because']}")
    if found["counted"]:
        _uses(found)
    else:
        note("a running classifier keeps no counts of past minutes; with --trace they are counted again")
        rows = ([r["behaviour"], r["state"], r["count"], r["days"]] for r in found["known"][:LISTED])
        emit_table(("behaviour", "state", "seen", "days"), rows)
    for row in found["rows"]:
        say(f"{row['id']}  {moment(row['time'])}  {row['kind']} {row['what']}: {row['words']}")
    if not found["rows"]:
        say("no row of the trail speaks of the hour around it")


def _uses(found: dict[str, Any]) -> None:
    uses = found["uses"]
    if found["explained"] is None:
        say("nothing was observed in this minute")
        return
    say(f"{found['explained']:.1%} of {sum(u['count'] for u in uses)} uses are explained by the envelope")
    columns = ("behaviour", "count", "out", "in", "explained", "because")
    rows = ([u["behaviour"], u["count"], u["bytes_out"], u["bytes_in"], "yes" if u["explained"] else "no", u["because"]]
            for u in uses[:LISTED])  # fmt: skip
    emit_table(columns, rows)
    if uses[LISTED:]:
        say(f"and {len(uses) - LISTED} more; --json lists them")
