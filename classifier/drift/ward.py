"""One workload under watch: its envelope, what stands outside it, and the causes of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from classifier.deploys.timeline import Timeline
from classifier.drift import contradiction, decision, judgement, outgrown
from classifier.drift.cause import Cause, counted
from classifier.drift.contradiction import CONFLICT
from classifier.drift.finding import Finding
from classifier.drift.judgement import FORGERY
from classifier.drift.posterior import Weights
from classifier.drift.severity import SPECIAL_EXEC, is_secret, judged, severity
from classifier.drift.sighting import LINEAGES, Sighting
from classifier.envelope.creep import Drip
from classifier.envelope.cusum import SURE
from classifier.envelope.envelope import Envelope
from classifier.envelope.lineage import base, program_of
from classifier.envelope.quarantine import Lone
from classifier.envelope.state import stored
from classifier.envelope.strangers import ALONE, CREEP, DRIP, INTO, NEW, OUT, OWNER, RETURN, SCHEDULE, Stranger
from classifier.inventory.feed import Conflict
from classifier.links.turns import Turns
from classifier.policy import Policy
from wire.records import Deploy, Event, Replica, Triage, Use, Window

TOLERANCE = {"missing": 3, "learning": 2, "converging": 1, "non-converging": 0, "converged": -1}
CONTENT = 20  # windows before an envelope can call an owner foreign


@stored
@dataclass(slots=True)
class Ward:
    """State of one workload; every method takes event time, none keeps a clock."""

    workload: str
    envelope: Envelope
    sightings: dict[str, Sighting] = field(default_factory=dict)
    causes: dict[str, Cause] = field(default_factory=dict)
    overflow: int = 0  # deviations beyond the bound
    quiet: int = 0  # uses learned although severe, while learning
    wake: float = float("inf")  # when something is to be done next
    expected: dict[str, float] = field(default_factory=dict)  # sessions with something new in a day, per dimension
    expected_day: int = -2  # on which that was counted
    variance: int = 0  # causes that turned out to be what the workload does now and then
    contradictions: dict[str, int] = field(default_factory=dict)  # key of one → day; of the last day only
    agreed: dict[str, str] = field(default_factory=dict)  # words of a contradiction that a person accepted → finding

    @property
    def policy(self) -> Policy:
        return self.envelope.policy

    # what comes in --------------------------------------------------------------------------------------------------

    def observe(
        self, window: Window, *, revision: str | None, epoch: str, arch: str, turns: Turns | None = None
    ) -> bool:
        """Learn a window; True if something dangerous waits for judgement now.

        Args:
            turns: Of an agent; deviations of one turn belong together.
        """
        accept = TOLERANCE[self.envelope.stage]
        strangers = self.envelope.learn(window, revision=revision, epoch=epoch, accept=accept, arch=arch)
        novel = sum(g not in self.envelope.grams for g in window.grams) if strangers else 0
        # A list: each must be met, urgent or not.
        tasks = turns.under_way(window.replica, window.start, window.end) if turns is not None and strangers else ()
        met = [self._meet(s, window, revision, epoch, novel, tasks) for s in strangers]
        for drip in self.envelope.take_crept():
            self._creep(drip, window, revision)
        for lone in self.envelope.take_lone():
            self._alone(lone, window)
        return any(met)

    def _creep(self, drip: Drip, window: Window, revision: str | None) -> None:
        """A known peer takes more from day to day; which replica it was cannot be told, this one saw the day end."""
        first = (drip.since + 1) * self.policy.day  # so that changes of its first day lie before it
        s = self._sighting(drip.behaviour, DRIP if drip.total >= SURE else CREEP, first, window.end)
        if s is not None:
            s.see(window.replica, revision, first, window.end, uses=1, events=0)
            s.broken = drip.words

    def _alone(self, lone: Lone, window: Window) -> None:
        """What is in the envelope already, held back, and still only one replica's."""
        s = self._sighting(lone.behaviour, ALONE, lone.first, window.end)
        if s is not None:
            for replica in lone.who:
                known = self.envelope.ledger.exposures.get(replica)
                s.see(replica, known.revision if known else None, lone.first, lone.last, uses=1, events=0)
            s.broken, s.lineages = lone.words, list(lone.lineages[:LINEAGES])

    def _meet(
        self,
        stranger: Stranger,
        window: Window,
        revision: str | None,
        epoch: str,
        novel: int,
        tasks: Sequence[str],
    ) -> bool:
        use = stranger.use
        if not judged(use.behaviour) or self._still_learned(stranger, window):
            self.envelope.take(window, use, epoch=epoch)
            return False
        first = use.first or window.start
        outgrown.part(self, stranger, first, window.end)
        s = self._sighting(use.behaviour, stranger.why, first, window.end)
        if s is None:
            return False
        s.see(window.replica, revision, first, window.end, uses=use.count, events=0)
        s.explain(use.evidence, use.data)
        s.during(tasks)
        if stranger.why == NEW and severity(use.behaviour) >= 2:
            self.envelope.alarm(window.replica, window.end + self.policy.cause_window, f"while {use.behaviour} is open")
        s.measure(use.bytes_out, use.bytes_in)
        s.own(program_of(use), stranger.size)
        if stranger.times > s.over or not s.broken:
            s.broken, s.over = stranger.words, stranger.times
        s.partial |= window.partial
        self._context(s, window, novel)
        return not s.cause and s.due <= window.end

    def _still_learned(self, stranger: Stranger, window: Window) -> bool:
        """While learning only a floor may speak: code from memory, or a credential used by a foreign program."""
        if self.envelope.stage not in ("missing", "learning") or stranger.use.behaviour in self.envelope.sticky:
            return False
        exposure = self.envelope.ledger.exposures[window.replica]
        # A container's first window holds its runtime, which runs from memory and mounts.
        if self.envelope.windows < CONTENT or exposure.windows <= 1 or stranger.why != NEW:
            return True
        floor = SPECIAL_EXEC.match(stranger.use.behaviour) is not None or self._foreign(stranger.use)
        self.quiet += not floor
        return not floor

    def _foreign(self, use: Use) -> bool:
        image = base(str(use.data.get("lineage", "")).split("<")[0] or str(use.data.get("image", "")))
        return is_secret(use.behaviour) and bool(image) and image not in self.envelope.names.images

    def _sighting(self, behaviour: str, why: str, first: float, end: float, key: str = "") -> Sighting | None:
        key = key or f"{why}|{behaviour}"
        s = self.sightings.get(key)
        if s is None:
            if len(self.sightings) >= self.policy.max_deviations and not self.make_room():
                self.overflow += 1
                return None
            # A credential or an escape is told at once; the rest waits for its companions.
            due = end if severity(behaviour) >= 3 else end + self.policy.settle
            s = self.sightings[key] = Sighting(behaviour, why, first, end, due)
            self.wake = min(self.wake, due)
        return s

    def make_room(self) -> bool:
        """Forget the oldest cause that somebody, or time, has decided; its refusals stay in the envelope."""
        old = next((c for c in self.causes.values() if not c.open), None)
        if old is not None:
            del self.causes[old.id]
            for m in old.members:
                del self.sightings[m]
        return old is not None

    def _context(self, s: Sighting, window: Window, novel: int) -> None:
        """What its windows say beside it: sequences, calls, the schedule."""
        if not s.cause:
            s.grams += len(window.grams)
            s.novel += novel
            s.calls = s.calls or dict(window.syscalls)
        item = self.envelope.items.get(s.behaviour)
        hour = int(window.start // self.policy.hour)
        if item is not None and not s.note and item.off_schedule(hour, self.envelope.week):
            s.note = f"off schedule: hour {hour % 168} of the week, only ever seen in {item.week.bit_count()} of 168"

    def note(self, event: Event, revision: str | None, turns: Turns | None = None) -> bool:
        """An event is the earliest sign of a behaviour; its window counts it later. As for `observe`."""
        behaviour = event.behaviour
        if behaviour is None or not judged(behaviour):
            return False
        stage = self.envelope.stage
        known = self.envelope.knows(behaviour) and behaviour not in self.envelope.sticky
        if stage in ("missing", "learning") or known or severity(behaviour) <= TOLERANCE[stage]:
            return self._attach(event)
        s = self._sighting(behaviour, NEW, event.time, event.time)
        if s is None:
            return False
        again = event.kind == "digest"  # says more of an exec that has been counted
        s.see(event.replica, revision, event.time, event.time, uses=0, events=int(not again))
        s.explain((event.id,), event.data)
        s.during(turns.under_way(event.replica, event.time, event.time) if turns is not None else ())
        return not s.cause and s.due <= event.time

    def _attach(self, event: Event) -> bool:
        for why in (OUT, INTO, OWNER, SCHEDULE, RETURN):
            s = self.sightings.get(f"{why}|{event.behaviour}")
            # A known behaviour goes on: what comes long after shows nothing of the deviation.
            if s is not None and event.time <= s.last + self.policy.cause_window:
                s.explain((event.id,), event.data)
        return False

    def forged(self, deploy: Deploy) -> None:
        """A refused deploy event is itself a deviation."""
        sender = deploy.sender or Replica("unknown", 0)  # type: ignore[arg-type]
        s = self._sighting(f"deploy_event_forgery:{deploy.refused}", FORGERY, deploy.received, deploy.received)
        if s is not None:
            s.see(sender, None, deploy.received, deploy.received, uses=1, events=0)
            s.note = f"event {deploy.id} was refused: {deploy.refused}"
            s.due, self.wake = min(s.due, deploy.received), min(self.wake, deploy.received)

    def contradict(self, conflicts: list[Conflict], now: float, revision: str | None) -> bool:
        """What the workload says of itself is not what was seen; True if one of them waits for judgement."""
        met = [self._contradict(c, now, revision) for c in conflicts]  # each, news or not
        return any(met)

    def _contradict(self, c: Conflict, now: float, revision: str | None) -> bool:
        note = contradiction.words(c)
        if note in self.agreed:
            return False
        day = int(c.time // self.policy.day)
        key = contradiction.key(c, day)
        known = key in self.contradictions
        if not known:
            self.contradictions = {k: d for k, d in self.contradictions.items() if d >= day}
            if c.replica is None or len(self.contradictions) >= contradiction.A_DAY:
                self.overflow += 1
                return False
            self.contradictions[key] = day
        elif key not in self.sightings:
            return False  # it was decided, and stays so for the day
        s = self._sighting(contradiction.behaviour(c), CONFLICT, c.time, now, key)
        if s is None or c.replica is None:
            return False
        s.see(c.replica, revision, c.time, c.time, uses=1, events=0)
        if not known:
            s.explain(tuple(i for i in (c.claim, c.evidence) if i), {})
            s.note, s.due, self.wake = note, now, min(self.wake, now)
        return not known

    # judgement ------------------------------------------------------------------------------------------------------

    def evaluate(self, now: float, timeline: Timeline, weights: Weights) -> list[Finding]:
        """Judge what is due, look again at what was judged, end probations and waits."""
        return judgement.evaluate(self, now, timeline, weights)

    def reconsider(self, now: float, timeline: Timeline, weights: Weights) -> list[Finding]:
        """A deploy event came: every open cause is judged anew."""
        return judgement.reconsider(self, now, timeline, weights)

    def decide(self, triage: Triage) -> Finding | None:
        """A person decided about a finding; None if it is unknown or closed, or the decision unknown."""
        cause = self.causes.get(triage.finding)
        if cause is None or not decision.person(self, cause, triage):
            return None
        self.wake = judgement.next_due(self)
        return cause.finding

    def findings(self) -> list[Finding]:
        """Latest versions with the counts of this moment."""
        out = []
        for cause in self.causes.values():
            if cause.finding is not None:
                out.append(counted(cause.finding, [self.sightings[m] for m in cause.members]))
        return out
