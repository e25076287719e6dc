"""Attributes and events of a model call to what they say of it: model, words, tools offered, tokens."""

from __future__ import annotations

from typing import Any

from classifier.otlp import messages
from classifier.otlp.attributes import Attributes, count, flag, hostname, opened, rows, text, value
from classifier.otlp.names import (
    AGENT,
    ANSWERED,
    ASKED,
    CONVERSATION,
    DEFINITIONS,
    EITHER,
    FINISH,
    HOST,
    INPUT,
    OUTPUT,
    PARAMETERS,
    PROVIDER,
    RESPONSE_ID,
    STREAMED,
    SYSTEM,
    TOKENS_IN,
    TOKENS_OUT,
)
from classifier.otlp.shapes import Llm, fill
from classifier.otlp.telemetry import Log, Span
from wire.turns import Turn

MOST = 4096  # events of one span that are heard
MESSAGES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}


def of_call(span: Span) -> Llm:
    """A model call of its span."""
    call = model_call(span.attributes)
    for event in span.events[:MOST]:
        hear(call, event)
    if span.failed:
        call.error = text(span.attributes, ("error.type",)) or "error"
    return call


def model_call(a: Attributes) -> Llm:
    """A model call of attributes, be they of a span or of a log record."""
    asked, answered = text(a, ASKED), text(a, ANSWERED) or text(a, EITHER)
    if not asked and isinstance(given := value(a, PARAMETERS), dict):
        asked = text(given, ("model",))
    said = _input(a)
    reasons = a.get("gen_ai.response.finish_reasons")
    finish = reasons[0] if isinstance(reasons, list) and reasons and isinstance(reasons[0], str) else ""
    first = value(a, ("gen_ai.response.time_to_first_chunk",))
    step = text(a, ("ai.operationId",))
    streamed = flag(a, STREAMED)
    return Llm(
        asked=asked,
        answered=answered,
        provider=text(a, PROVIDER),
        host=hostname(text(a, HOST)),
        streamed=step.endswith(".doStream") if streamed is None and step else streamed,
        turns=tuple(t for t in said if t.role != "system"),
        system=(*_instructions(a), *(t.text for t in said if t.role == "system" and t.text)),
        tools=_definitions(a),
        answer=_output(a),
        finish=finish or text(a, FINISH),
        tokens_in=count(a, TOKENS_IN),
        tokens_out=count(a, TOKENS_OUT),
        response_id=text(a, RESPONSE_ID) or _id_of_answer(a),
        agent=text(a, AGENT),
        conversation=text(a, CONVERSATION),
        first=first if isinstance(first, float) and 0 <= first < 86400 else None,
    )


def _id_of_answer(a: Attributes) -> str:
    """OpenInference keeps the whole answer of the API."""
    whole = value(a, ("output.value",)) if text(a, ("output.mime_type",)) == "application/json" else None
    return text(whole, ("id",)) if isinstance(whole, dict) else ""


def _input(a: Attributes) -> tuple[Turn, ...]:
    for prefix in ("llm.input_messages", "gen_ai.prompt", "llm.prompts"):
        if found := messages.flattened(a, prefix):
            return found
    if found := messages.turns(value(a, INPUT)):
        return found
    if text(a, ("openinference.span.kind",)) == "LLM":
        return messages.turns(value(a, ("input.value",)))
    return ()


def _output(a: Attributes) -> Turn | None:
    for prefix in ("llm.output_messages", "gen_ai.completion"):
        if found := messages.flattened(a, prefix):
            return found[0]
    said = value(a, OUTPUT)
    found = messages.turns(said)
    if found:
        first = found[0]
        return Turn("assistant", first.text, first.calls, (), first.media)
    words = text(a, ("ai.response.text", "ai.result.text", "ai.response.object", "ai.result.object"))
    calls = opened(value(a, ("ai.response.toolCalls", "ai.result.toolCalls")))
    wanted = tuple(messages.call(c) for c in calls if isinstance(c, dict)) if isinstance(calls, list) else ()
    return Turn("assistant", words, wanted) if words or wanted else None


def _instructions(a: Attributes) -> list[str]:
    found = messages.words(value(a, SYSTEM))
    return [found] if found else []


def _definitions(a: Attributes) -> tuple[tuple[str, Any], ...]:
    """Tools that were offered: name and whole object."""
    found = value(a, DEFINITIONS)
    listed = [opened(one) for one in found] if isinstance(found, list) else []
    listed += [opened(r.get("tool.json_schema")) for r in rows(a, "llm.tools")]
    listed += [{k: opened(v) for k, v in r.items()} for r in rows(a, "llm.request.functions")]
    out = []
    for one in listed:
        if isinstance(one, dict):
            function = one.get("function")
            name = one.get("name") or (function.get("name") if isinstance(function, dict) else None)
            if isinstance(name, str) and name:
                out.append((name, one))
    return tuple(out)


def hear(call: Llm, event: Log) -> bool:
    """Take in what an event of a call says; whether it said anything.

    Until 1.27 a prompt was an event of the span, until 1.36 each message was a log record, since then both are in one.
    """
    name = event.name or text(event.attributes, ("event.name",))
    said = event.body if isinstance(event.body, dict) else dict(event.attributes)
    if name == "gen_ai.content.prompt":
        call.turns = call.turns or messages.turns(event.attributes.get("gen_ai.prompt"))
    elif name == "gen_ai.content.completion":
        found = messages.turns(event.attributes.get("gen_ai.completion"))
        call.answer = call.answer or (found[0] if found else None)
    elif name == "gen_ai.choice":
        if call.answer is None:
            found = messages.turns([{"role": "assistant", **said}])
            call.answer = found[0] if found else None
        call.finish = call.finish or text(said, ("finish_reason",))
    elif (role := MESSAGES.get(name)) is not None:
        turn = messages.turns([{"role": role, **said}])
        if role == "system":
            call.system += tuple(t.text for t in turn if t.text)
        else:
            call.turns += turn
    elif name == "gen_ai.client.inference.operation.details":
        fill(call, model_call(event.attributes if event.attributes else said))
    else:
        return False
    return True
