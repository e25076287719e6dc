"""Falco and sysdig captures (.scap) become the stream: calls, execs, forks, exits, connections, opens, per container.

A call counts where it returns, because newer captures hold only returns; the two that never return count where they
begin. Not here: what the capture left out (a filter, dropped buffers), whether a call was a 32-bit one, and files and
sockets that were open before it began.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

import xxhash

from sensor.importers import scap_blocks as blocks
from sensor.importers import scap_table as table
from sensor.importers.scap_net import Sockets
from sensor.importers.scap_threads import Threads, number, param
from sensor.importers.windows import FOREIGN, Act, Import, Stream, Summary, head
from sensor.observe import classes, names
from wire import syscalls
from wire.blocks import TraceError
from wire.records import Record

ARCH = "x86_64"  # a capture does not say; its entry numbers are its machine's
NEVER_RETURN = {syscalls.number("exit", ARCH), syscalls.number("exit_group", ARCH)}
PENDING = 1 << 16  # threads with an entry whose return has not been seen
MISSES = (
    "calls that the capture's filter or its full buffers left out",
    "whether a call was a 32-bit one",
    "files and sockets that were open before the capture began",
    "datagrams that came in; full paths of images in captures before Falco 0.33",
    "names of scripts in captures since Falco 0.33: their interpreters stand for them",
)
NUMBERS = [syscalls.number(table.KERNEL_NAMES.get(n, n), ARCH) if not n.startswith("-") else None for n in table.PAIRS]


def sniff(first: bytes, name: str) -> bool:
    """Whether a file that begins so is a capture of this kind."""
    if first[:2] == blocks.GZIP:
        return name.endswith((".scap", ".scap.gz"))
    return first[:4] == blocks.SECTION.to_bytes(4, "little") and len(first) >= 12 and first[8:12] == b"\x4d\x3c\x2b\x1a"


def records(
    path: str | Path,
    *,
    interval: float = 10.0,
    workload: str | None = None,
    node: str | None = None,
    salvage: bool = False,
) -> Import:
    """The stream of a capture.

    Args:
        interval: seconds of a window.
        workload: the owner of everything, instead of each container, unit and the host on its own.
        node: name of the machine, instead of the one in the capture.
        salvage: end quietly at damage; `summary.damage` then says where.
    Raises:
        TraceError: no such capture, or damage in it, after everything before it was given out.
    """
    reader = _Reader(Path(path), workload, node, salvage)
    return Import(reader.stream(interval), reader.summary)


class _Reader:
    """One pass over one capture."""

    def __init__(self, path: Path, workload: str | None, node: str | None, salvage: bool):
        self.path = path
        self.summary = Summary()
        self.salvage = salvage
        self.node = node
        self.threads = Threads(node or "capture", workload)
        self.sockets = Sockets()
        self._pending: dict[int, blocks.RawEvent] = {}
        self._forked_once: set[int] = set()  # children of whom one of two returns was seen

    def stream(self, interval: float) -> Iterator[Record]:
        with blocks.opened(self.path) as file:
            found = self._blocks(file)
            first = next(found, None)
            time = first.time / 1e9 if first else 0.0
            name = self.threads.node
            epoch = xxhash.xxh3_64_hexdigest(f"{name} {first.time if first else 0} {interval}".encode())[:12]
            start = head("scap", time, node=name, epoch=epoch, interval=interval, arch=ARCH, misses=MISSES)
            yield from Stream(start, self.summary).records(self._acts(first, found))

    def _blocks(self, file) -> Iterator[blocks.RawEvent]:
        """Events of the file; process lists and the machine's name are taken up on the way."""
        try:
            for kind, body in blocks.blocks(file, self.path):
                if kind in blocks.EVENTS:
                    self.summary.events += 1
                    event = blocks.event(kind, body)
                    if event is not None:
                        yield event
                    else:
                        self.summary.unparsed += 1
                elif kind in blocks.MACHINE and self.node is None:
                    self.threads.node = blocks.hostname(body) or self.threads.node
                elif kind in blocks.PROCESSES:
                    for process in blocks.processes(blocks.PROCESSES[kind], body):
                        self.threads.put(process)
        except TraceError as e:
            if not self.salvage:
                raise
            self.summary.damage = str(e)

    def _acts(self, first: blocks.RawEvent | None, rest: Iterator[blocks.RawEvent]) -> Iterator[Act]:
        if first is None:
            return
        yield from self._act(first)
        for event in rest:
            yield from self._act(event)

    def _act(self, e: blocks.RawEvent) -> Iterator[Act]:
        name = table.name(e.kind)
        self.summary.saw(name + (" exit" if e.kind & 1 else " entry"))
        if e.kind in table.DROPS:
            yield self._new(e, lost="capture")
        elif e.kind in table.CONTAINERS:
            self.threads.container(param(e.params, 0))
        elif e.kind in table.PROC_EXITS:
            if self.threads.get(e.tid).pid == e.tid:
                yield self._new(e, kind="exit", data=self._process(e.tid) | {"status": number(e.params, 0)})
            self.threads.end(e.tid)
        elif e.kind & 1:
            yield from self._returned(e, self._taken(e))
        elif table.is_call(e.kind):
            yield from self._began(e)

    def _began(self, e: blocks.RawEvent) -> Iterator[Act]:
        if len(self._pending) >= PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[e.tid] = e
        if e.kind == table.GENERIC_ENTRY and number(e.params, 1, 2) in NEVER_RETURN:
            yield self._new(e, number=number(e.params, 1, 2))

    def _taken(self, e: blocks.RawEvent) -> blocks.RawEvent | None:
        """The entry of this return, if it was seen."""
        entry = self._pending.pop(e.tid, None)
        return entry if entry is not None and entry.kind >> 1 == e.kind >> 1 else None

    def _returned(self, e: blocks.RawEvent, entry: blocks.RawEvent | None) -> Iterator[Act]:
        if e.kind in table.CHILD_RETURNS:
            yield from self._forked(e)
            return
        if not table.is_call(e.kind):
            if e.kind >> 1 >= len(table.PAIRS):
                self.summary.unparsed += 1
            return
        call = self._number(e, entry)
        found = self._executed(e, entry, call) if e.kind in table.EXECS else self._fact(e, entry, call)
        yield found if found is not None else self._new(e, number=call)

    def _number(self, e: blocks.RawEvent, entry: blocks.RawEvent | None) -> int:
        if e.kind != table.GENERIC_EXIT:
            known = NUMBERS[e.kind >> 1]
            return FOREIGN if known is None else known
        for params in (e.params, entry.params if entry else []):
            if len(params) > 1:
                return int.from_bytes(params[1][:2], "little")
        return FOREIGN

    def _forked(self, e: blocks.RawEvent) -> Iterator[Act]:
        """The parent's return is the call; whichever of parent and child returns first tells of the fork."""
        child, result = self.threads.started(e)
        if result != 0:
            yield self._new(e, number=NUMBERS[e.kind >> 1])
        if result >= 0 and not child.thread and self._first_of_two(child.tid):
            yield self._new(e, kind="fork", data=self._process(child.tid))

    def _first_of_two(self, child: int) -> bool:
        if child in self._forked_once:
            self._forked_once.discard(child)
            return False
        if len(self._forked_once) >= PENDING:
            self._forked_once.clear()
        self._forked_once.add(child)
        return True

    def _executed(self, e: blocks.RawEvent, entry: blocks.RawEvent | None, call: int) -> Act | None:
        if number(e.params, table.RES) < 0:
            return None
        named = param(entry.params, table.EXEC_ENTRY_PATH.get(entry.kind)) if entry else b""
        before = self.threads.get(e.tid)
        # A process whose fork was not captured runs its parent's image until now.
        caller = before if before.path or before.comm else self.threads.get(before.ptid or number(e.params, table.PTID))
        caller_name = names.base(caller.path or caller.comm or caller.exe)
        after = self.threads.executed(e, blocks.text(named))
        image = self._path(after.path, after.cwd) if "/" in after.path else after.path or after.comm
        data = self._process(e.tid) | {"path": image, "argv": _argv(e), "cwd": after.cwd} | _layer(e)
        return self._new(
            e, number=call, kind="exec", behaviour=names.exec_of(image or names.UNKNOWN, caller_name), data=data
        )

    def _fact(self, e: blocks.RawEvent, entry: blocks.RawEvent | None, call: int) -> Act | None:
        if e.kind == table.CHDIR_EXIT and number(e.params, 0) == 0:
            here = self.threads.get(e.tid).cwd
            self.threads.moved(e.tid, self._path(blocks.text(param(e.params, 1)), here))
        if e.kind in table.OPENS or e.kind == table.OLD_OPENAT_EXIT:
            return self._opened(e, entry, call)
        flow = self.sockets.flow(e, entry, self.threads.get(e.tid).pid)
        if flow is None:
            return None
        data = self._process(e.tid) | flow.data
        return self._new(e, number=call, kind=flow.kind, behaviour=flow.behaviour, data=data)

    def _opened(self, e: blocks.RawEvent, entry: blocks.RawEvent | None, call: int) -> Act | None:
        params, at, flags_at, dir_at = e.params, *table.OPENS.get(e.kind, (1, 2)), table.OPEN_DIRFD.get(e.kind)
        if e.kind == table.OLD_OPENAT_EXIT:
            params, dir_at = (entry.params, 0) if entry else ([], 0)
        path = blocks.text(param(params, at))
        if number(e.params, 0) < 0 or not path or path.startswith("<"):
            return None
        anywhere = path.startswith("/") or dir_at is None or number(params, dir_at) in (-100, 0xFFFFFF9C)
        if not anywhere:
            return None  # relative to a directory that the capture names by number alone
        whole = self._path(path, self.threads.get(e.tid).cwd)
        writes = flags_at is None or bool(number(params, flags_at, 4) & table.WRITE)
        data = self._process(e.tid) | {"path": whole}
        return self._new(e, number=call, kind="open", behaviour=classes.file_behaviour(whole, writes), data=data)

    def _path(self, path: str, cwd: str) -> str:
        return os.fsdecode(posixpath.normpath(posixpath.join(cwd or "/", path))) if path else ""

    def _process(self, tid: int) -> dict[str, str | int | float]:
        p = self.threads.get(tid)
        known = {"pid": p.pid, "ppid": p.ptid, "uid": p.uid, "image": p.path or p.comm}
        return {k: v for k, v in known.items() if v not in ("", -1)}

    def _new(self, e: blocks.RawEvent, **changes) -> Act:
        return Act(e.time / 1e9, self.threads.owner(self.threads.get(e.tid)), e.tid, **changes)


def _argv(e: blocks.RawEvent) -> str:
    """The command line as one string, argv[0] first."""
    rest = param(e.params, table.ARGS).split(b"\0")
    parts = [blocks.text(param(e.params, table.EXE)), *(r.decode("utf-8", "backslashreplace") for r in rest if r)]
    return " ".join(parts)[:4096]


def _layer(e: blocks.RawEvent) -> dict[str, str]:
    """Where the image lies, for events new enough to say."""
    if e.kind not in (293, 331) or len(e.params) <= table.EXEC_FLAGS:
        return {}
    flags = number(e.params, table.EXEC_FLAGS, 4)
    known = ((table.MEMFD, "memfd"), (table.UPPER, "upper"), (table.LOWER, "lower"))
    return {"layer": next((name for bit, name in known if flags & bit), "unknown")}
