"""What was there before the sensor, or missed by it, becomes known to it: cgroups, processes, sockets and listeners."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from sensor.observe import names
from sensor.observe.agents import Agents
from sensor.observe.observer import Observer
from sensor.observe.roots import listed
from sensor.probes import abi
from sensor.probes.client import Loaded
from sensor.probes.kernel import Kernel
from wire.records import Replica

TIMEOUT = 30  # seconds for looking at everything that was there
SOCKET = struct.Struct("<QIIIHBBB3xI16s8x")  # struct talk of bpf/network.c


def exclude_self(kernel: Kernel, base: Path, scope: Path) -> None:
    """The sensor is nobody's workload; the root cgroup is filtered by the kernel side already."""
    place = _own(base)
    if place != base and place.is_relative_to(scope):
        kernel.exclude(place.stat().st_ino)


def _own(base: Path) -> Path:
    """Directory of this process's cgroup."""
    own = base / Path("/proc/self/cgroup").read_text().rpartition("0::/")[2].strip()
    return own if own.is_dir() else base


def directories(loaded: Loaded, scope: Path) -> dict[int, Path]:
    """Of the cgroups that were there before the probes, by id."""
    found = {os.stat(d).st_ino: Path(d) for d, _, _ in os.walk(scope)}
    return {i: d for i, d in found.items() if i in loaded.existing and d not in (loaded.base, _own(loaded.base))}


def existing(kernel: Kernel, observer: Observer, directories: dict[int, Path], base: Path, now: int) -> int:
    """Seats the cgroups that had processes before the probes, with those processes and their sockets.

    Args:
        directories: cgroup id → its directory.
        base: Directory of the cgroup root.
        now: ns of CLOCK_BOOTTIME.

    Returns:
        How many processes were adopted.
    """
    found = _look([str(d) for d in directories.values()])
    count = 0
    for cgroup, directory in directories.items():
        slot = kernel.take_seat(cgroup, now)
        if slot is None:
            continue
        generation = int(kernel.slots[slot]["generation"])
        observer.seats.seat(slot, generation, cgroup, f"/{directory.relative_to(base)}", now)
        rows = found.get(str(directory), {"processes": [], "sockets": []})
        images = _processes(kernel, observer, rows["processes"], slot, generation, _home(directory, base))
        _sockets(kernel, rows["sockets"], images, slot, generation)
        count += len(images)
    return count


def unheard(kernel: Kernel, observer: Observer, base: Path, before: int) -> bool:
    """Finds cgroups whose first record was lost with a full ring, by their directories; whether there were any.

    Args:
        before: ns of CLOCK_BOOTTIME; who took a slot later may be heard of yet.
    """
    lost = observer.seats.unheard(kernel, before)
    if not lost:
        return False
    paths = {os.stat(d).st_ino: d for d, _, _ in os.walk(base) if os.path.isdir(d)}
    for slot, generation, cgroup, taken in lost:
        path = "/" + os.path.relpath(paths[cgroup], base) if cgroup in paths else f"/gone/{cgroup}"
        observer.seats.seat(slot, generation, cgroup, path, taken)
    return True


def known(kernel: Kernel, observer: Observer) -> None:
    """After a restart: lineage of the live processes, from the kernel's tables."""
    images = {image: names.image(text) for image, text in kernel.images().items()}
    for image, (path, _) in images.items():
        observer.processes.show_image(image, path)
    rows = kernel.processes()
    for pid in sorted(rows, key=lambda p: int(rows[p]["started"])):
        found = images.get(int(rows[pid]["image"]))
        if found is not None:
            observer.processes.lineage.adopt(pid, found[0], int(rows[pid]["ppid"]), script=found[1])


def _look(directories: list[str]) -> dict[str, Any]:
    if not directories:
        return {}
    command = [sys.executable, "-m", "sensor.observe.existing", *directories]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    except (subprocess.SubprocessError, OSError):  # then their processes are found at their next fork or exec
        return {}
    return json.loads(done.stdout)


def _home(directory: Path, base: Path) -> int:
    """What home_here() of bpf/common.h says there: the id of the cgroup two below the root."""
    try:
        return base.joinpath(*directory.relative_to(base).parts[:2]).stat().st_ino & 0xFFFFFFFF
    except FileNotFoundError:  # it ended while we looked, and its processes with it
        return 0


def _processes(
    kernel: Kernel, observer: Observer, rows: list[dict[str, Any]], slot: int, generation: int, home: int
) -> dict[int, int]:
    """Image by pid of the processes that are known now, parents before children."""
    images = {}
    for row in sorted(rows, key=lambda r: r["started"]):
        text = b"\0".join(reversed(os.fsencode(row["exe"]).strip(b"/").split(b"/")))[: 640 - 1] + b"\0"
        image = images[row["pid"]] = xxhash.xxh3_64_intdigest(text) | 1
        process = np.zeros((), abi.PROCESS)
        process["image"], process["slot"], process["generation"], process["ppid"] = image, slot, generation, row["ppid"]
        process["home"] = home  # at work, not being set up
        kernel.adopt_image(image, text)
        observer.processes.show_image(image, row["exe"])
        kernel.adopt_process(row["pid"], process)
        observer.processes.lineage.adopt(row["pid"], row["exe"], row["ppid"])
    return images


def _sockets(kernel: Kernel, rows: list[dict[str, Any]], images: dict[int, int], slot: int, generation: int) -> None:
    ports = {row["local"][1] for row in rows if row["listens"]}
    for port in ports:
        kernel.adopt_listener(slot, port)
    for row in (r for r in rows if not r["listens"] and r["peer"][1]):
        ingress = row["protocol"] == 6 and row["local"][1] in ports
        peer = _mapped(row["peer"][0])
        value = SOCKET.pack(images.get(row["pid"], 0), row["pid"], slot, 0, 0, 1, 1, ingress, generation, peer)
        kernel.adopt_socket(row["cookie"], value)


def _mapped(address: str) -> bytes:
    value = ipaddress.ip_address(address)
    return value.packed if value.version == 6 else bytes(10) + b"\xff\xff" + value.packed


def agents(known: Agents, observer: Observer, directory: Callable[[Replica], Path | None], *, fresh: bool) -> None:
    """Who became an agent before this sensor began: by the files that are remembered, else by what is mapped still."""
    for o in observer.replicas.values():
        known.seated(o.replica)
    for o, path in observer.opened():
        known.opened(o.replica, path)
    for o in observer.replicas.values() if fresh and known.by_code else ():
        for path in mapped(directory(o.replica)):
            known.opened(o.replica, path)


def mapped(directory: Path | None) -> Iterator[str]:
    """Compiled code of packages that the processes of a cgroup have mapped."""
    for pid in listed(directory):
        with contextlib.suppress(OSError):  # the process has gone
            for line in Path(f"/proc/{pid}/maps").read_bytes().splitlines():
                if b"-packages/" in line or b"/node_modules/" in line:
                    yield line[line.find(b"/") :].decode(errors="backslashreplace")
