"""What was found in a process to the rung of coverage on which it stands, and why it stands no higher.

symbol: functions by their names. signature: by a table for this very build. metadata: it speaks TLS, and only names, bytes
and times of it are seen. uncovered: it holds an implementation of TLS that nothing can be attached to. none: no TLS was found.
searching: not all of its files have been looked into.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from sensor.observe.plaintext.libraries import Library

Rung = Literal["symbol", "signature", "metadata", "uncovered", "none", "searching"]
SHOWN = 8  # libraries that are named


class Signatures(Protocol):
    """Places of functions in builds that have no symbols, by build id."""

    def find(self, build_id: str) -> dict[str, int] | None:
        """Name → offset in the file; None: this build is not in the table."""
        ...


class NoSignatures:
    """The table that is empty."""

    def find(self, build_id: str) -> dict[str, int] | None:
        return None


@dataclass(frozen=True, slots=True)
class Part:
    """One implementation of TLS in a process."""

    path: str
    rung: Rung
    reason: str  # why not higher; "": it is the highest


@dataclass(frozen=True, slots=True)
class Coverage:
    """One process."""

    pid: int
    cgroup: int
    rung: Rung  # of its best part
    reason: str  # why not higher; and which TLS in it would be unseen if it were used
    parts: tuple[Part, ...]
    http: bool  # HTTP was seen in the plaintext: what was attached is what it was taken for


def part(library: Library, *, attached: bool, by: Rung, refused: str) -> Part | None:
    """What one file says; None: no TLS in it, or not known yet."""
    if attached:
        why = "" if by == "symbol" else f"no symbols; build {library.build_id} is in the signature table"
        return Part(library.path, by, why)
    if library.has_both:
        return Part(library.path, "uncovered", f"its functions cannot be watched: {refused}")
    if not library.speaks:
        return None
    half = "half of its functions" if library.functions else "no functions"
    build = f"build {library.build_id} is not in the signature table" if library.build_id else "it has no build id"
    return Part(library.path, "uncovered", f"TLS is in it with {half} by symbol, and {build}")


def stand(
    pid: int, cgroup: int, parts: Iterable[Part], *, waiting: int, unread: Iterable[str], hello: bool, http: bool
) -> Coverage:
    """Where a process stands.

    Args:
        parts: Its implementations of TLS.
        waiting: Its files that are still to be searched.
        unread: Why files of it could not be looked into.
        hello: A ClientHello of it was seen on the network.
        http: HTTP was seen in its plaintext.
    """
    known = tuple(sorted(parts, key=lambda p: p.path)[:SHOWN])
    reasons = "; ".join(f"{p.path}: {p.reason}" for p in known if p.reason)
    for rung in ("symbol", "signature", "uncovered"):
        if any(p.rung == rung for p in known):
            return Coverage(pid, cgroup, rung, reasons, known, http)
    if waiting:
        return Coverage(pid, cgroup, "searching", f"{waiting} files are yet to be searched for TLS", known, http)
    lacking = "; ".join(unread)
    if hello:
        reason = "it greeted a TLS server, but no code of TLS was found in its files" + (lacking and f"; {lacking}")
        return Coverage(pid, cgroup, "metadata", reason, known, http)
    if lacking:
        return Coverage(pid, cgroup, "metadata", lacking, known, http)
    return Coverage(pid, cgroup, "none", "no code of TLS in the files that it runs", known, http)
