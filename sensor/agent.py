"""The sensor's loop: rings to events at once, counters to windows at each interval, everything to one sink.

The only module of the sensor that reads the clock. Event time is CLOCK_BOOTTIME plus an offset that is taken once and
kept with the pins, so a step of the wall clock moves no event.
"""

from __future__ import annotations

import logging
import platform
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sensor import adopt
from sensor.ears import stdio, tls
from sensor.health import health, states
from sensor.hearing import Hearing
from sensor.identity.resolver import Resolver
from sensor.observe.agents import Agents
from sensor.observe.memory import Memory
from sensor.observe.observer import Observer
from sensor.observe.told import Told
from sensor.originals import keeper
from sensor.probes import client, stdio_hook
from sensor.probes.kernel import Kernel
from sensor.probes.skipped import Skipped
from sensor.reading import Reading
from sensor.settings import SensorSettings
from sensor.sight import Sight
from sensor.stopping import Stop
from wire.records import Gap, Head, Identity, ProbeState, Record, Replica, Tick
from wire.redact import POLICIES

log = logging.getLogger("driftline.sensor")

BUSY = 20_000_000  # ns between two batches
REST = 0.01  # seconds: of the rings, a tenth at 2,400 execs or 13,000 forks a second
FULL = 0.75  # share of a table from which on idle rows are given back
SHARE = 0.25  # of such a table that one workload keeps then, as `crowds` of bpf/common.h lets it take no more
IDLE = 600 * 10**9  # ns without use


class Sink(Protocol):
    """Where records go: the classifier's socket, or a trace file."""

    def send(self, record: Record) -> object: ...

    def pump(self, timeout: float = 0.0) -> object: ...

    @property
    def idle(self) -> bool:
        """Whether everything that was sent is kept for good on the other side."""
        ...

    def close(self) -> object: ...


