"""Pieces of one call, which come by spans and by log records, to one; and each call once.

| comes | happens |
|---|---|
| a span with words | told at once |
| a span without | waits for log records of its id |
| log records of a call | wait for their span; told without it when that does not come |
| a span around a model call that was told | dropped: a framework's span around its client's |
| a tool whose call id the model's answer told | dropped |
| the same again | dropped: an exporter tries again when an answer gets lost |
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace

from classifier.otlp.shapes import Llm, Said, Tool, fill
from wire.records import Replica

KNOWN = 8192  # calls that are remembered, so that they are not told twice
Extra = dict[str, str]


@dataclass(frozen=True, slots=True)
class Ready:
    """A call that can be told."""

    said: Said
    replica: Replica
    extra: Extra
    tools: frozenset[str] = frozenset()  # ids of its tool calls that were told before


@dataclass(slots=True)
class Waiting:
    """A call of which a piece may come."""

    said: Said  # of the span, or as far as log records tell it
    replica: Replica
    extra: Extra
    until: float
    heard: Llm = field(default_factory=Llm)  # from log records


class Joiner:
    """Puts calls together.

    Args:
        wait: seconds for which a piece is waited for.
        limit: calls that wait at once; beyond it the oldest are told as they are.
    """

    def __init__(self, *, wait: float, limit: int):
        self.dropped: Counter[str] = Counter()
        self._wait, self._limit = wait, limit
        self._waiting: OrderedDict[Hashable, Waiting] = OrderedDict()
        self._told = Recent(KNOWN)
        self._wrapped = Recent(KNOWN)  # spans that are parents of a model call
        self._tools = Recent(KNOWN)  # call ids

    @property
    def waiting(self) -> int:
        """Calls that wait for a piece."""
        return len(self._waiting)

    def take(self, said: Said, replica: Replica, extra: Extra, now: float) -> Iterator[Ready]:
        """One more piece; what can be told now."""
        key = (replica, said.key)
        if key in self._told:
            self.dropped["told already"] += 1
            return
        if not isinstance(said.what, Llm):
            yield from self._other(Ready(said, replica, extra))
            return
        if (replica, said.trace, said.span) in self._wrapped and said.whole:
            self.dropped["around a call that was told"] += 1
            return
        if said.parent:
            self._wrapped.add((replica, said.trace, said.parent))
        waiting = self._waiting.get(key)
        if said.whole:
            heard = waiting.heard if waiting is not None else Llm()
            self._waiting.pop(key, None)
            fill(said.what, heard)
            if said.what.has_words or not said.span:
                yield self._tell(Ready(said, replica, extra))
            else:
                self._waiting[key] = Waiting(said, replica, extra, now + self._wait)
        elif waiting is None:
            self._waiting[key] = Waiting(said, replica, extra, now + self._wait, said.what)
        else:
            _hear(waiting.heard, said.what)
        while len(self._waiting) > self._limit:
            yield self._give_up(next(iter(self._waiting)))

    def due(self, now: float) -> Iterator[Ready]:
        """Calls that waited long enough."""
        for key in [key for key, w in self._waiting.items() if w.until <= now]:
            yield self._give_up(key)

    def _give_up(self, key: Hashable) -> Ready:
        waiting = self._waiting.pop(key)
        assert isinstance(waiting.said.what, Llm)
        fill(waiting.said.what, waiting.heard)
        return self._tell(Ready(waiting.said, waiting.replica, waiting.extra))

    def _tell(self, ready: Ready) -> Ready:
        said, replica = ready.said, ready.replica
        self._told.add((replica, said.key))
        if not isinstance(said.what, Llm) or said.what.answer is None:
            return ready
        ids = {c.id: c.whole for c in said.what.answer.calls if c.id}
        known = frozenset(id_ for id_ in ids if (replica, id_) in self._tools)
        for id_, whole in ids.items():
            if whole:  # without its arguments, the tool's span has more to tell
                self._tools.add((replica, id_))
        return replace(ready, tools=known)

    def _other(self, ready: Ready) -> Iterator[Ready]:
        what = ready.said.what
        if isinstance(what, Tool) and what.id:
            if (ready.replica, what.id) in self._tools:
                self.dropped["a tool call that its answer told"] += 1
                return
            self._tools.add((ready.replica, what.id))
        yield self._tell(ready)


def _hear(before: Llm, more: Llm) -> None:
    """One more log record of a call: a message among others, or all of it at once."""
    if not more.asked and not more.answered:
        before.turns, before.system = before.turns + more.turns, before.system + more.system
    fill(before, more)


class Recent:
    """The latest so many of something."""

    def __init__(self, most: int):
        self._most, self._held = most, OrderedDict[Hashable, None]()

    def __contains__(self, one: Hashable) -> bool:
        return one in self._held

    def add(self, one: Hashable) -> None:
        """One more."""
        self._held[one] = None
        self._held.move_to_end(one)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
