"""Texts to sealed texts in the age format (age-encryption.org/v1), which the program `age` opens as well.

Whoever seals knows public keys only. The library is loaded when somebody is named who may read: others need not have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

MISSING = "originals are sealed by the library pyrage, which is not here; install driftline[originals]"
Seal = Callable[[bytes], bytes]


class SealingError(ValueError):
    """Keys that cannot be used, or a text that they do not open. Holds no part of a key or a text."""

    exit_code = 2


def sealer(recipients: Sequence[str]) -> Seal:
    """Seals for these public keys; any one of theirs opens.

    Raises:
        SealingError: One is no public key of age, or the library is not here.
    """
    age = _library()
    keys = [_recipient(age, text) for text in recipients]
    return lambda text: age.encrypt(text, keys)


def new_key() -> tuple[str, str]:
    """A private key and its public one, as `age-keygen` makes them."""
    made = _library().x25519.Identity.generate()
    return str(made), str(made.to_public())


def opener(key: str) -> Seal:
    """Opens with the private keys of a key file: a line each, `#` begins a comment.

    Raises:
        SealingError: There is none in it, or the library is not here.
    """
    age = _library()
    lines = [line.strip() for line in key.splitlines()]
    try:
        keys = [age.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except age.IdentityError:
        keys = []
    if not keys:
        raise SealingError(
            "this is no key file of age; name the one that belongs to sensor.capture.originals.recipients"
        )

    def opened(sealed: bytes) -> bytes:
        try:
            return age.decrypt(sealed, keys)
        except age.DecryptError:
            raise SealingError(
                "this key does not open it; it was sealed for another one, or the file was changed"
            ) from None

    return opened


def _library() -> Any:
    try:
        import pyrage
    except ImportError:
        raise SealingError(MISSING) from None
    return pyrage


def _recipient(age: Any, text: str) -> Any:
    try:
        return age.x25519.Recipient.from_str(text)
    except age.RecipientError:
        hint = "it is a private key; take it off this machine" if text.upper().startswith("AGE-SECRET-KEY") else ""
        shown = "the text" if hint else repr(text[:80])
        raise SealingError(
            f"{shown} is no public key of age; {hint or 'it begins with age1, see docs/originals.md'}"
        ) from None
