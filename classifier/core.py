"""Journal, pipeline and results behind one lock: whatever enters is kept first, then fed, in one order.

Threads of the service call in; nothing here opens a socket. What the store cannot do now is tried again, and said.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from classifier.classes.known import Known
from classifier.deploys import dials
from classifier.drift.finding import Finding, finding_to_dict
from classifier.envelope.state import StateError
from classifier.envelope.view import shown
from classifier.links import view as links
from classifier.links.reach import ran
from classifier.pipeline import Pipeline
from classifier.recording import NoTrace, Trace
from classifier.settings import ClassifierSettings
from classifier.store.feed import Entry
from classifier.store.store import Accepted, Frame, NotNow, Store
from wire import codec
from wire.records import Deploy, Event, Identity, Record, Replica, Tick, Triage, Window
from wire.trace import TraceError

ROOM_PERIOD = 5.0  # seconds between snapshots that are taken to make room
SENSORS = 10_000  # nodes whose sensors' own numbers are shown
UNWRITTEN = 100_000  # findings that wait for the store; the pipeline has the latest of each anyway


@dataclass
class Health:
    """What is wrong now: part → reason. Empty: nothing."""

    troubles: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return "degraded" if self.troubles else "ok"


class Core:
    """The classifier's memory.

    Args:
        clock: monotonic seconds.
        log: a bound logger of structlog.
    """

    def __init__(self, settings: ClassifierSettings, store: Store, log: Any, clock: Callable[[], float]):
        self.settings, self.store, self.health = settings, store, Health()
        self.records: Counter[str] = Counter()  # accepted since the start, by kind
        self.lost: Counter[str] = Counter()  # told by sensors, by what
        self.sensors: dict[str, Mapping[str, float]] = {}  # node → what its sensor last said of itself
        self.failed = 0  # records that the pipeline could not take
        self.last_tick = 0.0  # seconds, event time
        self.dials = dials.Dials(clock)
        self._log, self._clock = log, clock
        self._lock = threading.RLock()
        self._unwritten: deque[Finding] = deque(maxlen=UNWRITTEN)
        self._pipeline, self._seq = self._restored()
        self._cleared = float("-inf")  # when a snapshot was last taken to make room
        self._trace: Trace | NoTrace = self._recorder()
        self._taken, self._cost, self._covered = clock(), 0.0, self._seq
        self._catch_up()

    # start ----------------------------------------------------------------------------------------------------------

    def _restored(self) -> tuple[Pipeline, int]:
        snapshot = self.store.last_snapshot()
        if snapshot is None:
            return Pipeline(self.settings.policy), 0
        try:
            return Pipeline.restore(self.settings.policy, snapshot.state), snapshot.seq
        except StateError as e:
            self.store.put_aside(str(e))
            self.trouble("snapshot", f"put aside: {e}")
            return Pipeline(self.settings.policy), 0

    def _recorder(self) -> Trace | NoTrace:
        if self.settings.trace_path is None:
            return NoTrace()
        return Trace(self.settings.trace_path, self.store, self._seq)

    def _catch_up(self) -> None:
        """Feed what was accepted after the snapshot."""
        before = self._seq
        for accepted in self.store.after(self._seq):
            self._feed(accepted)
        if self._seq > before:
            self._log.info("journal fed again", frames=self._seq - before)

    # taking in ------------------------------------------------------------------------------------------------------

    def accept(self, frames: Sequence[Frame], acknowledge: Callable[[], None] = lambda: None) -> int:
        """Keep frames, acknowledge them, feed what is new; how many that were.

        Raises:
            NotNow: Nothing was kept or fed.
        """
        with self._lock:
            accepted = self._kept(frames)
            acknowledge()  # not after feeding: the sender may forget what the journal has
            for one in accepted:
                if isinstance(one.record, Event) and one.record.kind == dials.KIND:
                    self.dials.tell(one.record)  # not when the journal is fed again: those connections are gone
                self._feed(one)
            self._write_findings()
            self._snapshot_if_due()
        return len(accepted)

    def _kept(self, frames: Sequence[Frame]) -> list[Accepted]:
        try:
            accepted = self.store.accept(frames)
        except NotNow as e:
            self.trouble("store", str(e))
            if not self._make_room():
                raise
            accepted = self.store.accept(frames)
        self.mended("store")
        return accepted

    def _make_room(self) -> bool:
        """A snapshot empties the journal; tried when something cannot be kept, not at every attempt."""
        if self._seq == self._covered or self._clock() - self._cleared < ROOM_PERIOD:
            return False
        self._cleared = self._clock()
        return self.snapshot()

    def enter(self, record: Record) -> bool:
        """Accept one record of our own; False if it is a deploy event that is known already.

        Raises:
            NotNow: It was not kept.
        """
        with self._lock:
            if isinstance(record, Deploy) and not record.refused and self.store.has_deploy(record.id):
                return False
            self.accept([Frame(record, codec.encode(record))])
            return True

    def _feed(self, accepted: Accepted) -> None:
        record, self._seq = accepted.record, accepted.seq
        self._count(record)
        self._record(accepted)
        try:
            self._unwritten.extend(self._pipeline.feed(record))
        except Exception:
            # The same record does the same in a replay, so going on keeps live and replay equal.
            self.failed += 1
            if self.failed <= 20 or self.failed % 1000 == 0:
                self._log.exception("record not taken", seq=accepted.seq, kind=codec.NAMES[type(record)])

    def _count(self, record: Record) -> None:
        self.records[codec.NAMES[type(record)]] += 1
        if isinstance(record, Window):
            self.lost.update(record.loss)
        elif isinstance(record, Tick):
            self.last_tick = max(self.last_tick, record.time)
            if record.node in self.sensors or len(self.sensors) < SENSORS:
                self.sensors[record.node] = record.health

    def _record(self, accepted: Accepted) -> None:
        try:
            self._trace.add(accepted)
        except TraceError as e:
            self.trouble("trace", str(e))
            self._trace = NoTrace()

    # results --------------------------------------------------------------------------------------------------------

    def _write_findings(self) -> None:
        if not self._unwritten:
            return
        try:
            self.store.keep_findings(list(self._unwritten))
        except NotNow as e:  # after a kill they come again from the journal
            self.trouble("store", str(e))
        else:
            self._unwritten.clear()

    def _snapshot_if_due(self) -> None:
        keep = self.settings.retention
        frames, seconds = self._seq - self._covered, self._clock() - self._taken
        if frames >= keep.snapshot_frames or (frames and seconds >= max(keep.snapshot_seconds, 20 * self._cost)):
            self.snapshot()

    def snapshot(self) -> bool:
        """Let the state stand in for the journal; whether that could be done."""
        with self._lock:
            began = self._taken = self._clock()
            try:
                self._flush_trace()
                state = self._pipeline.snapshot()
                self.store.snapshot(self._seq, state, list(self._unwritten), now=self.last_tick)
            except NotNow as e:
                self.trouble("store", str(e))
                return False
            self._covered, self._cost = self._seq, self._clock() - began
            self._unwritten.clear()
            return True

    def _flush_trace(self) -> None:
        try:
            self._trace.flush()
        except TraceError as e:
            self.trouble("trace", str(e))
            self._trace = NoTrace()

    def close(self, *, within: float) -> None:
        """End: a last snapshot unless that took longer than `within` seconds before; the journal has it all anyway."""
        with self._lock:
            if self._cost < within and self._seq > self._covered:
                self.snapshot()
            try:
                self._trace.close()
            except TraceError as e:
                self.trouble("trace", str(e))
            self.store.close()

    # questions ------------------------------------------------------------------------------------------------------

    def findings(self) -> list[Finding]:
        with self._lock:
            return self._pipeline.findings()

    def finding(self, id: str) -> dict[str, Any] | None:
        return next((finding_to_dict(f) for f in self.findings() if f.id == id), None)

    def beside(self, id: str) -> list[dict[str, Any]]:
        with self._lock:
            return self._pipeline.beside(id)

    def chain(self, id: str) -> dict[str, Any] | None:
        """What led to a finding, and what came of it."""
        found = self.finding(id)
        return None if found is None else links.about(found, self.told_between, self.event, self.ran)

    def versions(self, id: str) -> list[dict[str, Any]]:
        with self._lock:
            return self.store.versions(id)

    def workloads(self) -> list[Any]:
        with self._lock:
            return self._pipeline.workloads()

    def names(self) -> set[str]:
        """Every workload that the stream has named."""
        return {status.workload for status in self.workloads()}

    def envelope(self, workload: str) -> dict[str, Any] | None:
        with self._lock:
            found = self._pipeline.envelope(workload)
            return shown(found) if found is not None else None

    def revision(self, workload: str) -> str | None:
        """The revision that a workload's replicas showed last; None where none did."""
        with self._lock:
            found = self._pipeline.envelope(workload)
            revisions = found.ledger.revisions() if found is not None else ()
            return list(revisions)[-1] if revisions else None

    def told(self, view: Callable[[Known], Any]) -> Any:
        """What a view makes of this moment: classes, baselines, tracks."""
        with self._lock:
            return view(self._pipeline.known())

    def deploys(self) -> list[Deploy]:
        with self._lock:
            return self._pipeline.deploys()

    def seen(self, cgroup: int) -> list[Identity]:
        """Whose a cgroup id is; empty where no sensor observes one."""
        with self._lock:
            return self._pipeline.seen(cgroup)

    def event(self, id: str) -> Event | None:
        with self._lock:
            return self.store.event(id)

    def fed(self, after: int, limit: int) -> list[Entry]:
        """What an audit trail is written from, behind a place in its order."""
        with self._lock:
            return self.store.fed(after, limit)

    def fed_until(self, seq: int) -> None:
        """An audit trail holds everything up to here.

        Raises:
            NotNow: It stays in the feed, which does no harm.
        """
        with self._lock:
            self.store.fed_until(seq)

    def told_between(
        self, replica: Replica, start: float, end: float, limit: int, *, latest: bool = False
    ) -> list[Event]:
        """Events of a replica in a span (seconds), by time; see `Store.told_between`."""
        with self._lock:
            return self.store.told_between(replica, start, end, limit, latest=latest)

    def ran(self, workload: str, start: float, end: float) -> list[Replica]:
        """Replicas of a workload that were observed in a span (seconds)."""
        return self.told(lambda known: ran(known, workload, start, end))

    def heard(self) -> dict[str, float]:
        """Node → seconds, its latest tick since this start."""
        with self._lock:
            return dict(self.store.heard)

    def has_finding(self, triage: Triage) -> bool:
        return any(f.id == triage.finding for f in self.findings())

    def counters(self) -> dict[str, int]:
        with self._lock:
            return {
                **self._pipeline.counters,
                "records_failed": self.failed,
                "journal_frames": self._seq - self._covered,
            }

    def sizes(self) -> dict[str, int]:
        """Rows of the store by table, and its bytes."""
        with self._lock:
            return self.store.sizes()

    def turn(self) -> None:
        """What is due without a frame: findings that could not be written, a snapshot."""
        with self._lock:
            self._write_findings()
            self._snapshot_if_due()

    def remember(self, key: str, value: object) -> None:
        """Keep a small value over a restart."""
        with self._lock:
            if self.store.noted(key) != value:
                self.store.note(key, value)

    def watch(self, part: str, trouble: str) -> None:
        """A part's trouble, or "" if it works."""
        if trouble:
            self.trouble(part, trouble)
        else:
            self.mended(part)

    def refuse(self, time: float, source: str, reason: str, detail: str) -> None:
        """Note something that was turned away; that the store cannot take it now must not stop the refusal."""
        try:
            with self._lock:
                self.store.refuse(time, source, reason, detail)
        except NotNow as e:
            self.trouble("store", str(e))

    # health ---------------------------------------------------------------------------------------------------------

    def trouble(self, part: str, why: str) -> None:
        """Say that a part does not work; the log tells it once per reason."""
        if self.health.troubles.get(part) != why:
            self._log.error("degraded", part=part, reason=why)
        self.health.troubles[part] = why

    def mended(self, part: str) -> None:
        """Say that it works again."""
        if self.health.troubles.pop(part, None) is not None:
            self._log.info("works again", part=part)


def frames_of(incoming: Sequence[Any]) -> Iterator[Frame]:
    """Frames of the bus as frames of the store."""
    for one in incoming:
        yield Frame(one.record, one.frame, one.node, one.epoch, one.number)
