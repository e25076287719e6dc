"""Records of the kernel side to plain values: paths, command lines, ends of connections; and their order."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from sensor.observe import names, secrets
from sensor.probes import abi
from sensor.probes.kernel import Batch


def in_order(batch: Batch) -> list[np.void]:
    """Records of all rings but seats and trigrams, as they happened: what one means depends on those before it."""
    facts = batch.facts[batch.facts["kind"] != abi.GRAM]
    paths = batch.paths[batch.paths["kind"] != abi.SEAT]
    return sorted((row for part in (facts, paths, batch.execs, batch.payloads) for row in part), key=_moment)


def _moment(row: np.void) -> tuple[int, bool]:
    return int(row["time"]), int(row["kind"]) != abi.FOUND


def _text(path: np.void) -> bytes:
    return bytes(path["text"])[: int(path["length"])]


def path(row: np.void) -> str:
    """A path that the kernel side could not follow to its root begins with `…`."""
    return names.path(_text(row["path"]), cut=bool(int(row["flags"]) & abi.CUT_PATH))


def executable(row: np.void) -> str:
    """Path of an exec; an anonymous file is named `memfd:…` as /proc does."""
    found = path(row)
    return found.removeprefix("/") if int(row["flags"]) & abi.IS_MEMFD else found


def script(row: np.void) -> str:
    """Path of the script, where the program that runs is its interpreter."""
    name = bytes(row["script"])[: int(row["script_bytes"])].partition(b"\0")[0]
    return names.script(name, _text(row["cwd"]), cut=bool(int(row["flags"]) & abi.CUT_CWD)) if name else ""


def layer(row: np.void) -> str:
    """Where a program without a file lay; "" for one that has a file."""
    return "memfd" if int(row["flags"]) & abi.IS_MEMFD else ""


def exec_data(row: np.void, *, redact: bool) -> dict[str, Any]:
    """What an exec's own record tells of how it was called.

    Args:
        redact: Takes what looks like a secret out of the command line.
    """
    flags = int(row["flags"])
    raw = bytes(row["argv"])[: int(row["argv_bytes"])].rstrip(b"\0").split(b"\0")
    argv = [a.decode("utf-8", "backslashreplace") for a in raw]
    if redact:
        argv = secrets.redacted(argv, cut=bool(flags & abi.CUT_ARGV))
    return {
        "argv": " ".join(secrets.readable(names.escaped(a)) for a in argv),
        "cut": int(bool(flags & abi.CUT_ARGV)),
        "cwd": names.escaped(names.path(_text(row["cwd"]), cut=bool(flags & abi.CUT_CWD))),
        "pid": int(row["pid"]),
        "ppid": int(row["b"]),
        "uid": int(row["uid"]),
        "tty": int(bool(flags & abi.HAS_TTY)),
    }


def status(status: int) -> dict[str, int]:
    """Exit code or signal from a status as wait(2) gives it."""
    return {"signal": status & 0x7F} if status & 0x7F else {"code": status >> 8 & 0xFF}


def ends(row: np.void) -> dict[str, Any]:
    """Both ends of a connection to a receiver of ours, as the receiver's socket has them; the dialler's first."""
    theirs, ours = (struct.pack("<QQ", int(row[low]), int(row[high])) for low, high in (("image", "a"), ("b", "c")))
    ports = int(row["tid"])
    return {"address": names.address(theirs), "port": ports >> 16, "to": names.address(ours), "to_port": ports & 0xFFFF}


def same_owner(fact: np.void, row: np.void) -> bool:
    """Whether a row is still the one that a fact points at, and not another replica's by now."""
    return all(int(fact[m]) == int(row[m]) for m in ("slot", "generation", "image"))
