"""A unit's name becomes its revision: a digest over its unit file, its drop-ins and the program it starts.

Nothing is asked of systemd: its search path is public (systemd.unit(5), "Unit File Load Path") and reading files
neither blocks nor needs a bus. What stands on disk is what the next start runs, so this is read when the unit's
cgroup appears.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Iterator

DIRECTORIES = (
    "etc/systemd/system.control",
    "run/systemd/system.control",
    "run/systemd/transient",
    "run/systemd/generator.early",
    "etc/systemd/system",
    "etc/systemd/system.attached",
    "run/systemd/system",
    "run/systemd/system.attached",
    "run/systemd/generator",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
    "run/systemd/generator.late",
)
PROGRAMS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
INTERPRETER = re.compile(r"(?:python|pypy|node|ruby|perl|bash|dash|sh)[\d.]*")
EXEC = re.compile(r"^[ \t]*ExecStart[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)
LONGEST_UNIT = 1 << 20  # bytes
LONGEST_PROGRAM = 256 << 20  # bytes; a longer one counts by size and time
REMEMBERED = 256  # digests of programs
LINKS = 8  # symbolic links followed
DROP_INS = 256  # files


class Units:
    """Revisions of the units below `host` ("" is this machine)."""

    def __init__(self, host: str = "") -> None:
        self._host = host or "/"
        self._programs: OrderedDict[tuple, str] = OrderedDict()

    def revision(self, unit: str) -> str | None:
        """`sha256:…` of everything that makes the unit what it is; None where it has no unit file."""
        fragment = self._fragment(unit)
        if fragment is None:
            return None
        texts = [fragment, *self._drop_ins(unit)]
        digest = hashlib.sha256()
        for text in texts:
            digest.update(b"%d\0%b" % (len(text), text))
        for program in self._started(texts):
            digest.update(f"{os.path.basename(program)}={self._program(program)}\0".encode("utf-8", "surrogateescape"))
        return f"sha256:{digest.hexdigest()}"

    def _fragment(self, unit: str) -> bytes | None:
        for name in _names(unit):
            for directory in DIRECTORIES:
                text = self._read(f"{directory}/{name}")
                if text is not None:
                    return text
        return None

    def _drop_ins(self, unit: str) -> Iterator[bytes]:
        """In the order of their names; of two with one name, the first directory's counts."""
        found: dict[str, str] = {}
        for folder in _folders(unit):
            for directory in DIRECTORIES:
                for name in self._listed(f"{directory}/{folder}"):
                    found.setdefault(name, f"{directory}/{folder}/{name}")
        for name in sorted(found)[:DROP_INS]:
            text = self._read(found[name])
            if text is not None:
                yield text

    def _started(self, texts: list[bytes]) -> Iterator[str]:
        """Paths of the programs of ExecStart, with the script of an interpreter."""
        for command in _commands(texts):
            words = [word.strip("\"'") for word in command.lstrip("@-:+!|").split()]
            if not words or "%" in words[0]:
                continue
            yield words[0]
            script = next((word for word in words[1:] if word.startswith("/")), "")
            if script and INTERPRETER.fullmatch(os.path.basename(words[0])):
                yield script

    def _program(self, path: str) -> str:
        places = [path] if path.startswith("/") else [f"{directory}/{path}" for directory in PROGRAMS]
        return next((digest for place in places if (digest := self._digest(place))), "absent")

    def _digest(self, path: str) -> str | None:
        fd = self._open(path)
        if fd is None:
            return None
        with os.fdopen(fd, "rb") as file:
            held = os.fstat(fd)
            key = (held.st_dev, held.st_ino, held.st_size, held.st_mtime_ns, held.st_ctime_ns)
            if key not in self._programs:
                self._programs[key] = _hashed(file, held)
        self._programs.move_to_end(key)
        if len(self._programs) > REMEMBERED:
            self._programs.popitem(last=False)
        return self._programs[key]

    def _read(self, path: str) -> bytes | None:
        fd = self._open(path)
        if fd is None:
            return None
        with os.fdopen(fd, "rb") as file:
            return file.read(LONGEST_UNIT)

    def _listed(self, path: str) -> list[str]:
        try:
            return [name for name in os.listdir(os.path.join(self._host, path)) if name.endswith(".conf")]
        except OSError:
            return []

    def _open(self, path: str) -> int | None:
        """A regular file below the host's root; its links are followed there and not here. None: there is none."""
        for _ in range(LINKS):
            full = os.path.join(self._host, path.lstrip("/"))
            try:
                target = os.readlink(full)
            except OSError:
                return _opened(full)
            except ValueError:  # a NUL in the unit file
                return None
            path = target if target.startswith("/") else os.path.join(os.path.dirname(path), target)
        return None


def _opened(full: str) -> int | None:
    try:
        fd = os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)  # masked: /dev/null
    return None


def _hashed(file, held: os.stat_result) -> str:
    if held.st_size > LONGEST_PROGRAM:
        return f"size {held.st_size}, time {held.st_mtime_ns}"
    return hashlib.file_digest(file, "sha256").hexdigest()


def _names(unit: str) -> list[str]:
    """The unit's file, and the template's where it is an instance: `foo@bar.service`, `foo@.service`."""
    if "/" in unit or unit.startswith("."):
        return []
    stem, _, type_ = unit.rpartition(".")
    base, at, instance = stem.partition("@")
    return [unit, f"{base}@.{type_}"] if at and instance else [unit]


def _folders(unit: str) -> Iterator[str]:
    """Folders of drop-ins, nearest first: the unit's, the template's, `foo-.service.d` of its prefixes, `service.d`."""
    names = _names(unit)
    yield from (f"{name}.d" for name in names)
    stem, _, type_ = (names[-1] if names else unit).rpartition(".")
    parts = stem.split("-")
    yield from (f"{'-'.join(parts[:count])}-.{type_}.d" for count in range(len(parts) - 1, 0, -1))
    yield f"{type_}.d"


def _commands(texts: list[bytes]) -> list[str]:
    """Commands of ExecStart over all files; an empty assignment begins anew."""
    commands: list[str] = []
    for text in texts:
        joined = text.decode("utf-8", "surrogateescape").replace("\\\n", " ")
        for match in EXEC.finditer(joined):
            commands = [*commands, match[1]] if match[1] else []
    return commands
