"""Where maps and links are kept when no process holds them: one folder of bpffs per sensor.

A set is pinned below a hidden folder and gets its name by one rename when it is complete, so a set is whole or absent.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from pathlib import Path

BPFFS = Path("/sys/fs/bpf")
BPF_MAGIC = 0xCAFE4A11
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


class PinError(RuntimeError):
    """bpffs is missing or a name is not allowed."""


def folder(name: str) -> Path:
    """Where the sensor `name` keeps its pins; "default" is /sys/fs/bpf/driftline."""
    if not NAME.fullmatch(name):
        raise PinError(f"{name!r} is no name for a sensor; use lower-case letters, digits and '-'")
    return BPFFS / ("driftline" if name == "default" else f"driftline-{name}")


def unfinished(name: str, pid: int) -> Path:
    """Where the loader with this pid collects pins until they are complete (bpffs allows no dots in names)."""
    return BPFFS / f"{folder(name).name}_loading_{pid}"


def ensure_bpffs() -> None:
    """Mounts bpffs where it is not.

    Raises:
        PinError: It cannot be mounted.
    """
    if mounted():
        return
    done = subprocess.run(["mount", "-t", "bpf", "bpf", str(BPFFS)], capture_output=True, text=True)
    if done.returncode:
        raise PinError(f"cannot mount bpffs at {BPFFS}: {done.stderr.strip()}; mount it or run as root")


def mounted() -> bool:
    return _magic(BPFFS) == BPF_MAGIC


def remove(name: str) -> bool:
    """Unpins everything of the sensor `name`, unfinished sets of dead loaders included; the kernel then detaches it.

    Returns:
        Whether there was anything.
    """
    found = [p for p in (folder(name), *_stale(name)) if p.is_dir()]
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return bool(found)


def exists(name: str) -> bool:
    return folder(name).is_dir()


def _stale(name: str) -> list[Path]:
    sets = BPFFS.glob(f"{folder(name).name}_loading_*") if BPFFS.is_dir() else ()
    return [p for p in sets if not Path(f"/proc/{p.name.rsplit('_', 1)[1]}").exists()]


class _Statfs(ctypes.Structure):
    _fields_ = (("type", ctypes.c_long), ("rest", ctypes.c_long * 20))


def _magic(path: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = _Statfs()
    if libc.statfs(os.fsencode(path), ctypes.byref(result)):
        return 0
    return result.type & 0xFFFFFFFF
