"""Chunks of lanes to records: finds out what a lane speaks, joins it with its other half, and tells the decoder what is missing.

What a chunk's offset skips was lost. What was lost behind the last chunk is found by asking the kernel how far a lane went;
that is asked only when its loss counters grew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import Direction, Record
from sensor.observe.stdio.kin import Kin
from sensor.observe.stdio.lane import Lane
from sensor.observe.stdio.link import Connection, Link, direction_of, partner
from sensor.probes import stdio as kernel
from sensor.probes.stdio import DATA, ENDED, LEFT, SPOKEN, Chunk

LANES = 4096  # that are followed; the one that was quiet for longest is given up
HELD = 32 << 20  # bytes of all lanes that wait for a verdict
REST = 2 * 10**9  # ns that the other half of a conversation may go on after one has ended
LEFT_SHOWN = 256  # lanes that were left alone


class Judge(Protocol):
    """The kernel side, as far as it is asked here."""

    def judge(self, number: int, born: int, verdict: int) -> None: ...

    def unjudge(self, number: int) -> None: ...

    def lane(self, number: int) -> kernel.Lane | None: ...


@dataclass(slots=True)
class Counters:
    """They only grow."""

    given_up: int = 0  # lanes, for want of room
    left: int = 0  # lanes that speak something else


@dataclass(slots=True)
class _Held:
    """What is known of lanes and conversations."""

    lanes: OrderedDict[int, Lane] = field(default_factory=OrderedDict)
    links: dict[Connection, Link] = field(default_factory=dict)
    of: dict[int, tuple[Link, Direction]] = field(default_factory=dict)  # lane → its place
    left: OrderedDict[int, Lane] = field(default_factory=OrderedDict)


class Streams:
    """All lanes of all watched workloads."""

    def __init__(self, judge: Judge, decoder: Decoder, to_time: Callable[[int], float], kin: Kin | None = None) -> None:
        self._judge, self._decoder, self._to_time = judge, decoder, to_time
        self.kin = kin or Kin()
        self._held = _Held()
        self._waiting = 0  # bytes that wait for a verdict
        self._doubtful: list[tuple[Lane, int]] = []  # → how far each went, by the kernel
        self.counters = Counters()

    def __len__(self) -> int:
        return len(self._held.lanes)

    @property
    def links(self) -> list[Link]:
        return list(self._held.links.values())

    @property
    def left(self) -> list[Lane]:
        """Lanes that were left alone, the newest of them."""
        return list(self._held.left.values())

    @property
    def undecided(self) -> list[Lane]:
        return [lane for lane in self._held.lanes.values() if lane.state == "new"]

    def time(self, now: int) -> float:
        """Event time of a moment of the kernel's clock."""
        return self._to_time(now)

    def feed(self, chunk: Chunk) -> list[Record]:
        """One record of the ring, in the ring's order."""
        out: list[Record] = []
        lane = self._held.lanes.get(chunk.lane)
        if lane is not None and lane.cgroup != chunk.cgroup:
            lane.cgroup = chunk.cgroup  # read on by a process of another workload
        if lane is None:
            if chunk.kind != DATA and chunk.kind != kernel.LEFT_ALONE:
                return []
            lane, out = self._enter(chunk)
        self._held.lanes.move_to_end(chunk.lane)
        born, offset = lane.born, lane.meet(chunk)
        if born != lane.born and lane.state == "spoken":
            self._judge.judge(lane.number, lane.born, SPOKEN)
        if chunk.kind == ENDED:
            return out + self._end(lane, offset, chunk.time)
        if chunk.kind == kernel.LEFT_ALONE:
            return out + self._leave(lane)
        return out + self._take(lane, offset, chunk)

    def _take(self, lane: Lane, offset: int, chunk: Chunk) -> list[Record]:
        if lane.state == "left":
            return []
        if lane.state == "new":
            return self._try(lane, offset, chunk)
        out = self._missing(lane, offset, chunk.time)
        lane.next = max(lane.next, offset + len(chunk.data))
        return out + self._pass(lane, offset, chunk.data, chunk.time)

    # -- before the verdict ------------------------------------------------------------------------------------------

    def _enter(self, chunk: Chunk) -> tuple[Lane, list[Record]]:
        out: list[Record] = []
        held = self._held
        while held.lanes and (len(held.lanes) >= LANES or self._waiting > HELD):
            self.counters.given_up += 1
            out += self._drop(next(iter(held.lanes.values())), chunk.time)
        lane = Lane(chunk.lane, chunk.cgroup, chunk.born, chunk.reader, chunk.writer, chunk.mate, chunk.fd)
        held.lanes[lane.number] = lane
        return lane, out

    def _try(self, lane: Lane, offset: int, chunk: Chunk) -> list[Record]:
        before = lane.waiting
        lane.try_on(offset, chunk.data, chunk.time)
        self._waiting += lane.waiting - before
        if lane.state == "left":
            self._judge.judge(lane.number, lane.born, LEFT)
            self._note_left(lane)
        if lane.state == "new" and not lane.vouched and lane.promising:
            lane.vouched = True
            self._judge.judge(lane.number, lane.born, SPOKEN)
        if lane.state != "spoken":
            return []
        self._judge.judge(lane.number, lane.born, SPOKEN)
        return self._join(lane)

    def _join(self, lane: Lane) -> list[Record]:
        """A lane spoke: gives it its place in a conversation, and the decoder what it said so far."""
        if not lane.writer and (known := self._judge.lane(lane.number)) is not None:
            lane.writer = known.writer  # its write had not returned when the first bytes were read
        direction = direction_of(lane, self.kin)
        link = partner(lane, direction, self._held.links.values(), self.kin) or self._connect(lane, direction)
        link.lanes[direction] = lane
        link.closing = 0
        self._held.of[lane.number] = (link, direction)
        self._waiting -= lane.waiting
        held = lane.release()
        return [record for p in held for record in self._pass(lane, p.offset, bytes(p.data), p.time)]

    def _connect(self, lane: Lane, direction: Direction) -> Link:
        client, server = (lane.writer, lane.reader) if direction == "sent" else (lane.reader, lane.writer)
        key = Connection(lane.cgroup, client, server, lane.number, lane.born)
        if key in self._held.links:  # closed for having been given up, and joined anew
            self._forget(self._held.links[key])
        link = self._held.links[key] = Link(key)
        self._decoder.open(key, kind="stdio", owner=lane.cgroup)
        return link

    # -- after it ----------------------------------------------------------------------------------------------------

    def _pass(self, lane: Lane, offset: int, data: bytes, time: int) -> list[Record]:
        link, direction = self._held.of[lane.number]
        if link.closing:
            link.closing = time + REST
        return self._decoder.data(link.key, direction, offset - lane.start, data, self._to_time(time))

    def _missing(self, lane: Lane, offset: int, time: int) -> list[Record]:
        """Tells the bytes before an offset that did not come."""
        at, lost = lane.next, offset - lane.next
        if lost <= 0:
            return []
        lane.next = offset
        if lane.number not in self._held.of:
            return []
        link, direction = self._held.of[lane.number]
        return self._decoder.gap(link.key, direction, at - lane.start, lost, self._to_time(time))

    def _end(self, lane: Lane, offset: int, time: int) -> list[Record]:
        out = self._missing(lane, offset, time) if lane.state == "spoken" else []
        return out + self._drop(lane, time)

    def _drop(self, lane: Lane, time: int) -> list[Record]:
        """A lane has ended, or is followed no more."""
        self._held.lanes.pop(lane.number, None)
        self._waiting -= lane.waiting
        self._judge.unjudge(lane.number)
        link, direction = self._held.of.pop(lane.number, (None, "sent"))
        if link is None:
            return []
        link.ended.add(direction)
        if not link.open and len(link.lanes) == 2:
            return self._close(link, time)
        link.closing = time + REST
        return []

    def _leave(self, lane: Lane) -> list[Record]:
        if lane.state == "spoken":  # it was faster than our verdict
            self._judge.judge(lane.number, lane.born, SPOKEN)
            return []
        self._waiting -= lane.waiting
        lane.leave("no JSON-RPC in its first bytes: 16 MiB, or 64 KiB that do not look like it")
        self._note_left(lane)
        return []

    def _note_left(self, lane: Lane) -> None:
        """It is left for good: what the kernel sends of it until it has heard is passed over."""
        self.counters.left += 1
        self._held.left[lane.number] = lane
        while len(self._held.left) > LEFT_SHOWN:
            self._held.left.popitem(last=False)

    def _close(self, link: Link, time: int) -> list[Record]:
        self._forget(link)
        return self._decoder.close(link.key, self._to_time(time))

    def _forget(self, link: Link) -> None:
        self._held.links.pop(link.key, None)
        for lane in link.lanes.values():
            if self._held.of.get(lane.number, (None, ""))[0] is link:
                del self._held.of[lane.number]
                self._held.lanes.pop(lane.number, None)
                self._judge.unjudge(lane.number)

    # -- by the clock ------------------------------------------------------------------------------------------------

    def doubt(self, cgroup: int) -> None:
        """Bytes of this workload were lost: notes how far its lanes went. `resolve` tells what did not come."""
        for lane in self._held.lanes.values():
            known = self._judge.lane(lane.number) if lane.cgroup == cgroup and lane.state == "spoken" else None
            if known is not None and known.born == lane.born:
                self._doubtful.append((lane, known.reached + lane.base))

    def resolve(self, now: int) -> list[Record]:
        """After the ring was read to its end: what was read before `doubt` and is not here was lost."""
        doubtful, self._doubtful = self._doubtful, []
        out: list[Record] = []
        for lane, reached in doubtful:
            if self._held.lanes.get(lane.number) is lane:
                out += self._missing(lane, reached, now)
        return out

    def expire(self, now: int, alive: Callable[[int], bool]) -> list[Record]:
        """Closes conversations that have ended, or whose processes are gone, and drops lanes that nobody reads."""
        out: list[Record] = []
        for link in list(self._held.links.values()):
            gone = (link.client and not alive(link.client)) or (link.server and not alive(link.server))
            if gone and not link.closing:
                link.closing = now + REST
            elif link.closing and now >= link.closing:
                out += self._close(link, now)
        for lane in [x for x in self._held.lanes.values() if x.number not in self._held.of and not alive(x.reader)]:
            out += self._drop(lane, now)
        return out

    def forget(self, cgroup: int, now: int) -> list[Record]:
        """A workload is watched no more."""
        out = [r for link in self.links if link.key.cgroup == cgroup for r in self._close(link, now)]
        for lane in [x for x in self._held.lanes.values() if x.cgroup == cgroup]:
            out += self._drop(lane, now)
        self._held.left = OrderedDict((n, x) for n, x in self._held.left.items() if x.cgroup != cgroup)
        return out
