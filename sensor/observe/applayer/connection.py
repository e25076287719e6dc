"""One connection: chunks of two directions to records. Its first bytes tell the protocol; after that one decoder has them all."""

from __future__ import annotations

import re
from typing import Literal, Protocol

from sensor.observe.applayer import frames2
from sensor.observe.applayer.exchange import OTHER, Context, Exchange
from sensor.observe.applayer.http1 import Http1
from sensor.observe.applayer.http2 import Http2
from sensor.observe.applayer.lane import OVERHEAD, Lane, Piece
from sensor.observe.applayer.lines import Stdio
from sensor.observe.applayer.messages1 import ANSWER_START, METHODS, REQUEST_START
from sensor.observe.applayer.records import Direction, Record

Kind = Literal["", "stdio"]
METHOD = re.compile(rb"(?:%s) " % METHODS)
LONGEST_METHOD = 8
EARLY = 64 << 10  # bytes of each direction that wait until the protocol is known
DIRECTIONS: tuple[Direction, Direction] = ("sent", "received")


class Speaker(Protocol):
    """A decoder of one protocol."""

    foreign: bool

    @property
    def held(self) -> int:
        """Bytes kept."""

    def close(self, time: float) -> list[Record]:
        """The connection ended."""


class Connection:
    """Reassembles, finds the protocol, and passes on."""

    def __init__(self, context: Context, *, whole: bool, kind: Kind = "", client: Direction | None = None) -> None:
        limits = context.limits
        self.context, self._whole, self._client = context, whole, client
        self.lanes = {d: Lane(waiting=limits.waiting, late=limits.late) for d in DIRECTIONS}
        self._started = set() if not whole else set(DIRECTIONS)
        self._early: dict[Direction, list[Piece]] = {d: [] for d in DIRECTIONS}
        self._speaker: Http1 | Http2 | Stdio | None = Stdio(context, seek=not whole) if kind == "stdio" else None
        self.foreign = False
        self._fresh = 0  # bytes that were not looked at for a protocol
        self.unweighed = 0  # bytes since its size was last looked at

    @property
    def held(self) -> int:
        """Bytes kept."""
        early = sum(len(p.data or b"") for pieces in self._early.values() for p in pieces)
        lanes = sum(lane.held for lane in self.lanes.values())
        return 2048 + early + lanes + (self._speaker.held if self._speaker else 0)

    def data(self, direction: Direction, offset: int, data: bytes, time: float) -> list[Record]:
        """A chunk."""
        self._begin(direction, offset)
        return self._take(direction, self.lanes[direction].add(offset, data, time), time)

    def gap(self, direction: Direction, offset: int, length: int, time: float) -> list[Record]:
        """A chunk that the capture lost."""
        self._begin(direction, offset)
        return self._take(direction, self.lanes[direction].gap(offset, length, time), time)

    def _begin(self, direction: Direction, offset: int) -> None:
        if direction not in self._started:  # seen from its middle: the first offset is where we came
            self._started.add(direction)
            self.lanes[direction].next = offset

    def settle(self, time: float) -> list[Record]:
        """Chunks that are missing for too long become gaps; what was put together is parsed."""
        out = [r for d in DIRECTIONS for r in self._take(d, self.lanes[d].settle(time), time)]
        return out + (self._speaker.settle() if isinstance(self._speaker, Http1) and not self.foreign else [])

    @property
    def pending(self) -> bool:
        """Whether `settle` can do anything."""
        return any(lane.held for lane in self.lanes.values()) or (
            isinstance(self._speaker, Http1) and self._speaker.pending
        )

    def _take(self, direction: Direction, pieces: list[Piece], time: float) -> list[Record]:
        out: list[Record] = []
        for piece in pieces:
            self.context.health.lost += piece.length if piece.data is None else 0
            if not self.foreign:
                out += self._pass(direction, piece)
        return out

    def _pass(self, direction: Direction, piece: Piece) -> list[Record]:
        if self._speaker is None:
            self._early[direction].append(piece)
            return self._choose(direction, piece.time)
        return self._feed(direction, piece)

    def _feed(self, direction: Direction, piece: Piece) -> list[Record]:
        speaker = self._speaker
        if isinstance(speaker, Stdio):
            out = speaker.feed(piece, direction=direction)
        else:
            out = speaker.feed(piece, of_requests=direction == self.context.client)
        self.foreign = speaker.foreign
        return out

    # Which protocol.

    def _choose(self, direction: Direction, time: float) -> list[Record]:
        torn = not self._whole or any(p.data is None for pieces in self._early.values() for p in pieces)
        made = self._by_middle(direction) if torn else self._by_start(direction)
        if made is not None:
            self._speaker = made
            return self._replay()
        if self.foreign:
            return [self._unknown(time)]
        self._forget_early()
        return []

    def _text(self, direction: Direction) -> bytes:
        return b"".join(p.data for p in self._early[direction] if p.data is not None)

    def _by_start(self, direction: Direction) -> Http1 | Http2 | Stdio | None:
        head = self._text(direction)
        if METHOD.match(head):
            self.context.client = direction
            return Http1(self.context, seek=False)
        if head.startswith(frames2.PREFACE):
            self.context.client = direction
            return Http2(self.context, seek=False)
        if head.startswith(b"HTTP/1.") and not frames2.PREFACE.startswith(head):
            self.context.client = OTHER[direction]
            return Http1(self.context, seek=False)
        if head.lstrip()[:1] in (b"{", b"["):
            return Stdio(self.context, seek=False)
        self.foreign = not self._may_become_known(head)
        return None

    @staticmethod
    def _may_become_known(head: bytes) -> bool:
        if not head.strip() or frames2.PREFACE.startswith(head) or b"HTTP/1.".startswith(head[:7]):
            return True
        if len(head) < LONGEST_METHOD:
            return any(m.startswith(head) for m in METHODS.split(b"|")) or head[:1] == b"\0"
        return len(head) >= frames2.HEAD and head[3] == frames2.SETTINGS and frames2.plausible(head, 0)

    def _by_middle(self, newest: Direction) -> Http1 | Http2 | None:
        self._fresh += 1 + (self._early[newest][-1].length if self._early[newest] else 0)
        if self._fresh * 8 < sum(p.length for p in self._early[newest]):  # not at every byte
            return None
        self._fresh = 0
        for direction in DIRECTIONS:
            text = self._text(direction)
            if REQUEST_START.search(text):
                self.context.client = direction
                return Http1(self.context, seek=True)
            if ANSWER_START.search(text):
                self.context.client = OTHER[direction]
                return Http1(self.context, seek=True)
            if frames2.find(text) is not None:
                self.context.client = self._client or (direction if frames2.PREFACE in text else "sent")
                return Http2(self.context, seek=True)
        return None

    def _replay(self) -> list[Record]:
        early, self._early = self._early, {d: [] for d in DIRECTIONS}
        pieces = sorted(((p.time, n, d, p) for d in DIRECTIONS for n, p in enumerate(early[d])), key=lambda x: x[:2])
        out: list[Record] = []
        for _, _, direction, piece in pieces:
            if not self.foreign:
                out += self._feed(direction, piece)
        return out

    def _forget_early(self) -> None:
        for direction, pieces in self._early.items():
            size = sum(OVERHEAD + len(p.data or b"") for p in pieces)
            while pieces and size > EARLY:
                gone = pieces.pop(0)
                size -= OVERHEAD + len(gone.data or b"")
                self.context.health.dropped["bytes of no known protocol"] += gone.length
                self._whole = False
            self._early[direction] = pieces

    def _unknown(self, time: float) -> Record:
        self._early = {d: [] for d in DIRECTIONS}
        return Exchange(self.context).uncovered("unknown", "neither HTTP nor JSON-RPC")

    def close(self, time: float) -> list[Record]:
        """The connection ended."""
        out: list[Record] = []
        for direction, lane in self.lanes.items():
            out += self._take(direction, lane.settle(time, all_of_it=True), time)
        if self._speaker is not None and not self.foreign:
            out += self._speaker.close(time)
        return out + list(self.context.session.close("the connection ended before it"))

    def drop(self) -> None:
        """Lets go of all that is kept; nothing of it is read any more."""
        self._speaker, self.foreign = None, True
        self._early = {d: [] for d in DIRECTIONS}
        for lane in self.lanes.values():
            lane.drop()
