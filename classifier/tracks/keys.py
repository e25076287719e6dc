"""A file with a private key to the key: Ed25519, as PEM or as Standard Webhooks writes it (`whsk_…`)."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from classifier.deploys.signing import KeysError

LIMIT = 1 << 16  # bytes
NO_KEY = (
    ValueError,
    TypeError,
    binascii.Error,
    UnsupportedAlgorithm,
    InternalError,
)  # the last: a key too short or too long
PREFIX = b"whsk_"
REMEDY = "make one with `openssl genpkey -algorithm ed25519 -out FILE`"


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key of a file that strangers can neither read nor change.

    Raises:
        KeysError: It cannot be read, others can, or it holds something else.
    """
    text = _own(path)
    try:
        if text.startswith(PREFIX):
            seed = base64.b64decode(text.removeprefix(PREFIX), validate=True)
            return Ed25519PrivateKey.from_private_bytes(seed[:32])
        key = load_pem_private_key(text, password=None)
    except NO_KEY as e:
        raise KeysError(f"{path}: no private key without a password; {REMEDY}") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysError(f"{path}: a key of another kind than Ed25519; {REMEDY}")
    return key


def _own(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IWGRP | stat.S_IRWXO):
                raise KeysError(f"{path}: others can read or change it; chmod 0600 {path}")
            return file.read(LIMIT).strip()
    except OSError as e:
        raise KeysError(f"{path}: {e.strerror}; check the path and its owner") from e
