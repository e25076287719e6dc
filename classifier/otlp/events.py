"""What was said of a call to events of the stream: words redacted and hashed as the sensor's decoder does, and `self_reported`."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

from classifier.otlp.messages import blank
from classifier.otlp.shapes import Llm, Mcp, Said, Tool
from wire.digests import canonical, chained, sha256, system_prompt
from wire.fields import (
    HISTORY,
    NAME,
    SHORT,
    Data,
    as_json,
    cut,
    escaped,
    excerpt,
    fitting,
    is_too_large,
    sendable,
    spelled,
    text_fields,
    words,
)
from wire.records import Behaviour, Event, Replica
from wire.redact import Redactor, Text
from wire.turns import ORIGIN, Returned, Turn, Wanted, history, turn_digest

EPOCH = "otlp"  # of ids: no sensor's start
MESSAGES, CALLS, TOOLS = 8192, 512, 2048  # of one call
SYSTEM = 256 << 10  # characters of a system prompt: telling its paragraphs apart takes long
SOURCE, BASIS = "otlp", "self_reported"
Extra = Mapping[str, str]


class Maker:
    """Makes the events of what one workload said.

    Args:
        redactor: masks words before they are kept.
    """

    def __init__(self, redactor: Redactor):
        self._redactor = redactor

    def events(self, said: Said, replica: Replica, extra: Extra, told: Container[str] = ()) -> Iterator[Event]:
        """A model call and behind it its tool calls; a tool; an MCP message.

        Args:
            extra: fields for each of them, e.g. what the caller calls itself.
            told: ids of tool calls that have been told already.
        """
        if isinstance(said.what, Llm):
            call = self._event("llm", said, replica, None, self._llm(said.what, said), extra)
            yield call
            calls = said.what.answer.calls if said.what.answer else ()
            for index, wanted in enumerate(calls[:CALLS]):
                if wanted.id and wanted.id in told:
                    continue
                tool = Tool(wanted.name, wanted.id or "", wanted.arguments if wanted.whole else None)
                yield self._tool(tool, said, replica, extra, {"llm": call.id, "index": index})
        elif isinstance(said.what, Tool):
            yield self._tool(said.what, said, replica, extra, {"ran": 1})
        else:
            yield self._event("mcp", said, replica, _mcp_behaviour(said.what), self._mcp(said.what, said), extra)

    def _tool(self, tool: Tool, said: Said, replica: Replica, extra: Extra, more: Data) -> Event:
        name = spelled(self.label(tool.name)) or "-"
        data: Data = {"name": name, "id": self.label(tool.id), "failed": int(tool.failed)} | more
        if tool.arguments is not None:
            data |= text_fields("arguments", self._redactor.arguments(tool.arguments))
        data |= self._result(tool.result)
        return self._event("tool", said, replica, None if said.served else cut(f"tool:{name}"), data, extra)

    def _result(self, result: Any) -> Data:
        if result is None:
            return {}
        return text_fields("result", self._text(result if isinstance(result, str) else _plain(result)))

    def _llm(self, call: Llm, said: Said) -> Data:
        answer = call.answer
        told = call.has_words and not any(map(blank, (*call.turns, *([answer] if answer else []))))
        short: list[str] = [] if told else ["words: not told"]
        turns = history(call.turns[:MESSAGES]) if told else ()
        newest = [[m.role, m.digest, m.chain] for m in reversed(turns[-HISTORY:])]
        spoken = next((t.text for t in reversed(call.turns) if t.role == "user" and t.text), "")
        system = system_prompt(self._system(call.system, short))
        data: Data = {
            **{
                "provider": self.label(call.provider),
                "host": self.label(call.host),
                "agent": self.label(call.agent),
            },
            **{"model_asked": self.label(call.asked), "model_answered": self.label(call.answered)},
            **{"system": system and system.identity, "system_digest": system and system.digest},
            **{"turns": len(turns) or None, "streamed": None if call.streamed is None else int(call.streamed)},
            "tools": " ".join(fitting("tools", (self._offered(n, o) for n, o in call.tools[:TOOLS]), short)),
            "history": as_json(list(reversed(fitting("history", newest, short)))),
            **(text_fields("user_turn", self._text(spoken)) if spoken else {}),
            "results": as_json(
                fitting("results", map(self._returned, _fresh(call.turns)[:CALLS] if told else []), short)
            ),
            **(_digests(answer, turns[-1].chain if turns else ORIGIN) if told and answer else {}),
            "calls": as_json(fitting("calls", self._calls(answer), short)),
            **{"finish": self.label(call.finish), "response_id": self.label(call.response_id)},
            **{"tokens_in": call.tokens_in, "tokens_out": call.tokens_out},
            **{"conversation": self.label(call.conversation), "error": self.label(call.error, SHORT)},
            "answered": said.start + call.first if call.first is not None else None,
        }
        if not said.whole:
            short.append("span: not seen")
        return data | {"partial": words(short)}

    def _system(self, texts: tuple[str, ...], short: list[str]) -> list[str]:
        if sum(map(len, texts)) <= SYSTEM:
            return list(texts)
        short.append(f"system: the first {SYSTEM} characters are told")
        return ["\n\n".join(text[:SYSTEM] for text in texts[:CALLS])[:SYSTEM]]

    def _calls(self, answer: Turn | None) -> list[dict[str, Any]]:
        return [self._wanted(n, w) for n, w in enumerate(answer.calls[:CALLS])] if answer else []

    def _wanted(self, index: int, wanted: Wanted) -> dict[str, Any]:
        digest = self._redactor.arguments(wanted.arguments).digest if wanted.whole else ""
        row = {"id": self.label(wanted.id), "name": spelled(self.label(wanted.name)), "digest": digest}
        return {k: v for k, v in row.items() if v} | {"index": index}

    def _returned(self, found: Returned) -> dict[str, Any]:
        content = self._text(found.content)
        row = {"id": self.label(found.id), "name": spelled(self.label(found.name)), "digest": content.digest}
        row["text"] = excerpt(content.redacted, SHORT)
        return {k: v for k, v in row.items() if v} | {"length": content.length, "failed": int(found.failed)}

    def _offered(self, name: str, definition: Any) -> str:
        return f"{spelled(self.label(name))}={sha256(_plain(definition))}"

    def _mcp(self, call: Mcp, said: Said) -> Data:
        return {
            **{
                "transport": call.transport,
                "method": self.label(call.method),
                "id": self.label(call.id),
                "by": "received" if said.served else "sent",
            },
            **{
                "server": self.label(call.server),
                "protocol": self.label(call.protocol),
                "host": self.label(call.host),
            },
            **{"tool": spelled(self.label(call.tool)) if call.tool else None, "failed": int(call.failed)},
            **(
                text_fields("arguments", self._redactor.arguments(call.arguments)) if call.arguments is not None else {}
            ),
            **self._result(call.result),
            "error": self.label(call.error, SHORT),
        }

    def _event(
        self, kind: str, said: Said, replica: Replica, behaviour: Behaviour | None, data: Data, extra: Extra
    ) -> Event:
        trace = f"00-{said.trace}-{said.span}-01" if said.trace and said.span else ""
        role = "server" if said.served else "client"
        who: Data = {"source": SOURCE, "basis": BASIS, "role": role, "traceparent": trace, **extra}
        who |= {"connection": f"otlp/{said.trace}" if said.trace else "", "scope": self.label(said.scope)}
        who |= {"parent": said.parent, "began": said.start, "ended": said.end}
        kept = {k: sendable(v) for k, v in (who | data).items() if v not in ("", None) and not is_too_large(v)}
        index = data.get("index", -1)
        name = sha256("\0".join(map(str, (replica, said.key, kind, index))))[:24]
        return Event(f"{replica.node}/{EPOCH}/{name}", said.end, replica, kind, behaviour, kept)

    def label(self, value: Any, longest: int = NAME) -> str:
        """A name of somebody's: one bounded line without secrets; "" for none."""
        return self._redactor.label(value, longest) if value else ""

    def _text(self, value: str) -> Text:
        return self._redactor.text(value)


def _digests(answer: Turn, chain: str) -> Data:
    digest, _ = turn_digest(answer)
    return {"answer": digest, "answer_chain": chained(chain, digest)}


def _plain(value: Any) -> str:
    """A value as canonical JSON; what is nested too deep has none."""
    try:
        return canonical(value)
    except (ValueError, RecursionError, TypeError):
        return ""


def _fresh(turns: tuple[Turn, ...]) -> list[Returned]:
    """Results behind the last answer: earlier calls told the others."""
    fresh: list[Returned] = []
    for turn in reversed(turns):
        if turn.role == "assistant":
            break
        fresh[:0] = turn.results
    return fresh


def _mcp_behaviour(call: Mcp) -> Behaviour | None:
    if call.method != "tools/call" or not call.tool or not call.server:
        return None
    return cut(f"mcp:{escaped(call.server[:NAME]).replace('/', chr(92) + 'x2f')}/{spelled(call.tool)}")
