"""One support call, as each convention tells it: a question, a tool that the model asks for; and the tool's run."""

from __future__ import annotations

import json

from tests.otlp.bodies import NOW, SPAN, TRACE, log, logs, span, traces

TOOL_SPAN = "00f067aa0ba902b8"
SYSTEM, ASKED, SAID = "You help.", "Look at ticket ZD-88213, card 4111 1111 1111 1111.", "I will look."
ARGUMENTS = {"id": "ZD-88213"}
RESULT = "The customer asks for an export."
DEFINITION = {"type": "function", "name": "lookup_ticket", "description": "d", "parameters": {"type": "object"}}
CALL = {"id": "call_1", "name": "lookup_ticket", "arguments": ARGUMENTS}
API_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "lookup_ticket", "arguments": json.dumps(ARGUMENTS)},
}

INPUT = [
    {"role": "user", "parts": [{"type": "text", "content": ASKED}]},
]
OUTPUT = [
    {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "hm"},
            {"type": "text", "content": SAID},
            {"type": "tool_call", **CALL},
        ],
        "finish_reason": "tool_call",
    }
]
COMMON = {"gen_ai.request.model": "gpt-5", "gen_ai.response.model": "gpt-5-2026-08-01", "gen_ai.response.id": "resp_1"}
NEW = COMMON | {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.response.finish_reasons": ["tool_call"],
    "gen_ai.usage.input_tokens": 21,
    "gen_ai.usage.output_tokens": 9,
    "server.address": "api.openai.com",
    "server.port": 443,
    "gen_ai.conversation.id": "conv_1",
    "gen_ai.agent.name": "support",
}
OLD = COMMON | {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.response.finish_reasons": ["tool_calls"],
    "gen_ai.usage.input_tokens": 21,
    "gen_ai.usage.output_tokens": 9,
    "server.address": "api.openai.com",
}


def as_text(value):
    """Attributes that cannot hold structures hold JSON."""
    return json.dumps(value)


def tool_run(**attributes):
    """The run of the tool, after the call."""
    return span("execute_tool lookup_ticket", id=TOOL_SPAN, start=NOW - 0.9, end=NOW - 0.5, attributes=attributes)


def _contents(words):
    return {
        "gen_ai.input.messages": words(INPUT),
        "gen_ai.output.messages": words(OUTPUT),
        "gen_ai.system_instructions": words([{"type": "text", "content": SYSTEM}]),
        "gen_ai.tool.definitions": words([DEFINITION]),
    }


OPENLLMETRY = {
    "llm.request.type": "chat",
    "gen_ai.system": "openai",
    **COMMON,
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": SYSTEM,
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": ASKED,
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": SAID,
    "gen_ai.completion.0.finish_reason": "tool_calls",
    "gen_ai.completion.0.tool_calls.0.id": "call_1",
    "gen_ai.completion.0.tool_calls.0.name": "lookup_ticket",
    "gen_ai.completion.0.tool_calls.0.arguments": json.dumps(ARGUMENTS),
    "llm.request.functions.0.name": "lookup_ticket",
    "llm.request.functions.0.description": "d",
    "llm.request.functions.0.parameters": json.dumps({"type": "object"}),
    "gen_ai.usage.prompt_tokens": 21,
    "gen_ai.usage.completion_tokens": 9,
    "gen_ai.openai.api_base": "https://api.openai.com/v1/",
    "llm.is_streaming": False,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.provider": "openai",
    "llm.request.model_name": "gpt-5",
    "llm.response.model_name": "gpt-5-2026-08-01",
    "llm.model_name": "gpt-5-2026-08-01",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": SYSTEM,
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": ASKED,
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": SAID,
    "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call_1",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "lookup_ticket",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": json.dumps(ARGUMENTS),
    "llm.tools.0.tool.json_schema": json.dumps(DEFINITION),
    "llm.token_count.prompt": 21,
    "llm.token_count.completion": 9,
    "llm.finish_reason": "tool_calls",
}
AI_SDK = {
    "operation.name": "ai.streamText.doStream",
    "ai.operationId": "ai.streamText.doStream",
    "ai.model.id": "gpt-5",
    "ai.model.provider": "openai.chat",
    "ai.prompt.messages": json.dumps(
        [{"role": "system", "content": SYSTEM}, {"role": "user", "content": [{"type": "text", "text": ASKED}]}]
    ),
    "ai.prompt.tools": [json.dumps(DEFINITION)],
    "ai.response.text": SAID,
    "ai.response.toolCalls": json.dumps([{"toolCallId": "call_1", "toolName": "lookup_ticket", "input": ARGUMENTS}]),
    "ai.response.id": "resp_1",
    "ai.response.model": "gpt-5-2026-08-01",
    "ai.response.finishReason": "tool-calls",
    "ai.usage.inputTokens": 21,
    "ai.usage.outputTokens": 9,
}

