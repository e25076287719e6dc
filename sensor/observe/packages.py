"""Opened code to the package it belongs to: its version, and how many of its files are not as they were installed.

In a thread of lowest priority, once per replica and package. Sizes are compared with RECORD, and contents only of files that are
younger than it: hashing every file of every container would cost more than the rest of the sensor.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import json
import os
import re
import stat
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

from sensor.errands import Errands
from sensor.observe.once import Once
from sensor.observe.roots import MEMBERS, listed, open_in_root
from wire.records import Event, Replica, Window

CODE = re.compile(r"^(?P<place>/.*/(?:(?P<node>node_modules)|(?:site|dist)-packages))/(?P<name>(?:@[^/]+/)?[^/]+)/.+$")
DIST = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._]*?)-(?P<version>\d[^/-]*)\.dist-info$")
QUEUE, SEEN, PLACES = 2048, 65536, 64
ENTRIES = 4096  # of a folder of packages
FILES = 8192  # of a package
SMALL = 4 << 20  # bytes of a file of metadata
LARGE = 8 << 20  # bytes of a file that is hashed
HASHED = 128 << 20  # bytes of a package that are hashed: RECORD may name one large file many times


@dataclass(frozen=True, slots=True)
class Asked:
    """One package of one replica."""

    replica: Replica
    cgroup: Path | None
    time: float
    place: str
    name: str  # as it is imported
    node: bool


class Packages:
    """`see` and `look` put packages in the queue, `poll` gives `package` events of what was read since."""

    def __init__(self, cgroup_of: Callable[[Replica], Path | None], *, on: bool = True, proc: str = "/proc") -> None:
        self._cgroup_of, self._on, self._proc = cgroup_of, on, proc
        self._seen = Once(SEEN)
        self._found: deque[Event] = deque(maxlen=QUEUE)
        self._errands: Errands[Asked] = Errands("packages", self._answer, passes=(OSError, ValueError, RecursionError))
        self._indexes: OrderedDict[tuple[str | int, ...], dict[str, str]] = (
            OrderedDict()
        )  # folder → import → its dist-info
        self.refused = 0  # questions that found the queue full

    def see(self, event: Event) -> None:
        """An open; its package is asked for if it is code of one."""
        if event.behaviour is not None and event.behaviour.startswith("open:code:"):
            self._ask(event.replica, str(event.data.get("path", "")), event.time)

    def look(self, window: Window) -> None:
        """A window: at the start of a program more is opened than events may tell."""
        for use in window.uses:
            if use.behaviour.startswith("open:code:") and use.behaviour.endswith("/*"):
                self._ask(window.replica, str(use.data.get("path", "")), window.end)

    def poll(self) -> Iterator[Event]:
        """Answers since the last time."""
        while self._found:
            yield self._found.popleft()

    def forget(self, replica: Replica) -> None:
        """A replica has ended."""
        self._seen.forget(replica)

    def close(self) -> None:
        """Ends the thread."""
        self._errands.close()

    def _ask(self, replica: Replica, path: str, time: float) -> None:
        found = CODE.match(path) if self._on and ("-packages/" in path or "/node_modules/" in path) else None
        if found is None:
            return
        key = found["place"], found["name"]
        if not self._seen.is_new(replica, key):
            return
        if len(self._errands) >= QUEUE:
            self.refused += 1
            return
        self._seen.add(replica, key)
        asked = Asked(replica, self._cgroup_of(replica), time, *key, found["node"] is not None)
        self._errands.put(asked)

    # reading, in the thread -----------------------------------------------------------------------------------------

    def _answer(self, asked: Asked) -> None:
        for pid in listed(asked.cgroup)[:MEMBERS]:
            try:
                folder = open_in_root(f"{self._proc}/{pid}/root", asked.place)
            except OSError:  # another process may show it
                continue
            try:
                found = _of_node(folder, asked.name) if asked.node else self._of_python(folder, asked.name)
            finally:
                os.close(folder)
            if found:
                self._found.append(_event(asked, found))
            return

    def _of_python(self, folder: int, name: str) -> dict[str, str | int]:
        dist = self._index(folder, _named).get(name) or self._index(folder, _recorded).get(name)
        match = DIST.match(dist or "")
        if dist is None or match is None:
            return {}
        files, changed, whole = compared(folder, dist)
        return {
            "name": match["name"],
            "version": match["version"],
            "files": files,
            "changed": changed,
            "whole": int(whole),
        }

    def _index(self, folder: int, read: Callable[[int, str], Iterable[str]]) -> dict[str, str]:
        """Import → dist-info of one folder of packages, by one way to read what a package gives to import."""
        held = os.fstat(folder)
        key = (read.__name__, held.st_dev, held.st_ino, held.st_mtime_ns)
        if key not in self._indexes:
            self._indexes[key] = {name: dist for dist in _dists(folder) for name in read(folder, dist)}
            if len(self._indexes) > PLACES:
                self._indexes.popitem(last=False)
        return self._indexes[key]


def compared(folder: int, dist: str) -> tuple[int, int, bool]:
    """Files of a package that were looked at, how many differ from its RECORD, and whether these are all.

    Args:
        folder: descriptor of the folder of packages.
        dist: name of its dist-info folder.
    """
    record, written = _read(folder, f"{dist}/RECORD")
    files = changed = hashed = 0
    try:
        for row in csv.reader(record.decode("utf-8", "replace").splitlines()):
            if len(row) != 3 or not row[1].startswith("sha256=") or row[0].startswith(("/", "..")):
                continue
            if files >= FILES or hashed >= HASHED:
                return files, changed, False
            differs, size = _differs(folder, row[0], row[1][7:], row[2], written)
            files, changed, hashed = files + 1, changed + differs, hashed + size
    except csv.Error:  # a field that no package has; what stands behind it is not looked at
        return files, changed, False
    return files, changed, True


def _differs(folder: int, name: str, digest: str, size: str, written: int) -> tuple[bool, int]:
    """Whether a file is another than the one that was installed, and how many bytes were read to know that."""
    try:
        held = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:  # taken away, as images do with tests
        return False, 0
    if not stat.S_ISREG(held.st_mode):
        return True, 0
    if size.isascii() and size.isdecimal() and held.st_size != int(size):
        return True, 0
    if held.st_mtime_ns <= written or held.st_size > LARGE:
        return False, 0
    content, _ = _read(folder, name, LARGE)
    try:
        wanted = base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4))
    except (binascii.Error, ValueError):
        return False, len(content)
    return hashlib.sha256(content).digest() != wanted, len(content)


def _dists(folder: int) -> list[str]:
    """Names of the dist-info folders of a folder."""
    listing = os.open(f"/proc/self/fd/{folder}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(listing) as entries:
            return sorted(e.name for e, _ in zip(entries, range(ENTRIES), strict=False) if DIST.match(e.name))
    finally:
        os.close(listing)


def _named(folder: int, dist: str) -> list[str]:
    """What a package gives to import: its own name, and what its top_level.txt names."""
    own = re.sub(r"[-.]", "_", dist.partition("-")[0])
    try:
        text, _ = _read(folder, f"{dist}/top_level.txt", 4096)
    except OSError:  # most new packages have none
        text = b""
    lines = text.decode("utf-8", "replace").splitlines()[:32]
    return [own, own.lower(), *(line.strip() for line in lines if line.strip())]


def _recorded(folder: int, dist: str) -> set[str]:
    """The same by the folders that its RECORD names; dearer, so only where the name does not tell."""
    try:
        text, _ = _read(folder, f"{dist}/RECORD")
    except OSError:
        return set()
    tops = {line.partition("/")[0] for line in text.decode("utf-8", "replace").splitlines() if "/" in line}
    return {top for top in tops if top.isidentifier()}


def _of_node(folder: int, name: str) -> dict[str, str | int]:
    text, _ = _read(folder, f"{name}/package.json")
    found = json.loads(text)
    version = found.get("version") if isinstance(found, dict) else None
    return {"name": name, "version": version[:128]} if isinstance(version, str) else {}


def _read(folder: int, name: str, most: int = SMALL) -> tuple[bytes, int]:
    """Content and time (ns) of a regular file below a folder; links lead nowhere. Raises OSError."""
    parts = name.split("/")
    if ".." in parts:
        raise OSError(f"{name} leads out of its folder")
    fd = os.dup(folder)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = below
        file = os.open(parts[-1], os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    finally:
        os.close(fd)
    try:
        held = os.fstat(file)
        if not stat.S_ISREG(held.st_mode):  # opening a device may do something
            raise OSError(f"{name} is no regular file")
        with open(f"/proc/self/fd/{file}", "rb") as opened:
            return opened.read(most), held.st_mtime_ns
    finally:
        os.close(file)


def _event(asked: Asked, found: dict[str, str | int]) -> Event:
    data = {"import": asked.name, "place": asked.place} | found
    same = xxhash.xxh3_64_hexdigest(repr((asked.place, asked.name, found.get("version"))).encode("utf-8", "replace"))
    id_ = f"{asked.replica.node}/package/{asked.replica.generation}/{asked.replica.cgroup}/{same}"
    return Event(id_, asked.time, asked.replica, "package", None, data)
