"""One workload under watch: its envelope, what stands outside it, and the causes of that."""

from __future__ import annotations

from dataclasses import dataclass, field

from classifier.deploys.timeline import Timeline
from classifier.drift import contradiction, decision
from classifier.drift.bounds import bounds
from classifier.drift.cause import UNEXPLAINED, Cause, cause_id, counted, read, related, write
from classifier.drift.continuity import continuity
from classifier.drift.contradiction import CONFLICT
from classifier.drift.correlation import Correlation, correlate
from classifier.drift.finding import EXPECTED, REVIEW, Finding, Signal
from classifier.drift.nearness import habitual, nearness
from classifier.drift.posterior import Weights
from classifier.drift.severity import SPECIAL_EXEC, is_secret, judged, severity
from classifier.drift.sighting import LINEAGES, SLOW, Sighting
from classifier.drift.verdict import Judged, settled
from classifier.envelope.creep import Drip
from classifier.envelope.cusum import RECENT, SURE
from classifier.envelope.envelope import Envelope
from classifier.envelope.lineage import base, plain_lineage
from classifier.envelope.quarantine import Lone
from classifier.envelope.state import stored
from classifier.envelope.strangers import ALONE, CREEP, DRIP, INTO, NEW, OUT, OWNER, RETURN, SCHEDULE, Stranger
from classifier.inventory.feed import Conflict
from classifier.policy import Policy
from wire.records import Deploy, Event, Replica, Triage, Use, Window

