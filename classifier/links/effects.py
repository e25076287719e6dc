"""What processes did to the calls that made them do it.

Three things speak for a call: its process is the actor's nearest ancestor, the act lies between its beginning and its end, and its
arguments name what was acted on. Calls that ran at once and that nothing tells apart stay a set.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator

from classifier.links.conversations import MANY
from classifier.links.edges import ARGUMENT, BRACKET, EGRESS, EXEC, FILE, INFERRED, LINEAGE, Edge, weakest
from classifier.links.lives import Key, Life, Lives
from classifier.links.reading import LATE, Act, Call, Llm, near
from classifier.links.tools import Span

KINDS = {"exec": EXEC, "egress": EGRESS, "tls": EGRESS, "dns": EGRESS}
SPLIT = re.compile(r"[\s\"'`,;|&()<>\[\]{}=\\]+")
HOST = re.compile(r"^[a-z][a-z0-9+.-]*://(?:[^/@]*@)?([^/:?#]+)")
FIELD = re.compile(r'[{]?"[^"]{1,64}"\s*:')
LEAST = 3  # characters of a word that tells anything
WORDS = 256  # of one call
COMMON = frozenset(
    ["bin", "sh", "bash", "usr", "python", "python3", "node", "true", "false", "null", "http", "https", "tcp"]
)
LOOKED, HELD = 512, 64  # spans that may be looked at for one act, and that may be held against it


class Effects:
    """Edges from calls to what they did, and the acts that no call explains.

    Args:
        spans: While which the calls ran, and in which process.
        llms: Their own connections are no effects.
    """

    def __init__(self, acts: Iterable[Act], spans: Iterable[Span], llms: Iterable[Llm], lives: Lives) -> None:
        self.lives, self.edges = lives, list[Edge]()
        self._spans: dict[str, list[tuple[float, int, Span]]] = {}  # by node, by start
        self._words: dict[str, frozenset[str]] = {}
        for n, span in enumerate(spans):
            insort(self._spans.setdefault(span.call.node, []), (span.start, n, span))
        self.processes = {s.process for spans in self._spans.values() for _, _, s in spans if s.process}
        self._models = {(c.replica, c.host.partition(":")[0].casefold()) for c in llms if c.host}
        self._agents = {(c.replica, _first(c.lineage)) for c in llms}
        for act in sorted(acts, key=lambda a: (a.time, a.id)):
            self._explain(act)

    def _explain(self, act: Act) -> None:
        key = act.node, act.pid
        if act.kind == "exec" and key in self.processes:  # a server's start is the deed of whoever started it
            key = act.node, act.parent
        owner, child = self.lives.owner(key, act.time, self.processes)
        found, how = self._running(act, owner, child)
        if not found:
            return
        shared = {s.call.id: len(self._shared(s.call, act)) for s in found}
        most = max(shared.values())
        named = [s for s in found if most and shared[s.call.id] == most]
        if not named and self._is_model(act):
            return
        # What another process runs is done there; the agent's own acts beside it are not the call's.
        chosen = named or [s for s in found if not s.elsewhere]
        real = [s for s in chosen if not s.ghost]
        if not real:
            return
        best = max(
            real, key=lambda s: (s.process == owner and owner is not None, s.call.kind == "mcp", s.start, s.call.id)
        )
        others = tuple(sorted({s.call.id for s in chosen} - {best.call.id}))[:MANY]
        methods = [ARGUMENT] * bool(named) + how
        if methods == [BRACKET]:
            return  # that would be time alone
        self.edges.append(
            Edge(
                best.call.id,
                act.id,
                KINDS.get(act.kind, FILE),
                "+".join(methods),
                weakest(best.call.basis, act.basis, INFERRED),
                others,
                self._why(best, act, named, others, owner),
                near(best.call, act),
            )
        )

    def _running(self, act: Act, owner: Key | None, child: Life | None) -> tuple[list[Span], list[str]]:
        """Calls that may have done it, and by what."""
        if owner is None and not self.is_plausible(act):
            return [], []
        at_act = self._mine(self._at(act, act.time), owner, act)
        if owner is None or child is None or not child.forked:
            return at_act, [BRACKET, LINEAGE] if owner else [BRACKET]
        born = self._mine(self._at(act, child.start), owner, act)
        if not born or {s.call.id for s in born} & {s.call.id for s in at_act}:
            # A shell that was there before serves whoever runs now; one born in a call still going is that call's.
            kept = [s for s in at_act if s.call.id in {b.call.id for b in born}] or at_act
            return kept, [BRACKET, LINEAGE]
        if not at_act:
            return born, [LINEAGE]
        return list({s.call.id: s for s in (*born, *at_act)}.values()), [LINEAGE]

    def _mine(self, spans: list[Span], owner: Key | None, act: Act) -> list[Span]:
        if owner is None:
            found = [s for s in spans if s.call.replica == act.replica]
            return [s for s in found if not s.is_open] or found
        mine = [s for s in spans if s.process == owner]
        if len({s.call.llm for s in mine}) == 1:
            return mine
        latest = max((s.start for s in mine), default=0.0)  # what is open and of an older answer was given up
        return [s for s in mine if not s.is_open or s.start == latest]

    def _at(self, act: Act, time: float) -> list[Span]:
        spans = self._spans.get(act.node, [])
        end = bisect_right(spans, time + LATE, key=lambda s: s[0])
        newest = reversed(spans[max(0, end - LOOKED) : end])
        found = (s for _, _, s in newest if s.end + LATE >= time and s.holds(time, near(s.call, act)))
        return [s for s, _ in zip(found, range(HELD), strict=False)]

    def _is_model(self, act: Act) -> bool:
        return KINDS.get(act.kind) == EGRESS and any((act.replica, w.casefold()) in self._models for w in act.words)

    def is_plausible(self, act: Act) -> bool:
        """Whether a process of unknown parents can be the agent's: by the images above it, where they were told."""
        agents = {image for replica, image in self._agents if replica == act.replica and image}
        return not act.lineage or not agents or bool(agents & set(act.lineage.split("<")))

    def _shared(self, call: Call, act: Act) -> frozenset[str]:
        """Words of a call's arguments that name what was acted on."""
        if call.id not in self._words:
            self._words[call.id] = words_of(f"{values_of(call.arguments)} {call.host}")
        return self._words[call.id] & words_of(" ".join(act.words))

    def _why(self, best: Span, act: Act, named: list[Span], others: tuple[str, ...], owner: Key | None) -> str:
        parts = [f"{act.time - best.start:.3f} s after the call began"]
        if named:
            same = sorted(self._shared(best.call, act), key=lambda w: (len(w), w))
            parts.append(f"its arguments name {same[-1][:64]!r}")
        if owner:
            parts.append(
                f"process {act.pid} is under {owner[1]}" if act.pid != owner[1] else f"process {act.pid} ran the call"
            )
        if best.is_open:
            parts.append("no request with its result was seen")
        if others:
            parts.append(f"{len(others) + 1} calls were under way")
        return "; ".join(parts)


