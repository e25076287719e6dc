"""Deploy events as files that root drops into a folder: ``*.json``, each one event or a list of them.

What a file says counts because only root could have put it there, so that is checked: of the folder and of the file
that was opened, not of its name. A file that was read moves to ``done/`` or, with its reason beside it, to ``refused/``.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from classifier.deploys.plain import BadDeploy, deploy
from wire.records import Deploy

LIMIT = 64 << 10  # bytes of a file
FILES = 256  # at one look
STUCK = 100_000  # files that are remembered
SETTLED = 1.0  # seconds without a change, after which a file is complete


@dataclass(frozen=True, slots=True)
class Found:
    """One file."""

    name: str
    deploys: tuple[Deploy, ...] = ()
    refused: str = ""  # why nothing of it counts
    stamp: tuple[int, ...] = ()  # inode, size and times; () for what could not be opened


class Folder:
    """The watched folder. `trouble` says why it is not looked at, or what cannot be moved away; "" if all is well.

    A file that cannot be moved is remembered and read again only if it changes. `stuck` is how many there are.

    Args:
        owners: whose files count, besides root's.
    """

    def __init__(self, path: Path, owners: tuple[int, ...] = ()):
        self.path, self.trouble = path, ""
        self._owners = {0, *owners}
        self._stuck: dict[str, tuple[int, ...]] = {}  # name → stamp
        self._why = ""  # why they could not be moved

    def scan(self, now: float) -> Iterator[Found]:
        """Every file that is complete, oldest name first. `settle` each when its events are kept.

        Args:
            now: seconds since the epoch.
        """
        self.trouble = self._unfit()
        if self.trouble:
            return
        names = [n for n in os.listdir(self.path) if n.endswith(".json") and not n.startswith(".")]
        self._stuck = {name: stamp for name, stamp in self._stuck.items() if name in names}
        self.trouble = self._complaint()
        for name in sorted(names)[: 4 * FILES + len(self._stuck)]:
            if not self._is_stuck(name):
                found = self._read(name, now)
                if found is not None:
                    yield found

    @property
    def stuck(self) -> int:
        """Files that were read and cannot be moved away."""
        return len(self._stuck)

    def settle(self, found: Found) -> None:
        """Move a file out of the way; one that cannot be moved is remembered as read."""
        target = self.path / ("refused" if found.refused else "done")
        try:
            target.mkdir(mode=0o750, exist_ok=True)
            os.replace(self.path / found.name, target / found.name)
            if found.refused:
                (target / f"{found.name}.reason").write_text(found.refused + "\n")
        except OSError as e:
            if len(self._stuck) < STUCK:
                self._stuck[found.name] = found.stamp
            self._why = e.strerror or "unknown"
            self.trouble = self._complaint()

    def _complaint(self) -> str:
        if not self._stuck:
            return ""
        return f"{self.stuck} files in {self.path} stay there ({self._why}); let the classifier's user write the folder"

    def _is_stuck(self, name: str) -> bool:
        """Whether it was read already and has not changed since. Its change time is the kernel's, nobody can set it back."""
        before = self._stuck.get(name)
        if before is None:
            return False
        try:
            return not before or _stamp(os.lstat(self.path / name)) == before
        except OSError:  # it went meanwhile
            return True

    def _unfit(self) -> str:
        try:
            held = os.stat(self.path)
        except OSError as e:
            return f"{self.path}: {e.strerror}"
        if not stat.S_ISDIR(held.st_mode):
            return f"{self.path} is no folder"
        if held.st_mode & 0o022 or held.st_uid not in {*self._owners, os.getuid()}:
            return f"{self.path}: others can write there; chmod 0755 it and give it to root or the classifier"
        return ""

    def _read(self, name: str, now: float) -> Found | None:
        try:
            fd = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:  # moved meanwhile
            return None
        except OSError as e:
            return Found(name, refused=f"cannot be opened: {e.strerror}")
        with os.fdopen(fd, "rb") as file:
            held = os.fstat(fd)
            if now - held.st_mtime < SETTLED and held.st_mtime <= now:
                return None
            if why := self._untrusted(held):
                return Found(name, refused=why, stamp=_stamp(held))
            return replace(self._parsed(name, file.read(LIMIT + 1), now), stamp=_stamp(held))

    def _untrusted(self, held: os.stat_result) -> str:
        if not stat.S_ISREG(held.st_mode) or held.st_nlink != 1:
            return "no regular file of its own"
        if held.st_uid not in self._owners:
            return f"owned by user {held.st_uid}, not by root"
        return "others can change it" if held.st_mode & 0o022 else ""

    def _parsed(self, name: str, content: bytes, now: float) -> Found:
        if len(content) > LIMIT:
            return Found(name, refused=f"larger than {LIMIT >> 10} KiB")
        try:
            body = json.loads(content)
        except (ValueError, RecursionError) as e:
            return Found(name, refused=f"no JSON: {e!s:.200}")
        rows = body if isinstance(body, list) else [body]
        try:
            # Without an id of its own the name of the file is one: a second look must not make a second event.
            named = [{"id": f"{name}:{n}"} | row if isinstance(row, dict) else row for n, row in enumerate(rows)]
            given = {"source": "folder", "trust": "local", "received": now, "actor": "root"}
            return Found(name, tuple(deploy(row, **given) for row in named))
        except BadDeploy as e:
            return Found(name, refused=str(e))


def _stamp(held: os.stat_result) -> tuple[int, ...]:
    return held.st_dev, held.st_ino, held.st_size, held.st_mtime_ns, held.st_ctime_ns
