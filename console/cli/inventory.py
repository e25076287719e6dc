"""`driftline inventory`: show, diff, changes, discover, check, capmap, export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.answers import rows
from console.cli.configured import EXISTING, Output, asked, asking, asking_for_many, tell_trouble
from console.cli.failure import FAILED, ONLY_DECLARED, Failure
from console.cli.instant import NOW, Instant
from console.cli.output import emit_json, emit_list, emit_table, moment, note, say

if TYPE_CHECKING:
    from classifier.inventory.history import History

LIMIT = 4 << 20  # bytes of a manifest
ITEMS = {
    "kind": "kind",
    "name": "name",
    "version": "version",
    "basis": "basis",
    "from": "since",
    "seen": "last seen",
    "replicas": "replicas",
    "place": "place",
    "details": "details",
    "evidence": "evidence",
}
CHANGES = {
    "change": "change",
    "kind": "kind",
    "name": "name",
    "version": "version",
    "before": "before",
    "when": "time",
    "basis": "basis",
    "evidence": "evidence",
}
FOUND = {"workload": "workload", "state": "state", "reasons": "why", "proposed": "class", "seen": "first seen"}
CHECKED = {
    "status": "status",
    "kind": "kind",
    "declared": "declared",
    "declared_version": "its version",
    "loaded": "loaded",
    "loaded_version": "its version ",
    "basis": "basis",
    "note": "note",
    "evidence": "evidence",
}
MAP = {
    "kind": "kind",
    "name": "name",
    "version": "version",
    "declared": "declared",
    "loaded": "loaded",
    "used": "used",
    "basis": "basis",
    "seen": "last seen",
    "evidence": "evidence",
}
AT = click.option("--at", type=Instant(), default="now", show_default=True, help="As of this moment, in UTC.")


@click.group()
def inventory() -> None:
    """Show what workloads are made of: models, frameworks, tool servers, data sources, identities.

    \b
    Example:
      driftline inventory show prod/shop/Deployment/agent/agent --at 2026-11-17T14:32
    """


@inventory.command()
@click.argument("workload")
@AT
@click.option("--all", "everything", is_flag=True, help="List libraries, too.")
@click.option("--diff", "other", type=Instant(), help="Say, too, what changed until this moment, e.g. now.")
@asking_for_many
def show(
    ctx: click.Context,
    workload: str,
    at: float,
    everything: bool,
    other: float | None,
    as_json: bool,
    as_csv: bool,
    **where: Any,
) -> None:
    """Show the inventory of a workload as of a moment, how each item is known, and what may be missing.

    \b
    Example:
      driftline inventory show prod/shop/Deployment/agent/agent --at 2026-11-17T14:32 --diff now
    """
    from classifier.inventory import moment as moments

    source, past = _history(ctx, workload, where)
    with _explained(past):
        found = moments.shown(past, _at(past, at))
        since = None if other is None else moments.difference(past, _at(past, at), _at(past, other))
    if as_json and not as_csv:
        emit_json(found if since is None else found | {"diff": since})
        return
    items = [r for r in found["items"] if everything or as_csv or r["kind"] != "library"]
    if not as_csv:
        _head(found)
    emit_list([_in_words(r) for r in items], ITEMS, as_json=as_json, as_csv=as_csv, empty="nothing was loaded or asked")
    if since is not None and not as_csv:
        say(f"\nfrom then until {moment(_at(past, other))}")
        _emit_changes(since, as_json=False, as_csv=False)
    tell_trouble(source)


@inventory.command()
@click.argument("workload")
@click.option("--from", "before", type=Instant(), required=True, help="The earlier moment, in UTC.")
@click.option("--to", "after", type=Instant(), default="now", show_default=True, help="The later moment.")
@asking_for_many
def diff(
    ctx: click.Context, workload: str, before: float, after: float, as_json: bool, as_csv: bool, **where: Any
) -> None:
    """Compare the inventories of two moments.

    \b
    Example:
      driftline inventory diff prod/shop/Deployment/agent/agent --from 2026-11-17T14:32
    """
    from classifier.inventory import moment as moments

    _, past = _history(ctx, workload, where)
    with _explained(past):
        found = moments.difference(past, _at(past, before), _at(past, after))
    _emit_changes(found, as_json=as_json, as_csv=as_csv)


@inventory.command()
@click.argument("workload")
@click.option("--since", type=Instant(), help="Only what is later, in UTC.")
@asking_for_many
def changes(ctx: click.Context, workload: str, since: float | None, as_json: bool, as_csv: bool, **where: Any) -> None:
    """List what came and went, in order; restarts and rollouts alone are no change.

    \b
    Example:
      driftline inventory changes prod/shop/Deployment/agent/agent --csv
    """
    from dataclasses import asdict

    from classifier.inventory import moment as moments

    _, past = _history(ctx, workload, where)
    found = moments.changes(past, float("-inf") if since is None else _at(past, since))
    _emit_changes([asdict(c) for c in found], as_json=as_json, as_csv=as_csv)


@inventory.command()
@click.option("--all", "everything", is_flag=True, help="List what is registered or no agent, too.")
@asking_for_many
def discover(ctx: click.Context, everything: bool, as_json: bool, as_csv: bool, **where: Any) -> None:
    """List workloads that behave like agents and that nobody has pinned a class or a track for, with the reasons.

    \b
    Example:
      driftline inventory discover --json
    """
    source = asked(ctx, **where)
    found = rows(source.get("inventory"), "inventories")
    wanted = [r | {"seen": moment(r["since"])} for r in found if everything or r["state"] == "unregistered_agent"]
    emit_list(wanted, FOUND, as_json=as_json, as_csv=as_csv, empty="every agent is registered")
    tell_trouble(source)


@inventory.command()
@click.argument("workload")
@click.option("--manifest", type=EXISTING, required=True, help="What was declared, as YAML or JSON.")
@click.option("--at", type=Instant(), default="now", show_default=True, help="As of all until this moment, in UTC.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if anything differs or is not known.")
@asking_for_many
def check(
    ctx: click.Context,
    workload: str,
    manifest: str,
    at: float,
    exit_code: bool,
    as_json: bool,
    as_csv: bool,
    **where: Any,
) -> None:
    """Compare what a manifest declares with what was loaded: matched, undeclared, never loaded, unknown.

    \b
    Example:
      driftline inventory check prod/shop/Deployment/agent/agent --manifest agent.yaml
    """
    from classifier.inventory.manifest import MATCHED, ManifestError, checked

    declared = _manifest(manifest)
    past = _or_nothing(ctx, workload, where)
    try:
        found = checked(past, declared, _at(past, at))
    except ManifestError as e:
        raise Failure(*f"{manifest}: {e}".split("; ", 1)) from None
    emit_list(found, CHECKED, as_json=as_json, as_csv=as_csv, empty="nothing is declared and nothing was loaded")
    if past.since is None:
        raise Failure(
            f"nothing of {workload} was observed: every row is only declared",
            'see "driftline workload list"',
            code=ONLY_DECLARED,
        )
    if exit_code and any(r["status"] != MATCHED for r in found):
        ctx.exit(FAILED)


@inventory.command()
@click.argument("workload")
@AT
@click.option("--manifest", type=EXISTING, help="What was declared, as YAML or JSON.")
@asking_for_many
def capmap(
    ctx: click.Context, workload: str, at: float, manifest: str | None, as_json: bool, as_csv: bool, **where: Any
) -> None:
    """List what an agent can reach: destinations, tools, models, tool servers, prompts; whether declared, whether loaded.

    \b
    Example:
      driftline inventory capmap prod/shop/Deployment/agent/agent --manifest agent.yaml
    """
    from classifier.inventory import moment as moments
    from classifier.inventory.capabilities import capability_map
    from classifier.inventory.manifest import ManifestError, checked

    source, past = _history(ctx, workload, where)
    try:
        said = None if manifest is None else checked(past, _manifest(manifest), _at(past, at))
    except ManifestError as e:
        raise Failure(*f"{manifest}: {e}".split("; ", 1)) from None
    with _explained(past):
        found = moments.shown(past, _at(past, at))
    behaviours = rows(source.get("envelopes", workload), "behaviours")
    told = capability_map(found, [b for b in behaviours if b["first"] <= _at(past, at)], said)
    if as_json and not as_csv:
        emit_json({"workload": workload, "at": found["at"], "unknown": found["unknown"], "capabilities": told})
        return
    if not found["complete"] and not as_csv:
        note(f"it may be incomplete: {', '.join(found['unknown'])}")
    flags = [r | {f: _flag(r[f]) for f in ("declared", "loaded", "used")} | {"seen": moment(r["last"])} for r in told]
    emit_list(flags, MAP, as_json=False, as_csv=as_csv, empty="it reaches nothing that is known")
    tell_trouble(source)


def _flag(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


@inventory.command()
@click.argument("workload")
@AT
@click.option(
    "--format", "form", type=click.Choice(["cyclonedx"]), default="cyclonedx", show_default=True, help="What to write."
)
@click.option("--output", type=Output(), help="A file instead of stdout.")
@asking
def export(
    ctx: click.Context, workload: str, at: float, form: str, output: str | None, as_json: bool, **where: Any
) -> None:
    """Write the inventory as of a moment as a bill of materials: CycloneDX 1.6, JSON.

    \b
    Example:
      driftline inventory export prod/shop/Deployment/agent/agent --output agent.cdx.json
    """
    import json
    from importlib.metadata import version

    from classifier.inventory import moment as moments
    from classifier.inventory.cyclonedx import bom

    _, past = _history(ctx, workload, where)
    with _explained(past):
        found = moments.shown(past, _at(past, at))
    if not found["complete"]:
        note(f"it may be incomplete: {', '.join(found['unknown'])}")
    document = bom(found, version("driftline"))
    if output is None:
        emit_json(document)
        return
    Path(output).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    counts = {part: len(document[part]) for part in ("components", "services")}
    if as_json:
        emit_json({"output": output, "format": form} | counts)
    else:
        say(f"{output}: {counts['components']} components, {counts['services']} services")


# asking -------------------------------------------------------------------------------------------------------------------


def _history(ctx: click.Context, workload: str, where: dict[str, Any]) -> tuple[Any, History]:
    from classifier.inventory.view import read

    source = asked(ctx, **where)
    return source, _read(read, source.get("inventory", workload))


def _or_nothing(ctx: click.Context, workload: str, where: dict[str, Any]) -> History:
    """The history; an empty one where the workload was never seen, for then a manifest is all there is."""
    from classifier.inventory.history import History
    from classifier.inventory.view import read

    source = asked(ctx, **where)
    listed = rows(source.get("inventory"), "inventories")
    if workload not in {row.get("workload") for row in listed}:
        return History(workload, 0.0, None, None, None)
    return _read(read, source.get("inventory", workload))


def _read(read: Callable[[Any], History], answer: Any) -> History:
    try:
        return read(answer)
    except ValueError as e:
        raise Failure(f"the classifier's answer holds no inventory: {e}", "use the same version of both") from None


def _at(past: History, at: float) -> float:
    return past.now if at == NOW else at


@contextmanager
def _explained(past: History) -> Iterator[None]:
    """A moment outside of what is known is refused with what is known instead of answered with today's."""
    from classifier.inventory.moment import OutsideError

    try:
        yield
    except OutsideError as e:
        hint = f"it is known from {moment(past.kept or past.since)} to {moment(past.now)}"
        raise Failure(f"{past.workload}: {e.args[0]}", hint) from None


