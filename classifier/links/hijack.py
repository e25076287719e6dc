"""Tool calls of a turn to how much they look like somebody else's orders: signs per call, and their sum.

A sign is never proof: people do ask an agent to pay what a letter says. So each has its own name, the sum orders runs, and
the threshold is the reader's choice; `bench/links` measures what each sign adds, and docs/links.md says what it was worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from classifier.links.behaviours import step
from classifier.links.intent import acts, handed_on, noun_said, verb_said
from wire.provenance import MODEL, TRUSTED, UNKNOWN, USER, Source, is_foreign, loaded, origins, values

PASSAGE = 300  # characters around a value that count as what was said of it
NAMES = (4, 64)  # characters of an argument that is taken for a name
START = "^"


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks against one tool call. All but the last three need words."""

    acts: bool = False
    foreign: bool = False  # an address, page, account, path or number came from a tool's output and from nobody else
    unsaid: bool = False  # such a value is not in the user's words, and nobody can tell where it came from
    named: bool = False  # a name came from a tool's output and from nobody else
    unasked: bool = False  # no word of the user is for such an act
    off_topic: bool = False  # no word of the user is for what the tool is about
    commanded: bool = False  # the output that holds the value also holds the verb of this tool
    new_tool: bool = False
    new_pair: bool = False
    new_step: bool = False


WEIGHTS = {
    **{"foreign": 1.5, "unsaid": 1.0, "named": 0.5, "unasked": 2.0, "off_topic": 1.0, "commanded": 0.5},
    **{"new_tool": 0.5, "new_pair": 0.25, "new_step": 0.1},
}
WITHOUT_WORDS = ("new_tool", "new_pair", "new_step")


@dataclass(slots=True)
class Known:
    """What the turns of an agent have shown: its tools, which follows which, its chain behaviours."""

    tools: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    steps: set[str] = field(default_factory=set)

    def learn(self, tools: Sequence[str]) -> None:
        """One turn, its tools in order."""
        for n, tool in enumerate(tools):
            before = tools[n - 1] if n else ""
            self.tools.add(tool)
            self.pairs.add((before or START, tool))
            if behaviour := step(tools[0], before, tool):
                self.steps.add(behaviour)

    def new(self, tools: Sequence[str], at: int) -> dict[str, bool]:
        """What of one call of a turn was never seen."""
        before = tools[at - 1] if at else ""
        behaviour = step(tools[0], before, tools[at])
        return {
            "new_tool": tools[at] not in self.tools,
            "new_pair": (before or START, tools[at]) not in self.pairs,
            "new_step": behaviour is not None and behaviour not in self.steps,
        }


def signs(tool: str, arguments: Any, sources: Sequence[Source], new: dict[str, bool], *, words: bool = True) -> Signs:
    """The signs of one call.

    Args:
        sources: What the model had read by then; the user's words among them.
        new: From `Known.new`.
        words: False where prompts, arguments and results are not to be read.
    """
    if not words:
        return Signs(acts(tool), **new)
    said = " ".join(s.text for s in sources if s.name == USER)
    known = origins("", arguments, sources)
    told, handed = _only_told(loaded(arguments), sources), handed_on(said)
    return Signs(
        acts(tool),
        any(map(is_foreign, known)),
        any(o.source in (MODEL, UNKNOWN) for o in known),
        any(not values(v) for v, _ in told),
        not (handed or verb_said(tool, said)),
        not (handed or noun_said(tool, said)),
        any(verb_said(tool, passage) for _, passage in told),
        **new,
    )


def weight(found: Signs) -> float:
    """The sum of a call's signs; a call that only reads has none.

    >>> weight(Signs(acts=True, foreign=True, unasked=True)), weight(Signs(foreign=True))
    (3.5, 0.0)
    """
    return sum(w for name, w in WEIGHTS.items() if getattr(found, name)) if found.acts else 0.0


def score(found: Iterable[Signs]) -> float:
    """How much a turn looks hijacked: the sum over its calls."""
    return sum(map(weight, found))


def _only_told(arguments: Any, sources: Sequence[Source]) -> list[tuple[str, str]]:
    """Arguments that tools' outputs hold and the user's words do not, each with what stands around it there."""
    trusted = [s.text.casefold() for s in sources if s.name in TRUSTED]
    others = [s.text.casefold() for s in sources if s.name not in TRUSTED]
    found = []
    for leaf in _texts(arguments):
        for value in [v.text for v in values(leaf)] or ([leaf] if NAMES[0] <= len(leaf) <= NAMES[1] else []):
            key = value.casefold()
            if any(key in t for t in trusted):
                continue
            for text in others:
                if (at := text.find(key)) >= 0:
                    found.append((value, text[max(0, at - PASSAGE) : at + len(key) + PASSAGE]))
    return found


def _texts(value: Any) -> list[str]:
    stack, found = [value], []
    while stack and len(found) < 256:
        value = stack.pop()
        if isinstance(value, dict | list):
            stack += list(value.values()) if isinstance(value, dict) else value
        elif isinstance(value, str):
            found.append(value)
    return found
