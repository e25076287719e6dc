"""SysFlow records to windows: processes, files and connections of one container as the uses a sensor would tell.

Names follow docs/behaviours.md; classes of files are those of the sensor, cut down to what these traces hold. Addresses
have no names here, because the traces hold no DNS. What only removes or renames files makes no behaviour.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.lab.real.table import DataError
from wire.records import Behaviour, Use

LONGEST = 1 << 20  # bytes of a line
CUT = 512  # characters of a name
SECRET = re.compile(r"^/etc/(g?shadow|sudoers)|/\.ssh/|/ssh/keys/|_key$|\.(key|pem|kdbx)$|/cred(entials)?(/|$)")
CODE = re.compile(r"\.(py[co]?|so(\.[0-9.]+)?|js|pl|sh|php|jar)$|^(/usr)?/s?bin/|/cgi-bin/")
VARIABLE = re.compile(r"[0-9a-f]{8,}|(?<=/)(?=[^/]*[A-Z])(?=[^/]*[a-z])[A-Za-z0-9]{8}(?=/|$)|[0-9]+")
SECOND = 1e9  # of the traces' times


@dataclass(frozen=True, slots=True)
class Act:
    """One use at one time."""

    time: float  # seconds
    behaviour: str
    lineage: str
    bytes_out: int = 0
    bytes_in: int = 0


def read(path: Path) -> list[dict[str, Any]]:
    """Records of a file, by time.

    Raises:
        DataError: It cannot be read, or a line is no record.
    """
    try:
        with gzip.open(path, "rb") as file:
            found = [json.loads(line) for line in iter(lambda: file.readline(LONGEST), b"") if line.strip()]
    except (OSError, EOFError, ValueError, zlib.error, RecursionError) as e:
        raise DataError(f"{path}: cannot be read ({e}); restore the file from its source") from e
    if not all(isinstance(r, dict) and isinstance(r.get("ts"), int) for r in found):
        raise DataError(f"{path}: a line is no SysFlow record with a time; restore the file from its source")
    return sorted(found, key=lambda r: r["ts"])


def acts(records: Iterable[dict[str, Any]]) -> list[Act]:
    """What the records show, by time."""
    records = list(records)
    local = {r.get("dip") for r in records if r.get("k") == "NF" and "ACCEPT" in str(r.get("op"))}
    return [a for r in records if (a := _act(r, local)) is not None]


def windows(found: list[Act], interval: float = 10.0) -> list[tuple[Use, ...]]:
    """Uses per window; a window without any is empty."""
    if not found:
        return []
    start = found[0].time
    parts: list[dict[tuple[str, str], list[int]]] = [{} for _ in range(int((found[-1].time - start) // interval) + 1)]
    for act in found:
        sums = parts[int((act.time - start) // interval)].setdefault((act.behaviour, act.lineage), [0, 0, 0])
        for i, n in enumerate((1, act.bytes_out, act.bytes_in)):
            sums[i] += n
    return [tuple(_uses(part)) for part in parts]


def _uses(part: dict[tuple[str, str], list[int]]) -> Iterator[Use]:
    for (behaviour, lineage), (count, out, into) in part.items():
        yield Use(Behaviour(behaviour), count, out, into, data={"lineage": lineage})


def _act(r: dict[str, Any], local: set) -> Act | None:
    op, kind = str(r.get("op", "")), r.get("k")
    image, parent = _name(r.get("exe")), _base(_name(r.get("pexe")))
    name = _behaviour(kind, op, r, image, parent, local)
    if not name:
        return None
    out, into = (n if isinstance(n := r.get(k), int) else 0 for k in ("tx", "rx"))
    return Act(
        r["ts"] / SECOND, name[:CUT], f"{_base(image)}<{parent}" if parent else _base(image), max(out, 0), max(into, 0)
    )


def _behaviour(kind: Any, op: str, r: dict[str, Any], image: str, parent: str, local: set) -> str:
    if kind == "PE":
        return f"exec:{image}<{parent}" if "EXEC" in op else ""
    if kind == "NF":
        return _connection(op, r, local)
    path = r.get("path")
    if kind not in ("FF", "FE") or r.get("rt", 102) != 102 or not (isinstance(path, str) and path.startswith("/")):
        return ""
    return _file(_name(path), op)


def _connection(op: str, r: dict[str, Any], local: set) -> str:
    address, port = r.get("dip"), r.get("dport")
    if not (isinstance(address, int) and isinstance(port, int) and address and 0 < port < 65535):
        return ""
    if "ACCEPT" in op or address in local:
        return f"ingress:tcp:{port}"
    return f"egress:tcp:{'.'.join(map(str, (address & 0xFFFFFFFF).to_bytes(4, 'little')))}:{port}"


def _file(path: str, op: str) -> str:
    writes = "WRITE" in op
    if not writes and not any(word in op for word in ("OPEN", "READ", "MMAP")):
        return ""
    if SECRET.search(path):
        return f"{'write' if writes else 'open'}:secret:{path}"
    kind = "code" if CODE.search(path) else "config" if path.startswith("/etc/") else "data"
    folded = path.rpartition("/")[0] + "/*" if kind == "code" and not writes else path
    return f"{'write' if writes else 'open'}:{kind}:{VARIABLE.sub('*', folded)}"


def _name(text: Any) -> str:
    """A path as a name: no control characters, spaces or ``<``."""
    return "".join(c if c.isprintable() and c not in " <" else f"\\x{ord(c):02x}" for c in str(text or "")[:CUT])


def _base(path: str) -> str:
    return path.rpartition("/")[2]
