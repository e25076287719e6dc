"""The sensor's loop: rings to events at once, counters to windows at each interval, everything to one sink.

The only module of the sensor that reads the clock. Event time is CLOCK_BOOTTIME plus an offset that is taken once and
kept with the pins, so a step of the wall clock moves no event.
"""

from __future__ import annotations

import logging
import os
import platform
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sensor import adopt
from sensor.ears import stdio, tls
from sensor.health import health
from sensor.hearing import Hearing
from sensor.identity.resolver import Resolver
from sensor.observe.agents import Agents
from sensor.observe.binaries import Binaries
from sensor.observe.contents import Contents
from sensor.observe.memory import Memory
from sensor.observe.observer import Observer
from sensor.observe.packages import Packages
from sensor.observe.told import Told
from sensor.originals import keeper
from sensor.probes import client, stdio_hook
from sensor.probes.catalogue import BY_NAME
from sensor.probes.kernel import Kernel
from sensor.settings import SensorSettings
from sensor.stopping import Stop
from wire.records import Event, Gap, Head, Identity, ProbeState, Record, Replica, Tick
from wire.redact import POLICIES

log = logging.getLogger("driftline.sensor")

BUSY = 256  # records in a batch from which on the loop rests a little, to read larger batches
REST = 0.005  # seconds
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


