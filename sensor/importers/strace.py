"""The text of ``strace -f -ttt`` becomes the stream. One trace is one workload.

A call counts where it begins. A line that is not strace's is counted and left out, and so is a call's second half whose
first is missing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import xxhash

from sensor.importers import strace_lines as lines
from sensor.importers.windows import FOREIGN, Act, Import, Owner, Stream, Summary, head
from sensor.observe import classes, names
from wire import syscalls
from wire.blocks import TraceError
from wire.records import Record, Workload

LONGEST = 1 << 20  # characters of a line
PROCESSES = 1 << 16
SOCKETS = 1 << 16
TCP, UDP = 6, 17
FORKS = {"fork", "vfork", "clone", "clone3"}
OPENS = {"open", "openat", "openat2", "creat"}
WRITES = ("O_WRONLY", "O_RDWR", "O_CREAT|O_TRUNC")
MISSES = (
    "processes that were not followed (-f)",
    "the layer, digest and interpreter of images",
    "full paths of files opened relative to a directory that the trace does not name",
    "bytes and packets of connections",
)


@dataclass(slots=True)
class Process:
    """What is known of one thread."""

    pid: int
    parent: int = 0
    image: str = ""
    cwd: str = ""
    begun: lines.Line | None = None  # the call that it is in


def sniff(first: bytes, name: str) -> bool:
    """Whether a file that begins so is a trace of strace with time stamps."""
    start = first[:4096].decode("utf-8", "replace").splitlines()[:5]
    return any((line := lines.parse(text)) is not None and line.kind != "ended" for text in start)


def records(
    path: str | Path, *, interval: float = 10.0, workload: str | None = None, node: str = "strace", arch: str = "x86_64"
) -> Import:
    """The stream of a trace.

    Args:
        interval: seconds of a window.
        workload: the owner of it all; by default named after the file.
        arch: decides what the names of calls mean as numbers.
    Raises:
        TraceError: no such file.
    """
    reader = _Reader(Path(path), arch, Workload(workload or f"import/{node}/Trace/{Path(path).stem}/{Path(path).stem}"))
    return Import(reader.stream(interval, node), reader.summary)


class _Reader:
    """One pass over one trace."""

    def __init__(self, path: Path, arch: str, workload: Workload):
        self.path = path
        self.arch = arch
        self.owner = Owner(f"/strace/{path.name}", workload, startup_observed=True)
        self.summary = Summary()
        self._processes: dict[int, Process] = {}
        self._forking: list[int] = []  # threads inside a fork, the latest last
        self._sockets: dict[tuple[int, int], tuple[int, int]] = {}  # (pid, fd) → protocol, own port

    def stream(self, interval: float, node: str) -> Iterator[Record]:
        try:
            file = open(self.path, "rb")  # noqa: SIM115 - closed below, at the end of the stream
        except OSError as e:
            raise TraceError(f"{self.path}: cannot be opened: {e.strerror}; check the path") from e
        with file:
            found = self._lines(file)
            first = next(found, None)
            time = first.time if first else 0.0
            epoch = xxhash.xxh3_64_hexdigest(f"{self.path.name} {time} {interval}".encode())[:12]
            start = head("strace", time, node=node, epoch=epoch, interval=interval, arch=self.arch, misses=MISSES)
            acts = (act for line in chain([first] if first else [], found) for act in self._acts(line))
            yield from Stream(start, self.summary).records(acts)

    def _lines(self, file: BinaryIO) -> Iterator[lines.Line]:
        while raw := file.readline(LONGEST):
            text = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
            if not text or text.startswith("strace: "):
                continue
            line = lines.parse(text)
            self.summary.events += 1
            if line is None:
                self.summary.unparsed += 1
            else:
                yield line

    def _acts(self, line: lines.Line) -> Iterator[Act]:
        process = self._process(line.tid)
        self.summary.saw(line.name if line.kind in ("call", "begun") else line.kind)
        if line.kind == "ended":
            yield from self._ended(line, process)
        elif line.kind == "begun":
            process.begun = line
            if line.name in FORKS:
                self._forking.append(line.tid)
            yield self._new(line, number=self._number(line.name))
        elif line.kind == "call":
            yield self._new(line, number=self._number(line.name))
            yield from self._returned(line, process, line.args)
        elif line.kind == "resumed":
            yield from self._resumed(line, process)

    def _resumed(self, line: lines.Line, process: Process) -> Iterator[Act]:
        begun, process.begun = process.begun, None
        if begun is None or begun.name != line.name:
            self.summary.unparsed += 1
            return
        if line.name in FORKS and line.tid in self._forking:
            self._forking.remove(line.tid)
        yield from self._returned(line, process, f"{begun.args} {line.args}")

    def _process(self, tid: int) -> Process:
        found = self._processes.get(tid)
        if found is None:
            # A child may speak before its parent's fork returns.
            found = self._child(tid, self._forking[-1] if self._forking else 0, thread=False)
        return found

    def _child(self, tid: int, parent: int, thread: bool) -> Process:
        if len(self._processes) >= PROCESSES:
            del self._processes[next(iter(self._processes))]
        p = self._processes.get(parent, Process(parent))
        child = Process(p.pid if thread else tid, p.pid, p.image, p.cwd)
        self._processes[tid] = child
        return child

    def _number(self, name: str) -> int:
        if name.startswith("syscall_0x"):
            return int(name[10:26] or "0", 16) if name[10:26].isalnum() and _hex(name[10:26]) else FOREIGN
        found = syscalls.number(name, self.arch)
        return FOREIGN if found is None else found

    def _returned(self, line: lines.Line, process: Process, args: str) -> Iterator[Act]:
        if line.result is None:
            return
        handler = HANDLERS.get(line.name)
        act = handler(self, line, process, args) if handler else None
        if act is not None:
            yield act

    def _forked(self, line: lines.Line, process: Process, args: str) -> Act | None:
        if line.result <= 0:
            return None
        thread = "CLONE_THREAD" in args
        child = self._processes.get(line.result) or self._child(line.result, line.tid, thread)
        if thread:  # it may have spoken before, and was taken for a process
            child.pid, child.parent = process.pid, process.parent
        return None if thread else self._fact(line, child, "fork", None, {})

    def _executed(self, line: lines.Line, process: Process, args: str) -> Act | None:
        found, cut = lines.strings(args.partition("], 0x")[0])
        if line.result != 0 or not found:
            return None
        caller = names.base(process.image) if process.image else names.UNKNOWN
        process.image = _joined(found[0], process.cwd)
        data = {"path": process.image, "argv": " ".join(found[1:])[:4096], "cwd": process.cwd} | (
            {"cut": 1} if cut else {}
        )
        return self._fact(line, process, "exec", names.exec_of(process.image, caller), data)

    def _opened(self, line: lines.Line, process: Process, args: str) -> Act | None:
        found, _ = lines.strings(args)
        if line.result < 0 or not found:
            return None
        if line.name.startswith("openat") and lines.descriptor(args) is not None and not found[0].startswith("/"):
            return None  # relative to a directory known by its number alone
        path = _joined(found[0], process.cwd)
        writes = line.name == "creat" or any(flag in args for flag in WRITES)
        return self._fact(line, process, "open", classes.file_behaviour(path, writes), {"path": path})

    def _changed_directory(self, line: lines.Line, process: Process, args: str) -> None:
        found, _ = lines.strings(args)
        if line.result == 0 and found:
            process.cwd = _joined(found[0], process.cwd)

    def _made_socket(self, line: lines.Line, process: Process, args: str) -> None:
        if len(self._sockets) >= SOCKETS:
            del self._sockets[next(iter(self._sockets))]
        self._sockets[process.pid, line.result] = (UDP if "SOCK_DGRAM" in args else TCP), 0

    def _bound(self, line: lines.Line, process: Process, args: str) -> None:
        """bind and getsockname tell the port that a later accept listens on."""
        here, key = lines.address(args), (process.pid, lines.descriptor(args) or 0)
        if here is not None and key in self._sockets:
            self._sockets[key] = self._sockets[key][0], here[1]

    def _connected(self, line: lines.Line, process: Process, args: str) -> Act | None:
        peer = lines.address(args)
        if peer is None or not peer[1]:
            return None
        protocol, _ = self._sockets.get((process.pid, lines.descriptor(args) or 0), (0, 0))
        spoken = protocol or (UDP if line.name != "connect" or peer[1] == 53 else TCP)
        behaviour = classes.identity_of(peer[0]) or names.flow_of(False, spoken, names.host(peer[0], None), peer[1])
        return self._fact(
            line, process, "egress", behaviour, {"address": peer[0], "port": peer[1], "result": line.result}
        )

    def _accepted(self, line: lines.Line, process: Process, args: str) -> Act | None:
        peer = lines.address(args)
        if peer is None or line.result < 0:
            return None
        _, port = self._sockets.get((process.pid, lines.descriptor(args) or 0), (0, 0))
        return self._fact(
            line, process, "ingress", names.flow_of(True, TCP, "", port), {"address": peer[0], "port": port}
        )

    def _ended(self, line: lines.Line, process: Process) -> Iterator[Act]:
        if process.pid == line.tid and line.name != "superseded by":
            yield self._fact(line, process, "exit", None, {"status": f"{line.name} {line.args}"})
        self._processes.pop(line.tid, None)

    def _fact(self, line: lines.Line, process: Process, kind: str, behaviour, data: dict) -> Act:
        known = {"pid": process.pid, "ppid": process.parent, "image": process.image}
        return self._new(line, kind=kind, behaviour=behaviour, data=known | data)

    def _new(self, line: lines.Line, **changes) -> Act:
        return Act(line.time, self.owner, line.tid, **changes)


def _hex(text: str) -> bool:
    return all(c in "0123456789abcdefABCDEF" for c in text)


def _joined(path: str, cwd: str) -> str:
    return posixpath.normpath(posixpath.join(cwd, path)) if path else ""


HANDLERS = {
    **dict.fromkeys(FORKS, _Reader._forked),
    **dict.fromkeys(OPENS, _Reader._opened),
    **dict.fromkeys(("execve", "execveat"), _Reader._executed),
    **dict.fromkeys(("connect", "sendto", "sendmsg"), _Reader._connected),
    **dict.fromkeys(("accept", "accept4"), _Reader._accepted),
    **dict.fromkeys(("bind", "getsockname"), _Reader._bound),
    "chdir": _Reader._changed_directory,
    "socket": _Reader._made_socket,
}