def _first(lineage: str) -> str:
    return lineage.partition("<")[0]


def words_of(text: str) -> frozenset[str]:
    """Words of arguments that may name a thing: hosts, addresses, paths and the last part of each.

    >>> sorted(words_of('{"url":"https://api.example.org/v1"}'))
    ['api.example.org', 'https://api.example.org/v1', 'url']
    """
    found: set[str] = set()
    for word in SPLIT.split(text.casefold())[:WORDS]:
        word = word.strip(".:").strip()
        found.add(word)
        if match := HOST.match(word):
            found.add(match[1])
        elif word.count(":") == 1:
            found.update(word.split(":"))
        if "/" in word:
            found.add(word.rstrip("/").rpartition("/")[2])
    return frozenset(w for w in found if len(w) >= LEAST and w not in COMMON and not w.isdecimal())


def values_of(arguments: str) -> str:
    """The values of arguments, without the names of their fields; of a cut text what is left.

    >>> values_of('{"path":"/tmp/x","n":[1,"b"]}'), values_of('{"path":"/tmp/x","da')
    ('/tmp/x b', ' "/tmp/x" "da')
    """
    try:
        return " ".join(_leaves(json.loads(arguments)))
    except (ValueError, RecursionError):
        return FIELD.sub(" ", arguments.replace(",", " "))


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    elif isinstance(value, str):
        yield value
