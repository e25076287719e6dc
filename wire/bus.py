"""The carrier between sensor and classifier: a unix socket on which the receiver says what it has kept for good.

The sender keeps every frame until it is acknowledged: those on their way (`FLIGHT`), those behind them in a spool on
disk, the newest in memory. Each has a number within (node, epoch); an epoch is one start of one sender. After a lost
connection the receiver answers the greeting with the last number it has, and the sender goes on behind it, so a frame
arrives exactly once although it may travel twice.

Nothing here waits on its own: the sensor's loop calls `Sender.pump`. Only the standard library and msgpack are imported,
since every megabyte here is one of the sensor's fifty. `wire.receiver` is the other end.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path

from wire import codec
from wire.frames import ACK, FRAME, REFUSE, BusError, Message, Splitter, hello, pack
from wire.loss import Loss
from wire.records import Record
from wire.spool import Queued, Spool, is_forgotten_first, record_of

FLIGHT = 1 << 20  # bytes on their way that are not acknowledged
CHUNK = 1 << 18  # bytes written at once
FIRST_DELAY, LAST_DELAY = 0.05, 5.0  # seconds between attempts to connect


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes that wait at most."""

    memory: int = 4 << 20
    spool: int = 256 << 20


class Sender:
    """One end. `send` never waits; `pump` does what can be done within its timeout (seconds).

    Args:
        path: the receiver's socket.
        spool: folder for what memory cannot hold; None: the oldest windows and events go instead.
        node, epoch: name of the numbering; an epoch must never be used twice.

    `dropped` counts lost frames by reason; the same loss travels as a Gap as soon as somebody listens again.
    """

    def __init__(
        self,
        path: str | Path,
        spool: str | Path | None = None,
        *,
        node: str = "",
        epoch: str = "",
        limits: Limits = Limits(),
    ):
        self.dropped: Counter[str] = Counter()
        self.sent = 0  # frames acknowledged
        self.error = ""  # why nobody listens, or what the receiver refused last
        self._path, self._limits = str(path), limits
        self._node, self._epoch = node or socket.gethostname(), epoch or os.urandom(8).hex()
        self._number = 0
        self._loss = Loss()
        self._newest: Record | None = None
        self._flight: deque[Queued] = deque()
        self._flight_bytes = 0
        self._offered = 0  # frames of the flight that were handed to this connection
        self._memory: deque[Queued] = deque()
        self._memory_bytes = 0
        self._spool = Spool(Path(spool), limits.spool, self._lost) if spool is not None else None
        self._socket: socket.socket | None = None
        self._greeted: str | None = None  # epoch that this connection speaks of
        self._synced = False  # whether the answer to the greeting came
        self._out = bytearray()
        self._delay, self._next = FIRST_DELAY, 0.0  # seconds; monotonic seconds

    # the caller's side ----------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self._socket is not None

    @property
    def waiting(self) -> int:
        """Bytes that are not acknowledged."""
        return self._flight_bytes + self._memory_bytes + (self._spool.size if self._spool is not None else 0)

    def send(self, record: Record) -> Queued | None:
        """Put a record behind all others.

        Returns:
            Its frame and number; None if it is too large for one.
        """
        frame = codec.encode(record)
        self._newest = record
        if len(frame) > codec.LIMIT:
            self.dropped["too large"] += 1
            self._loss.add(record)
            return None
        self._number += 1
        self._memory.append(queued := Queued(self._epoch, self._number, frame))
        self._memory_bytes += len(frame)
        if self._memory_bytes > self._limits.memory:
            self._relieve()
        return queued

    def pump(self, timeout: float = 0.0) -> bool:
        """Connect, write and read as far as it goes now; waits at most `timeout` seconds for the peer.

        Returns:
            Whether everything is acknowledged.
        """
        deadline = time.monotonic() + timeout
        while True:
            moved = self._turn(max(0.0, deadline - time.monotonic()))
            if self.idle:
                return True
            if not moved and time.monotonic() >= deadline:
                return False

    @property
    def idle(self) -> bool:
        return not (self._flight or self._memory or self._spool)

    def close(self, timeout: float = 1.0) -> None:
        """Send what can be sent within `timeout` seconds; put the rest into the spool for the next start."""
        self.pump(timeout)
        if self._spool is not None:
            self._keep(self._spool)
        self._disconnect(self.error or "closed")

    def _keep(self, spool: Spool) -> None:
        try:
            if not self._flight:
                spool.release()
            elif not spool.taken:
                spool.prepend(self._flight)
            if self._memory:
                spool.append(self._memory)
        except OSError as e:
            self.error = f"spool: {e.strerror}"

    # room -----------------------------------------------------------------------------------------------------------

    def _relieve(self) -> None:
        """Make room in memory: to the disk where there is one, else forget the oldest that may be forgotten."""
        if self._spool is not None:
            try:
                self._spool.append(self._memory)
            except OSError as e:
                self.error = f"spool: {e.strerror}"
            else:
                self._memory.clear()
                self._memory_bytes = 0
                return
        self._forget_half("memory full" if self._spool is None else "spool disk")

    def _forget_half(self, reason: str) -> None:
        """Half at once, since one at a time would look at every identity again and again."""
        for first in (True, False):
            kept: deque[Queued] = deque()
            for queued in self._memory:
                if self._memory_bytes > self._limits.memory // 2 and (not first or is_forgotten_first(queued.frame)):
                    self._lost(queued.frame, reason)
                    self._memory_bytes -= len(queued.frame)
                else:
                    kept.append(queued)
            self._memory = kept

    def _lost(self, frame: bytes, reason: str) -> None:
        self.dropped[reason] += 1
        self._loss.add(record_of(frame))

    def _tell_loss(self) -> None:
        """As soon as it is known when that was: damage on the disk says nothing of itself."""
        if "damaged" in self._loss.kinds:
            self._loss.reach(self._newest)
        if self._loss.nodes:
            loss, self._loss = self._loss, Loss()
            for gap in loss.gaps():
                self.send(gap)

    # the socket -----------------------------------------------------------------------------------------------------

    def _turn(self, timeout: float) -> bool:
        """One round; whether anything moved."""
        if self._socket is None and not self._connect():
            time.sleep(min(timeout, max(0.0, self._next - time.monotonic())))
            return False
        if self._synced:
            self._load()
        return self._exchange(timeout)

    def _connect(self) -> bool:
        if time.monotonic() < self._next:
            return False
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            peer.connect(self._path)
        except OSError as e:  # nobody there, not allowed, or its queue is full
            peer.close()
            self._later(f"{self._path}: {e.strerror}")
            return False
        self._socket, self._splitter = peer, Splitter()
        self._offered, self._greeted, self._synced = 0, None, False
        self._out.clear()
        self._fill()
        self._greet(self._flight[0].epoch if self._flight else self._epoch)
        return True

    def _greet(self, epoch: str) -> None:
        self._out += hello(self._node, epoch)
        self._greeted, self._synced = epoch, False

    def _fill(self) -> None:
        """More of what waits into the flight, oldest first: disk, then memory."""
        if self._spool is not None and not self._flight:
            self._spool.release()
            self._fly(frames := self._spool.take())
            if frames and "damaged" in self._loss.kinds:
                self._loss.reach(record_of(frames[-1].frame))
        while not self._flown_from_disk() and not self._spool and self._memory and self._flight_bytes < FLIGHT:
            queued = self._memory.popleft()
            self._memory_bytes -= len(queued.frame)
            self._fly([queued])

    def _flown_from_disk(self) -> bool:
        return self._spool is not None and self._spool.taken

    def _fly(self, frames: list[Queued]) -> None:
        self._flight.extend(frames)
        self._flight_bytes += sum(len(q.frame) for q in frames)

    def _load(self) -> None:
        """Put frames of one numbering into the output; another one begins when this one is acknowledged."""
        self._fill()
        if self._flight and self._flight[0].epoch != self._greeted:
            self._greet(self._flight[0].epoch)
            return
        while self._offered < len(self._flight) and len(self._out) < CHUNK:
            queued = self._flight[self._offered]
            if queued.epoch != self._greeted:
                return
            self._out += pack(FRAME, queued.number, queued.frame)
            self._offered += 1

    def _exchange(self, timeout: float) -> bool:
        assert self._socket is not None
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        with selectors.PollSelector() as selector:
            selector.register(self._socket, wanted)
            ready = selector.select(timeout if not self.idle else 0)
        try:
            return any(self._write(mask) or self._read(mask) for _, mask in ready)
        except (OSError, BusError) as e:
            self._disconnect(str(e))
            return False

    def _write(self, mask: int) -> bool:
        if not (mask & selectors.EVENT_WRITE and self._out):
            return False
        assert self._socket is not None
        written = self._socket.send(memoryview(self._out)[:CHUNK])
        del self._out[:written]
        return written > 0

    def _read(self, mask: int) -> bool:
        if not mask & selectors.EVENT_READ:
            return False
        assert self._socket is not None
        data = self._socket.recv(CHUNK)
        if not data:
            raise BusError(self.error or "the classifier closed the connection")
        for message in self._splitter.feed(data):
            self._hear(message)
        return True

    def _hear(self, message: Message) -> None:
        if message.type == ACK:
            self._acknowledged(message.number)
        elif message.type == REFUSE:
            self._refused(message)
        else:
            raise BusError(f"the classifier sent a message of type {message.type}")

    def _acknowledged(self, number: int) -> None:
        while self._flight and self._flight[0].epoch == self._greeted and self._flight[0].number <= number:
            self._land()
            self.sent += 1
        if not self._synced:
            self._synced, self._delay, self.error = True, FIRST_DELAY, ""
        if self._loss.kinds:
            self._tell_loss()

    def _land(self) -> None:
        self._flight_bytes -= len(self._flight.popleft().frame)
        self._offered = max(0, self._offered - 1)

    def _refused(self, message: Message) -> None:
        """What cannot be read must not come again, or it would stop all that is behind it."""
        self.error = f"refused by the classifier: {message.body.decode('utf-8', 'replace')}"
        if self._flight and (self._flight[0].epoch, self._flight[0].number) == (self._greeted, message.number):
            self._lost(self._flight[0].frame, "refused")
            self._land()

    def _later(self, why: str) -> None:
        self.error = why
        self._next = time.monotonic() + self._delay
        self._delay = min(self._delay * 2, LAST_DELAY)

    def _disconnect(self, why: str) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._offered = None, 0
        self._out.clear()
        self._later(why)
