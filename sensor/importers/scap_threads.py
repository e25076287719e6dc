"""The threads of a .scap capture, as its process list and its events tell of them, and whose they are."""

from __future__ import annotations

import json
from dataclasses import replace

from sensor.identity import paths
from sensor.importers import scap_table as table
from sensor.importers.scap_blocks import Process, RawEvent, text
from sensor.importers.windows import Owner
from wire.records import Workload

THREADS = 1 << 17  # the oldest is forgotten beyond
NAMES = 10_000  # containers whose name and image are remembered
PREFERRED = (b"", b"memory", b"name=systemd", b"cpuset", b"cpu")  # cgroup trees, the one that tells most first


class Threads:
    """Who each thread is, while the capture goes on."""

    def __init__(self, node: str, workload: str | None = None):
        self.node = node
        self.workload = workload
        self._known: dict[int, Process] = {}
        self._owners: dict[bytes, Owner] = {}
        self._containers: dict[str, tuple[str, str]] = {}  # first 12 characters of the id → name, image

    def put(self, process: Process) -> Process:
        """Remember a thread, instead of an older one of the same number."""
        self._known.pop(process.tid, None)
        self._known[process.tid] = process
        if len(self._known) > THREADS:
            del self._known[next(iter(self._known))]
        return process

    def get(self, tid: int) -> Process:
        """The thread, or one of which nothing is known."""
        found = self._known.get(tid)
        return found if found is not None else self.put(Process(tid, tid, 0))

    def end(self, tid: int) -> None:
        """Forget a thread that ended."""
        self._known.pop(tid, None)

    def started(self, e: RawEvent) -> tuple[Process, int]:
        """The thread after a clone, fork or vfork: the child on either side of the call. Also the call's result."""
        result = number(e.params, table.RES)
        child = result if result > 0 else e.tid
        caller = self.get(e.tid)
        flags_at, uid_at = table.CLONES[e.kind]
        in_child = result == 0
        known = {
            "comm": self._comm(e) or caller.comm,
            "cgroups": self._cgroups(e) or caller.cgroups,
            "exe": text(param(e.params, table.EXE)) or caller.exe,
            "uid": number(e.params, uid_at, 4),
            "cwd": text(param(e.params, table.CWD)) or caller.cwd,
        }
        thread = bool(number(e.params, flags_at, 4) & 1 << 13)  # CLONE_THREAD, in the capture's own numbering
        if in_child:
            pid, parent = number(e.params, table.PID), number(e.params, table.PTID)
            path = caller.path or self.get(parent).path
        else:
            pid, parent, path = (caller.pid if thread else child), caller.pid, caller.path
        return self.put(Process(child, pid, parent, path=path, thread=thread, **known)), result

    def executed(self, e: RawEvent, entry_path: str) -> Process:
        """The thread after an execve or execveat that went well."""
        before = self.get(e.tid)
        exe = text(param(e.params, table.EXE))
        trusted = text(param(e.params, table.EXEC_TRUSTED_PATH)) if e.kind in (293, 331) else ""
        named = text(param(e.params, table.EXEC_FILENAME)) if e.kind == 293 else ""
        known = {
            "comm": self._comm(e) or before.comm,
            "cgroups": self._cgroups(e) or before.cgroups,
            "cwd": text(param(e.params, table.CWD)) or before.cwd,
        }
        uid = (
            number(e.params, table.EXEC_UID, 4)
            if e.kind in (293, 331) and len(e.params) > table.EXEC_UID
            else before.uid
        )
        ids = number(e.params, table.PID) or e.tid, number(e.params, table.PTID) or before.ptid
        path = next((p for p in (trusted, named, entry_path, exe) if p and not p.startswith("<")), "")
        return self.put(Process(e.tid, *ids, exe=exe, path=path, uid=uid, **known))

    def moved(self, tid: int, cwd: str) -> None:
        """The thread changed its directory."""
        self.put(replace(self.get(tid), cwd=cwd))

    def _comm(self, e: RawEvent) -> str:
        return text(param(e.params, table.COMM)) if e.kind in table.WITH_COMM else ""

    def _cgroups(self, e: RawEvent) -> bytes:
        return param(e.params, table.CGROUPS) if e.kind in table.WITH_CGROUPS else b""

    def container(self, raw: bytes) -> None:
        """What a container event says of its container; nothing if it is not the JSON it should be."""
        try:
            found = json.loads(raw.rstrip(b"\0"))["container"]
            key, name, image = (str(found.get(k, "")) for k in ("id", "name", "image"))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return
        if len(self._containers) < NAMES:
            self._containers[key[:12]] = name, image
            self._owners.clear()

    def owner(self, process: Process) -> Owner:
        """Whose acts this thread's acts are: its container, its unit, or the host."""
        owner = self._owners.get(process.cgroups)
        if owner is None:
            if len(self._owners) > THREADS:
                self._owners.clear()
            owner = self._owners[process.cgroups] = self._owner(process.cgroups)
        return owner

    def _owner(self, cgroups: bytes) -> Owner:
        place = _place(cgroups)
        if place.container:
            key = place.container[:12]
            name, image = self._containers.get(key, ("", ""))
            workload = self.workload or f"import/{self.node}/Container/{name or key}/{name or key}"
            return Owner(place.base, Workload(workload), place.container, name, image)
        if place.unit:
            return Owner(place.base, Workload(self.workload or f"unit:{place.unit}"))
        return Owner("/", Workload(self.workload or f"import/{self.node}/Host/{self.node}/host"))


def _place(cgroups: bytes) -> paths.Place:
    """The most telling place of the cgroups of one thread (``tree=path``, each ended by NUL)."""
    trees = dict(pair.partition(b"=")[::2] for pair in cgroups[:65536].split(b"\0") if pair)
    order = [t for t in PREFERRED if t in trees] + sorted(t for t in trees if t not in PREFERRED)
    places = [paths.parse(trees[t].decode("utf-8", "backslashreplace")) for t in order]
    telling = [p for p in places if p.container] or [p for p in places if p.unit]
    return telling[0] if telling else paths.OTHER


def param(params: list[bytes], index: int | None) -> bytes:
    """One parameter; empty where the event is older than the parameter."""
    return params[index] if index is not None and index < len(params) else b""


def number(params: list[bytes], index: int, size: int = 8) -> int:
    """A signed number parameter; 0 where there is none."""
    return int.from_bytes(param(params, index)[:size], "little", signed=True)
