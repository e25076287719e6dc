"""What came in to the model calls it led to, and calls between agents. By ids and equal contents; never by time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from classifier.links.conversations import MANY, Conversations
from classifier.links.edges import AGENT, ARGUMENT, DIGEST, HISTORY, INFERRED, INPUT, TRACE, VERIFIED, Edge, weakest
from classifier.links.reading import Act, Call, Fact, Llm, near
from classifier.links.tools import trace_id

LEAST = 16  # characters of a user's turn that an argument may be recognised by
HELD = 256  # inbound calls that are held against one model call


class Inputs:
    """Edges from inbound requests to model calls, and from the calls of one agent to the inbound requests of another."""

    def __init__(self, talk: Conversations, llms: Iterable[Llm], mcps: Iterable[Call], ingress: Iterable[Act]) -> None:
        self.talk, self.edges = talk, list[Edge]()
        mcps = list(mcps)
        served = [c for c in llms if c.served]
        self._out: list[Fact] = [m for m in mcps if m.sent]
        self._in: list[Fact] = [m for m in mcps if not m.sent] + served + [i for i in ingress if i.trace]
        self._in.sort(key=_began)
        self._by_trace = _by_trace([*self._out, *talk.llms.values()]), _by_trace(self._in)
        self._by_words = defaultdict(list[Fact])
        for fact in self._in:
            for key in _turn(fact):
                self._by_words[key].append(fact)
        self._by_deed = defaultdict(list[Fact])
        for fact in (*self._out, *talk.llms.values()):
            for key in _deed(fact):
                self._by_deed[key].append(fact)
        for call in talk.llms.values():
            self._lead(call)
        for fact in self._in:
            self._cross(fact)

    # inbound → model call -------------------------------------------------------------------------------------------------

    def _lead(self, call: Llm) -> None:
        before = talk_before(self.talk, call)
        if (
            before is not None
            and before.user_digest == call.user_digest
            and trace_id(before.trace) == trace_id(call.trace)
        ):
            return  # what led to the turn led to its first call
        trace = trace_id(call.trace)
        inbound = [f for f in self._by_trace[1].get(trace, ()) if f.replica == call.replica and _under_way(f, call)]
        if inbound:
            self._edge(inbound, call, INPUT, TRACE, VERIFIED, f"trace {trace}")
            return
        if trace and self._from_afar(call, trace):
            return
        same = [
            f for f in self._by_words.get(call.user_digest, ()) if f.replica == call.replica and _under_way(f, call)
        ]
        if call.user_digest and same:
            self._edge(same, call, INPUT, DIGEST, VERIFIED, "the request holds the same user's turn")
            return
        held = [f for f in self._in[-HELD:] if f.replica == call.replica and _under_way(f, call)]
        named = [f for f in held if isinstance(f, Call) and _quotes(f, call)]
        if named:
            self._edge(named, call, INPUT, ARGUMENT, INFERRED, "the arguments of the request hold the user's turn")

    def _from_afar(self, call: Llm, trace: str) -> bool:
        """The request into this agent was not seen, but the caller's trace goes on here."""
        sent = [f for f in self._by_trace[0].get(trace, ()) if f.replica != call.replica and _under_way(f, call)]
        sent = [f for f in sent if isinstance(f, Call)] or sent
        if sent:
            self._edge(sent, call, AGENT, TRACE, INFERRED, f"trace {trace}; the request between was not seen")
        return bool(sent)

    # agent → agent --------------------------------------------------------------------------------------------------------

    def _cross(self, fact: Fact) -> None:
        trace = getattr(fact, "trace", "")
        alike = [
            f for f in self._by_trace[0].get(trace_id(trace), ()) if f.replica != fact.replica and _under_way(f, fact)
        ]
        same = [f for f in alike if getattr(f, "trace", "") == trace]
        if same or alike:
            span = "one span" if same else "spans differ"
            self._edge(
                same or alike, fact, AGENT, TRACE, VERIFIED if same else INFERRED, f"trace {trace_id(trace)}, {span}"
            )
            return
        found = [f for f in self._equals(fact) if f.replica != fact.replica and _under_way(f, fact)]
        if found:
            method, words = (HISTORY, "question and answer are equal at both ends")
            if isinstance(fact, Call):
                method, words = DIGEST, "name, arguments and result are equal at both ends"
            self._edge(found, fact, AGENT, method, VERIFIED, words)

    def _equals(self, fact: Fact) -> list[Fact]:
        return [f for key in _deed(fact) for f in self._by_deed.get(key, ())]

    def _edge(self, found: list[Fact], target: Fact, kind: str, method: str, basis: str, words: str) -> None:
        source = max(found, key=_began)  # the innermost that is under way
        others = tuple(sorted(f.id for f in found if f is not source and not _encloses(f, source)))[:MANY]
        basis = weakest(source.basis, target.basis, INFERRED if others else basis)
        self.edges.append(Edge(source.id, target.id, kind, method, basis, others, words))


def talk_before(talk: Conversations, call: Llm) -> Llm | None:
    """The call that this one goes on from."""
    return talk.llms.get(talk.before.get(call.id, ""))


def _by_trace(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = defaultdict(list)
    for fact in sorted(facts, key=_began):
        if trace := trace_id(getattr(fact, "trace", "")):
            found[trace].append(fact)
    return found


def _began(fact: Fact) -> tuple[float, str]:
    return getattr(fact, "began", fact.time), fact.id


def _under_way(outer: Fact, inner: Fact) -> bool:
    """Whether the outer one began before, and had not ended. Clocks of two nodes may differ by less than a call takes."""
    error = near(outer, inner)
    start, end = getattr(outer, "began", outer.time), getattr(outer, "ended", float("inf"))
    at = getattr(inner, "began", inner.time)
    return start - error <= at <= max(end, start) + error


def _encloses(outer: Fact, inner: Fact) -> bool:
    return outer.kind != inner.kind or getattr(outer, "ended", outer.time) > getattr(inner, "ended", inner.time)


def _deed(fact: Fact) -> list[tuple[str, ...]]:
    """What both ends of one request have in common."""
    if isinstance(fact, Llm):
        return [(fact.answer_chain,)] if fact.answer_chain else []
    return [(fact.name, fact.digest, fact.result)] if isinstance(fact, Call) and fact.digest and fact.result else []


def _turn(fact: Fact) -> list[str]:
    return [fact.user_digest] if isinstance(fact, Llm) and fact.user_digest else []


def _quotes(fact: Call, call: Llm) -> bool:
    words = " ".join(call.user_turn.split())
    return len(words) >= LEAST and words[:512] in " ".join(fact.arguments.replace("\\n", " ").split())
