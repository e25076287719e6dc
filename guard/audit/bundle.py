"""Rows of a trail to one file that somebody else can check: rows, proofs, heads, the records they cite, a page each."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guard.audit import archive, page, tree
from guard.audit.canon import canonical, digest
from guard.audit.heads import Head, parsed
from guard.audit.keys import pem
from guard.audit.layout import ABOUT, ANCHOR, FORMAT, HEAD, KEY, MANIFEST, README, said
from guard.audit.ledger import Kept, Ledger, LedgerError


class BundleError(RuntimeError):
    """A bundle that cannot be made; the message says what to do."""

    exit_code = 1


def bundle(
    ledger: Ledger, key: Ed25519PublicKey, seqs: Iterable[int], *, signer: Ed25519PrivateKey | None = None,
    anchor: Head | None = None,
) -> bytes:  # fmt: skip
    """One file with rows of a trail; the same rows under the same head give the same bytes.

    Args:
        signer: signs the list of files too, so that the pages are covered by more than being made again.
        anchor: a head that somebody kept; the bundle then proves that the trail only grew since.
    Raises:
        BundleError: A row is not there, or no signed head covers it.
    """
    head = _head(ledger)
    rows = [_row(ledger, seq, head) for seq in sorted(set(seqs))]
    files = {README: ABOUT.encode(), KEY: pem(key).encode(), HEAD: ledger.head() or b""}
    if anchor is not None:
        files[ANCHOR] = canonical(_grown(ledger, anchor, head))
    for row in rows:
        files |= _files(ledger, row, head)
    return archive.packed({MANIFEST: _manifest(head, rows, files, signer)} | files)


def _head(ledger: Ledger) -> Head:
    body = ledger.head()
    if body is None:
        raise BundleError(f"{ledger.path}: no head is signed yet; wait for the first rows")
    return parsed(body)


def _row(ledger: Ledger, seq: int, head: Head) -> Kept:
    row = ledger.row(seq)
    if row is None or seq > head.size:
        raise BundleError(f"{ledger.path}: no signed row AR-{seq:06d}; see `driftline audit list`")
    return row


def _files(ledger: Ledger, row: Kept, head: Head) -> dict[str, bytes]:
    path = tree.inclusion(ledger.node, row.seq - 1, head.size)
    proof = {"seq": row.seq, "hash": row.hash.hex(), "path": [h.hex() for h in path], "removed": row.body is None}
    files = {f"proofs/{row.id}.json": canonical(proof)}
    if row.body is None:
        return files
    value, records = row.value, ledger.records(row.seq)
    lacking = [r["digest"] for r in value.get("records", ()) if r["digest"] not in records]
    if lacking:
        raise BundleError(f"{row.id}: the trail lacks the record {lacking[0]}; it was damaged, restore it")
    files = {f"rows/{row.id}.json": row.body} | files
    files |= {f"pages/{row.id}.txt": page.text(value).encode(), f"pages/{row.id}.html": page.html(value).encode()}
    return files | {f"records/{name}.msgpack": frame for name, frame in records.items()}


def _grown(ledger: Ledger, anchor: Head, head: Head) -> dict[str, Any]:
    if anchor.log != head.log or not 0 < anchor.size <= head.size:
        raise BundleError("that head is of another trail, or of a later state of it; take one of this trail")
    try:
        path = tree.consistency(ledger.node, anchor.size, head.size)
    except LedgerError as e:
        raise BundleError(str(e)) from e
    return {"size": anchor.size, "path": [h.hex() for h in path]}


def _manifest(head: Head, rows: list[Kept], files: Mapping[str, bytes], signer: Ed25519PrivateKey | None) -> bytes:
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "log": head.log,
        "renderer": page.RENDERER,
        "rows": [{"id": row.id, "seq": row.seq, "removed": row.body is None} for row in rows],
        "files": [[name, len(data), digest(data)] for name, data in files.items()],
        "signature": "",
    }
    if signer is not None:
        manifest["signature"] = base64.b64encode(signer.sign(said(manifest))).decode()
    return canonical(manifest)