def _manifest(path: str) -> Any:
    import yaml

    file = Path(path)
    if file.stat().st_size > LIMIT:
        raise Failure(f"{path}: larger than {LIMIT >> 20} MiB", "give a manifest of one workload")
    try:
        return yaml.safe_load(file.read_bytes())  # JSON is YAML
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise Failure(f"{path}: neither YAML nor JSON: {str(e).splitlines()[0]}", "see docs/inventory.md") from None


# showing ------------------------------------------------------------------------------------------------------------------


def _head(found: dict[str, Any]) -> None:
    what = [("workload", found["workload"]), ("as of", moment(found["at"]))]
    what.append(("complete", "yes" if found["complete"] else f"not known: {', '.join(found['unknown'])}"))
    for run in found["replicas"][:16]:
        since = run["since"] if isinstance(run["since"], str) else f"since {moment(run['since'])}"
        what.append((f"replica {run['replica']}", f"revision {run['revision']}, {since}, {run['inventory']}"))
    if more := found["replicas"][16:]:
        what.append(("replicas", f"{len(more)} more"))
    what += [(kind, state) for kind, state in found["kinds"].items()]
    what += _words_read(found["coverage"])
    what += _telemetry(found["feed"])
    emit_table(("what", "value"), what)
    click.echo()


