"""`driftline inventory check` and `capmap`: what a manifest declares beside what was loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.answers import rows
from console.cli.configured import EXISTING, asking_for_many, tell_trouble
from console.cli.failure import FAILED, ONLY_DECLARED, Failure
from console.cli.instant import Instant
from console.cli.inventory_past import AT, at_of, explained, history, history_or_nothing
from console.cli.output import emit_json, emit_list, moment, note

if TYPE_CHECKING:
    from classifier.inventory.history import History

LIMIT = 4 << 20  # bytes of a manifest
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


@click.command()
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
    from classifier.inventory.manifest import MATCHED

    declared = _manifest(manifest)
    past = history_or_nothing(ctx, workload, where)
    found = _checked(past, declared, manifest, at_of(past, at))
    emit_list(found, CHECKED, as_json=as_json, as_csv=as_csv, empty="nothing is declared and nothing was loaded")
    if past.since is None:
        raise Failure(
            f"nothing of {workload} was observed: every row is only declared",
            'see "driftline workload list"',
            code=ONLY_DECLARED,
        )
    if exit_code and any(r["status"] != MATCHED for r in found):
        ctx.exit(FAILED)


@click.command()
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

    source, past = history(ctx, workload, where)
    then = at_of(past, at)
    said = None if manifest is None else _checked(past, _manifest(manifest), manifest, then)
    with explained(past):
        found = moments.shown(past, then)
    behaviours = rows(source.get("envelopes", workload), "behaviours")
    told = capability_map(found, [b for b in behaviours if b["first"] <= then], said)
    if as_json and not as_csv:
        emit_json({"workload": workload, "at": found["at"], "unknown": found["unknown"], "capabilities": told})
        return
    if not found["complete"] and not as_csv:
        note(f"it may be incomplete: {', '.join(found['unknown'])}")
    flags = [r | {f: _flag(r[f]) for f in ("declared", "loaded", "used")} | {"seen": moment(r["last"])} for r in told]
    emit_list(flags, MAP, as_json=as_json, as_csv=as_csv, empty="it reaches nothing that is known")
    tell_trouble(source)


def _flag(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def _checked(past: History, declared: Any, file: str, at: float) -> list[dict[str, Any]]:
    from classifier.inventory.manifest import ManifestError, checked

    try:
        return checked(past, declared, at)
    except ManifestError as e:
        raise Failure(*f"{file}: {e}".split("; ", 1)) from None


def _manifest(path: str) -> Any:
    import yaml

    file = Path(path)
    if file.stat().st_size > LIMIT:
        raise Failure(f"{path}: larger than {LIMIT >> 20} MiB", "give a manifest of one workload")
    try:
        return yaml.safe_load(file.read_bytes())  # JSON is YAML
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise Failure(f"{path}: neither YAML nor JSON: {str(e).splitlines()[0]}", "see docs/inventory.md") from None
