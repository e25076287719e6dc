"""Links between events, and the chains they make: frozen, flat, ready for JSON.

An edge goes from cause to effect and says how it is known. `basis` is that of the link, and never better than that of
the two events it joins. What could not be told apart stands in `ambiguous`; nothing is chosen silently.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from wire.provenance import Origin

VERIFIED, INFERRED, SELF_REPORTED = "verified", "inferred", "self_reported"

# kinds of edges, in the order of a chain
INPUT = "input>llm"  # an inbound request led to a call of a model
AGENT = "agent>agent"  # a call of one agent is the inbound request of another
TURN = "llm>llm"  # a later call of the same conversation
ASKS = "llm>tool"  # the answer of a model asked for a tool
RETURNS = "tool>llm"  # a tool's result was given to a model
RUNS = "tool>mcp"  # the tool was run by a server
SERVES = "mcp>process"  # the process of that server
EXEC, FILE, EGRESS = "call>exec", "call>file", "call>egress"  # what the tool or MCP call did
EFFECTS = (EXEC, FILE, EGRESS)
KINDS = (INPUT, AGENT, TURN, ASKS, RETURNS, RUNS, SERVES, *EFFECTS)

# methods, strongest first; an edge that several agree on names them with "+" between
ID = "id"  # one id at both ends
TRACE = "traceparent"  # one trace id at both ends
RESPONSE = "response_id"  # the later call continues the earlier answer by its id
HISTORY = "history"  # the later request holds the earlier conversation, by chain digest
DIGEST = "digest"  # name and digest of canonical arguments are equal
PIPE = "pipe"  # the two ends of one pipe or socket
ARGUMENT = "argument"  # a host, path or file name in the arguments is the effect's
BRACKET = "bracket"  # between the answer that asked and the request that returns the result
LINEAGE = "lineage"  # the process of the call or a child of it
ORDER = "order"  # the first of equals that was not yet taken
TIME = "time"  # nothing but closeness; never where an id exists
METHODS = (ID, TRACE, RESPONSE, HISTORY, DIGEST, PIPE, ARGUMENT, BRACKET, LINEAGE, ORDER, TIME)

KERNEL, NETWORK, PROMPT, TOOLS = "kernel", "network", "prompt", "tools"
LAYERS = (KERNEL, NETWORK, PROMPT, TOOLS)
PRESENT, PARTIAL, MISSING = "present", "partial", "missing"

USER_TURN, INBOUND, NOT_CAPTURED = "user_turn", "inbound", "not_captured"
AMBIGUOUS = "ambiguous"  # several may be it, and nothing tells them apart


@dataclass(frozen=True, slots=True)
class Edge:
    """One link. Ids are those of events."""

    source: str  # the cause, or the likeliest of `ambiguous`
    target: str
    kind: str  # of KINDS
    method: str  # of METHODS, joined by "+", strongest first
    basis: str  # verified, inferred or self_reported
    ambiguous: tuple[str, ...] = ()  # other ids that could as well be the source; at most 16; never silently empty
    why: str = ""  # in words, with numbers
    error: float | None = None  # seconds, of the clocks compared; None: time had no part


@dataclass(frozen=True, slots=True)
class Trigger:
    """What set a chain off."""

    kind: str  # user_turn, inbound, not_captured or, of a finding, ambiguous
    event: str = ""  # the llm event whose request holds the user's words, or the inbound one
    excerpt: str = ""  # redacted
    digest: str = ""  # SHA-256 of the original; "" where there is none
    time: float | None = None  # seconds, event time
    basis: str = INFERRED
    nearest: tuple[str, ...] = ()  # events that may be it, the closest or likeliest first; possible, never more
    why: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the four kinds of evidence a chain may rest on."""

    name: str  # kernel, network, prompt or tools
    state: str  # present, partial or missing
    reason: str = ""  # why not present
    events: int = 0  # of the chain, of this layer


@dataclass(frozen=True, slots=True)
class Chain:
    """All that leads from a trigger to the events asked for, and on to their effects."""

    trigger: Trigger
    edges: tuple[Edge, ...]  # by time of the target
    layers: tuple[Layer, ...]  # in the order of LAYERS
    events: tuple[str, ...] = ()  # ids, by time
    agents: tuple[str, ...] = ()  # replicas the chain runs through, as "node/cgroup/generation"
    unlinked: tuple[str, ...] = ()  # ids that were asked for and that no edge reaches
    possible: tuple[Edge, ...] = ()  # links that rest on time alone: shown apart, never part of the chain
    origins: tuple[Origin, ...] = ()
    behaviour: str = ""  # "chain:ticket>search>s3"; "" where no tool was called
    workflow: str = ""  # what the behaviour is counted under
    lost: tuple[str, ...] = ()  # why something may be missing, in words

    @property
    def complete(self) -> str:
        """How many of the layers are present, such as "3/4"."""
        return f"{sum(la.state != MISSING for la in self.layers)}/{len(self.layers)}"

    def layer(self, name: str) -> Layer:
        """The layer of this name."""
        return next(la for la in self.layers if la.name == name)


def weakest(*bases: str) -> str:
    """The basis of what rests on several.

    >>> weakest("verified", "inferred"), weakest("self_reported", "inferred")
    ('inferred', 'self_reported')
    """
    return next((b for b in (SELF_REPORTED, INFERRED) if b in bases), VERIFIED)


def chain_to_dict(chain: Chain) -> dict[str, Any]:
    """Plain values."""
    return asdict(chain) | {"complete": chain.complete}
