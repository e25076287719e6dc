"""The proposed class of a workload over time: it changes when the evidence has said so for days, not from day to day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from classifier.classes.facts import Facts, facts
from classifier.classes.score import MARGIN, Ranking, rank, words
from classifier.classes.table import UNKNOWN
from classifier.envelope.envelope import Envelope
from classifier.envelope.state import stored

PATIENCE = 3  # active days in a row on which another class must win
CHANGES = 32  # kept, the latest
RESTFUL = 7  # days after which one is looked at again although its envelope holds as much as before


@stored
@dataclass(frozen=True, slots=True)
class Change:
    """One change of a proposal. `time` is seconds of event time."""

    time: float
    before: str
    after: str
    because: str


@stored
@dataclass(slots=True)
class Proposal:
    """What stands, what may come, and what was."""

    name: str = UNKNOWN
    rival: str = ""  # the class that has won on the last `days` active days; "" if the standing one did
    days: int = 0
    judged: int = -1  # number of the last active day that was taken into account
    changes: list[Change] = field(default_factory=list)
    size: int = 0  # behaviours of the envelope when it was last judged

    def due(self, last: int, size: int) -> bool:
        """Whether a look is worth its cost: what is settled and shows nothing new keeps its class.

        Args:
            last: number of the last active day.
            size: behaviours of the envelope now.
        """
        if last <= self.judged:
            return False
        unsettled = self.name == UNKNOWN or bool(self.rival) or size != self.size
        return unsettled or last - self.judged >= RESTFUL

    def update(self, found: Facts, ranking: Ranking, time: float) -> bool:
        """Take one more day of evidence in; whether the proposal changed. A day without traffic is no evidence."""
        if found.last_day <= self.judged:
            return False
        self.judged = found.last_day
        winner = ranking.winner
        if winner in (self.name, UNKNOWN) or not self._beaten(ranking):
            self.rival, self.days = "", 0
            return False
        self.days = self.days + 1 if winner == self.rival else 1
        self.rival = winner
        needed = 1 if self.name == UNKNOWN else PATIENCE
        if self.days < needed:
            return False
        self._change(ranking, time)
        return True

    def _beaten(self, ranking: Ranking) -> bool:
        standing, best = ranking.of(self.name), ranking.scores[0]
        return standing is None or best.points - standing.points >= MARGIN

    def _change(self, ranking: Ranking, time: float) -> None:
        over = f", on {self.days} active days in a row" if self.name != UNKNOWN else ""
        self.changes.append(Change(time, self.name, ranking.winner, words(ranking.scores[0]) + over))
        del self.changes[:-CHANGES]
        self.name, self.rival, self.days = ranking.winner, "", 0


def survey(envelopes: Mapping[str, Envelope], proposals: dict[str, Proposal], time: float) -> None:
    """Once a day: bring the proposal of every workload up to date, forget those of workloads that are gone.

    Args:
        time: seconds; the day that it lies in has only begun and is left aside.
    """
    for workload in [w for w in proposals if w not in envelopes]:
        del proposals[workload]
    for workload, e in envelopes.items():
        known, today = proposals.get(workload) or Proposal(), int(time // e.policy.day)
        last = max((d for d in e.days if d < today), default=-1)
        if known.due(last, len(e.items)):
            found = facts(e, before=today)
            known.update(found, rank(found, least_days=e.policy.learn_days), time)
            known.size = len(e.items)
            proposals[workload] = known
