"""Turns to what a sensor would have captured of them: model calls, tool calls and MCP requests, as docs/records.md lists them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from classifier.lab.breach.setting import WORKER
from classifier.lab.breach.turns import ToolUse, Turn
from wire.records import Behaviour

MODEL, HOST = "support-large-2", "model.sidecar.local"
SYSTEM = sha256(b"You are the support agent of Acme.").hexdigest()
TOOLS = ("search_accounts", "list_accounts", "post_reply", "send_mail", "put_object", "run_export")
THINKS = 1.2  # seconds of the model


@dataclass(frozen=True, slots=True)
class Said:
    """One event to come. Its id is given when it leaves; `number` tells which it is until then."""

    time: float
    kind: str
    behaviour: Behaviour | None
    data: dict[str, str | int | float]
    number: int = 0  # of its model call within the turn; a tool call has that of its asker


@dataclass(slots=True)
class _Talk:
    """The history of one conversation."""

    entries: list[list[str]] = field(default_factory=list)

    def add(self, role: str, text: str) -> str:
        digest = _digest(text)
        chain = _digest(f"{self.entries[-1][2] if self.entries else ''}{role}{digest}")
        self.entries.append([role, digest, chain])
        return chain


def said(turn: Turn) -> Iterator[Said]:
    """All that is said in a turn, by time within each call."""
    talk, results, began = _Talk(), list[dict[str, object]](), turn.start
    talk.add("user", turn.user)
    for number, uses in enumerate((*turn.rounds, ())):
        ended = min([began + THINKS, *(u.began - 0.1 for u in uses)])
        calls = [_call(turn, number, n, use) for n, use in enumerate(uses)]
        yield _llm(turn, talk, number, (began, ended), results, calls)
        results = []
        for call, use in zip(calls, uses, strict=True):
            yield _tool(turn, number, ended, call, use)
            if use.server:
                yield _mcp(turn, use)
            talk.add("tool", use.result + call["id"])
            digest = _digest(use.result)
            row = {"id": call["id"], "name": use.name, "digest": digest, "length": len(use.result), "text": use.result}
            results.append(row)
        began = max((u.ended for u in uses), default=ended) + 0.1


def _llm(turn: Turn, talk: _Talk, number: int, span: tuple[float, float], results: list, calls: list) -> Said:
    asked, user = json.dumps(talk.entries), turn.user
    answer = json.dumps(calls) if calls else f"done with {user[:24]}"
    before, chain = len(talk.entries), talk.add("assistant", answer)
    data = _who(turn, span) | {
        "api": "openai-chat", "host": HOST, "path": "/v1/chat/completions", "status": 200, "streamed": 0, "model_asked": MODEL,
        "model_answered": MODEL, "system": SYSTEM[:16], "system_digest": SYSTEM, "tools": OFFERED, "history": asked,
        "turns": before, "answer": _digest(answer), "answer_chain": chain, "user_turn": user, "user_turn_digest": _digest(user),
        "user_turn_length": len(user.encode()), "finish": "tool_calls" if calls else "stop", "request_ended": span[0] + 0.01,
        "answered": span[1] - 0.01, "bytes_out": 2_000 + len(asked), "bytes_in": 400 + len(answer),
    }  # fmt: skip
    if results:
        data["results"] = json.dumps(results)
    if calls:
        data["calls"] = json.dumps(calls)
    return Said(span[1], "llm", None, data, number)


def _call(turn: Turn, number: int, index: int, use: ToolUse) -> dict[str, object]:
    id_ = _digest(f"{turn.life.number}/{turn.start}/{number}/{index}")[:20]
    return {"id": f"call_{id_}", "name": use.name, "digest": _digest(_canonical(use)), "index": index}


def _tool(turn: Turn, number: int, time: float, call: dict, use: ToolUse) -> Said:
    text = _canonical(use)
    data = _who(turn, None) | {
        "id": call["id"], "name": use.name, "index": call["index"], "arguments": text, "arguments_digest": call["digest"],
        "arguments_length": len(text), "digest": _digest(f"definition of {use.name}"), "ended": time,
    }  # fmt: skip
    return Said(time, "tool", Behaviour(f"tool:{use.name}"), data, number)


def _mcp(turn: Turn, use: ToolUse) -> Said:
    text = _canonical(use)
    data = _who(turn, (use.began, use.ended)) | {
        "transport": "http", "method": "tools/call", "id": use.name, "by": "sent", "server": use.server, "version": "3.1",
        "protocol": "2025-06-18", "host": use.host, "tool": use.name, "arguments": text, "arguments_digest": _digest(text),
        "arguments_length": len(text), "result": use.result, "result_digest": _digest(use.result), "failed": 0,
        "result_length": len(use.result),
    }  # fmt: skip
    return Said(use.ended, "mcp", Behaviour(f"mcp:{use.server}/{use.name}"), data)


def _who(turn: Turn, span: tuple[float, float] | None) -> dict[str, str | int | float]:
    who: dict[str, str | int | float] = {
        "pid": turn.life.pid, "image": "/usr/bin/python3.11", "lineage": WORKER, "source": "tls", "basis": "verified",
        "connection": f"c{turn.life.number}", "role": "client",
    }  # fmt: skip
    return who if span is None else who | {"began": round(span[0], 6), "ended": round(span[1], 6)}


def _canonical(use: ToolUse) -> str:
    return json.dumps(use.arguments, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


OFFERED = " ".join(f"{name}={_digest(f'definition of {name}')}" for name in TOOLS)
