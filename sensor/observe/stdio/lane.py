"""One direction of bytes, from its first read to the verdict whether it speaks JSON-RPC. What came before waits here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from sensor.observe.applayer import apis, mcp
from sensor.observe.applayer.events import Lines
from sensor.probes.stdio import Chunk

State = Literal["new", "spoken", "left"]
STRANGE = 64  # lines that are no JSON-RPC, before which none was one
SMALL = 4096  # bytes that pieces are put together to
LONGEST = 8 << 20  # bytes that wait for the end of a first line
WORD = b'"jsonrpc"'  # in a line that is worth waiting for


@dataclass(slots=True)
class Piece:
    """Bytes that wait."""

    offset: int
    data: bytearray  # of several small reads: one object a byte would cost a hundred times its size
    time: int  # ns, of the first of them

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


@dataclass(slots=True)
class Lane:
    """A pipe, or what one end of a socketpair receives."""

    number: int  # inode
    cgroup: int
    born: int  # generation, as the kernel has it
    reader: int
    writer: int  # 0: not seen yet
    mate: int  # lane of the other direction of a socketpair; 0: a pipe
    fd: int  # of the reader
    state: State = "new"
    reason: str = ""  # why it is left alone
    base: int = 0  # what is added to the kernel's offsets, which begin anew when it forgot the lane
    next: int = 0  # offset behind the last byte that came or is known as lost
    start: int = 0  # offset that the decoder takes for 0
    first: Any = None  # the message that gave it away
    held: list[Piece] = field(default_factory=list)
    waiting: int = 0  # bytes of them
    vouched: bool = False  # the kernel was told to let more of it pass than it lets of a lane that may be anything
    _lines: Lines = field(default_factory=lambda: Lines(LONGEST))
    _lines_from: int = 0  # offset of the first byte that `_lines` had
    _strange: int = 0

    def meet(self, chunk: Chunk) -> int:
        """Takes over who reads and writes; the chunk's offset in the life of this lane."""
        if chunk.born != self.born:  # the kernel's table was full and it forgot
            self.born, self.base = chunk.born, self.next
        self.reader, self.fd = chunk.reader, chunk.fd
        self.writer = chunk.writer or self.writer
        self.mate = chunk.mate or self.mate
        return chunk.offset + self.base

    def try_on(self, offset: int, data: bytes, time: int) -> None:
        """Bytes of a lane that is new. May change its state; `held` is then what the decoder is to have first."""
        if offset > self.next or not self.held:
            self._begin(offset)
        self.next = offset + len(data)
        if b"\0" in data:
            self.leave("its bytes are no text")
            return
        self._keep(offset, data, time)
        for event in self._lines.feed(data):
            value = apis.value_of(event.data)
            if mcp.is_rpc(value):
                self._speak(value, self._lines_from + event.start)
                return
            self._pass(self._lines_from + event.end)
            if self.state == "left":
                return
        if self.waiting > LONGEST:
            self.leave(f"a first line of more than {LONGEST >> 20} MiB")

    @property
    def promising(self) -> bool:
        """Whether a line has begun that may well be JSON-RPC."""
        return any(WORD in p.data for p in self.held[:2])

    def _keep(self, offset: int, data: bytes, time: int) -> None:
        if self.held and self.held[-1].end == offset and len(self.held[-1].data) < SMALL:
            self.held[-1].data += data
        else:
            self.held.append(Piece(offset, bytearray(data), time))
        self.waiting += len(data)

    def _hold(self, pieces: list[Piece]) -> None:
        self.held, self.waiting = pieces, sum(len(p.data) for p in pieces)

    def _begin(self, offset: int) -> None:
        """What came before, if anything, has a hole behind it or was passed over by the kernel: it is no use."""
        self._hold([])
        self._lines, self._lines_from = Lines(LONGEST), offset

    def _speak(self, value: Any, start: int) -> None:
        self.state = "spoken"
        self.first = value[0] if isinstance(value, list) else value
        self._hold([Piece(max(p.offset, start), p.data[max(0, start - p.offset) :], p.time) for p in self.held])
        self.start = start

    def _pass(self, end: int) -> None:
        self._strange += 1
        if self.held and self.held[0].end <= end:  # two readers at once: offsets may come in the wrong order
            self._hold([p for p in self.held if p.end > end])
        if self._strange > STRANGE:
            self.leave(f"no JSON-RPC in its first {self._strange} lines")

    def leave(self, reason: str) -> None:
        """Nothing of it is read any more."""
        self.state, self.reason = "left", reason
        self._hold([])
        self._lines = Lines(LONGEST)

    def release(self) -> list[Piece]:
        """What waited, once."""
        held = self.held
        self._hold([])
        self._lines = Lines(LONGEST)
        return held
