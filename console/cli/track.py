"""`driftline track`: list, show, set, divergence, and the staging baselines below `track staging`."""

from __future__ import annotations

from typing import Any

import click

from classifier.classes.pins import TRACKS
from console.cli.answers import rows
from console.cli.configured import EXISTING, Number, asked, asking, asking_for_many, control, tell_trouble
from console.cli.failure import CANNOT_HONOUR
from console.cli.output import emit_json, emit_list, emit_table, json_option, moment, note, say
from console.cli.staging import keys_option, staging, trusted

OBSERVATION = "observation"
MODES = (OBSERVATION, "enforced", "not seen")  # of classifier/tracks/view.py, which takes 0.1 s to load
AUTO = "auto"
LABELS = ("data", "regulation", "reversibility", "enforcement")
COLUMNS = {
    "workload": "workload",
    "track": "track",
    "mode": "mode",
    "data": "data",
    "exposure_hours": "hours unenforced",
    "paused_hours": "hours not seen",
    "because": "why",
    "confirmed_by": "confirmed by",
    "warnings": "warnings",
}
PINS = {"when": "time", "what": "what", "value": "value", "actor": "by", "note": "note"}
DIVERGENCES = {
    "kind": "kind",
    "behaviour": "behaviour",
    "severity": "severity",
    "action": "action",
    "allowed_by": "allowed by",
    "words": "why",
    "finding": "finding",
}
ALLOWED = {"behaviour": "allowed", "till": "until", "actor": "by", "note": "note"}
DAY = 86400.0


@click.group()
def track() -> None:
    """Say and set how workloads are watched: standard, regulated or non-converging.

    \b
    Example:
      driftline track list --mode observation
    """


track.add_command(staging)


@track.command("list")
@click.option("--mode", type=click.Choice(MODES), help="Only workloads in this mode.")
@asking_for_many
def list_(ctx: click.Context, mode: str | None, as_json: bool, as_csv: bool, **where: Any) -> None:
    """List workloads with their track, and how long each was observed without enforcement.

    Exits with 3 if a regulated one among them is only observed.

    \b
    Example:
      driftline track list --mode observation --csv
    """
    source = asked(ctx, **where)
    found = [t for t in rows(source.get("tracks"), "tracks") if mode in (None, t.get("mode"))]
    emit_list(found, COLUMNS, as_json=as_json, as_csv=as_csv, empty="no workload was seen yet")
    tell_trouble(source)
    open_ = [t["workload"] for t in found if t.get("track") == "regulated" and t.get("mode") == OBSERVATION]
    if open_:
        note(f"regulated, but only observed: {', '.join(open_[:5])}{' …' if len(open_) > 5 else ''}")
        ctx.exit(CANNOT_HONOUR)


@track.command()
@click.argument("workload")
@asking
def show(ctx: click.Context, workload: str, as_json: bool, **where: Any) -> None:
    """Show a workload's track: the reason, who confirmed it, and every label that somebody gave.

    \b
    Example:
      driftline track show prod/kyc/Deployment/agent/agent
    """
    found = asked(ctx, **where).get("tracks", workload)
    if as_json:
        emit_json(found)
        return
    pins, allowed = found.pop("pins", []), found.pop("allowed", [])
    emit_table(("what", "value"), ((k, moment(v) if k == "confirmed_at" else v) for k, v in found.items()))
    if pins:
        click.echo()
        emit_list([p | {"when": moment(p["time"])} for p in pins], PINS)
    if allowed:
        click.echo()
        emit_list([a | {"till": moment(a["until"])} for a in allowed], ALLOWED)


