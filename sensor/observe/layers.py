"""Where a file of a container comes from: its image, its own writes, a volume, memory, or the host.

The mount table of the process tells (proc(5), mountinfo): the overlay at its root names its upper directory as the host
sees it. What stands there was written by the container, whatever it has the path of in the image.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass

LONGEST = 4 << 20  # bytes of a mount table that are read
OCTAL = re.compile(r"\\([0-7]{3})")
HOST = 1  # the process whose root is the host's


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of a mount table."""

    device: str  # "major:minor"
    root: str  # what of the file system is mounted
    point: str  # as the process sees it
    kind: str  # "overlay", "ext4", …
    options: str  # of the file system


def layer_of(pid: int, path: str, proc: str = "/proc") -> str:
    """`lower`, `upper`, `volume`, `memfd`, `host`, or `unknown` where nothing proves one of them.

    `path` is a resolved path as process `pid` sees it. Never raises: a process that has gone makes it `unknown`.
    """
    if path.startswith(("memfd:", "/memfd:")):
        return "memfd"
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        return "unknown"
    mounts = read_mounts(f"{proc}/{pid}/mountinfo")
    root = _over("/", mounts)
    if root is None:
        return "unknown"
    if _same(root, _over("/", read_mounts(f"{proc}/{HOST}/mountinfo"))):
        return "host"
    if _over(path, mounts) is not root:
        return "volume"
    return _overlaid(pid, path, root, proc) if root.kind == "overlay" else "unknown"


def read_mounts(file: str) -> list[Mount]:
    """The mount table, oldest mount first; empty where the process has gone."""
    try:
        with open(file, "rb") as table:
            text = table.read(LONGEST).decode("utf-8", "surrogateescape")
    except OSError:
        return []
    return [mount for line in text.split("\n") if (mount := _mount(line)) is not None]


def _mount(line: str) -> Mount | None:
    """`id parent major:minor root point options [tags] - kind source options`"""
    first, separator, second = line.partition(" - ")
    left, right = first.split(" "), second.split(" ")
    if not separator or len(left) < 6 or len(right) < 3:
        return None
    return Mount(left[2], _plain(left[3]), _plain(left[4]), right[0], right[2])


def _plain(text: str) -> str:
    return OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def _over(path: str, mounts: list[Mount]) -> Mount | None:
    """The mount that a path lies on: the longest point above it, the last of several at one point."""
    found = None
    for mount in mounts:
        prefix = mount.point.rstrip("/") + "/"
        above = path == mount.point or path.startswith(prefix)
        if above and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def _same(mount: Mount, other: Mount | None) -> bool:
    return other is not None and (mount.device, mount.root) == (other.device, other.root)


def _overlaid(pid: int, path: str, root: Mount, proc: str) -> str:
    """Upper or lower, for a file on the overlay itself."""
    upper = _directory(root.options, "upperdir")
    if upper:
        views = (f"{proc}/{HOST}/root", "")  # the host's root, else ours: a kernel may refuse us the first
        held = next((held for view in views if (held := _holds(view + upper, path)) is not None), None)
        if held is not False:
            return "upper" if held else "unknown"  # unknown: the upper directory lies where we cannot look
    return "lower" if _holds(f"{proc}/{pid}/root", path) else "unknown"


def _directory(options: str, name: str) -> str:
    """An option's directory; the mount table escapes what overlay's own list would read as a separator."""
    match = re.search(rf"(?:^|,){name}=((?:\\.|[^,\\])*)", options)
    return re.sub(r"\\(.)", r"\1", _plain(match[1])) if match else ""


def _holds(base: str, path: str) -> bool | None:
    """Whether a file other than a whiteout stands at `path` below `base`; None where there is no `base`.

    Goes one component at a time and follows no link: below an upper directory the container decides what a name leads
    to.
    """
    try:
        fd = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for part in filter(None, path.split("/")):
            below = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = below
        return not _is_whiteout(os.fstat(fd))
    except OSError:
        return False
    finally:
        os.close(fd)


def _is_whiteout(held: os.stat_result) -> bool:
    """Overlay marks a removed file by a character device 0:0."""
    return stat.S_ISCHR(held.st_mode) and held.st_rdev == 0
