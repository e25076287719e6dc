"""One line of strace to what it says; strings and socket addresses inside its arguments.

A line is ``[pid] time body``. Bodies: ``name(args) = result``, its two halves ``name(args <unfinished ...>`` and
``<... name resumed>args) = result``, ``--- SIGNAL ... ---`` and ``+++ exited with 0 +++``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE = re.compile(
    r"(?:\[pid\s+(\d{1,10})\]\s+|(\d{1,10})\s+)?(\d{1,11}\.\d{1,9}|\d\d:\d\d:\d\d(?:\.\d{1,9})?)\s+(.*)", re.DOTALL
)
CALL = re.compile(r"(\w{1,64})\((.*)\)\s+= (0x[0-9a-f]{1,16}|-?\d{1,20}|\?)", re.DOTALL)
BEGUN = re.compile(r"(\w{1,64})\((.*)", re.DOTALL)
UNFINISHED = " <unfinished ...>"
RESUMED = re.compile(r"<\.\.\. (\w{1,64}) resumed>(.*)", re.DOTALL)
REST = re.compile(r"(.*)\)\s+= (0x[0-9a-f]{1,16}|-?\d{1,20}|\?)", re.DOTALL)
ENDED = re.compile(r"\+\+\+ (exited with|killed by|superseded by) (\S+)")
# A string without an end reaches to the end of the line: else each of its quotes would be tried again, for minutes.
STRING = re.compile(r'"((?:[^"\\]|\\.)*+)(?:(")(\.\.\.)?|\\?$)', re.DOTALL)
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)", re.DOTALL)
ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"f": b"\f", b"v": b"\v", b"a": b"\a"}
V4 = re.compile(r'sin_port=htons\((\d{1,5})\), sin_addr=inet_addr\("([0-9.]{1,15})"\)')
V6 = re.compile(r'sin6_port=htons\((\d{1,5})\).{0,80}?inet_pton\(AF_INET6, "([0-9A-Fa-f:.]{1,45})"')
DESCRIPTOR = re.compile(r"\s*(-?\d{1,10}|AT_FDCWD)")


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says. `kind` is "call", "begun", "resumed", "signal" or "ended"."""

    tid: int  # 0 where the trace follows one process and does not say
    time: float  # seconds since the epoch, or since midnight where the trace has no date
    kind: str
    name: str = ""  # of the call; of the ending: "exited with", "killed by", "superseded by"
    args: str = ""
    result: int | None = None  # None: the call did not return, or the line is no call


def parse(text: str) -> Line | None:
    """A line, or None if it is none of strace's."""
    found = LINE.fullmatch(text)
    if found is None:
        return None
    tid, time, body = int(found[1] or found[2] or 0), _seconds(found[3]), found[4]
    if body.startswith("--- "):
        return Line(tid, time, "signal")
    if body.startswith("+++ "):
        ended = ENDED.match(body)
        return Line(tid, time, "ended", ended[1], ended[2]) if ended else None
    return _body(tid, time, body)


def _body(tid: int, time: float, body: str) -> Line | None:
    if resumed := RESUMED.fullmatch(body):
        rest = REST.match(resumed[2])
        return Line(tid, time, "resumed", resumed[1], rest[1], _result(rest[2])) if rest else None
    if call := CALL.match(body):
        return Line(tid, time, "call", call[1], call[2], _result(call[3]))
    begun = BEGUN.match(body.removesuffix(UNFINISHED)) if body.endswith(UNFINISHED) else None
    return Line(tid, time, "begun", begun[1], begun[2].strip()) if begun else None


def _seconds(text: str) -> float:
    if ":" not in text:
        return float(text)
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _result(text: str) -> int | None:
    return None if text == "?" else int(text, 0) if text.startswith("0x") else int(text)


def strings(args: str) -> tuple[list[str], bool]:
    """The strings among the arguments, in order, and whether strace cut one of them.

    >>> strings('3, "a b", "c"..., 4')
    (['a b', 'c'], True)
    """
    found = STRING.findall(args)
    return [_plain(s) for s, end, _ in found if end], any(dots for *_, dots in found)


def _plain(text: str) -> str:
    raw = ESCAPE.sub(_character, text.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "backslashreplace")


def _character(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if code[:1] == b"x" and len(code) == 3:
        return bytes([int(code[1:], 16)])
    if code[:1].isdigit() and code[:1] < b"8":
        return bytes([int(code, 8) & 0xFF])
    return ESCAPES.get(code, code)


def address(args: str) -> tuple[str, int] | None:
    """The first internet address and port among the arguments; None for unix sockets and the like."""
    found = V4.search(args) or V6.search(args)
    if found is None or int(found[1]) > 0xFFFF:
        return None
    return found[2].lower(), int(found[1])


def descriptor(args: str) -> int | None:
    """The first argument as a file descriptor; None for the current directory and for what is no number."""
    found = DESCRIPTOR.match(args)
    return int(found[1]) if found and found[1] != "AT_FDCWD" else None