@track.command()
@click.argument("workload")
@click.argument("behaviour")
@click.option("--days", type=Number(0.01, 400), default=30.0, show_default=True, help="For how long.")
@click.option("--revoke", is_flag=True, help="Take it back now.")
@click.option("--note", default="", help="Why, for those who read it later.")
@click.option("--actor", help="Who answers for it; the user of this session without it.")
@json_option
@click.pass_context
def allow(
    ctx: click.Context,
    workload: str,
    behaviour: str,
    days: float,
    revoke: bool,
    note: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Allow one behaviour beyond the staging baseline, by name and for a time; divergence goes on showing it.

    \b
    Example:
      driftline track allow prod/kyc/Deployment/agent/agent egress:tcp:screening.example.net:443 --days 14
    """
    import time

    from console.cli.actor import current

    now = time.time()  # noqa: TID251  a span of days begins now
    body = {"workload": workload, "what": "allow", "value": behaviour, "note": note, "actor": actor or current()}
    answer = control(ctx).post("pins", body=body | {"until": now if revoke else now + days * DAY})
    if as_json:
        emit_json(answer)
    else:
        say(f"{workload}: {behaviour} {'no longer allowed' if revoke else f'allowed for {days:g} days'}")


@track.command("set")
@click.argument("workload")
@click.argument("name", metavar="[TRACK]", type=click.Choice([*TRACKS, AUTO]), required=False)
@click.option("--data", help='Data it handles, such as cardholder, phi or public; "" takes it back.')
@click.option("--regulation", help='A regulation it is under, such as pci-dss; "" takes it back.')
@click.option("--reversibility", type=click.Choice(["reversible", "irreversible", ""]), help="Of what it does.")
@click.option("--enforcement", type=click.Choice(["on", "off"]), help="As whoever enforces says; driftline does not.")
@click.option("--staging", "baseline", type=EXISTING, help="Signed staging baseline that it starts from.")
@keys_option
@click.option("--note", default="", help="Why, for those who read it later.")
@click.option("--actor", help="Who decides; the user of this session without it.")
@json_option
@click.pass_context
def set_(
    ctx: click.Context,
    workload: str,
    name: str | None,
    baseline: str | None,
    keys: str | None,
    note: str,
    actor: str | None,
    as_json: bool,
    **labels: str | None,
) -> None:
    """Set the track of a workload, or the labels that it is chosen by; `auto` takes a track back.

    \b
    Example:
      driftline track set prod/kyc/Deployment/agent/agent regulated --data cardholder --note "PCI scope, ticket 812"
    """
    from console.cli.actor import current

    wanted = {what: labels[what] for what in LABELS if labels.get(what) is not None}
    if name is not None:
        wanted["track"] = "" if name == AUTO else name
    if baseline is not None:
        wanted["staging"] = trusted(ctx, baseline, keys, workload).pin
    if not wanted:
        raise click.UsageError(
            "nothing to set: give a track or one of --data, --regulation, --reversibility, --staging"
        )
    source, who = control(ctx), actor or current()
    plain = {"workload": workload, "note": note, "actor": who}
    answers = [source.post("pins", body=plain | {"what": what, "value": value}) for what, value in wanted.items()]
    if as_json:
        emit_json(answers)
    else:
        say(f"{workload}: " + ", ".join(f"{what} {value or 'taken back'}" for what, value in wanted.items()))


@track.command()
@click.argument("workload")
@click.option("--staging", "baseline", type=EXISTING, required=True, help="Signed staging baseline of this workload.")
@keys_option
@asking_for_many
def divergence(
    ctx: click.Context, workload: str, baseline: str, keys: str | None, as_json: bool, as_csv: bool, **where: Any
) -> None:
    """Compare production with the signed staging baseline; what staging never did is a `staging_gap`.

    \b
    Example:
      driftline track divergence prod/kyc/Deployment/agent/agent --staging kyc.json --keys keys.yaml
    """
    from classifier.tracks.divergence import GAP, UNUSED
    from classifier.tracks.divergence import divergence as compared

    content = trusted(ctx, baseline, keys, workload).content
    source = asked(ctx, **where)
    production = _envelope(source, workload)
    findings = [f for f in rows(source.get("findings", workload=workload), "findings") if f.get("workload") == workload]
    allowed = source.get("tracks", workload)["allowed"] if production is not None else []
    found = compared(content, production, findings, allowed)
    emit_list(found, DIVERGENCES, as_json=as_json, as_csv=as_csv, empty="production does what staging did, and no more")
    if found and not as_json and not as_csv:
        gaps, unused = (sum(r["kind"] == kind for r in found) for kind in (GAP, UNUSED))
        say(f"{gaps} only in production, {unused} only in staging, {len(found) - gaps - unused} differ in amount")


def _envelope(source: Any, workload: str) -> dict[str, Any] | None:
    """The production envelope; None where the workload was not seen yet, which is no failure here."""
    known = {t["workload"] for t in rows(source.get("workloads"), "workloads")}
    return source.get("envelopes", workload) if workload in known else None
