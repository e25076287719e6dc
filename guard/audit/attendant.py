"""The trail of a running classifier: opened with it, written beside it, closed after its last word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from classifier.core import Core
from guard.audit import access, keys, notices
from guard.audit.heads import parsed
from guard.audit.ledger import Ledger, LedgerError, NotNow
from guard.audit.seal import seal, sound
from guard.audit.sources import Live
from guard.audit.writer import Writer

PART = "audit"  # its name in the log and in what ails the classifier


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Where a trail lies and for how long."""

    folder: Path
    key: Path  # made with the first row; a trail with rows and without its key is not continued
    days: float = 400.0  # bodies of rows, and the records they cite
    silence: float = 120.0  # seconds without a word of a sensor, after which a row says so
    answer: float = 86_400.0  # seconds within which a person should decide about a finding
    max_bytes: int = 8 << 30


class Attendant:
    """Writes a trail from a classifier's memory.

    Raises:
        LedgerError, KeysError: The trail or its key cannot be used; a classifier that should keep one does not go on.
    """

    def __init__(self, core: Core, settings: AuditSettings, now: float) -> None:
        self._core, self._settings, self._live = core, settings, Live(core)
        self._ledger = Ledger(settings.folder, writer=True, max_bytes=settings.max_bytes)
        try:
            key = key_for(self._ledger, settings.key)
            if not sound(self._ledger):
                raise LedgerError(
                    f"{self._ledger.path}: its rows are not those of its last head; keep it, and begin anew"
                )
            self._writer = Writer(self._ledger, key, self._live, days=settings.days)
            same_key(self._ledger, key, now)
        except BaseException:
            self._ledger.close()
            raise

    def look(self, now: float) -> None:
        """Write what has come since the last look."""
        try:
            self._writer.turn(now)
            self._writer.silence(self._live.heard(), now, self._settings.silence)
            self._writer.unanswered(now, self._settings.answer)
            self._writer.retain(now)
        except NotNow as e:  # it stays in the feed
            self._core.trouble(PART, str(e))
        except Exception as e:
            self._core.trouble(PART, f"{type(e).__name__}: {e}"[:200])
            raise
        else:
            self._core.mended(PART)

    def note(self, told: Mapping[str, Any], now: float) -> str:
        """A row of who is about to read what, on the disk when this returns; its id.

        Raises:
            NotNow: It is not written, so nothing may be read.
        """
        return self._writer.enter(access.asked(told, self._ledger.size + 1, now), now)

    def close(self, now: float) -> None:
        """A last look; what it misses is in the feed for the next start."""
        try:
            self.look(now)
        finally:
            self._ledger.close()


def key_for(ledger: Ledger, path: Path) -> Ed25519PrivateKey:
    """The key of a trail; a new one for a new trail.

    Raises:
        AuditKeyError: The trail has rows and its key is gone, or the key cannot be used.
    """
    if path.exists() or path.is_symlink() or ledger.size:
        return keys.load(path)
    return keys.create(path)


def same_key(ledger: Ledger, key: Ed25519PrivateKey, now: float) -> None:
    """Say in a row when another key signs from now on."""
    body, mine = ledger.head(), keys.fingerprint(key.public_key())
    before = parsed(body).key if body is not None else mine
    if before != mine:
        with ledger.writing():
            ledger.add(notices.other_key(before, mine, now), now=now)
            seal(ledger, key, now)
