"""`driftline envelope`: show, diff, converge, sign."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from console.cli.configured import Asked, asked, asking_for_many
from console.cli.envelope_converge import converge
from console.cli.envelope_parts import PARTS, rows_of
from console.cli.envelope_sign import sign
from console.cli.failure import Failure
from console.cli.output import emit_json, emit_list, emit_table, moment, say

LIMIT = 256 << 20  # bytes of a saved envelope
BEHAVIOURS = {
    "behaviour": "behaviour",
    "state": "state",
    "count": "count",
    "days": "days",
    "replicas": "replicas",
    "revisions": "revisions",
    "seen": "last seen",
    "severity": "severity",
}
CHANGES = {"change": "change", "behaviour": "behaviour", "left": "left", "right": "right"}
TIMES = ("first", "last", "valid_until")
LISTS = ("behaviours", "convergence", "ledger", "revisions", "syscalls")


@click.group()
def envelope() -> None:
    """Show and compare what is normal for workloads.

    \b
    Example:
      driftline envelope show unit:agent.service
    """


envelope.add_command(converge)
envelope.add_command(sign)


@envelope.command()
@click.argument("workload")
@click.option("--by-revision", "part", flag_value="revisions", help="List what each revision showed.")
@click.option("--by-dimension", "part", flag_value="dimensions", help="List the state of each dimension, and why.")
@click.option("--ageing", "part", flag_value="ageing", help="List last sight, weight and expiry of each behaviour.")
@click.option("--sign-off", "part", flag_value="sign_off", help="List what a person should confirm.")
@click.option("--low-confidence", "part", flag_value="low_confidence", help="List what too few have shown so far.")
@asking_for_many
def show(ctx: click.Context, workload: str, part: str | None, as_json: bool, as_csv: bool, **where: Any) -> None:
    """Show an envelope: its state with the reason, and every behaviour that it holds.

    \b
    Example:
      driftline envelope show lab/shop/Deployment/cart/cart --json > cart.json
    """
    found = asked(ctx, **where).get("envelopes", workload)
    if part:
        emit_list(rows_of(found, part), PARTS[part], as_json=as_json, as_csv=as_csv, empty="nothing of that kind")
        return
    if as_json and not as_csv:
        emit_json(found)
        return
    rows = [b | {"seen": moment(b.get("last"))} for b in found.get("behaviours", [])]
    if not as_csv:
        emit_table(("what", "value"), _summary(found))
        click.echo()
    emit_list(rows, BEHAVIOURS, as_json=as_json, as_csv=as_csv, empty="it holds no behaviour yet")


@envelope.command()
@click.argument("left")
@click.argument("right")
@asking_for_many
def diff(ctx: click.Context, left: str, right: str, as_json: bool, as_csv: bool, **where: Any) -> None:
    """Compare two envelopes; each is a workload, or a file that `envelope show --json` wrote.

    \b
    Example:
      driftline envelope diff cart-monday.json lab/shop/Deployment/cart/cart
    """
    source = asked(ctx, **where)
    rows = compared(_envelope(source, left), _envelope(source, right))
    emit_list(rows, CHANGES, as_json=as_json, as_csv=as_csv, empty="no difference")
    if rows and not as_json and not as_csv:
        say(f"{sum(r['change'] == 'added' for r in rows)} added, {sum(r['change'] == 'removed' for r in rows)} removed")


def compared(left: dict[str, Any], right: dict[str, Any]) -> list[dict[str, Any]]:
    """Behaviours that only one envelope holds, or that stand differently in them.

    >>> compared({"behaviours": []}, {"behaviours": [{"behaviour": "syscall:bpf", "state": "admitted"}]})
    [{'change': 'added', 'behaviour': 'syscall:bpf', 'left': None, 'right': 'admitted'}]
    """
    a, b = _states(left), _states(right)
    return [
        {"change": _change(a.get(name), b.get(name)), "behaviour": name, "left": a.get(name), "right": b.get(name)}
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name)
    ]


def _states(found: dict[str, Any]) -> dict[str, str]:
    calls = {f"syscall:{c}" if isinstance(c, str) else f"syscall:#{c}": "made" for c in found.get("syscalls", [])}
    return calls | {b["behaviour"]: b.get("state") or "known" for b in found.get("behaviours", [])}


def _change(left: str | None, right: str | None) -> str:
    if left is None:
        return "added"
    return "removed" if right is None else "changed"


def _envelope(source: Asked, name: str) -> dict[str, Any]:
    """A workload's envelope from the classifier, or a saved one where such a file exists."""
    file = Path(name)
    if not file.is_file():
        return source.get("envelopes", name)
    if file.stat().st_size > LIMIT:
        raise Failure(f"{name}: larger than {LIMIT >> 20} MiB", 'give a file that "envelope show --json" wrote')
    try:
        found = json.loads(file.read_bytes())
        _states(found)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise Failure(f"{name}: not an envelope", 'write one with "driftline envelope show --json"') from None
    return found


def _summary(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """What fits a line each, times in words and long lists as their length."""
    rows: list[tuple[str, Any]] = []
    for name, value in found.items():
        if name in TIMES:
            rows.append((name, moment(value)))
        elif name in LISTS:
            rows.append((name, len(value)))
        else:
            rows.append((name, value))
    return rows
