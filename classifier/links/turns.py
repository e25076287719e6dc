"""Events of model and tool calls to uses of `chain:` behaviours, as they come, for the windows of their replica.

The little that is kept per workload fits a snapshot: which turn an answer belongs to, and how far that turn has come. A turn whose
beginning was not seen has no first tool, so it makes no behaviour rather than a wrong one.

Real models vary: of runs of tasks never seen, two in five take a step never seen (docs/links.md). So a new step is news only where
steps have become rare to be new; before that the envelope is to learn it and say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from classifier.envelope.state import stored
from classifier.links.behaviours import step
from classifier.links.edges import SELF_REPORTED
from classifier.links.reading import Call, Llm, read
from wire.records import Event, Replica, Use, Window

TURNS = 256  # open ones of a workload
STEPS = 512  # behaviours that wait for their window, of a replica
REPLICAS = 256
EVIDENCE = 8
KNOWN = 8192  # steps
MEMORY = 64  # steps over which the share of new ones is averaged
SETTLED = 0.03  # share of new steps from which on another one is news; reached after some 220 steps without one


@stored
@dataclass(slots=True)
class Turn:
    """One user's turn, so far."""

    user: str  # digest of its words
    first: str = ""  # tools
    before: str = ""
    who: tuple[Replica, int] | None = None  # and the process
    began: float = 0.0  # seconds
    last: float = 0.0  # of what was seen of it
    asks: bool = False  # its last answer wants a tool, and its process has not turned to something else


@stored
@dataclass(slots=True)
class Turns:
    """The open turns of a workload, and what they showed since the last window."""

    turns: dict[str, Turn] = field(default_factory=dict)  # by the id of their first model call
    of_answer: dict[str, str] = field(default_factory=dict)  # chain digest of an answer → turn
    of_call: dict[str, str] = field(default_factory=dict)  # id of a model call → turn
    waiting: dict[Replica, dict[str, Use]] = field(default_factory=dict)
    known: dict[str, None] = field(default_factory=dict)  # steps that were seen, the least lately seen first
    rate: float = 1.0  # share of steps that were new, averaged over the last ones
    quiet: set[str] = field(default_factory=set)  # steps that wait and were new while that was no news
    captured: bool = False  # calls were seen; what is told of them besides is then not news
    headless: int = 0  # tool calls of turns whose beginning was not seen
    dropped: int = 0  # behaviours beyond the bound

    def note(self, event: Event) -> None:
        """Take in an event; only model calls and tool calls count."""
        if event.kind not in ("llm", "tool"):
            return
        fact = read(event)
        self.captured |= fact is not None and fact.basis != SELF_REPORTED
        if fact is None or (self.captured and fact.basis == SELF_REPORTED):
            return
        if isinstance(fact, Llm) and not fact.served:
            self._goes_on(event, fact)
        elif isinstance(fact, Call) and event.behaviour is not None:  # none: the workload serves the model
            self._steps(event, fact)

    def joined(self, window: Window) -> tuple[Window, tuple[Use, ...]]:
        """The window with the steps that its replica has made, and apart from it those that are to be learned silently."""
        steps = self.waiting.pop(window.replica, None)
        if not steps:
            return window, ()
        uses = [steps[b] for b in sorted(steps)]
        silent = tuple(u for u in uses if u.behaviour in self.quiet)
        self.quiet.difference_update(steps)
        told = tuple(u for u in uses if u not in silent)
        return replace(window, uses=(*window.uses, *told)), silent

    def under_way(self, replica: Replica, start: float, end: float) -> list[str]:
        """Turns that a replica was at in a span (seconds), by the ids of their first model calls."""
        mine = ((key, t) for key, t in self.turns.items() if t.who is not None and t.who[0] == replica)
        return [key for key, t in mine if t.began <= end and (t.asks or t.last >= start)]

    def _goes_on(self, event: Event, call: Llm) -> None:
        """Which turn a call belongs to: that of the newest answer it holds, unless the user has spoken since."""
        known = next((t for _, chain in call.answers if (t := self.of_answer.get(chain)) in self.turns), None)
        if known is None or self.turns[known].user != call.user_digest:
            # A tool's result at the end: this is the middle of a turn that began unseen.
            known = None if call.results else call.id
        if known is None:
            return
        self.turns.setdefault(known, Turn(call.user_digest))
        self.turns[known] = self.turns.pop(known)  # the least lately used goes first
        self._date(known, event, call)
        self.of_call[call.id] = known
        if call.answer_chain:
            self.of_answer[call.answer_chain] = known
        for held, most in ((self.turns, TURNS), (self.of_call, 4 * TURNS), (self.of_answer, 4 * TURNS)):
            while len(held) > most:
                del held[next(iter(held))]

    def _date(self, known: str, event: Event, call: Llm) -> None:
        who = event.replica, call.pid
        for key, turn in self.turns.items():
            turn.asks = turn.asks and (turn.who != who or key == known)
        turn = self.turns[known]
        turn.began = turn.began if turn.who else call.began
        # What an agent tells of itself may claim any end.
        turn.who, turn.last, turn.asks = who, max(turn.last, min(call.ended, event.time)), bool(call.calls)

    def _steps(self, event: Event, call: Call) -> None:
        turn = self.turns.get(self.of_call.get(call.llm, ""))
        if turn is None:
            self.headless += 1
            return
        turn.first, turn.last = turn.first or call.name, max(turn.last, event.time)
        turn.asks = turn.asks or self._is_newest(call.llm, turn)
        behaviour = step(turn.first, turn.before, call.name)
        turn.before = call.name
        if behaviour is None:
            return
        self._meet(behaviour)
        if event.replica not in self.waiting and len(self.waiting) >= REPLICAS:
            self.quiet.difference_update(self.waiting.pop(next(iter(self.waiting))))
        held = self.waiting.setdefault(event.replica, {})
        old = held.get(behaviour)
        if old is None and len(held) >= STEPS:
            self.dropped += 1
        elif old is None:
            held[behaviour] = Use(behaviour, 1, first=event.time, evidence=(event.id,))
        else:
            held[behaviour] = replace(old, count=old.count + 1, evidence=(*old.evidence, event.id)[:EVIDENCE])

    def _is_newest(self, id_: str, turn: Turn) -> bool:
        """Whether the process of a turn has made no model call since: else it is over or was given up."""
        mine = (i for i, key in reversed(self.of_call.items()) if key in self.turns and self.turns[key].who == turn.who)
        return next(mine, "") == id_

    def _meet(self, behaviour: str) -> None:
        new = behaviour not in self.known
        if new and self.rate >= SETTLED:
            self.quiet.add(behaviour)
        self.rate += (new - self.rate) / MEMORY
        self.known.pop(behaviour, None)
        self.known[behaviour] = None
        while len(self.known) > KNOWN:
            del self.known[next(iter(self.known))]