TRACES = {
    "genai-structured": traces(
        span(attributes=NEW | _contents(lambda v: v)),
        tool_run(**{
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "lookup_ticket",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.call.arguments": ARGUMENTS,
            "gen_ai.tool.call.result": RESULT,
        }),
    ),
    "genai-json": traces(span(attributes=NEW | _contents(as_text))),
    "genai-1.27-span-events": traces(
        span(
            attributes=OLD,
            events=[
                ("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps([{"role": "user", "content": ASKED}])}),
                (
                    "gen_ai.content.completion",
                    {"gen_ai.completion": json.dumps([{"role": "assistant", "content": SAID, "tool_calls": [API_CALL]}])},
                ),
            ],
        )
    ),
    "openllmetry": traces(span("openai.chat", attributes=OPENLLMETRY), scope="opentelemetry.instrumentation.openai.v1"),
    "openinference": traces(span("ChatCompletion", attributes=OPENINFERENCE), scope="openinference.instrumentation.openai"),
    "ai-sdk": traces(
        span("ai.streamText.doStream", attributes=AI_SDK, parent="1" * 16),
        span("ai.streamText", id="1" * 16, start=NOW - 4, end=NOW - 0.4,
             attributes={"ai.operationId": "ai.streamText", "ai.model.id": "gpt-5", "ai.prompt": "{}"}),
        tool_run(**{
            "ai.operationId": "ai.toolCall",
            "ai.toolCall.name": "lookup_ticket",
            "ai.toolCall.id": "call_1",
            "ai.toolCall.args": json.dumps(ARGUMENTS),
            "ai.toolCall.result": json.dumps(RESULT),
        }),
        scope="ai",
    ),
}  # fmt: skip

LOGS = {  # with the span beside them that holds no words
    "genai-1.36-messages": (
        traces(span(attributes=OLD)),
        logs(
            log("gen_ai.system.message", {"content": SYSTEM}, gen_ai__system="openai"),
            log("gen_ai.user.message", {"content": ASKED}, gen_ai__system="openai"),
            log("gen_ai.choice", {"index": 0, "finish_reason": "tool_calls",
                                  "message": {"role": "assistant", "content": SAID, "tool_calls": [API_CALL]}}),
        ),
    ),
    "genai-1.38-details": (
        traces(span(attributes=NEW)),
        logs(log("gen_ai.client.inference.operation.details", attributes=NEW | _contents(lambda v: v))),
    ),
}  # fmt: skip

TOOLS = {
    "execute_tool": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup_ticket",
                     "gen_ai.tool.call.id": "call_1", "gen_ai.tool.call.arguments": ARGUMENTS,
                     "gen_ai.tool.call.result": RESULT},
    "openinference": {"openinference.span.kind": "TOOL", "tool.name": "lookup_ticket", "tool.id": "call_1",
                      "input.value": json.dumps(ARGUMENTS), "output.value": RESULT},
    "openllmetry": {"traceloop.span.kind": "tool", "traceloop.entity.name": "lookup_ticket",
                    "traceloop.entity.input": json.dumps(ARGUMENTS), "traceloop.entity.output": RESULT},
    "ai-sdk": {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "lookup_ticket", "ai.toolCall.id": "call_1",
               "ai.toolCall.args": json.dumps(ARGUMENTS), "ai.toolCall.result": RESULT},
}  # fmt: skip

MCP = {
    "semconv": ("tools/call lookup_ticket", {
        "mcp.method.name": "tools/call", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup_ticket",
        "jsonrpc.request.id": "3", "mcp.protocol.version": "2025-11-25", "network.transport": "pipe",
        "gen_ai.tool.call.arguments": ARGUMENTS, "gen_ai.tool.call.result": RESULT,
    }),
    "openllmetry": ("tools/call.mcp", {
        "traceloop.entity.input": json.dumps({"name": "lookup_ticket", "arguments": ARGUMENTS}),
        "traceloop.entity.output": RESULT,
    }),
}  # fmt: skip

CLAUDE = logs(
    log(body="claude_code.user_prompt", id="", trace="", event__name="user_prompt", prompt="<REDACTED>"),
    log(body="claude_code.api_request", id="", trace="", event__name="api_request", model="claude-opus-5",
        input_tokens="12", output_tokens="30", duration_ms="2500", session__id="s-1", request_id="req_1"),
    log(body="claude_code.tool_result", id="", trace="", event__name="tool_result", tool_name="Bash", success="true",
        duration_ms="120", tool_use_id="toolu_1", tool_parameters=json.dumps({"bash_command": "ls"})),
    log(body="claude_code.tool_result", id="", trace="", event__name="tool_result", tool_name="mcp__tickets__lookup",
        success="false", duration_ms="7"),
    resource={"service.name": "claude-code"},
)  # fmt: skip
CODEX = logs(
    log(id="", trace="", event__name="codex.sse_event", event__kind="response.output_text.delta"),
    log(id="", trace="", event__name="codex.sse_event", event__kind="response.completed", model="gpt-5.1-codex",
        input_token_count=800, output_token_count=200, conversation__id="c1"),
    log(id="", trace="", event__name="codex.tool_result", tool_name="shell", call_id="call_9", success="true",
        arguments=json.dumps({"command": ["ls"]}), output="a b"),
)  # fmt: skip
OTHERS = traces(
    span("GET", attributes={"http.request.method": "GET", "server.address": "h"}),
    span("embeddings m", attributes={"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m"}),
    span("invoke_agent a", attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}),
    span("chain", attributes={"openinference.span.kind": "CHAIN", "llm.model_name": "m"}),
    span("workflow", attributes={"traceloop.span.kind": "workflow"}),
)
IDS = (TRACE, SPAN)
