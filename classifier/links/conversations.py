"""Model calls to conversations: which call goes on from which, and which call first carried which tool's result.

The APIs are stateless, so each request holds its history: the answer of the call before is in it, with one digest and one
chain digest, whatever connection it came over. Ids count more than that, and time decides nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from classifier.links.edges import (
    ASKS,
    HISTORY,
    ID,
    INFERRED,
    ORDER,
    RESPONSE,
    RETURNS,
    TURN,
    VERIFIED,
    Edge,
    weakest,
)
from classifier.links.reading import Call, Llm, Result, near

DEEP = 128  # calls of one conversation that are walked
MANY = 16  # alternatives that are told
STRENGTH = (RESPONSE, HISTORY, ID, "answer")  # "answer": the digest of one turn alone; many answers are "OK"


class Conversations:
    """The model calls of a workload as trees.

    Attributes:
        before: call → the call that it goes on from.
        returned: tool call → the first model call that carries its result.
        edges: those of calls to calls, of calls to tools and of tools to calls.
    """

    def __init__(self, llms: Iterable[Llm], tools: Iterable[Call]) -> None:
        self.llms = {c.id: c for c in sorted(llms, key=lambda c: (c.began, c.id)) if not c.served}
        self.tools = {t.id: t for t in sorted(tools, key=lambda t: (t.began, t.index, t.id))}
        self.edges: list[Edge] = []
        self.before: dict[str, str] = {}
        self.returned: dict[str, str] = {}
        self.orphans: list[str] = []  # tool calls whose model call is not known
        self.asked_by: dict[str, list[Call]] = defaultdict(list)
        self._next: dict[str, str] = {}  # call → the first that goes on from it
        self._brackets: dict[str, tuple[float, float, bool]] = {}
        self._index()
        self._by_call: dict[str, list[Call]] = defaultdict(list)
        for tool in self.tools.values():
            self._ask(tool)
            if tool.call:
                self._by_call[plain(tool.call)].append(tool)
        for call in self.llms.values():
            self._continue(call)
        for call in self.llms.values():
            self._carry(call)

    def above(self, id_: str) -> Iterator[Llm]:
        """The calls that a call goes on from, the nearest first."""
        seen = {id_}
        for _ in range(DEEP):
            id_ = self.before.get(id_, "")
            if not id_ or id_ in seen:
                return
            seen.add(id_)
            yield self.llms[id_]

    def root(self, id_: str) -> str:
        """The first call of a conversation, which names it."""
        return next((c.id for c in reversed(list(self.above(id_)))), id_)

    def asker(self, tool: Call) -> Llm | None:
        """The model call that asked for a tool."""
        return self.llms.get(self._askers.get(tool.id, ""))

    def bracket(self, tool: Call) -> tuple[float, float, bool]:
        """From the answer that asked to the request that carries the result, or goes on without it; whether it is open."""
        if tool.id not in self._brackets:
            self._brackets[tool.id] = self._bracket(tool)
        return self._brackets[tool.id]

    def _bracket(self, tool: Call) -> tuple[float, float, bool]:
        asker = self.asker(tool)
        back = self.llms.get(self.returned.get(tool.id, "") or (self._next.get(asker.id, "") if asker else ""))
        # A client may act on a call as soon as it is whole, which may be long before the stream ends.
        start = min(tool.began, asker.ended, asker.answered or asker.ended) if asker is not None else tool.began
        return start, back.began if back is not None else float("inf"), back is None

    def ghosts(self) -> list[Call]:
        """Calls that answers asked for and whose own events were lost; each under the id of its model call."""
        found = []
        for asker in self.llms.values():
            told = Counter((t.name, t.digest) for t in self.asked_by.get(asker.id, ()))
            for n, (_, name, digest) in enumerate(asker.calls):
                if told[name, digest] > 0:
                    told[name, digest] -= 1
                    continue
                who = {k: getattr(asker, k) for k in ("node", "replica", "pid", "basis", "error")}
                call = Call(
                    asker.id, "tool", asker.time, **who, began=asker.ended, name=name, digest=digest, llm=asker.id
                )
                self._askers[asker.id] = asker.id
                self._brackets[asker.id] = self._bracket(call)
                found.append(replace(call, index=n))
        return found

    def _index(self) -> None:
        self._askers: dict[str, str] = {}
        self._known: dict[str, dict[str, list[Llm]]] = {name: defaultdict(list) for name in STRENGTH}
        for call in self.llms.values():
            for name, value in ((RESPONSE, call.response_id), (HISTORY, call.answer_chain), ("answer", call.answer)):
                if value:
                    self._known[name][value].append(call)
            for wanted, _, _ in call.calls:
                if wanted:
                    self._known[ID][plain(wanted)].append(call)

    # a tool call and who asked for it -----------------------------------------------------------------------------------

    def _ask(self, tool: Call) -> None:
        asker = self.llms.get(tool.llm)
        if asker is None:
            self.orphans.append(tool.id)
            return
        self._askers[tool.id] = asker.id
        self.asked_by[asker.id].append(tool)
        if tool.call:  # a sensor may leave out the list of calls
            self._known[ID][plain(tool.call)] += [asker] * (asker not in self._known[ID][plain(tool.call)])
        words = f"call id {tool.call}" if tool.call else f"call {tool.index} of the answer"
        self.edges.append(Edge(asker.id, tool.id, ASKS, ID, weakest(asker.basis, tool.basis), why=words))

    # a call and the one before it ---------------------------------------------------------------------------------------

    def _continue(self, call: Llm) -> None:
        votes = self._votes(call)
        if not votes:
            return
        best = min(min(map(STRENGTH.index, methods)) for methods in votes.values())
        alike = [c for c, methods in votes.items() if STRENGTH[best] in methods]
        for narrower in (lambda c: len(votes[c]), lambda c: self.llms[c].replica == call.replica, self._same(call)):
            most = max(map(narrower, alike))
            alike = [c for c in alike if narrower(c) == most]
        chosen = max(alike, key=lambda c: (self.llms[c].ended, c))
        methods = sorted(votes[chosen], key=STRENGTH.index)
        missing = self._between(call, chosen)
        sure = methods[0] != "answer" and not missing
        words = {
            RESPONSE: f"continues {call.continues}",
            HISTORY: "the request holds the answer and all before it",
            ID: "carries a result under the id of its tool call",
            "answer": "the request holds an equal answer, but another history before it",
        }
        self.before[call.id] = chosen
        self._next.setdefault(chosen, call.id)
        self.edges.append(
            Edge(
                chosen,
                call.id,
                TURN,
                "+".join(sorted({HISTORY if m == "answer" else m for m in methods}, key=(ID, RESPONSE, HISTORY).index)),
                weakest(self.llms[chosen].basis, call.basis, VERIFIED if sure else INFERRED),
                tuple(sorted(c for c in alike if c != chosen))[:MANY],
                "; ".join(
                    [words[m] for m in methods] + [f"{missing} answers between were not received"] * bool(missing)
                ),
            )
        )

    def _between(self, call: Llm, before: str) -> int:
        """Answers in the request that are newer than that of the call it is held to go on from."""
        chains = [chain for _, chain in call.answers]
        found = self.llms[before].answer_chain
        return chains.index(found) if found in chains else 0

    def _same(self, call: Llm):
        return lambda c: self.llms[c].pid == call.pid

    def _votes(self, call: Llm) -> dict[str, set[str]]:
        """Earlier calls that this one may go on from, each with what speaks for it."""
        votes: dict[str, set[str]] = defaultdict(set)

        def vote(name: str, value: str) -> bool:
            found = [c for c in self._known[name].get(value, ()) if _is_before(c, call)]
            for c in found:
                votes[c.id].add(name)
            return bool(found)

        if call.continues:
            vote(RESPONSE, call.continues)
        # The newest turn that is known: older ones belong to the calls before that one.
        any(vote(HISTORY, chain) for _, chain in call.answers)
        carried = [r for r in call.results if r.id]
        any(vote(ID, plain(r.id)) for r in reversed(carried))
        if not votes:
            any(vote("answer", digest) for digest, _ in call.answers)
        return votes

    # a result and its call ----------------------------------------------------------------------------------------------

    def _carry(self, call: Llm) -> None:
        """Results that this request holds; each tool's first carrier counts, as later requests repeat the history."""
        path = list(self.above(call.id))[::-1]
        asked = [t for c in path for t in self.asked_by.get(c.id, ())]
        by_id = defaultdict(list)
        for tool in asked:
            by_id[plain(tool.call)].append(tool)
        nameless = [r for r in call.results if not r.id]
        for result in call.results:
            if result.id:
                self._carry_by_id(call, result, by_id.get(plain(result.id), []), bool(path))
        for name in dict.fromkeys(r.name for r in nameless):
            given = [r for r in nameless if r.name == name]
            wanted = [t for t in asked if not t.call and (t.name == name or not name)]
            # A history may have lost its beginning, never its end.
            for result, tool in zip(reversed(given), reversed(wanted), strict=False):
                alike = [t for t in wanted if t.llm == tool.llm and t is not tool]
                words = f"result {result.name or 'without a name'}, counted from the end; the API has no ids"
                self._return(call, tool, ORDER, INFERRED, () if _told(alike, tool) else alike, words)

    def _carry_by_id(self, call: Llm, result: Result, known: list[Call], has_path: bool) -> None:
        if not known:  # the call that asked was lost, or those between
            lost = self._by_call.get(plain(result.id), []) if not has_path else self._lost(result.id)
            known = [t for t in lost if t.began < call.began and t.replica == call.replica]
        if known:
            tool = known[-1]
            alike = [t for t in known if t is not tool and t.llm == tool.llm]
            self._return(call, tool, ID, VERIFIED, alike, f"call id {result.id}")

    def _lost(self, id_: str) -> list[Call]:
        return [t for t in self._by_call.get(plain(id_), []) if t.id not in self._askers]

    def _return(self, call: Llm, tool: Call, method: str, basis: str, alike: list[Call] | tuple, words: str) -> None:
        if tool.id in self.returned:
            return
        self.returned[tool.id] = call.id
        others = tuple(sorted(t.id for t in alike))[:MANY]
        basis = weakest(tool.basis, call.basis, INFERRED if others else basis)
        self.edges.append(Edge(tool.id, call.id, RETURNS, method, basis, others, words))


def plain(id_: str) -> str:
    """An id without what clients rewrite.

    >>> plain("call_D9") == plain("calld9")
    True
    """
    return "".join(c for c in id_ if c.isalnum()).casefold()


def _is_before(one: Llm, other: Llm) -> bool:
    return one.id != other.id and one.ended <= other.began + near(one, other)


def _told(alike: list[Call], tool: Call) -> bool:
    """Whether the order of calls of one name tells them apart: their arguments are equal, or there is one."""
    return all(t.digest == tool.digest for t in alike)