class Blind(RuntimeError):
    """What was loaded sees the scope no more; only loading anew helps."""


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
        self._scope = self.loaded.base / self.loaded.scope.strip("/")
        self._scope_id, self._scope_gone = _id(self._scope), False
        self.kernel = Kernel(self.loaded.folder)
        self.kernel.watch_doors(settings.doors, settings.doors_in.stat().st_ino)
        memory = self._memory = Memory(client.names_file(settings), self.loaded.epoch)
        self.observer = Observer(
            node=self.node,
            epoch=self.loaded.epoch,
            boot=_boot(),
            to_time=self.to_time,
            memory=memory,
            redact=settings.redact,
            on_open=lambda o, path, pid: self.hearing.opened(o, path, pid),
        )
        self.originals = keeper.of(settings.capture.originals, node=self.node, to_time=self.to_time, now=_boottime())
        policy = POLICIES[settings.capture.redaction]
        self.hearing = Hearing(
            Agents(settings.capture.agents),
            [
                tls(self._scope, self.to_time, policy, self.originals.sealed),
                stdio(self._scope, self.to_time, self.loaded.folder, policy, self.originals.sealed),
            ],
            self.observer,
            self.kernel,
            node=self.node,
            epoch=self.loaded.epoch,
            to_time=self.to_time,
            directory=self._directory,
        )
        self.told = Told(self.kernel)
        epoch, before = getattr(sink, "told", None) or (None, None)
        if epoch == self.loaded.epoch:
            self.told.resume(before)
        self.resolver = Resolver(settings.identity)
        self.binaries = Binaries(self._directory, digest=settings.digest)
        self.packages = Packages(self._directory, on=settings.digest)
        self.contents = Contents(self._directory, on=settings.digest)
        self._ended: dict[int, Replica] = {}  # slot → whose; given back when their last window is delivered
        self._sent_since = False  # something was sent since the last commit
        self._announced: dict[int, int] = {}  # slot → generation whose identity was sent
        self.sent: dict[str, int] = {}
        self._shown: tuple[ProbeState, ...] = ()  # what the last head said of listening
        self._begin(memory)

    # -- start and end -----------------------------------------------------------------------------------------------

    def _begin(self, memory: Memory) -> None:
        self._send(self._head())
        self._exclude_self()
        if self.loaded.fresh:
            adopt.existing(self.kernel, self.observer, self._existing(), self.loaded.base, _boottime())
        else:
            stdio_hook.clear(self.loaded.folder)
            self.observer.recall(memory.recall(), self.kernel)
            adopt.known(self.kernel, self.observer)
        adopt.agents(self.hearing.agents, self.observer, self._directory, fresh=self.loaded.fresh)
        memory.begin(self.observer.kept())
        self._announce()

    def _exclude_self(self) -> None:
        """The sensor is nobody's workload; the root cgroup is filtered by the kernel side already."""
        place = self._own()
        if place != self.loaded.base and place.is_relative_to(self.loaded.base / self.loaded.scope.strip("/")):
            self.kernel.exclude(place.stat().st_ino)

    def _own(self) -> Path:
        """Directory of this process's cgroup."""
        own = self.loaded.base / Path("/proc/self/cgroup").read_text().rpartition("0::/")[2].strip()
        return own if own.is_dir() else self.loaded.base

    def _head(self) -> Head:
        states = tuple(
            ProbeState(
                name, BY_NAME[name].state if why == "on" else "off", BY_NAME[name].misses if why == "on" else (why,)
            )
            for name, why in sorted(self.loaded.probes.items())
        )
        scope, interval = self.loaded.scope, self.settings.interval
        now = self.to_time(_boottime())
        states += self._shown
        return Head(now, self.node, platform.release(), self.loaded.epoch, scope, interval, platform.machine(), states)

    def _existing(self) -> dict[int, Path]:
        top = self.loaded.base / self.loaded.scope.strip("/")
        found = {os.stat(d).st_ino: Path(d) for d, _, _ in os.walk(top)}
        return {
            i: d for i, d in found.items() if i in self.loaded.existing and d not in (self.loaded.base, self._own())
        }

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
            self._listen()
            self._late()
            self.sink.pump()
            self._delivered()
            if _boottime() >= due:
                self.windows()
                self._check_sight()
                due += self._interval() * (1 + (_boottime() - due) // self._interval())

    def _check_sight(self) -> None:
        """A service manager removes a stopped unit's cgroup, and makes another of the same name at the next start."""
        if not self.loaded.folder.is_dir():
            raise Blind(f"the programs of {self.settings.name!r} were taken out of the kernel; start it again")
        here = _id(self._scope)
        if here is not None and here != self._scope_id:
            raise Blind(f"the cgroup {self.loaded.scope} was removed and made anew; start again")
        if here is None and not self._scope_gone:
            log.warning("the cgroup %s is gone; waiting for it to come back", self.loaded.scope)
        self._scope_gone = here is None

    def close(self) -> None:
        """Sends what is left, and unloads unless the settings say otherwise."""
        self.take()
        self._send_all(self.hearing.close(_boottime()))
        self.windows()
        self.originals.close(_boottime())
        self.binaries.close()
        self.packages.close()
        self.contents.close()
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
            if isinstance(record, Event) and record.kind == "exec":
                self.binaries.see(record)
            elif isinstance(record, Event) and record.kind == "open":
                self.packages.see(record)
                self.contents.see(record)
            if isinstance(record, Event):
                self.hearing.see(record)
            self._send(record)
        for event in self.observer.flows(batch.facts, self.kernel.flows):
            self._send(event)
        self.kernel.done(batch)
        if len(batch) > BUSY:
            time.sleep(REST)

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
            self.packages.look(window)
            self.contents.look(window)
            self._send(window)
        self._unseated(now)
        self._retire(now)
        waiting = int(getattr(self.sink, "waiting", 0))
        state = health(self.kernel, self.observer, self.sent, waiting) | self.hearing.health() | self.originals.health()
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
        for slot, o in self.observer.replicas.items():
            if self._announced.get(slot) != o.generation:
                self._announced[slot] = o.generation
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
            self.binaries.forget(replica)
            self.packages.forget(replica)
            self.contents.forget(replica)
            self.hearing.forget(replica)
            self._announced.pop(slot, None)
        self._ended.clear()

    def _late(self) -> None:
        """What others found out meanwhile: identities from runtimes, digests of executables."""
        for identity in self.resolver.poll(self.to_time(_boottime())):
            self._identify(identity)
        self._send_all((*self.binaries.poll(), *self.packages.poll(), *self.contents.poll()))

    def _unheard(self, now: int) -> None:
        """Cgroups whose first record was lost with a full ring are found by their directories."""
        lost = self.observer.seats.unheard(self.kernel, now - self._interval())
        if not lost:
            return
        paths = {os.stat(d).st_ino: d for d, _, _ in os.walk(self.loaded.base) if os.path.isdir(d)}
        for slot, generation, cgroup, taken in lost:
            path = "/" + os.path.relpath(paths[cgroup], self.loaded.base) if cgroup in paths else f"/gone/{cgroup}"
            self.observer.seats.seat(slot, generation, cgroup, path, taken)
        self._announce()

    def _unseated(self, now: int) -> None:
        """Looks at new cgroups that found no free slot: nobody knows whose they were. Slot 0 counts them."""
        if self.told.losses(0, now).get("seats", 0):
            start = self.to_time(now) - self.settings.interval
            # Without the number, which is in the tick: envelopes keep a count per reason.
            self._send(Gap(self.node, start, self.to_time(now), "no free slot for new cgroups"))

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


def _id(directory: Path) -> int | None:
    """The id of a cgroup; None: it is gone."""
    try:
        return directory.stat().st_ino
    except FileNotFoundError:
        return None


def _boot() -> int:
    """A number that differs after a reboot: cgroup ids begin anew then."""
    return int(Path("/proc/sys/kernel/random/boot_id").read_text()[:8], 16)
