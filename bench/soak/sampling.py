"""One look at two running programs: memory by kind, CPU, threads, descriptors; the kernel's tables; the state folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil

from bench.soak.programs import Programs
from sensor.probes.maps import LIB


def sample(programs: Programs) -> dict[str, Any]:
    """Plain values: KiB, seconds, bytes, numbers."""
    health = programs.asked("health") or {}
    return {
        "programs": {name: program(pid) for name, pid in programs.pids().items()},
        "maps": maps(programs.pins()),
        "state": sizes(programs.folder / "state"),
        "spool": sum(sizes(programs.folder / "sensor").values()),
        "findings": len(programs.rows("findings")),
        "classifier": {"state": health.get("state"), "lag": health.get("lag"), "counters": health.get("counters", {})},
        "troubles": health.get("troubles"),
        "load": os.getloadavg()[0],
    }


def program(pid: int) -> dict[str, float]:
    """Memory in KiB, of it what is shared with the kernel's tables; CPU in seconds."""
    p = psutil.Process(pid)
    cpu, switches = p.cpu_times(), p.num_ctx_switches()
    return smaps(Path(f"/proc/{pid}/smaps").read_text()) | {
        "user": cpu.user,
        "system": cpu.system,
        "children": cpu.children_user + cpu.children_system,
        "fds": p.num_fds(),
        "threads": p.num_threads(),
        "processes": len(p.children(recursive=True)),
        "switches": switches.voluntary + switches.involuntary,
    }


def smaps(text: str) -> dict[str, int]:
    """KiB resident: all, by share, of no file, of the heap, of the kernel's tables.

    >>> smaps("5-9 rw-p 0 0:0 7 anon_inode:bpf-map\\nRss: 8 kB\\nPss: 4 kB\\nAnonymous: 0 kB\\n")
    {'rss': 8, 'pss': 4, 'anonymous': 0, 'heap': 0, 'tables': 8}
    """
    found = dict.fromkeys(("rss", "pss", "anonymous", "heap", "tables"), 0)
    mapping = ""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key in ("Rss", "Pss", "Anonymous"):
            number = int(value.split()[0])
            found[key.lower()] += number
            if key == "Rss":
                found["heap"] += number if "[heap]" in mapping else 0
                found["tables"] += number if "bpf-map" in mapping else 0
        elif "-" in line.partition(" ")[0]:
            mapping = line
    return found


def maps(folder: Path) -> dict[str, int]:
    """How many tables are pinned in a folder, and the bytes that the kernel accounts to them."""
    number = memory = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        fd = LIB.bpf_obj_get(os.fsencode(path))
        if fd < 0:
            continue
        info = Path(f"/proc/self/fdinfo/{fd}").read_text()
        os.close(fd)
        if "map_type" in info:
            number += 1
            memory += int(info.partition("memlock:")[2].split()[0])
    return {"number": number, "bytes": memory}


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of a folder's files, those of its folders added up."""
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            found[path.name] = (
                path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
            )
        except FileNotFoundError:  # it went while we looked
            continue
    return found