TOLERANCE = {"missing": 3, "learning": 2, "converging": 1, "non-converging": 0, "converged": -1}
CONTENT = 20  # windows before an envelope can call an owner foreign
FORGERY = "forgery"


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

    def observe(self, window: Window, *, revision: str | None, epoch: str, arch: str) -> bool:
        """Learn a window; True if something dangerous waits for judgement now."""
        accept = TOLERANCE[self.envelope.stage]
        strangers = self.envelope.learn(window, revision=revision, epoch=epoch, accept=accept, arch=arch)
        novel = sum(g not in self.envelope.grams for g in window.grams) if strangers else 0
        # A list: each must be met, urgent or not.
        met = [self._meet(s, window, revision, epoch, novel) for s in strangers]
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

    def _meet(self, stranger: Stranger, window: Window, revision: str | None, epoch: str, novel: int) -> bool:
        use = stranger.use
        if not judged(use.behaviour) or self._still_learned(stranger, window):
            self.envelope.take(window, use, epoch=epoch)
            return False
        first = use.first or window.start
        self._outgrow(stranger, first, window.end)
        s = self._sighting(use.behaviour, stranger.why, first, window.end)
        if s is None:
            return False
        s.see(window.replica, revision, first, window.end, uses=use.count, events=0)
        s.explain(use.evidence, use.data)
        if stranger.why == NEW and severity(use.behaviour) >= 2:
            self.envelope.alarm(window.replica, window.end + self.policy.cause_window, f"while {use.behaviour} is open")
        s.measure(use.bytes_out, use.bytes_in)
        s.own(_acting(use), use.bytes_in if s.why == INTO else use.bytes_out)
        if stranger.times > s.over or not s.broken:
            s.broken, s.over = stranger.words, stranger.times
        s.partial |= window.partial
        self._context(s, window, novel)
        return not s.cause and s.due <= window.end

    def _outgrow(self, stranger: Stranger, first: float, end: float) -> None:
        """What far exceeds a judged deviation, or is another owner's, is not counted to it.

        A window of more than twice the bytes has an open cause looked at again; long after it, or once it is closed, it is
        news. What another program does is news at once: the review of an export must not cover a theft of its bytes.
        """
        key = f"{stranger.why}|{stranger.use.behaviour}"
        s = self.sightings.get(key)
        cause = self.causes.get(s.cause) if s is not None else None
        if s is None or cause is None or stranger.why not in (OUT, INTO, SCHEDULE):
            return
        size, who = stranger.use.bytes_in if s.why == INTO else stranger.use.bytes_out, _acting(stranger.use)
        other = bool(s.owners) and who not in s.owners
        if not other and (s.why == SCHEDULE or size <= self.policy.volume_margin * s.owners.get(who, 0)):
            return
        if not other and cause.open and first - s.last <= self.policy.cause_window:
            cause.again, cause.early = min(cause.again, end + self.policy.settle), self.envelope.stage == "converging"
            self.wake = min(self.wake, cause.again)
            return
        place = cause.members.index(key)
        past = f"{key}|{cause.id}|{place}"  # one cause may be outgrown more than once
        self.sightings[past], cause.members[place] = self.sightings.pop(key), past

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
            if len(self.sightings) >= self.policy.max_deviations and not self._make_room():
                self.overflow += 1
                return None
            # A credential or an escape is told at once; the rest waits for its companions.
            due = end if severity(behaviour) >= 3 else end + self.policy.settle
            s = self.sightings[key] = Sighting(behaviour, why, first, end, due)
            self.wake = min(self.wake, due)
        return s

    def _make_room(self) -> bool:
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

    def note(self, event: Event, revision: str | None) -> bool:
        """An event is the earliest sign of a behaviour; its window counts it later. True as for `observe`."""
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
        touched: dict[str, bool] = {}
        deploys = timeline.of(self.workload)
        due = [(k, self._judge(s, deploys)) for k, s in self.sightings.items() if not s.cause and s.due <= now]
        # What nothing explains comes first, so that its companions find its cause.
        for key, judgement in sorted(due, key=lambda d: _explained(d[1])):
            touched[self._place(key, judgement, now).id] = True
        for cause in self.causes.values():
            if cause.id not in touched and cause.open and self._next_look(cause) <= now:
                touched[cause.id] = False
        looked = [self._look(self.causes[c], deploys, now, weights, grew) for c, grew in touched.items()]
        out = [f for f in looked if f is not None]
        self.wake = self._next()
        return out

    def reconsider(self, now: float, timeline: Timeline, weights: Weights) -> list[Finding]:
        """A deploy event came: every open cause is judged anew."""
        deploys = timeline.of(self.workload)
        looked = [self._look(c, deploys, now, weights, False, told=False) for c in list(self.causes.values()) if c.open]
        self.wake = self._next()
        return [f for f in looked if f is not None]

    def _place(self, key: str, judgement: Judged, now: float) -> Cause:
        """The cause of a deviation: that of the event which explains it, or an open one of its process tree.

        A deviation that an event fits but whose pattern is broken belongs to its process tree first: after a rollout
        the curl of an intruder may look like the rollout's, his shell does not.
        """
        s = self.sightings[key]
        c = judgement.correlation
        # An ordinary file comes with the change that may have brought it.
        sure = c.signal.holds is True or (c.possible and severity(s.behaviour) == 0)
        name = f"deploy:{c.deploy}" if sure else f"maybe:{c.deploy}" if c.possible else UNEXPLAINED
        names = [name, *(f"deploy:{d}" for d in c.others)] if sure else [name]
        names = names if _explained(judgement) else list(dict.fromkeys((UNEXPLAINED, *names)))
        cause = next((c for n in names for c in reversed(self.causes.values()) if self._belongs(s, c, n)), None)
        if cause is None:
            if len(self.causes) >= self.policy.max_findings:
                self._make_room()
            id = cause_id(self.workload, name, key if s.why == CONFLICT else s.behaviour, s.first)
            cause = self.causes[id] = Cause(id, self.workload, name, now, s.last)
            cause.early = self.envelope.stage == "converging"
        cause.members.append(key)
        cause.last = max(cause.last, s.last)
        s.cause = cause.id
        return cause

    def _belongs(self, s: Sighting, cause: Cause, name: str) -> bool:
        if not cause.open or cause.key != name or len(cause.members) >= self.policy.max_members:
            return False
        others = [self.sightings[m] for m in cause.members]
        if CONFLICT in (s.why, others[0].why):
            return False
        if (s.why == FORGERY) != (others[0].why == FORGERY):
            return False
        if name.startswith("deploy:"):
            return True
        # By first sights: what a behaviour once brought goes on for weeks, and would tie everything to itself.
        return related(s, others) and any(abs(s.first - o.first) <= self._near(s, o) for o in others)

    def _near(self, s: Sighting, o: Sighting) -> float:
        """Seconds between first sights within which two deviations may have one cause; a drip is dated to days."""
        return RECENT * self.policy.day if s.why in SLOW and o.why in SLOW else self.policy.cause_window

    def _judge(self, s: Sighting, deploys: list[Deploy]) -> Judged:
        if s.why == FORGERY:
            no = Signal(False, 0.0, s.note)
            return Judged(s, Correlation(no, why_none=s.note), no, Signal(None, 0.0, "not applicable"))
        if s.why == CONFLICT:
            return contradiction.judged(s)
        c = correlate(s, deploys, self.envelope.ledger, self.policy)
        if s.continuity is None or (c.named and not s.named):
            limits, s.named = self.policy.continuity, c.named
            s.near, s.habit = nearness(s, self.envelope), habitual(s, self.envelope)
            s.continuity, s.continuity_terms = continuity(
                s, self.envelope, limits, named=c.named, helpers=self._helpers(s) if s.why == NEW else ()
            )
        peaks = s.peak_out, s.peak_in, s.note + s.broken
        if s.bounds is None or s.bounded != peaks:
            s.bounds, s.bounded = bounds(s, self.envelope, self.policy), peaks
        j = Judged(s, c, s.continuity, s.bounds)
        p = self.policy
        return settled(j, far=p.far, times=p.times, least=p.unusual, young=self._young(s))

    def _young(self, s: Sighting) -> bool:
        """Whether a behaviour, or the revision that shows it, has been watched for too short a time."""
        item = self.envelope.items.get(s.behaviour)
        if s.why not in (OUT, INTO, DRIP) or item is None:
            return False
        known = s.first - item.first >= self.policy.converged_days * self.policy.day
        newest = self.envelope.ledger.newest(s.first)
        # A drip is dated to the day.
        fresh = newest is not None and s.first - newest < self.policy.day * (3 if s.why == DRIP else 1)
        return self.envelope.stage != "converged" or not known or fresh

    def _helpers(self, by: Sighting) -> set[str]:
        """New programs that lie where their owner runs others from; for an ordinary file a known owner is enough."""
        least = 1.0 if severity(by.behaviour) else 0.8
        new = (s for s in self.sightings.values() if s.behaviour.startswith("exec:") and s.why == NEW)
        return {
            base(s.behaviour[5:].partition("<")[0])
            for s in new
            if s.layer not in ("memfd", "upper")
            and any(t.name == "lineage" and t.value >= least for t in s.continuity_terms)
        }

    def _look(
        self, cause: Cause, deploys: list[Deploy], now: float, weights: Weights, grew: bool, *, told: bool = True
    ) -> Finding | None:
        """Judge a cause; returns its finding if there is something new to say."""
        before = cause.finding
        members = self._judged(cause, deploys)
        reading = read(members, self.envelope, weights, self._expected(), early=cause.early)
        cause.risky = reading.posterior.risky
        cause.again = float("inf") if cause.again <= now else cause.again
        cause.finding = write(cause, members, reading, now, self.policy, grew=grew)
        while (
            cause.evaluated < len(self.policy.evaluations)
            and cause.opened + self.policy.evaluations[cause.evaluated] <= now
        ):
            cause.evaluated += 1
        if cause.finding is None:
            decision.tolerate(self, cause)
            return None
        decision.refuse(self, cause)
        decision.elapse(self, cause, now)
        changed = before is None or before.version != cause.finding.version
        if not changed and not (told and cause.finding.count != cause.told):
            return None
        cause.told = cause.finding.count
        return cause.finding

    def _expected(self) -> dict[str, float]:
        """How often something new is nothing special here; counted once a day."""
        if self.expected_day != self.envelope.day:
            self.expected = {d: c.expected for d, c in self.envelope.coverages().items()}
            self.expected_day = self.envelope.day
        return self.expected

    def _judged(self, cause: Cause, deploys: list[Deploy]) -> list[Judged]:
        return [self._judge(self.sightings[m], deploys) for m in cause.members]

    # what time and people decide ------------------------------------------------------------------------------------

    def _next_look(self, cause: Cause) -> float:
        """When a cause is looked at next (seconds)."""
        times = self.policy.evaluations
        later = [cause.opened + times[cause.evaluated]] if cause.evaluated < len(times) else []
        label = cause.finding.label if cause.finding is not None else ""
        later += [cause.opened + self.policy.probation] if label == EXPECTED else []
        later += [cause.opened + self.policy.review_age] if label == REVIEW else []
        return min([cause.again, *later])

    def _next(self) -> float:
        waiting = [s.due for s in self.sightings.values() if not s.cause]
        return min([*waiting, *(self._next_look(c) for c in self.causes.values() if c.open)], default=float("inf"))

    def decide(self, triage: Triage) -> Finding | None:
        """A person decided about a finding; None if it is unknown or closed, or the decision unknown."""
        cause = self.causes.get(triage.finding)
        if cause is None or not decision.person(self, cause, triage):
            return None
        self.wake = self._next()
        return cause.finding

    def findings(self) -> list[Finding]:
        """Latest versions with the counts of this moment."""
        out = []
        for cause in self.causes.values():
            if cause.finding is not None:
                out.append(counted(cause.finding, [self.sightings[m] for m in cause.members]))
        return out


def _explained(j: Judged) -> bool:
    """Whether an event accounts for a deviation without anything speaking against it."""
    return j.correlation.signal.holds is True and j.continuity.holds is not False


def _acting(use: Use) -> str:
    """The program that did it; "" where nobody said."""
    return plain_lineage(str(use.data.get("lineage", ""))).split("<")[0]
