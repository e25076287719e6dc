"""Who signed a message: Standard Webhooks (v1 HMAC-SHA256, v1a Ed25519), with keys that speak for named workloads.

The reference library is not used: it reads the clock itself, knows no v1a and fails on bytes that are not UTF-8.
A file of keys::

    keys:
      - name: ci
        secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw   # or secret_file: /etc/driftline/ci.key
        workloads: ["lab/shop/*"]
      - name: registry
        public: whpk_…                                   # Ed25519, 32 bytes
        workloads: ["*"]
        senders: ["unit:registry.service"]               # what this machine observes may use it nevertheless
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SIGNATURES = 16  # in one header
LONGEST_ID = 256
LEAST_SECRET = 16  # bytes; Standard Webhooks asks for 24 to 64


class KeysError(ValueError):
    """A file of keys that cannot be used; the message says where and what to do."""

    exit_code = 2


class Refused(ValueError):
    """A message that has no weight; the text is the reason in two or three words."""


@dataclass(frozen=True, slots=True)
class Key:
    """Somebody whose deploy events count."""

    name: str
    workloads: tuple[str, ...]  # patterns with *
    secret: bytes = field(default=b"", repr=False)  # of HMAC-SHA256
    public: bytes = b""  # of Ed25519
    senders: tuple[str, ...] = ()  # patterns of observed workloads, and of "address:…", that may use it

    def speaks_for(self, workload: str) -> bool:
        """Whether it may announce changes of a workload."""
        return any(fnmatchcase(workload, pattern) for pattern in self.workloads)

    def is_used_by(self, sender: str) -> bool:
        """Whether somebody who is observed may use it; whoever is not needs no permission."""
        return any(fnmatchcase(sender, pattern) for pattern in self.senders)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a good signature says."""

    key: Key
    id: str
    time: float  # seconds, when it was sent


def verify(headers: Mapping[str, str], body: bytes, keys: Sequence[Key], *, now: float, tolerance: float) -> Signed:
    """Who sent a message.

    Args:
        headers: with names in lower case.
        now, tolerance: seconds; how far its timestamp may be away.
    Raises:
        Refused: "unsigned", "bad signature", or "stale timestamp" under a good signature.
    """
    id, timestamp, signatures = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (id and timestamp and signatures):
        raise Refused("unsigned")
    if len(id) > LONGEST_ID or not id.isprintable() or not (timestamp.isascii() and timestamp.isdigit()):
        raise Refused("bad signature")
    if len(timestamp) > 12:
        raise Refused("bad signature")
    content = b".".join((id.encode("utf-8", "surrogateescape"), timestamp.encode(), body))
    key = next((k for k in keys if any(_fits(k, *s, content) for s in _signatures(signatures))), None)
    if key is None:
        raise Refused("bad signature")
    if abs(now - int(timestamp)) > tolerance:
        raise Refused("stale timestamp")
    return Signed(key, id, float(timestamp))


def sign(key: Key, *, id: str, time: float, body: bytes) -> dict[str, str]:
    """Headers of a message under a shared secret (for tests and our own sender)."""
    mac = hmac.new(key.secret, f"{id}.{int(time)}.".encode() + body, hashlib.sha256).digest()
    return {ID: id, TIMESTAMP: str(int(time)), SIGNATURE: f"v1,{base64.b64encode(mac).decode()}"}


def _signatures(header: str) -> Iterator[tuple[str, bytes]]:
    for one in header.split(" ")[:SIGNATURES]:
        version, _, text = one.partition(",")
        try:
            yield version, base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue


def _fits(key: Key, version: str, signature: bytes, content: bytes) -> bool:
    if version == "v1" and key.secret:
        return hmac.compare_digest(hmac.new(key.secret, content, hashlib.sha256).digest(), signature)
    if version == "v1a" and key.public:
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, content)
        except InvalidSignature:
            return False
        return True
    return False


# files ------------------------------------------------------------------------------------------------------------------


def load_keys(path: Path | None) -> tuple[Key, ...]:
    """The keys of a file; none without a file.

    Raises:
        KeysError: It cannot be read, others can read or change it, or it says something else.
    """
    if path is None:
        return ()
    text = _private(path)
    try:
        content = yaml.safe_load(text)
        rows = content["keys"] if isinstance(content, dict) else None
    except (yaml.YAMLError, ValueError, KeyError, RecursionError) as e:
        raise KeysError(f"{path}{_line(e)}: no list of keys; check quotes, colons and indentation there") from None
    if not isinstance(rows, list):
        raise KeysError(f"{path}: write `keys:` and a list below it")
    keys = tuple(_key(row, f"{path}: key {number}") for number, row in enumerate(rows, 1))
    if len({k.name for k in keys}) != len(keys):
        raise KeysError(f"{path}: two keys of one name; ids of events are kept apart by it, so choose another")
    return keys


def _line(error: Exception) -> str:
    """Where YAML stumbled. What it says besides quotes the text around it, which holds a secret."""
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark is not None else ""


def _key(row: Any, where: str) -> Key:
    known = {"name", "secret", "secret_file", "public", "workloads", "senders"}
    if not isinstance(row, dict) or not set(row) <= known:
        raise KeysError(f"{where}: a key has {', '.join(sorted(known))}")
    name, workloads = row.get("name"), row.get("workloads")
    if not isinstance(name, str) or not name.isprintable() or not name:
        raise KeysError(f"{where}: name is a text")
    if not isinstance(workloads, list) or not workloads or not all(isinstance(w, str) for w in workloads):
        raise KeysError(f'{where} ({name}): workloads is a list of patterns; write ["*"] for all')
    senders = row.get("senders", [])
    if not isinstance(senders, list) or not all(isinstance(s, str) for s in senders):
        raise KeysError(f"{where} ({name}): senders is a list of patterns of workloads")
    given = [k for k in ("secret", "secret_file", "public") if row.get(k)]
    if len(given) != 1:
        raise KeysError(f"{where} ({name}): give one of secret, secret_file and public")
    if given == ["secret_file"] and not str(row["secret_file"]).startswith("/"):  # no path: perhaps the secret itself
        raise KeysError(f"{where} ({name}): secret_file is an absolute path")
    value = _private(Path(str(row["secret_file"]))).strip() if given == ["secret_file"] else str(row[given[0]])
    if given == ["public"]:
        return Key(name, tuple(workloads), public=_public(value, f"{where} ({name})"), senders=tuple(senders))
    return Key(name, tuple(workloads), secret=_secret(value, f"{where} ({name})"), senders=tuple(senders))


def _secret(text: str, where: str) -> bytes:
    secret = _decoded(text.removeprefix("whsec_"), where)
    if len(secret) < LEAST_SECRET:
        raise KeysError(f"{where}: a secret of {len(secret)} bytes; make one with `openssl rand -base64 32`")
    return secret


def _public(text: str, where: str) -> bytes:
    public = _decoded(text.removeprefix("whpk_"), where)
    if len(public) != 32:
        raise KeysError(f"{where}: an Ed25519 key has 32 bytes, this one {len(public)}")
    return public


def _decoded(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as e:
        raise KeysError(f"{where}: not base64") from e


def _private(path: Path) -> str:
    """The text of a file that strangers can neither read nor change."""
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IWGRP | stat.S_IRWXO):
                raise KeysError(f"{path}: others can read or change it; chmod 0640 {path}")
            return file.read(1 << 20)
    except OSError as e:
        raise KeysError(f"{path}: {e.strerror}; check the path and its owner") from e
    except UnicodeDecodeError as e:
        raise KeysError(f"{path}: no text") from e
