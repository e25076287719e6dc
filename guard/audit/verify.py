"""A bundle and a public key to whether it is whole: offline, without trust in anything the bundle says of itself."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from guard.audit import archive, page, tree
from guard.audit.canon import CanonError, digest, read
from guard.audit.heads import HEX, Head, HeadError, parsed, signed
from guard.audit.keys import pem, signed_by
from guard.audit.layout import ABOUT, ANCHOR, FORMAT, HEAD, KEY, MANIFEST, README, said

LIST = 16 << 20  # bytes of a list of files
ROW = re.compile(r"(?:rows|proofs|pages)/(AR-\d{6,12})\.(?:json|txt|html)\Z")
RECORD = re.compile(r"records/([0-9a-f]{64})\.msgpack\Z")
PROOF = 64  # steps of a proof; a trail of 2^64 rows has no longer one
WHOLE = "the bundle"


@dataclass
class Report:
    """What came of it. Good: no problem."""

    problems: list[tuple[str, str]] = field(default_factory=list)  # where (a row's id, or a file), and what
    notes: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)  # ids of the rows that are shown
    removed: int = 0  # of them without a body, past their retention
    size: int = 0  # rows of the trail
    log: str = ""
    signed: int = 0  # seconds, when the head was signed
    cited: dict[str, str] = field(default_factory=dict)  # file of a record → the first row that rests on it

    @property
    def good(self) -> bool:
        return not self.problems

    def bad(self, where: str, what: str) -> None:
        """Note a problem."""
        self.problems.append((where, what))


def verify(data: bytes, key: Ed25519PublicKey, anchor: Head | None = None) -> Report:
    """Check every byte of a bundle.

    Args:
        key: of the trail, from somebody who is trusted.
        anchor: a head that was kept elsewhere; the trail must have grown from it.
    """
    report = Report()
    try:
        manifest = _listed(archive.first(data, MANIFEST, LIST))
    except (archive.ArchiveError, CanonError) as e:
        report.bad(MANIFEST, str(e))
        return report
    files = _whole(data, manifest, report)
    _authors(manifest, files, key, report)
    head = _head(files.get(HEAD, b""), key, report)
    if head is not None:
        report.log, report.size, report.signed = head.log, head.size, head.time
        _rows(manifest, files, head, report)
        if anchor is not None:
            _anchored(anchor, head, files, key, report)
    return report


def first_row(report: Report) -> str:
    """The first bad row, or what is bad if it is no row."""
    named = [report.cited.get(where, where) for where, _ in report.problems]
    return next((where for where in named if where.startswith("AR-")), named[0] if named else "")


# the archive ------------------------------------------------------------------------------------------------------------


def _listed(data: bytes) -> dict[str, Any]:
    """The list of files, with types checked.

    Raises:
        CanonError: It is none.
    """
    told = read(data)
    if not isinstance(told, dict) or set(told) != {"format", "log", "renderer", "rows", "files", "signature"}:
        raise CanonError("no list of files of a bundle")
    if told["format"] != FORMAT:
        raise CanonError(f"a bundle of format {told['format']!r:.20}, this driftline reads {FORMAT}")
    rows, files = told["rows"], told["files"]
    if not (isinstance(rows, list) and all(_is_row(r) for r in rows) and isinstance(told["signature"], str)):
        raise CanonError("a list of rows that is none")
    if not (isinstance(files, list) and all(_is_file(f) for f in files)):
        raise CanonError("a list of files that is none")
    names = [f[0] for f in files]
    if len(set(names)) != len(names) or MANIFEST in names:
        raise CanonError("a list with a file twice")
    seqs = [r["seq"] for r in rows]
    if seqs != sorted(set(seqs)):
        raise CanonError("rows twice or out of order")
    return told


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and set(row) == {"id", "seq", "removed"}
        and type(row["seq"]) is int
        and row["seq"] > 0
        and row["id"] == f"AR-{row['seq']:06d}"
        and isinstance(row["removed"], bool)
    )


def _is_file(row: Any) -> bool:
    return (
        isinstance(row, list)
        and len(row) == 3
        and isinstance(row[0], str)
        and archive.NAME.match(row[0]) is not None
        and type(row[1]) is int
        and 0 <= row[1] <= archive.LIMIT
        and isinstance(row[2], str)
        and HEX.match(row[2]) is not None
    )


def _whole(data: bytes, manifest: Mapping[str, Any], report: Report) -> dict[str, bytes]:
    """The files, each held against its hash, and the archive against the files."""
    head = archive.first(data, MANIFEST, LIST)
    sizes = [(MANIFEST, len(head)), *((name, size) for name, size, _ in manifest["files"])]
    files = archive.cut(data, sizes)
    for name, size, wanted in manifest["files"]:
        if len(files[name]) != size:
            report.bad(_where(name), f"{name} is cut short or missing")
        elif digest(files[name]) != wanted:
            report.bad(_where(name), f"{name} was changed")
    if report.good and (found := archive.differs(data, files)) is not None:
        report.bad(_where(found[1]), f"{found[1]} lies in an archive that was changed at byte {found[0]}")
    return files


def _where(name: str) -> str:
    found = ROW.match(name)
    return found[1] if found else name


def _authors(manifest: Mapping[str, Any], files: Mapping[str, bytes], key: Ed25519PublicKey, report: Report) -> None:
    """Whose bundle it is; a key inside of it is only compared, never believed."""
    if files.get(KEY) != pem(key).encode():
        report.bad(KEY, "the bundle brings another key than yours")
    if not manifest["signature"]:
        report.notes.append("the list of files is not signed; rows are, and pages are made again and compared")
        return
    try:
        signature = base64.b64decode(manifest["signature"], validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if not signed_by(key, signature, said(manifest)):
        report.bad(MANIFEST, "the list of files is not signed by your key")


def _head(data: bytes, key: Ed25519PublicKey, report: Report) -> Head | None:
    try:
        head = parsed(data)
    except HeadError as e:
        report.bad(HEAD, str(e))
        return None
    if not signed(head, key):
        report.bad(HEAD, "the state of the trail is not signed by your key")
        return None
    return head


# the rows ---------------------------------------------------------------------------------------------------------------


def _rows(manifest: Mapping[str, Any], files: Mapping[str, bytes], head: Head, report: Report) -> None:
    if manifest["log"] != head.log:
        report.bad(MANIFEST, "is of another trail than the head")
    hashes: dict[int, tuple[str, str | None]] = {}  # number → hash, hash of the row before; None: it has no body
    cited = report.cited
    for row in manifest["rows"]:
        report.rows.append(row["id"])
        report.removed += row["removed"]
        try:
            hashes[row["seq"]] = _row(row, files, head, cited, manifest["renderer"] == page.RENDERER)
        except (CanonError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as e:
            report.bad(row["id"], str(e) if isinstance(e, CanonError) else "is no row of an audit trail")
    for seq, (_, before) in hashes.items():
        known = hashes.get(seq - 1)
        if before is not None and known is not None and known[0] != before:
            report.bad(f"AR-{seq:06d}", "does not follow the row before it")
    _strangers(manifest, files, cited, report)
    if manifest["renderer"] == page.RENDERER and files.get(README) != ABOUT.encode():
        report.bad(README, "says something else than it should")
    if manifest["renderer"] != page.RENDERER:
        report.notes.append("the pages were made by another release and not compared; the rows were checked")


def _row(
    row: Mapping[str, Any], files: Mapping[str, bytes], head: Head, cited: dict[str, str], pages: bool
) -> tuple[str, str | None]:
    """Check one row; its hash, and that of the row before it.

    Raises:
        CanonError: It is not what it says; the text says why.
    """
    id, seq = row["id"], row["seq"]
    proof = read(_file(files, f"proofs/{id}.json"))
    hash, path = bytes.fromhex(proof["hash"]), [bytes.fromhex(h) for h in proof["path"][:PROOF]]
    _must(len(proof["path"]) <= PROOF and proof["seq"] == seq, "has a proof of another row")
    _must(proof["removed"] is row["removed"], "has a proof of another kind")
    _must(tree.included(hash, seq - 1, head.size, path, bytes.fromhex(head.root)), "is not in the signed trail")
    _must(seq != head.size or hash.hex() == head.last, "is not the row that the head names as its last")
    if row["removed"]:
        return hash.hex(), None
    body = _file(files, f"rows/{id}.json")
    _must(tree.leaf(body) == hash, "was changed")
    value = read(body)
    _must(value["id"] == id and value["seq"] == seq and value["log"] == head.log, "is a row of another place")
    _must(isinstance(value["prev"], str), "does not say which row was before it")
    for record in value["records"]:
        name = f"records/{record['digest']}.msgpack"
        _must(RECORD.match(name) is not None, "cites a record in an unknown way")
        cited.setdefault(name, id)
        _must(digest(_file(files, name)) == record["digest"], f"rests on {record['digest'][:16]}, which was changed")
    if pages:
        _compare(files, f"pages/{id}.txt", lambda: page.text(value))
        _compare(files, f"pages/{id}.html", lambda: page.html(value))
    return hash.hex(), value["prev"]


def _compare(files: Mapping[str, bytes], name: str, made: Callable[[], str]) -> None:
    _must(_file(files, name) == made().encode(), f"has a page that says something else ({name})")


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    _must(name in files, f"lacks {name}")
    return files[name]


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise CanonError(otherwise)


def _strangers(manifest: Mapping[str, Any], files: Mapping[str, bytes], cited: dict[str, str], report: Report) -> None:
    """Files that belong to no row."""
    ids = {row["id"]: row["removed"] for row in manifest["rows"]}
    wanted = {MANIFEST, README, KEY, HEAD, ANCHOR, *cited}
    for id, removed in ids.items():
        wanted |= {f"proofs/{id}.json"} | (
            set() if removed else {f"rows/{id}.json", f"pages/{id}.txt", f"pages/{id}.html"}
        )
    for name in files:
        if name not in wanted and report.good:
            report.bad(_where(name), f"{name} belongs to no row")


def _anchored(anchor: Head, head: Head, files: Mapping[str, bytes], key: Ed25519PublicKey, report: Report) -> None:
    """Whether the trail grew from a head that was kept elsewhere."""
    if not signed(anchor, key) or anchor.log != head.log:
        report.bad("your head", "is not of this trail, or not signed by your key")
        return
    if anchor.size > head.size:
        report.bad(WHOLE, f"is older than your head: {head.size} rows, yours has {anchor.size}")
        return
    try:
        told = read(files[ANCHOR]) if anchor.size != head.size else {"size": anchor.size, "path": []}
        path = [bytes.fromhex(h) for h in told["path"][: 2 * PROOF]]
        same = told["size"] == anchor.size
    except (KeyError, CanonError, TypeError, ValueError):
        report.notes.append("the bundle holds no proof for your head; export it with --anchor")
        report.bad(ANCHOR, "cannot say whether the trail grew from your head")
        return
    roots = bytes.fromhex(anchor.root), bytes.fromhex(head.root)
    if not same or not tree.consistent(anchor.size, head.size, *roots, path):
        report.bad(WHOLE, f"is of a trail whose first {anchor.size} rows are not those of your head")
