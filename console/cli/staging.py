"""`driftline track staging`: export, sign, verify a staging baseline."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.configured import EXISTING, Number, Output, asked, asking, settings
from console.cli.failure import Failure
from console.cli.output import emit_json, emit_table, json_option, moment, say

if TYPE_CHECKING:
    from classifier.tracks.staging import Baseline

DAY = 86400.0
VALID = 30.0  # days

keys_option = click.option(
    "--keys", type=EXISTING, help="File of keys whose signatures count; `classifier.keys_file` without it."
)


@click.group()
def staging() -> None:
    """Export, sign and verify what a staging envelope admits.

    \b
    Example:
      driftline track staging export staging/kyc/Deployment/agent/agent kyc.json
    """


@staging.command()
@click.argument("workload")
@click.argument("file", type=Output())
@click.option("--for", "target", metavar="WORKLOAD", help="The workload in production; the same name without it.")
@click.option("--days", type=Number(0.01, 400), default=VALID, show_default=True, help="How long it holds.")
@click.option("--start-up", is_flag=True, help="Also what every replica showed, on however few days.")
@asking
def export(
    ctx: click.Context,
    workload: str,
    file: str,
    target: str | None,
    days: float,
    start_up: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Write the admitted behaviours of a staging envelope to a file, as canonical JSON, not signed yet.

    \b
    Example:
      driftline track staging export staging/kyc/Deployment/agent/agent kyc.json --for prod/kyc/Deployment/agent/agent
    """
    from classifier.tracks.staging import exported

    envelope = asked(ctx, **where).get("envelopes", workload)
    content = exported(envelope, target=target or workload, now=_now(), valid=days * DAY, start_up=start_up)
    _write(file, {"baseline": content})
    told = {"file": file, "for": content["for"], "behaviours": len(content["behaviours"]), "state": content["state"]}
    if as_json:
        emit_json(told | {"left_out": content["left_out"]})
    else:
        say(f"{file}: {told['behaviours']} behaviours for {told['for']}, {len(content['left_out'])} too rare left out")


@staging.command()
@click.argument("file", type=EXISTING)
@click.option("--key", required=True, type=EXISTING, help="Private Ed25519 key: PEM, or `whsk_…`.")
@json_option
def sign(file: str, key: str, as_json: bool) -> None:
    """Sign an exported baseline in place; make a key with `openssl genpkey -algorithm ed25519 -out FILE`.

    \b
    Example:
      driftline track staging sign kyc.json --key staging.key
    """
    from classifier.tracks.keys import private_key
    from classifier.tracks.staging import digest, public_key, signed

    secret, content = private_key(Path(key)), _read(file).get("baseline")
    done = signed(content, secret, now=_now())
    _write(file, done)
    told = {"file": file, "digest": digest(done["baseline"]), "public": public_key(secret)}
    if as_json:
        emit_json(told)
    else:
        say(f"{file}: signed, sha256 {told['digest']}")
        say(f"public: {told['public']}")


@staging.command()
@click.argument("file", type=EXISTING)
@keys_option
@click.option("--for", "target", metavar="WORKLOAD", help="The workload that it must be for.")
@json_option
@click.pass_context
def verify(ctx: click.Context, file: str, keys: str | None, target: str | None, as_json: bool) -> None:
    """Check who signed a baseline, and that nobody has changed it since.

    \b
    Example:
      driftline track staging verify kyc.json --keys /etc/driftline/keys.yaml
    """
    found = trusted(ctx, file, keys, target)
    told = {
        "file": file,
        "for": found.target,
        "source": found.content.get("source"),
        "signed_by": found.signed.key.name,
        "signed": found.signed.time,
        "valid_until": found.content["valid_until"],
        "behaviours": len(found.content["behaviours"]),
        "digest": found.digest,
    }
    if as_json:
        emit_json(told)
    else:
        emit_table(
            ("what", "value"), ((k, moment(v) if k in ("signed", "valid_until") else v) for k, v in told.items())
        )


def trusted(ctx: click.Context, file: str, keys: str | None, target: str | None) -> Baseline:
    """The baseline of a file that a known key signed, for a workload.

    Raises:
        Failure: It is not to be used.
    """
    from classifier.deploys.signing import load_keys
    from classifier.tracks.staging import StagingError, verified

    where = keys or settings(ctx)["classifier.keys_file"]
    if not where:
        raise Failure("nobody's signature counts here", "name a file of keys with --keys, or set classifier.keys_file")
    try:
        return verified(_read(file), load_keys(Path(where)), now=_now(), target=target)
    except StagingError as e:
        raise StagingError(f"{file}: {e}") from e


def _now() -> float:
    return time.time()  # noqa: TID251  a signature is made, and a validity ends, by the clock


def _read(file: str) -> dict[str, Any]:
    from classifier.tracks.staging import LIMIT

    if Path(file).stat().st_size > LIMIT:
        raise Failure(f"{file}: larger than {LIMIT >> 20} MiB", 'give a file that "track staging export" wrote')
    try:
        found = json.loads(Path(file).read_bytes(), parse_constant=_refuse)
    except (ValueError, RecursionError) as e:
        raise Failure(f"{file}: no JSON: {e!s:.100}", 'give a file that "track staging export" wrote') from e
    return found if isinstance(found, dict) else {}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _write(file: str, value: dict[str, Any]) -> None:
    """The whole file in the place of the old one."""
    from classifier.tracks.staging import canonical

    part = Path(f"{file}.part")
    part.write_bytes(canonical(value) + b"\n")
    part.replace(file)