def _words_read(coverage: dict[str, Any]) -> list[tuple[str, str]]:
    """Whose model and tool calls are read; each process that is not, with the reason."""
    told = [("words", f"{coverage['state']}: {coverage['read']} processes read, {coverage['unread']} not")]
    for one in [p for p in coverage["processes"] if not p["read"]][:8]:
        who = f"{one['rung'].upper()} process {one['pid']}" if one["pid"] else one["rung"].upper()
        told.append((who, f"{one['image'] or 'unknown'}: {one['reason']}"))
    return told


def _telemetry(feed: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What the workload tells of itself, and where that is not what was seen."""
    if feed is None:
        return []
    told = [("telemetry", f"{feed['state']}, {feed['calls']} calls told, {feed['seen_too']} of them seen, too")]
    for one in feed["quiet"][:4]:
        told.append((f"silent: {one['replica']}", f"since {moment(one['since'])}, {one['calls']} calls seen meanwhile"))
    told += [(f"conflict: {what}", f"{count} times") for what, count in feed["conflicts"].items()]
    for one in feed["recent"][-4:]:
        seen = one["seen"] or "not what the kernel says"
        told.append(
            (f"  at {moment(one['time'])}", f"{one['what']} told: {one['told']}; seen: {seen}, known by {one['by']}")
        )
    return told


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    return row | {
        "from": moment(row["since"]),
        "seen": moment(row["last"]),
        "replicas": len(row["replicas"]),
        "details": row["more"],
        "evidence": row["evidence"][:2],
    }


def _emit_changes(found: list[dict[str, Any]], *, as_json: bool, as_csv: bool) -> None:
    in_words = [row | {"when": moment(row["time"]), "evidence": list(row["evidence"])[:4]} for row in found]
    emit_list(in_words, CHANGES, as_json=as_json, as_csv=as_csv, empty="nothing changed")
