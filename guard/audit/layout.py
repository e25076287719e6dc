"""What files a bundle has, and what of them is signed: known to those who write one and those who check one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.audit.canon import canonical

FORMAT = 1
MANIFEST, README, KEY, HEAD, ANCHOR = "manifest.json", "README.txt", "key.pem", "head.json", "anchor.json"
SAYS = b"driftline audit bundle 1\n"  # no signature of something else is one of a bundle
ABOUT = """\
Rows of an audit trail of driftline, with all that is needed to check them without driftline's database.

  driftline audit verify THIS-FILE --key PUBLIC-KEY

Take the public key from its owner, not from this file: whoever changed the rows would have put a key of their own here.

pages/    one page per row, for people          rows/     the rows, canonical JSON (RFC 8785)
records/  the records they rest on              proofs/   that each row stands in the trail (RFC 6962)
head.json the signed state of the trail         manifest.json  every file with its SHA-256

A row's hash is SHA-256 of a zero byte and its file; "prev" in a row is the hash of the row before it. By hand:
  (printf '\\000'; cat rows/AR-000001.json) | sha256sum
"""


def said(manifest: Mapping[str, Any]) -> bytes:
    """What the signature of a list of files is over."""
    return SAYS + canonical({name: value for name, value in manifest.items() if name != "signature"})
