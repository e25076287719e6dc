"""The program of bpf/stdio.c to the calls that it is to see: as a guest of the program that is at sys_exit already, or alone."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from typing import Protocol

from sensor.probes.client import ProbeError
from sensor.probes.maps import LIB, Map


class Hook(Protocol):
    """Owns the program's descriptor."""

    @property
    def attached(self) -> bool: ...

    def add(self, cgroup: int) -> bool: ...

    def drop(self, cgroup: int) -> None: ...

    def close(self) -> None: ...


class Alone:
    """On the tracepoint itself, from the first workload to the last. Ends with this process, a kill included.

    Raises:
        ProbeError: The kernel does not let it be attached.
    """

    def __init__(self, program: int) -> None:
        self._program, self._link = program, -1
        self._cgroups: set[int] = set()
        self._attach()  # tried at once, so that who asks is told
        self._detach()

    @property
    def attached(self) -> bool:
        return self._link >= 0

    def add(self, cgroup: int) -> bool:
        self._cgroups.add(cgroup)
        if not self.attached:
            self._attach()
        return True

    def drop(self, cgroup: int) -> None:
        self._cgroups.discard(cgroup)
        if not self._cgroups:
            self._detach()

    def close(self) -> None:
        self._detach()
        os.close(self._program)

    def _attach(self) -> None:
        made = LIB.bpf_raw_tracepoint_open(b"sys_exit", self._program)
        if made < 0:
            reason = os.strerror(-made if made != -1 else errno.EPERM)
            raise ProbeError(f"cannot attach bpf/stdio.c to sys_exit: {reason}")
        self._link = made

    def _detach(self) -> None:
        if self.attached:
            os.close(self._link)
            self._link = -1


class Guest:
    """Called by the pinned program of bpf/files.c, by the slot of a workload; nobody else pays.

    Its entries outlive a kill, as all that is pinned does, until the sensor starts again or is unloaded.

    Raises:
        ProbeError: The kernel does not let the one call the other.
    """

    def __init__(self, program: int, pins: Path) -> None:
        self._program = program
        self._entries, self._owners = Map(pins / "exit_more"), Map(pins / "owners")
        self._slots: dict[int, int] = {}  # cgroup → slot
        _clear(self._entries)
        if not self._put(0):  # no slot: tried, so that who asks is told
            self.close()
            raise ProbeError("bpf/files.c cannot call bpf/stdio.c; unload the sensor and start it again")
        self._entries.drop(_key(0))

    @property
    def attached(self) -> bool:
        return bool(self._slots)

    def add(self, cgroup: int) -> bool:
        found = self._owners.get(struct.pack("<Q", cgroup))
        slot = struct.unpack("<I", found)[0] if found else 0
        if not slot or not self._put(slot):
            return False  # it has ended
        self._slots[cgroup] = slot
        return True

    def drop(self, cgroup: int) -> None:
        slot = self._slots.pop(cgroup, 0)
        if slot:
            self._entries.drop(_key(slot))

    def close(self) -> None:
        for cgroup in list(self._slots):
            self.drop(cgroup)
        self._entries.close()
        self._owners.close()
        os.close(self._program)

    def _put(self, slot: int) -> bool:
        return self._entries.put(_key(slot), struct.pack("<I", self._program))


def clear(pins: Path) -> None:
    """Takes out what a sensor left that was killed: nobody reads for it any more."""
    if (pins / "exit_more").exists():
        entries = Map(pins / "exit_more")
        _clear(entries)
        entries.close()


def _clear(entries: Map) -> None:
    for slot in range(entries.entries):
        entries.drop(_key(slot))


def _key(slot: int) -> bytes:
    return struct.pack("<I", slot)
