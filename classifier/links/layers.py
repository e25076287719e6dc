"""Facts of a chain to the layers it rests on: kernel, network, prompt, tools; and for each why it is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from classifier.links.edges import KERNEL, LAYERS, MISSING, NETWORK, PARTIAL, PRESENT, PROMPT, TOOLS, Layer
from classifier.links.reading import Fact, Llm

OF = dict.fromkeys(("exec", "fork", "exit", "open", "identity", "syscall", "io_uring"), KERNEL)
OF |= {
    "egress": NETWORK,
    "ingress": NETWORK,
    "dns": NETWORK,
    "tls": NETWORK,
    "llm": PROMPT,
    "tool": TOOLS,
    "mcp": TOOLS,
}
SHELVES = {KERNEL: ("process", "file"), NETWORK: ("network",), PROMPT: ("llm",), TOOLS: ("tool", "mcp")}


def layers(facts: Iterable[Fact], known: Iterable[Fact], dropped: Mapping[str, int]) -> tuple[Layer, ...]:
    """The four layers of a chain.

    Args:
        facts: Those of the chain.
        known: All that are kept, to tell "none at all" from "none that belongs here".
        dropped: Facts that were let go, by shelf.
    """
    mine: dict[str, list[Fact]] = {name: [] for name in LAYERS}
    for fact in facts:
        if fact.kind in OF:
            mine[OF[fact.kind]].append(fact)
    elsewhere = {OF[f.kind] for f in known if f.kind in OF}
    return tuple(_layer(name, mine[name], name in elsewhere, dropped) for name in LAYERS)


def _layer(name: str, facts: list[Fact], elsewhere: bool, dropped: Mapping[str, int]) -> Layer:
    gone = sum(dropped.get(s, 0) for s in SHELVES[name])
    if not facts:
        return Layer(name, MISSING, _why(name, elsewhere, gone))
    if name == PROMPT and not any(isinstance(f, Llm) and f.user_digest for f in facts):
        return Layer(name, PARTIAL, "model calls without their words", len(facts))
    cut = [f for f in facts if getattr(f, "partial", "")]
    if cut:
        reason = getattr(cut[0], "partial", "").split(" ")[0]
        return Layer(name, PARTIAL, f"{len(cut)} of {len(facts)} captured in part: {reason}"[:200], len(facts))
    return Layer(name, PRESENT, "", len(facts))


def _why(name: str, elsewhere: bool, gone: int) -> str:
    if gone:
        return f"none is linked; {gone} older ones were let go, for the bound"
    if elsewhere:
        return "there are such events, none is linked to these"
    what = {PROMPT: "no model call was captured (no feed)", TOOLS: "no tool call was captured (no feed)"}
    return what.get(name, "no such event was seen")
