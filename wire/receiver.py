"""The classifier's end of `wire.bus`: reads frames, hands them on, and acknowledges what was kept for good.

Senders are other processes of this machine, so a peer is known by what the kernel says of it: user and process. What
a peer sends is believed to be anything; a message that makes no sense ends its connection, never the receiver.
"""

from __future__ import annotations

import os
import select
import selectors
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wire import codec
from wire.frames import ACK, FRAME, HELLO, REFUSE, BusError, Message, Splitter, greeted, pack
from wire.records import Record

CHUNK = 1 << 18  # bytes read at once
BURST = 512  # frames handed on at once
PEERS = 64  # senders at a time
PEERCRED = struct.Struct("iII")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A frame that was read and can be decoded."""

    node: str
    epoch: str
    number: int
    frame: bytes
    record: Record


@dataclass
class Peer:
    """A connected sender."""

    socket: socket.socket
    pid: int
    uid: int
    node: str = ""
    epoch: str = ""
    last: int = 0  # number up to which its frames are known
    splitter: Splitter = field(default_factory=Splitter)
    held: deque[Message] = field(default_factory=deque)  # behind what was handed on
    broken: str = ""  # why it is closed after what is held
    handed: bool = False  # a delivery of it waits for its acknowledgement
    behind: bool = False  # it repeats what is known, so it has not heard so


@dataclass(frozen=True, slots=True)
class Delivery:
    """Frames of one peer, to be kept and then acknowledged."""

    peer: Peer
    frames: tuple[Incoming, ...]


class Receiver:
    """The other end. ``for delivery in poll(): keep(delivery.frames); ack(delivery)``.

    A peer is read again only after its delivery was acknowledged, so what waits here is bounded.

    Args:
        known: (node, epoch) → the last number that is kept for good; 0 for a new numbering.
        uids: who may send; anybody else is turned away.
    Raises:
        OSError: The socket cannot be made, or another receiver listens on it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        known: Callable[[str, str], int] = lambda node, epoch: 0,
        uids: tuple[int, ...] = (0, os.getuid()),
        group: int | None = None,
        log: Callable[[str, Peer], None] = lambda text, peer: None,
    ):
        self.refused: Counter[str] = Counter()
        self.peers: dict[int, Peer] = {}
        self._known, self._uids, self._log = known, uids, log
        self._selector = selectors.DefaultSelector()
        self._listener = listen(path, group=group)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def poll(self, timeout: float = 0.0) -> list[Delivery]:
        """What came within `timeout` seconds. Every delivery must be acknowledged before its peer is read again."""
        found = [d for p in list(self.peers.values()) if p.held and not p.handed and (d := self._deliver(p))]
        for key, _ in self._selector.select(0 if found else timeout):
            if key.fileobj is self._listener:
                self._welcome()
            elif delivery := self._read(key.data):
                found.append(delivery)
        return found

    def ack(self, delivery: Delivery) -> None:
        """Say that a delivery is kept for good, and go on reading its peer."""
        peer = delivery.peer
        peer.handed = False
        peer.last = max([peer.last, *(f.number for f in delivery.frames)])
        self._say(peer, pack(ACK, peer.last))
        if not peer.held:
            self._settle(peer)

    def drop(self, delivery: Delivery) -> None:
        """End the connection of a delivery that cannot be handled; its sender comes again with all of it."""
        self._close(delivery.peer)

    def close(self) -> None:
        """Close every connection; the socket's file stays for the next start to replace."""
        for peer in list(self.peers.values()):
            self._close(peer)
        self._selector.unregister(self._listener)
        self._listener.close()
        self._selector.close()

    # peers ----------------------------------------------------------------------------------------------------------

    def _welcome(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it went away, or there are no file descriptors left; it comes again
            return
        pid, uid, _ = credentials(connection)
        peer = Peer(connection, pid, uid)
        why = "too many senders" if len(self.peers) >= PEERS else "" if uid in self._uids else "not allowed"
        if why:
            self.refused[why] += 1
            self._log(f"turned away: {why}", peer)
            connection.close()
            return
        connection.settimeout(5.0)  # for acknowledgements alone; reads follow readiness
        self.peers[connection.fileno()] = peer
        self._selector.register(connection, selectors.EVENT_READ, peer)

    def _read(self, peer: Peer) -> Delivery | None:
        try:
            data = peer.socket.recv(CHUNK)
        except OSError as e:
            data, peer.broken = b"", e.strerror or type(e).__name__
        if not data:
            self._close(peer)
            return None
        try:
            peer.held.extend(peer.splitter.feed(data))
        except BusError as e:
            peer.broken = str(e)
        return self._deliver(peer)

    def _deliver(self, peer: Peer) -> Delivery | None:
        """The next frames of a peer; a refusal or an end waits until those before it are acknowledged."""
        frames = tuple(self._frames(peer))
        if frames:
            self._pause(peer)
            peer.handed = True
            return Delivery(peer, frames)
        if peer.behind:
            peer.behind = False
            self._say(peer, pack(ACK, peer.last))
        self._settle(peer)
        return None

    def _settle(self, peer: Peer) -> None:
        """Nothing is held: read on, or end what is broken."""
        if peer.broken:
            self._break(peer)
        elif peer.socket.fileno() >= 0:
            self._resume(peer)

    def _frames(self, peer: Peer) -> Iterator[Incoming]:
        last, count = peer.last, 0
        while peer.held and count < BURST:
            message = peer.held[0]
            if message.type == FRAME and peer.epoch and message.number <= last:
                peer.held.popleft()
                self.refused["repeated"] += 1
                peer.behind = True
            elif message.type == FRAME and peer.epoch:
                incoming = self._incoming(peer, message)
                if isinstance(incoming, str):
                    if not count:
                        self._refuse(peer, message.number, incoming)
                    return
                peer.held.popleft()
                last, count = message.number, count + 1
                yield incoming
            elif count:
                return  # what came before is acknowledged under its own numbering
            elif message.type == HELLO:
                peer.held.popleft()
                last = self._greet(peer, message)
            else:
                self._stop(peer, f"message of type {message.type} out of place")

    def _incoming(self, peer: Peer, message: Message) -> Incoming | str:
        try:
            record = codec.decode(message.body)
        except (codec.FrameError, KeyError, RecursionError) as e:
            return str(e)
        return Incoming(peer.node, peer.epoch, message.number, message.body, record)

    def _greet(self, peer: Peer, message: Message) -> int:
        try:
            peer.node, peer.epoch = greeted(message.body)
        except BusError as e:
            self._stop(peer, str(e))
            return 0
        if self._is_taken(peer):
            self._turn_second_away(peer)
            return 0
        peer.last = self._known(peer.node, peer.epoch)
        self._say(peer, pack(ACK, peer.last))
        return peer.last

    def _is_taken(self, peer: Peer) -> bool:
        """Whether another sender of this node is connected: two would take turns in being the node's only sensor."""
        same = (p for p in self.peers.values() if p is not peer and p.epoch and p.node == peer.node)
        return any(not _has_left(p.socket) for p in same)

    def _turn_second_away(self, peer: Peer) -> None:
        self.refused["node name taken"] += 1
        why = f'another sensor sends as node "{peer.node:.200}"; stop one, or set `node` to another name for it'
        self._say(peer, pack(REFUSE, 0, why.encode("utf-8", "replace")))
        self._log(f"turned away: {why}", peer)
        peer.node = ""
        self._close(peer)

    def _refuse(self, peer: Peer, number: int, why: str) -> None:
        """A frame that was read whole but means nothing: its sender must leave it out."""
        self._say(peer, pack(REFUSE, number, why.encode()[:1024]))
        self._stop(peer, f"frame {number}: {why}")

    def _stop(self, peer: Peer, why: str) -> None:
        peer.held.clear()
        peer.broken = why

    def _break(self, peer: Peer) -> None:
        self.refused["damaged"] += 1
        self._log(f"closed: {peer.broken}", peer)
        self._close(peer)

    def _say(self, peer: Peer, data: bytes) -> None:
        try:
            peer.socket.sendall(data)
        except OSError:  # it went away, or does not read; what it does not know it sends again
            self._close(peer)

    def _pause(self, peer: Peer) -> None:
        if peer.socket.fileno() >= 0 and peer.socket in self._selector.get_map():
            self._selector.unregister(peer.socket)

    def _resume(self, peer: Peer) -> None:
        if peer.socket not in self._selector.get_map():
            self._selector.register(peer.socket, selectors.EVENT_READ, peer)

    def _close(self, peer: Peer) -> None:
        if peer.socket.fileno() < 0:
            return
        self._pause(peer)
        self.peers.pop(peer.socket.fileno(), None)
        peer.held.clear()
        peer.socket.close()


def listen(path: str | Path, *, group: int | None = None) -> socket.socket:
    """A listening socket that only its owner, and the `group` if there is one, may connect to.

    Raises:
        OSError: It cannot be made, or somebody listens there.
    """
    path = str(path)
    if _answers(path):
        raise OSError(f"{path}: another process listens here; stop it first")
    _unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)  # the file must never be open to others, not even for an instant
    try:
        listener.bind(path)
        if group is not None:
            _give(path, group)
            os.chmod(path, 0o660)
        listener.listen(16)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _has_left(connection: socket.socket) -> bool:
    """Whether the other end is closed, though what it sent is not read yet."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


def _give(path: str, group: int) -> None:
    # A sandbox may forbid chown(2) although the file has the right group from its birth.
    if os.stat(path).st_gid != group:
        os.chown(path, -1, group)


def credentials(connection: socket.socket) -> tuple[int, int, int]:
    """Process, user and group of the other end, as the kernel noted them when it connected."""
    return PEERCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEERCRED.size))


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:  # the first start
        return
