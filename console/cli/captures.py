"""Full captures for the command: whether a file is one, what it holds, whether it is whole."""

from __future__ import annotations

from typing import Any

from wire import columns
from wire.syscalls import BEYOND
from wire.syscalls import name as call_name
from wire.trace import Report


def is_capture(path: str) -> bool:
    """Whether a file begins as a full capture does."""
    try:
        with open(path, "rb") as file:
            return file.read(len(columns.KIND.magic)) == columns.KIND.magic
    except OSError:  # the reader that comes next says why
        return False


def summary(path: str, *, salvage: bool = False) -> list[dict[str, Any]]:
    """Calls per replica and number, the most first; what was lost stands under its reason."""
    counts = columns.counts(path, salvage=salvage)
    reader = _read_out(path, salvage=salvage)
    arch = _arch(reader)
    found = [
        {"slot": slot, "path": reader.names.get(slot, ""), "call": _name(number, arch), "count": int(count)}
        for slot, row in enumerate(counts)
        for number, count in enumerate(row.tolist())
        if count
    ]
    lost = [
        {"slot": slot, "path": reader.names.get(slot, ""), "call": f"lost: {reason}", "count": count}
        for slot, reasons in sorted(reader.lost.items())
        for reason, count in sorted(reasons.items())
    ]
    return sorted(found, key=lambda row: -row["count"]) + lost


def _read_out(path: str, *, salvage: bool) -> columns.Reader:
    """The reader at the end of its file, where it knows what the file says of slots."""
    reader = columns.Reader(path, salvage=salvage)
    for _ in reader:
        pass
    return reader


def _arch(reader: columns.Reader) -> str:
    from wire import codec

    shown = reader.head.get("head")
    return codec.decode(shown).arch if isinstance(shown, bytes) else "x86_64"


def _name(number: int, arch: str) -> str:
    return "beyond" if number >= BEYOND else call_name(number, arch)


def verify(path: str) -> Report:
    """Read every column of every row, say what is whole. Raises TraceError only if the file is no capture, or newer."""
    reader = columns.Reader(path, salvage=True)
    rows = blocks = 0
    first = last = None
    for block in reader.each(columns.Columns.array):
        rows, blocks = rows + len(block), blocks + 1
        times = (int(block["time"].min()) + reader.offset) / 1e9, (int(block["time"].max()) + reader.offset) / 1e9
        first = times[0] if first is None else min(first, times[0])
        last = times[1] if last is None else max(last, times[1])
    d = reader.damage
    whole = d.complete and not d.regions
    return Report(rows, blocks, d.regions, d.blocks, d.skipped, first, last, reader.format, whole, tuple(d.places))