class Agent:
    """One sensor, from its settings to a running loop.

    Raises:
        ProbeError: Probes cannot be loaded, or another sensor of this name runs.
    """

    def __init__(
        self,
        settings: SensorSettings,
        sink: Sink,
        *,
        stop: Stop | None = None,
        on_window: Callable[[Agent], None] | None = None,
    ) -> None:
        self.settings, self.sink, self._on_window = settings, sink, on_window
        self.node = settings.node or socket.gethostname()
        self.stop = stop or Stop()  # called, it asks the loop to end; safe in a signal handler
        self._lock = client.Lock(settings)
        self.loaded = client.ensure(settings)
        self._sight = Sight(self.loaded, settings.name)
        self.kernel = Kernel(self.loaded.folder)
        self.kernel.watch_doors(settings.doors, settings.doors_in.stat().st_ino)
        self._memory = Memory(client.names_file(settings), self.loaded.epoch)
        self.observer = Observer(
            node=self.node,
            epoch=self.loaded.epoch,
            boot=_boot(),
            to_time=self.to_time,
            memory=self._memory,
            redact=settings.redact,
            on_open=lambda o, path, pid: self.hearing.opened(o, path, pid),
        )
        self.originals = keeper.of(settings.capture.originals, node=self.node, to_time=self.to_time, now=_boottime())
        policy = POLICIES[settings.capture.redaction]
        self.hearing = Hearing(
            Agents(settings.capture.agents),
            [
                tls(self._sight.scope, self.to_time, policy, self.originals.sealed),
                stdio(self._sight.scope, self.to_time, self.loaded.folder, policy, self.originals.sealed),
            ],
            self.observer,
            self.kernel,
            node=self.node,
            epoch=self.loaded.epoch,
            to_time=self.to_time,
            directory=self._directory,
        )
        self.told, self._skipped = Told(self.kernel), Skipped(self.loaded.folder)
        epoch, before = getattr(sink, "told", None) or (None, None)
        if epoch == self.loaded.epoch:
            self.told.resume(before)
        self.resolver = Resolver(settings.identity)
        self.reading = Reading(self._directory, on=settings.digest)
        self._ended: dict[int, Replica] = {}  # slot → whose; given back when their last window is delivered
        self._sent_since = False  # something was sent since the last commit
        self.sent: dict[str, int] = {}
        self._shown: tuple[ProbeState, ...] = ()  # what the last head said of listening
        self._taken = 0  # ns, when the last batch was
        self._begin()

    # -- start and end -----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._send(self._head())
        adopt.exclude_self(self.kernel, self.loaded.base, self._sight.scope)
        if self.loaded.fresh:
            directories = adopt.directories(self.loaded, self._sight.scope)
            adopt.existing(self.kernel, self.observer, directories, self.loaded.base, _boottime())
        else:
            stdio_hook.clear(self.loaded.folder)
            self.observer.recall(self._memory.recall(), self.kernel)
            adopt.known(self.kernel, self.observer)
        adopt.agents(self.hearing.agents, self.observer, self._directory, fresh=self.loaded.fresh)
        self._memory.begin(self.observer.kept())
        self._announce()

    def _head(self) -> Head:
        scope, interval = self.loaded.scope, self.settings.interval
        now = self.to_time(_boottime())
        seen = states(self.loaded.probes) + self._shown
        return Head(now, self.node, platform.release(), self.loaded.epoch, scope, interval, platform.machine(), seen)

    def run(self) -> None:
        """Until a signal or `stop`.

        Raises:
            Blind: The scope was made anew, or the programs were taken out of the kernel.
        """
        self.stop.listen()
        try:
            self.loop()
        finally:
            self.close()

    def loop(self) -> None:
        due = _boottime() + self._interval()
        while not self.stop.asked:
            if self.kernel.wait(min(0.25, self.hearing.rest, (due - _boottime()) / 1e9)):
                self.take()
                self._breathe()
            self._listen()
            self._late()
            self.sink.pump()
            self._delivered()
            if _boottime() >= due:
                self.windows()
                self._sight.check()
                due += self._interval() * (1 + (_boottime() - due) // self._interval())

    def _breathe(self) -> None:
        """After a batch that comes soon after the last one the loop rests, to read larger ones."""
        now = _boottime()
        if now - self._taken < BUSY:
            time.sleep(REST)
        self._taken = now

    def close(self) -> None:
        """Sends what is left, and unloads unless the settings say otherwise."""
        self.take()
        self._send_all(self.hearing.close(_boottime()))
        self.windows()
        self.originals.close(_boottime())
        self.reading.close()
        self.resolver.close()
        self.sink.close()
        self._delivered()
        if not (self.settings.keep_pinned or self.stop.again):
            client.unload(self.settings)
        self._lock.release()

    # -- the two roads -----------------------------------------------------------------------------------------------

    def take(self) -> None:
        """Everything that waits in the rings."""
        batch = self.kernel.read(_boottime())
        if not len(batch):
            return
        records = self.observer.take(batch)
        self._announce()  # an identity goes before the events that need it
        for record in records:
            self.reading.see(record)
            self.hearing.see(record)
            self._send(record)
        for event in self.observer.flows(batch.facts, self.kernel.flows):
            self._send(event)
        self.kernel.done(batch)

    def windows(self) -> None:
        """One window per replica, then the tick that says that this is all."""
        now = _boottime()
        self.take()
        self._unheard(now)
        self._listen()
        self.hearing.tell_losses()
        self._late()
        self._round("begin_round")
        for window in self.observer.windows(self.kernel, self.told, now):
            self.reading.look(window)
            self._send(window)
        self._unseated(now)
        self._retire(now)
        waiting = int(getattr(self.sink, "waiting", 0))
        state = health(self.kernel, self.observer, self.sent, waiting) | self.hearing.health() | self.originals.health()
        state |= self.loaded.health() | self._skipped.health()
        self._send(Tick(self.node, self.to_time(now), state))
        self._make_room(now)
        self._round("end_round", lambda: [self.loaded.epoch, self.told.state()])
        self.sink.pump()
        self._delivered()
        if self._on_window is not None:
            self._on_window(self)

    def _listen(self) -> None:
        """What agents say, and what is known by now of whether they can be heard."""
        self._send_all(self.hearing.poll(_boottime()))
        self.originals.poll(_boottime())
        if self.hearing.states != self._shown:
            self._shown = self.hearing.states
            self._send(self._head())

    def _round(self, step: str, value: Callable[[], object] | None = None) -> None:
        """Tells a sink that survives a kill what belongs together; a trace file ends with its sensor."""
        act = getattr(self.sink, step, None)
        if act is not None:
            act(*(() if value is None else (value(),)))

    def _announce(self) -> None:
        for o in self.observer.seats.fresh():
            self.hearing.agents.seated(o.replica)
            self._identify(self.resolver.resolve(o.replica, o.path, o.since))

    def _directory(self, replica: Replica) -> Path | None:
        """Directory of a replica's cgroup."""
        paths = (o.path for o in self.observer.replicas.values() if o.replica == replica)
        return next((self.loaded.base / path.strip("/") for path in paths), None)

    def _identify(self, identity: Identity) -> None:
        self.hearing.identified(identity, self.resolver.agent(identity.replica))
        self.originals.identified(identity)
        self._send(self._dated(identity))

    def _dated(self, identity: Identity) -> Identity:
        """With what only the agent knows: whether the replica ran before the probes did."""
        return replace(identity, startup_observed=identity.replica.cgroup not in self.loaded.existing)

    def _retire(self, now: int) -> None:
        """Says of cgroups that ended before the windows that they did; what came after is in the next ones."""
        for slot, o in self.observer.replicas.items():
            row = self.kernel.slots[slot]
            if slot not in self._ended and int(row["generation"]) == o.generation and 0 < int(row["left"]) < now:
                self._ended[slot] = o.replica
                self._send_all(self.hearing.ended(o.replica, now))
                self._send(self._dated(self.resolver.ended(o.replica, self.to_time(int(row["left"])))))

    def _delivered(self) -> None:
        """Everything that was sent is kept on the other side: tell the kernel side so, and give ended slots back."""
        if not self._sent_since or not self.sink.idle:
            return
        self._sent_since = False
        self.told.commit()
        self._round("settled")
        for slot, replica in self._ended.items():
            files, flows = self.kernel.release(slot)
            self.observer.forget(slot)
            self.told.forget(slot, files=files, flows=flows)
            self.reading.forget(replica)
            self.hearing.forget(replica)
        self._ended.clear()

    def _late(self) -> None:
        """What others found out meanwhile: identities from runtimes, digests of executables."""
        for identity in self.resolver.poll(self.to_time(_boottime())):
            self._identify(identity)
        self._send_all(self.reading.poll())

    def _unheard(self, now: int) -> None:
        """Cgroups whose first record was lost with a full ring."""
        if adopt.unheard(self.kernel, self.observer, self.loaded.base, now - self._interval()):
            self._announce()

    def _unseated(self, now: int) -> None:
        """Looks at what is lost of nobody knows whom: of new cgroups that found no free slot, which slot 0 counts, and of opens."""
        start = self.to_time(now) - self.settings.interval
        # Without the number, which is in the tick: envelopes keep a count per reason.
        if self.told.losses(0, now).get("seats", 0):
            self._send(Gap(self.node, start, self.to_time(now), "no free slot for new cgroups"))
        if self._skipped.grew():
            self._send(Gap(self.node, start, self.to_time(now), "the kernel did not run a program at some opens"))

    def _make_room(self, now: int) -> None:
        if self._memory.full:
            self._memory.begin(self.observer.kept())
        fill = self.kernel.fill()
        if fill["flows"] > FULL:
            rows = self.kernel.free_flows(now - IDLE, SHARE)
            self.observer.forget_flows(rows)
            self.told.forget(flows=rows)
        if fill["files"] > FULL:
            rows = self.kernel.free_files(now - IDLE, SHARE)
            self.observer.forget_files(rows)
            self.told.forget(files=rows)

    def _send_all(self, records: Iterable[Record]) -> None:
        for record in records:
            self._send(record)

    def _send(self, record: Record) -> None:
        kind = type(record).__name__.lower()
        self.sent[kind] = self.sent.get(kind, 0) + 1
        self._sent_since = True
        self.sink.send(record)

    def _interval(self) -> int:
        return int(self.settings.interval * 1e9)

    def to_time(self, boottime: int) -> float:
        """Seconds since the epoch, to the microsecond, of ns of CLOCK_BOOTTIME."""
        return round((boottime + self.loaded.offset) / 1e9, 6)


def _boottime() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _boot() -> int:
    """A number that differs after a reboot: cgroup ids begin anew then."""
    return int(Path("/proc/sys/kernel/random/boot_id").read_text()[:8], 16)
