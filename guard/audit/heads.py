"""The state of a trail to a signed head: so many rows, this root, this last row. Whoever keeps a head can prove a change."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guard.audit.canon import CanonError, canonical, read
from guard.audit.keys import fingerprint, signed_by

FORMAT = 1
SAYS = b"driftline audit head 1\n"  # no signature of something else is one of a head
HEX = re.compile(r"[0-9a-f]{64}\Z")
LIMIT = 4096  # bytes


class HeadError(ValueError):
    """A head that cannot be read; the message says why."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Head:
    """A trail as it was when it had `size` rows."""

    log: str  # which trail: 32 hexadecimal digits, drawn when it began
    size: int  # rows
    root: str  # of the Merkle tree over them, hexadecimal
    last: str  # hash of the last of them
    time: int  # seconds, when it was signed
    key: str  # fingerprint
    signature: str = ""  # base64
    format: int = FORMAT


def sign(head: Head, key: Ed25519PrivateKey) -> Head:
    """The head with the key's name and signature."""
    head = replace(head, key=fingerprint(key.public_key()), signature="")
    return replace(head, signature=base64.b64encode(key.sign(SAYS + _said(head))).decode())


def signed(head: Head, key: Ed25519PublicKey) -> bool:
    """Whether this key signed it."""
    try:
        signature = base64.b64decode(head.signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return head.key == fingerprint(key) and signed_by(key, signature, SAYS + _said(head))


def written(head: Head) -> bytes:
    """A head as canonical JSON."""
    return canonical(asdict(head))


def parsed(data: bytes) -> Head:
    """The head of canonical JSON; whether it is signed is not looked at.

    Raises:
        HeadError: It is none.
    """
    if len(data) > LIMIT:
        raise HeadError("larger than any head")
    try:
        told = read(data.strip())
    except CanonError as e:
        raise HeadError(str(e)) from e
    if not isinstance(told, dict) or set(told) != set(Head.__slots__):
        raise HeadError("no head of an audit trail")
    if told["format"] != FORMAT:
        raise HeadError(f"a head of format {told['format']!r:.20}; this driftline reads {FORMAT}")
    if not all(_right(told[name], name) for name in Head.__slots__):
        raise HeadError("a head with a field of the wrong kind")
    return Head(**told)


def _right(value: Any, name: str) -> bool:
    if name in ("size", "time", "format"):
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if name in ("root", "last", "key"):
        return isinstance(value, str) and HEX.match(value) is not None
    return isinstance(value, str)


def _said(head: Head) -> bytes:
    return canonical({name: value for name, value in asdict(head).items() if name != "signature"})
