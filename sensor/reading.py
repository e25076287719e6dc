"""What stands in the files that replicas run and open, read beside the loop: digests, packages, contents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from sensor.observe.binaries import Binaries
from sensor.observe.contents import Contents
from sensor.observe.packages import Packages
from wire.records import Event, Replica, Window


class Reading:
    """`see` and `look` ask, `poll` gives events of what was read since.

    Args:
        cgroup_of: Directory of a replica's cgroup; None where it is gone.
        on: False: nothing is read.
    """

    def __init__(self, cgroup_of: Callable[[Replica], Path | None], *, on: bool) -> None:
        self._binaries = Binaries(cgroup_of, digest=on)
        self._packages, self._contents = Packages(cgroup_of, on=on), Contents(cgroup_of, on=on)
        self._parts = (self._binaries, self._packages, self._contents)

    def see(self, event: Event) -> None:
        """A fact of the kernel."""
        if event.kind == "exec":
            self._binaries.see(event)
        elif event.kind == "open":
            self._packages.see(event)
            self._contents.see(event)

    def look(self, window: Window) -> None:
        """More is opened than events may tell."""
        self._packages.look(window)
        self._contents.look(window)

    def poll(self) -> Iterator[Event]:
        """Answers since the last time."""
        return chain.from_iterable(part.poll() for part in self._parts)

    def forget(self, replica: Replica) -> None:
        """A replica has ended."""
        for part in self._parts:
            part.forget(replica)

    def close(self) -> None:
        """Ends their threads."""
        for part in self._parts:
            part.close()
