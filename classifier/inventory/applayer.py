"""Events of the application layer to items: the place where the capture of model and tool calls comes in.

One event per call, with plain values (docs/records.md lists all of them):

- `llm`: `api host model_asked model_answered system tools` - `system` is the masked identity of the system prompt,
  `tools` are `name=digest` with spaces between;
- `mcp`: `transport server version protocol host tools`;
- `tool`: `name server digest`, one call that a model asked for.

What a workload tells of itself (`basis` self_reported) is believed no more than that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from classifier.inventory.kinds import SELF_REPORTED, UNKNOWN, USE, VERIFIED
from classifier.inventory.sighting import Sighting, seen

KINDS = ("llm", "mcp", "tool")
TOOLS = 128  # of one event

Data = Mapping[str, str | int | float]


def of_call(kind: str, data: Data) -> Iterator[Sighting]:
    """Items that one event of the application layer shows.

    >>> [s.name for s in of_call("llm", {"model_asked": "gpt-5", "tools": "search=ab12"})]
    ['gpt-5', 'search']
    """
    if kind == "llm":
        yield from _model(data)
    elif kind == "mcp":
        yield from _server(data)
    elif kind == "tool" and _text(data, "name"):
        more = {"server": _text(data, "server"), "called": "yes"}
        yield _tool(_text(data, "name"), _text(data, "digest"), more, _basis(data))


def _model(data: Data) -> Iterator[Sighting]:
    asked, answered, host = _text(data, "model_asked"), _text(data, "model_answered"), _text(data, "host")
    more = {"reach": "remote", "api": _text(data, "api"), "asked_as": asked if answered else ""}
    sure = _basis(data)
    if asked or answered:
        # What the server says it was is its own claim; what was asked for stood in bytes that were sent.
        basis = SELF_REPORTED if answered else sure
        yield seen("model", answered or asked, basis=basis, place=host, lasts=USE, more=more)
    if system := _text(data, "system"):
        name = _text(data, "prompt") or "system prompt"
        yield seen(
            "prompt", name, version=system, basis=sure, version_basis=sure, lasts=USE, more={"source": "request"}
        )
    for name, digest in _tools(data):
        yield _tool(name, digest, {"offered": "yes"}, sure)


def _server(data: Data) -> Iterator[Sighting]:
    name = _text(data, "server")
    if name:
        version = _text(data, "version") or UNKNOWN
        more = {"transport": _text(data, "transport"), "protocol": _text(data, "protocol")}
        yield seen("mcp", name, version=version, version_basis=SELF_REPORTED if version != UNKNOWN else UNKNOWN,
                   basis=_basis(data), place=_text(data, "host"), lasts=USE, more=more)  # fmt: skip
    for tool, digest in _tools(data):
        yield _tool(tool, digest, {"offered": "yes", "server": name}, _basis(data))


def _basis(data: Data) -> str:
    return SELF_REPORTED if data.get("basis") == SELF_REPORTED else VERIFIED


def _tool(name: str, digest: str, more: dict[str, str], basis: str) -> Sighting:
    version, known = digest or UNKNOWN, basis if digest else UNKNOWN
    return seen("tool", name, version=version, basis=basis, version_basis=known, lasts=USE, more=more)


def _tools(data: Data) -> Iterator[tuple[str, str]]:
    for word in _text(data, "tools").split()[:TOOLS]:
        name, _, digest = word.partition("=")
        if name:
            yield name, digest


def _text(data: Data, name: str) -> str:
    value = data.get(name, "")
    return value if isinstance(value, str) else str(value)
