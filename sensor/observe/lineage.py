"""Who descends from whom: for each live process of a workload the images it came from, innermost first."""

from __future__ import annotations

from sensor.observe.names import UNKNOWN, base

DEPTH = 8


class Lineage:
    """Images of processes and of their ancestors within the workload; bounded by the processes that live.

    >>> tree = Lineage()
    >>> tree.exec(10, "/usr/bin/python3.11"), tree.fork(10, 11), tree.exec(11, "/bin/sh")
    ('-', None, 'python3.11')
    >>> tree.of(11)
    'sh<python3.11'
    """

    def __init__(self, limit: int = 65536) -> None:
        self._chains: dict[int, tuple[str, ...]] = {}
        self._paths: dict[int, str] = {}
        self._gone: set[int] = set()  # exited, but what they did may still come from another ring
        self._limit = limit
        self.dropped = 0

    def fork(self, parent: int, child: int) -> None:
        self._gone.discard(child)
        if parent in self._chains and self._room():
            self._chains[child] = self._chains[parent]
            self._paths[child] = self._paths[parent]

    def exec(self, pid: int, path: str) -> str:
        """Notes a new image; returns the base name of the image that called exec."""
        before = self._chains.get(pid, ())
        caller = before[0] if before else UNKNOWN
        if self._room():
            self._chains[pid] = (base(path), *before)[:DEPTH]
            self._paths[pid] = path
        return caller

    def exit(self, pid: int) -> None:
        """The process is forgotten at the next `settle`, unless its number is used anew before."""
        self._gone.add(pid)

    def settle(self) -> None:
        """Everything that the exited processes did has been read."""
        for pid in self._gone:
            self._chains.pop(pid, None)
            self._paths.pop(pid, None)
        self._gone.clear()

    def adopt(self, pid: int, path: str, parent: int) -> None:
        """A process that began before it was observed."""
        if pid not in self._chains and self._room():
            self._chains[pid] = (base(path), *self._chains.get(parent, ()))[:DEPTH]
            self._paths[pid] = path

    def of(self, pid: int) -> str:
        """`curl<sh<python3.11`; `-` where nothing is known."""
        return "<".join(self._chains.get(pid, (UNKNOWN,)))

    def path(self, pid: int) -> str:
        """Path of the process's image, "" where it is not known."""
        return self._paths.get(pid, "")

    def _room(self) -> bool:
        if len(self._chains) < self._limit:
            return True
        self.dropped += 1
        return False
