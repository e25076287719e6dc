"""The agents among the replicas to events of what they say, beside the loop of `agent.py`.

Until there is an agent nothing is imported, compiled or attached, so a node without agents pays nothing. What is held then are
descriptors of this process: a clean end closes them, a kill does too, and `sensor --unload` finds nothing of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sensor.ears import Ear, Making, Source, rise
from sensor.observe import names
from sensor.observe.agents import Agents
from sensor.observe.applayer.told import Context, Teller
from sensor.observe.observer import Observer
from sensor.observe.replicas import Observed
from sensor.probes.kernel import Kernel
from wire.fields import excerpt
from wire.records import Event, ProbeState, Replica

log = logging.getLogger("driftline.sensor")

REST = 0.05  # seconds that the loop may wait while somebody is listened to
SOONEST = 10_000_000  # ns between two readings
COVERAGE, EACH = 10**9, 1_000_000  # ns between two looks at who stands where: at least, and for each process
EVENTS = 2048  # of one kind that a replica may send in one window
HINTS = 256  # processes that are looked at again in one reading
NOTES = 8  # things in one process that cannot be read
REASON = 1024  # bytes


class Listening:
    """What one source tells of the agents.

    Args:
        directory: Of a replica's cgroup; None where it is gone.
    """

    def __init__(
        self,
        source: Source,
        agents: Agents,
        observer: Observer,
        kernel: Kernel,
        *,
        teller: Teller,
        to_time: Callable[[int], float],
        directory: Callable[[Replica], Path | None],
    ) -> None:
        self._source, self._agents, self._observer, self._kernel = source, agents, observer, kernel
        self._directory = directory
        self._teller, self._to_time = teller, to_time
        self._making: Making | None = None
        self.ear: Ear | None = None
        self.refused = ""  # why it cannot be had here
        self._watched: dict[int, Observed] = {}  # cgroup → whose
        self._lost: dict[int, dict[str, int]] = {}  # cgroup → what its windows have told
        self._stands: dict[int, tuple[str, str, str]] = {}  # process → rung, reason and library, as they were told
        self._notes: dict[int, dict[str, str]] = {}  # process → what in it cannot be read, and why
        self._who: dict[int, tuple[str, str]] = {}  # process → image and lineage
        self._hints: set[int] = set()
        self._changes = self._polled = self._looked = 0
        self._closed = False

    # -- what the loop asks ------------------------------------------------------------------------------------------

    @property
    def rest(self) -> float:
        """Seconds that the loop may wait."""
        return REST if self._making or (self.ear and self._watched) else 1.0

    @property
    def state(self) -> ProbeState | None:
        """For the head of the stream; None until it is known."""
        if self.ear is None and not self.refused:
            return None
        misses = (f"{self._source.misses}: {self.refused}",) if self.refused else self._source.blind
        return ProbeState(self._source.name, "off" if self.refused else "on", misses)

    def hears(self, replica: Replica) -> bool:
        """Whether a replica is listened to."""
        o = self._watched.get(replica.cgroup)
        return o is not None and o.replica == replica

    def hint(self, replica: Replica, pid: int) -> None:
        """A process has changed: it began, runs another program, or opened a library."""
        if len(self._hints) < HINTS and self.hears(replica):
            self._hints.add(pid)

    def see(self, event: Event) -> None:
        """Facts that make it quick: a new process of an agent, its greeting of a TLS server."""
        if self.ear is None or not self.hears(event.replica):
            return
        pid = event.data.get("pid")
        if event.kind in ("exec", "fork") and isinstance(pid, int):
            if event.kind == "exec":
                image = event.data.get("script") or event.data.get("path", "")
                self._who[pid] = str(image), str(event.data.get("lineage", ""))
            self.hint(event.replica, pid)
        elif event.kind == "tls" and isinstance(pid, int):
            self.ear.hello(pid)

    def poll(self, now: int) -> Iterator[Event]:
        """What was said since the last time.

        Args:
            now: ns of CLOCK_BOOTTIME.
        """
        self._made()
        if self._changes != self._agents.changes:
            yield from self._follow(now)
        if self.ear is None or not self._watched or now - self._polled < SOONEST:
            return
        self._polled = now
        hints, self._hints = self._hints, set()
        if hints:
            self.ear.hints(hints, now)
        yield from self._told(self.ear.poll(now))
        if now - self._looked >= max(COVERAGE, EACH * len(self._stands)):
            self._looked = now
            yield from self._coverage(now)

    def forget(self, replica: Replica, now: int) -> list[Event]:
        """It has ended, or is an agent no more."""
        o = self._watched.get(replica.cgroup)
        if o is None or o.replica != replica or self.ear is None:
            self._watched.pop(replica.cgroup, None)
            return []
        self.tell_losses()
        out = list(self._told(self.ear.forget(replica.cgroup, now)))
        del self._watched[replica.cgroup]
        self._lost.pop(replica.cgroup, None)
        return out

    def tell_losses(self) -> None:
        """Puts what was lost since the last time into the windows that are about to be made."""
        for cgroup, row in (self.ear.losses() if self.ear else {}).items():
            o, told = self._watched.get(cgroup), self._lost.setdefault(cgroup, {})
            if o is None:
                continue
            for why, lost in row.lost.items():
                if lost > told.get(why, 0):
                    o.loss[f"{self._source.name}_{why}"] += lost - told.get(why, 0)
                    told[why] = lost

    def health(self) -> dict[str, float]:
        """Numbers for metrics."""
        own = {"workloads": float(len(self._watched))} | (self.ear.health() if self.ear else {})
        return {f"{self._source.name}/{name}": value for name, value in own.items()} if self._watched else {}

    def close(self, now: int) -> list[Event]:
        """Detaches from everything, and tells what was under way."""
        self._closed = True
        if self._making is not None:
            self._making.abandon()
            self._making = None
        if self.ear is None:
            return []
        self.tell_losses()
        out = list(self._told(self.ear.close(now)))
        self._kernel.dismiss(self.ear.wake)
        self.ear.release()
        self.ear = None
        self._watched.clear()
        return out

    # -- who is listened to ------------------------------------------------------------------------------------------

    def _made(self) -> None:
        if self._making is None or not self._making.done:
            return
        self.ear, self.refused = self._making.ear, self._making.refused
        self._making, self._changes = None, -1  # whoever waited for it is looked at again
        if self.ear is not None:
            rise()
            self._kernel.invite(self.ear.wake)
        if self.refused:
            log.warning("agents are not listened to (%s): %s", self._source.name, self.refused)

    def _follow(self, now: int) -> Iterator[Event]:
        """Takes up who has become an agent, and lets go of who is none any more."""
        self._changes = self._agents.changes
        seated = {o.replica: o for o in self._observer.replicas.values()}
        wanted = {r: seated[r] for r in self._agents if r in seated}
        for o in list(self._watched.values()):
            if o.replica not in wanted:
                yield from self.forget(o.replica, now)
        new = [o for r, o in wanted.items() if not self.hears(r)]
        if self._closed:
            return
        if new and self.ear is None and not self.refused:
            self._making = self._making or Making(self._source.make)
            return
        for o in new:
            yield from self._begin(o, now)

    def _begin(self, o: Observed, now: int) -> Iterator[Event]:
        directory = self._directory(o.replica)
        refused = self.refused
        if self.ear is not None and directory is not None and not self.ear.watch(o.replica.cgroup, directory, now):
            refused = "too many agents at a time on this node"
        if self.ear is not None and directory is None:
            return
        self._watched[o.replica.cgroup] = o
        log.info("listening to %s (%s): %s", o.path, self._source.name, self._agents.why(o.replica))
        if refused:  # of the replica as a whole; its processes are not looked at
            yield self._covered(o, 0, ("metadata", refused, ""), now)

    # -- what was said -----------------------------------------------------------------------------------------------

    def _told(self, records: list[Any]) -> Iterator[Event]:
        for record in records:
            place = record.place.connection
            o = self._watched.get(place.cgroup)
            if o is None:
                continue
            if hasattr(record, "what"):  # it cannot be read
                notes = self._notes.setdefault(place.pid, {})
                if len(notes) < NOTES:
                    notes[record.what] = record.reason
            yield from self._sent(o, list(self._teller.events(record, context=self._context(o, place.pid, place))))

    def _sent(self, o: Observed, events: list[Event]) -> Iterator[Event]:
        """Within the replica's budget; what is beyond it is counted in its window."""
        for event in events:
            self._observer.note(o, event)
            o.shown[event.kind] += 1
        if any(o.shown[e.kind] > EVENTS for e in events):
            o.loss[f"{self._source.name}_events"] += len(events)
        else:
            yield from events

    def _context(self, o: Observed, pid: int, place: Any = None) -> Context:
        lineage = self._observer.processes.lineage
        if path := lineage.path(pid):  # else it has ended; what it was is remembered
            self._who[pid] = names.escaped(path), lineage.of(pid)
        image, above = self._who.get(pid, ("", ""))
        connection = "" if place is None else "-".join(map(str, place[1:]))
        return Context(o.replica, self._source.name, connection, pid, image, above, getattr(place, "peer", 0))

    # -- where processes stand ---------------------------------------------------------------------------------------

    def _coverage(self, now: int) -> Iterator[Event]:
        here = {row.pid: row for row in self.ear.coverage()} if self.ear else {}
        for table in (self._stands, self._notes, self._who):
            for pid in table.keys() - here.keys():
                del table[pid]
        for pid, row in here.items():
            o = self._watched.get(row.cgroup)
            stand = self._stand(row)
            if o is None or row.rung == "searching" or self._stands.get(pid) == stand:
                continue
            if o.may_show("coverage"):  # else at a later look
                self._stands[pid] = stand
                yield self._covered(o, pid, stand, now)

    def _stand(self, row: Any) -> tuple[str, str, str]:
        library = next((p.path for p in row.parts if p.rung == row.rung), "")
        unread = [f"{what}: {why}" for what, why in sorted(self._notes.get(row.pid, {}).items())]
        return row.rung, "; ".join(filter(None, (row.reason, *unread))), library

    def _covered(self, o: Observed, pid: int, stand: tuple[str, str, str], now: int) -> Event:
        rung, reason, library = stand
        shown = "".join(c if c.isprintable() else "\ufffd" for c in reason)
        data = {"rung": rung, "reason": excerpt(shown, REASON), "library": names.escaped(library)}
        return self._teller.coverage(self._to_time(now), data, context=self._context(o, pid))
