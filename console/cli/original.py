"""`driftline original`: list, show, copy, key."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.configured import EXISTING, settings
from console.cli.failure import FAILED, Failure
from console.cli.instant import Instant
from console.cli.output import emit_json, emit_list, json_option, list_options, moment, note, say
from console.cli.private import write_new

if TYPE_CHECKING:
    from sensor.originals.shelf import Reading

COLUMNS = {
    "digest": "digest",
    "what": "kind",
    "bytes": "length",
    "first": "first",
    "last": "last",
    "workload": "workload",
}
GONE = {
    "days": "past their days",
    "room": "pushed out for room",
    "memory": "lost while the disk was slow",
    "disk": "lost because the disk refused them",
    "too many": "not taken, for one replica said too much",
    "without a name": "not taken, for nobody named their workload",
    "failed": "lost to a fault of the sensor",
}
LEAST = 8  # characters of a digest
KEY_FILE = 64 << 10  # bytes
DIR = click.option(
    "--dir", "folder", type=click.Path(file_okay=False), help="Folder of the originals, such as another node's."
)
REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the audit trail.")
WORKLOAD = click.option("--workload", default="", help="Of this workload, where several said the same.")


@click.group()
def original() -> None:
    """List and open the whole texts that agents said, sealed on this node.

    \b
    Example:
      driftline original list --workload prod/shop/Deployment/agent/agent
    """


@original.command("list")
@click.option("--workload", default="", help="Only of this workload, or of those that fit a pattern with `*`.")
@click.option("--digest", default="", help="Only texts whose digest begins so.")
@click.option("--since", type=Instant(), help="Only what was said after this moment.")
@click.option("--until", type=Instant(), help="Only what was said before this moment.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="The newest so many.")
@DIR
@list_options
@click.pass_context
def list_(ctx: click.Context, folder: str | None, as_json: bool, as_csv: bool, since: float | None, until: float | None,
          **wanted: Any) -> None:  # fmt: skip
    """List what is kept, the latest last, without opening it.

    \b
    Example:
      driftline original list --since 2026-11-17T14:00
    """
    with _shelf(ctx, folder) as shelf:
        found = shelf.listed(since=since or 0.0, until=1e12 if until is None else until, **wanted)
        gone = shelf.gone()
    if not as_json:
        times = ("first", "last")
        found = [
            row | {"what": row["kind"], "bytes": row["length"]} | {n: moment(row[n]) for n in times} for row in found
        ]
    emit_list(found, COLUMNS, as_json=as_json, as_csv=as_csv, empty="no originals")
    for reason, texts in gone.items():
        note(f"{texts} texts {GONE.get(reason, reason)}")


@original.command()
@click.argument("digest")
@click.option("--key", required=True, type=EXISTING, help="File with the private key.")
@REASON
@WORKLOAD
@click.option("--raw", is_flag=True, help="Print the bytes as they are, and nothing else.")
@DIR
@json_option
@click.pass_context
def show(ctx: click.Context, digest: str, key: str, reason: str, workload: str, raw: bool, folder: str | None,
         as_json: bool) -> None:  # fmt: skip
    """Open one text, once the audit trail holds who opens which, when and why.

    Where no row can be written, nothing is opened.

    DIGEST is what an event or an audit row gives, or its first characters.

    \b
    Example:
      driftline original show 9f86d081884c7d65 --key officer.key --reason "case 812"
    """
    from sensor.originals.sealing import opener

    if raw and as_json:
        raise click.UsageError("--raw and --json exclude each other")
    with _shelf(ctx, folder) as shelf:
        found, sealed = _chosen(shelf, digest, workload)
    opened = opener(_text_of(Path(key)))
    row = _noted(ctx, found, reason, "screen")
    text = _checked(opened(sealed), found)
    if raw:
        sys.stdout.buffer.write(text)
    elif as_json:
        emit_json(found | {"row": row, "words": text.decode(errors="replace")})
    else:
        say(
            f"{found['kind']} of {found['workload']}, {moment(found['first'])}, {found['length']} bytes; audit row {row}"
        )
        for line in text.decode(errors="replace").splitlines():
            say(f"  {line}")


@original.command()
@click.argument("digest")
@click.option("--output", required=True, type=click.Path(dir_okay=False), help="File to write; it must not exist.")
@REASON
@WORKLOAD
@DIR
@json_option
@click.pass_context
def copy(
    ctx: click.Context, digest: str, output: str, reason: str, workload: str, folder: str | None, as_json: bool
) -> None:
    """Copy one text out as it is, sealed, for whoever has the key elsewhere: `age --decrypt -i KEY FILE` opens it.

    \b
    Example:
      driftline original copy 9f86d081884c7d65 --output 9f86.age --reason "case 812"
    """
    with _shelf(ctx, folder) as shelf:
        found, sealed = _chosen(shelf, digest, workload)
    row = _noted(ctx, found, reason, "copy")
    write_new(Path(output), sealed)
    if as_json:
        emit_json(found | {"row": row, "file": output, "size": len(sealed)})
    else:
        say(f"{output}: {len(sealed)} bytes, sealed; audit row {row}")


@original.command()
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False), help="File for the private key; it must not exist."
)
@json_option
def key(output: str, as_json: bool) -> None:
    """Make a key pair, where it will be used and not on a node: the private key opens everything that is sealed for it.

    \b
    Example:
      driftline original key --output officer.key
    """
    from sensor.originals.sealing import new_key

    private, public = new_key()
    write_new(Path(output), f"# public key: {public}\n{private}\n".encode())
    if as_json:
        emit_json({"file": output, "public": public})
    else:
        say(f"{output}: the private key; keep it off the nodes")
        say(f"{public}: the public key, for sensor.capture.originals.recipients")


def _shelf(ctx: click.Context, folder: str | None) -> closing[Reading]:
    from sensor.originals.shelf import Reading

    return closing(Reading(Path(folder or settings(ctx)["sensor.capture.originals.dir"])))


def _chosen(shelf: Reading, digest: str, workload: str) -> tuple[dict[str, Any], bytes]:
    """The one text that is meant, and its sealed bytes."""
    digest = digest.lower()
    if len(digest) < LEAST:
        raise Failure(f"{digest}: too short for a digest", f"give at least {LEAST} characters")
    found = shelf.listed(digest=digest, workload=workload)
    if not found:
        raise Failure(
            f"no original {digest[:64]}", 'it was never kept, or is past its days; see "driftline original list"'
        )
    if len({row["digest"] for row in found}) > 1:
        raise Failure(f"{digest}: {len(found)} digests begin so", "give more of it")
    return found[-1], shelf.sealed(found[-1]["digest"], found[-1]["workload"])


def _noted(ctx: click.Context, found: dict[str, Any], reason: str, to: str) -> str:
    """The audit row that says who is about to read it; the classifier writes it."""
    from console.cli.actor import current
    from console.cli.control import Control

    if not reason.strip():
        raise Failure("a text is not opened without a reason", 'give one with --reason "…"')
    body = {name: found[name] for name in ("digest", "workload", "node")} | {"text": found["kind"]}
    body |= {"reason": reason.strip(), "actor": current(), "to": to}
    try:
        return Control(str(settings(ctx).control_path)).post("originals", body=body)["row"]
    except Failure as e:
        raise Failure(f"not opened, for no audit row could be written: {e.message}", e.hint, code=FAILED) from e


def _checked(text: bytes, found: dict[str, Any]) -> bytes:
    from wire.digests import sha256

    if sha256(text) != found["digest"]:
        raise Failure("the opened text is not the one of this digest", "the file was changed; do not rely on it")
    return text


def _text_of(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(KEY_FILE).decode("ascii", "replace")
