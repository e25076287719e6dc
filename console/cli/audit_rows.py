"""Rows, keys, heads and bundles of an audit trail by what a person types, and as lines for people."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.configured import settings
from console.cli.failure import Failure
from console.cli.output import moment

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from guard.audit.heads import Head
    from guard.audit.ledger import Kept, Ledger
    from guard.audit.verify import Report

ROW = re.compile(r"(?:AR-)?0*([1-9][0-9]{0,11})\Z", re.IGNORECASE)
HEAD = 4096  # bytes of a head
PROBLEMS = 20


@contextmanager
def opened(ctx: click.Context, folder: str | None) -> Iterator[Ledger]:
    """The trail in a folder, or the running classifier's, for reading."""
    from guard.audit.ledger import Ledger

    ledger = Ledger(Path(folder) if folder else settings(ctx).audit_dir)
    try:
        yield ledger
    finally:
        ledger.close()


def chosen(ledger: Ledger, id: str) -> Kept:
    """The row of an id, or the newest of a finding.

    Raises:
        Failure: There is none, or several findings begin so.
    """
    found = ROW.match(id)
    row = ledger.row(int(found[1])) if found else None
    if row is None:
        row = ledger.latest(_finding(ledger, id))
    if row is None:
        raise Failure(f"no row and no finding {id}", 'see "driftline audit list"')
    return row


def numbers(ledger: Ledger, ids: Iterable[str], last: int | None) -> list[int]:
    """The numbers of rows that were asked for; all of them without a word."""
    from guard.audit.heads import parsed

    out: list[int] = []
    for id in ids:
        found = ROW.match(id)
        rows = [chosen(ledger, id)] if found and ledger.row(int(found[1])) else ledger.of_finding(_finding(ledger, id))
        if not rows:
            raise Failure(f"no row and no finding {id}", 'see "driftline audit list"')
        out += [row.seq for row in rows]
    if out:
        return sorted(set(out))
    body = ledger.head()
    size = parsed(body).size if body is not None else 0
    return list(range(size - min(last or size, size) + 1, size + 1))


def _finding(ledger: Ledger, begin: str) -> str:
    """The finding that an id, or the beginning of one, names."""
    found = ledger.findings(begin) if begin else []
    if len(found) > 1 and begin not in found:
        raise Failure(f"several findings begin with {begin}", "give more of the id")
    return begin if begin in found or not found else found[0]


def key_path(ctx: click.Context, folder: str | None) -> Path:
    """Where the key of a trail lies."""
    if folder:
        return Path(folder) / "key.pem"
    chosen = settings(ctx)
    return Path(chosen["audit.key"] or chosen.audit_dir / "key.pem")


def signer_of(ctx: click.Context, folder: str | None) -> Ed25519PrivateKey:
    """The key of a trail: whoever may export a bundle signs its list of files.

    Raises:
        AuditKeyError: It cannot be used here.
    """
    from guard.audit import keys

    return keys.load(key_path(ctx, folder))


def head_of(path: str | None) -> Head | None:
    """The head in a file."""
    from guard.audit.heads import HeadError, parsed

    if path is None:
        return None
    with open(path, "rb") as file:
        data = file.read(HEAD + 1)
    try:
        return parsed(data)
    except HeadError as e:
        raise Failure(f"{path}: {e}", 'take what "driftline audit head --output FILE" wrote') from e


def bounded(path: Path) -> bytes:
    """The bytes of a plain file of bearable size."""
    from guard.audit.archive import LIMIT

    held = path.stat()
    if not stat.S_ISREG(held.st_mode) or held.st_size > LIMIT:
        raise Failure(f"{path}: no plain file, or larger than {LIMIT >> 20} MiB", "a bundle of fewer rows is smaller")
    with open(path, "rb") as file:
        return file.read(LIMIT)


def plain(frames: Mapping[str, bytes]) -> dict[str, Any]:
    """Records by digest, as plain values."""
    return {name: _record(frame) for name, frame in frames.items()}


def lines(frames: Mapping[str, bytes]) -> Iterator[str]:
    """Records, one a line."""
    from console.cli.records import line_of
    from wire import codec

    for name, frame in frames.items():
        try:
            yield f"{name[:16]}  {line_of(codec.decode(frame))}"
        except codec.FrameError:
            yield f"{name[:16]}  {len(frame)} bytes that are no record"


def _record(frame: bytes) -> Any:
    from console.cli import records
    from wire import codec

    try:
        return records.plain(codec.decode(frame))
    except codec.FrameError:
        return {"bytes": frame.hex()}


def report(file: str, found: Report) -> dict[str, Any]:
    """What came of a check, as plain values."""
    from guard.audit.verify import first_row

    return {
        "file": file,
        "good": found.good,
        "first_bad": first_row(found) or None,
        "problems": [{"where": where, "what": what} for where, what in found.problems],
        "notes": found.notes,
        "rows": found.rows,
        "rows_of_the_trail": found.size,
        "removed": found.removed,
        "log": found.log,
        "signed": found.signed,
    }


def words(file: str, found: Report) -> Iterator[str]:
    """What came of a check, for people."""
    removed = f", {found.removed} of them past their retention" if found.removed else ""
    if found.log:
        yield f"{file}: shows {len(found.rows)} of {found.size} rows{removed}; trail {found.log}, signed {moment(found.signed)}"
    for where, what in found.problems[:PROBLEMS]:
        yield f"bad: {where}: {what}"
    if len(found.problems) > PROBLEMS:
        yield f"and {len(found.problems) - PROBLEMS} more problems"
    for text in found.notes:
        yield f"note: {text}"
    if found.good:
        yield "good: every byte is as it was signed"
