"""Whether what was loaded still sees what it is there for: programs can be taken out, and a cgroup be made anew."""

from __future__ import annotations

import logging
from pathlib import Path

from sensor.probes.client import Loaded

log = logging.getLogger("driftline.sensor")


class Blind(RuntimeError):
    """What was loaded sees the scope no more; only loading anew helps."""


class Sight:
    """Of the programs of one sensor, which see the cgroup `scope` and what is below it.

    Args:
        name: Of the sensor.
    """

    def __init__(self, loaded: Loaded, name: str) -> None:
        self._loaded, self._name = loaded, name
        self.scope = loaded.base / loaded.scope.strip("/")
        self._id, self._gone = _id(self.scope), False

    def check(self) -> None:
        """A service manager removes a stopped unit's cgroup, and makes another of the same name at the next start.

        Raises:
            Blind: The scope was made anew, or the programs were taken out of the kernel.
        """
        if not self._loaded.folder.is_dir():
            raise Blind(f"the programs of {self._name!r} were taken out of the kernel; start it again")
        here = _id(self.scope)
        if here is not None and here != self._id:
            raise Blind(f"the cgroup {self._loaded.scope} was removed and made anew; start again")
        if here is None and not self._gone:
            log.warning("the cgroup %s is gone; waiting for it to come back", self._loaded.scope)
        self._gone = here is None


def _id(directory: Path) -> int | None:
    """The id of a cgroup; None: it is gone."""
    try:
        return directory.stat().st_ino
    except FileNotFoundError:
        return None
