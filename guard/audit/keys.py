"""The key that signs heads: made once, kept where no workload comes, and its public half as text that people can pass on."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from classifier.deploys.signing import KeysError
from classifier.tracks.keys import private_key

LIMIT = 1 << 14  # bytes of a file with a public key
PREFIX = "whpk_"  # as Standard Webhooks writes a public key


class AuditKeyError(KeysError):
    """A key that cannot be used; the message says why and what to do."""

    exit_code = 3


def load(path: Path) -> Ed25519PrivateKey:
    """The key of a file that only its owner, and root, can read or put another in the place of.

    Raises:
        AuditKeyError: It is not such a file, or holds no such key.
    """
    _guarded(path)
    try:
        return private_key(path)
    except KeysError as e:
        raise AuditKeyError(str(e)) from e


def create(path: Path) -> Ed25519PrivateKey:
    """A new key in a new file.

    Raises:
        AuditKeyError: There is one already, or the place cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as e:
        raise AuditKeyError(f"{path}: there is a file already; a trail keeps its key") from e
    except OSError as e:
        raise AuditKeyError(f"{path}: {e.strerror}; choose another place for audit.key") from e
    with os.fdopen(file, "wb") as f:
        f.write(pem)
        f.flush()
        os.fsync(f.fileno())
    return load(path)


def _guarded(path: Path) -> None:
    """Raise unless the file and the folders above it are out of strangers' reach."""
    try:
        held = path.lstat()
    except OSError as e:
        raise AuditKeyError(f"{path}: {e.strerror}; make one with `driftline audit key --create`") from e
    if not stat.S_ISREG(held.st_mode):
        raise AuditKeyError(f"{path}: no plain file; name the file itself")
    # Root looks after the trail of a classifier that has a user of its own: key and folder are that user's.
    theirs = path.parent.stat().st_uid if os.geteuid() == 0 else 0
    if held.st_uid not in (0, os.geteuid(), theirs):
        raise AuditKeyError(f"{path}: belongs to user {held.st_uid}; give it to root or to the user that signs")
    if held.st_mode & 0o077:
        raise AuditKeyError(f"{path}: others can read or change it; chmod 0600 {path}")
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise AuditKeyError(f"{folder}: anybody can put another key there; chmod o-w {folder}")


def raw(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def pem(key: Ed25519PublicKey) -> str:
    """A public key as PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def short(key: Ed25519PublicKey) -> str:
    """A public key in one word."""
    return PREFIX + base64.b64encode(raw(key)).decode()


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of a public key, in hexadecimal: what two people compare."""
    return hashlib.sha256(raw(key)).hexdigest()


def public(text: str) -> Ed25519PublicKey:
    """The public key of a text: PEM, one word, or 64 hexadecimal digits.

    Raises:
        AuditKeyError: It is none of these.
    """
    text = text.strip()
    try:
        if text.startswith("-----"):
            key = load_pem_public_key(text.encode())
            if isinstance(key, Ed25519PublicKey):
                return key
            raise ValueError("another kind of key")
        data = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text.removeprefix(PREFIX), validate=True)
        return Ed25519PublicKey.from_public_bytes(data)
    except (ValueError, binascii.Error, UnicodeError, UnsupportedAlgorithm) as e:
        raise AuditKeyError("no Ed25519 public key; take what `driftline audit key` prints where the trail is") from e


def public_of(told: str) -> Ed25519PublicKey:
    """The public key of a file, or of the text itself."""
    path = Path(told)
    try:
        if len(told) < 4096 and "\0" not in told and path.is_file():
            with open(path, "rb") as file:
                return public(file.read(LIMIT).decode("ascii", "replace"))
    except OSError as e:
        raise AuditKeyError(f"{path}: {e.strerror}; check the path and its owner") from e
    return public(told)


def signed_by(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether a signature is this key's."""
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True
