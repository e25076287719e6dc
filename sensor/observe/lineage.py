"""Who descends from whom: for each live process of a workload the images it came from, innermost first."""

from __future__ import annotations

from sensor.observe.names import UNKNOWN, base, base_of_script

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
        self._gone.add(child)
        self._anew(child)
        if parent in self._chains:
            chain, path = self._chains.pop(parent), self._paths.pop(parent)
            self._put(parent, chain, path)  # whoever has children is not forgotten first
            self._put(child, chain, path)

    def exec(self, pid: int, path: str, *, script: bool = False) -> str:
        """Notes a new image; returns the base name of the image that called exec."""
        self._anew(pid)
        before = self._chains.get(pid, ())
        caller = before[0] if before else UNKNOWN
        self._put(pid, (_name(path, script), *before)[:DEPTH], path)
        return caller

    def keep(self, pid: int, script: str) -> str:
        """The process runs its script still, by another program; returns the script's base name."""
        self._anew(pid)
        if self.path(pid) != script:  # its record was lost
            self.exec(pid, script, script=True)
        return self._chains[pid][0]

    def exit(self, pid: int) -> None:
        """The process is forgotten at the next `settle`, unless its number is used anew before."""
        self._gone.add(pid)

    def settle(self) -> None:
        """Everything that the exited processes did has been read."""
        for pid in self._gone:
            self._chains.pop(pid, None)
            self._paths.pop(pid, None)
        self._gone.clear()

    def adopt(self, pid: int, path: str, parent: int, *, script: bool = False) -> None:
        """A process that began unobserved. One that has its parent's image is taken for a fork of it."""
        self._anew(pid)
        if pid not in self._chains:
            above = self._chains.get(parent, ())
            self._put(pid, above if self.path(parent) == path else (_name(path, script), *above)[:DEPTH], path)

    def _anew(self, pid: int) -> None:
        """A number that is used again is another process, which has nothing of the one before."""
        if pid in self._gone:
            self._gone.discard(pid)
            self._chains.pop(pid, None)
            self._paths.pop(pid, None)

    def of(self, pid: int) -> str:
        """`curl<sh<python3.11`; `-` where nothing is known."""
        return "<".join(self._chains.get(pid, (UNKNOWN,)))

    def path(self, pid: int) -> str:
        """Path of the process's image, "" where it is not known."""
        return self._paths.get(pid, "")

    def _put(self, pid: int, chain: tuple[str, ...], path: str) -> None:
        """Full, the one that was named longest ago goes: where exits were lost, most of what is here is dead."""
        self._chains.pop(pid, None)
        self._chains[pid], self._paths[pid] = chain, path
        if len(self._chains) > self._limit:
            oldest = next(iter(self._chains))
            del self._chains[oldest], self._paths[oldest]
            self.dropped += 1


def _name(path: str, script: bool) -> str:
    return base_of_script(path) if script else base(path)
