"""Attributes by what they mean: every name that a convention has or had for it, the newest first.

Read are gen_ai.* from 1.27 to 1.41, OpenInference, OpenLLMetry and the AI SDK; docs/otlp.md says which versions.
"""

from __future__ import annotations

OPERATION = ("gen_ai.operation.name",)
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")
ASKED = ("gen_ai.request.model", "llm.request.model_name", "ai.model.id", "llm.request.model", "model")
ANSWERED = ("gen_ai.response.model", "llm.response.model_name", "ai.response.model", "llm.response.model")
EITHER = ("llm.model_name",)  # of the answer, where one came
PARAMETERS = ("llm.invocation_parameters",)  # JSON that holds the model that was asked for
RESPONSE_ID = ("gen_ai.response.id", "ai.response.id", "llm.response.id")
FINISH = ("gen_ai.response.finish_reason", "gen_ai.response.stop_reason", "llm.finish_reason", "ai.response.finishReason",
          "ai.finishReason", "llm.response.finish_reason", "gen_ai.completion.0.finish_reason")  # fmt: skip
TOKENS_IN = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "ai.usage.inputTokens",
             "ai.usage.promptTokens", "llm.usage.prompt_tokens", "input_tokens", "input_token_count")  # fmt: skip
TOKENS_OUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
              "ai.usage.outputTokens", "ai.usage.completionTokens", "llm.usage.completion_tokens", "output_tokens",
              "output_token_count")  # fmt: skip
STREAMED = ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming")
HOST = ("server.address", "net.peer.name", "gen_ai.openai.api_base", "llm.openai.api_base")
INPUT = ("gen_ai.input.messages", "ai.prompt.messages", "ai.prompt", "gen_ai.prompt")
OUTPUT = ("gen_ai.output.messages", "gen_ai.completion")
SYSTEM = ("gen_ai.system_instructions",)
DEFINITIONS = ("gen_ai.tool.definitions", "gen_ai.request.tools", "ai.prompt.tools")
AGENT = ("gen_ai.agent.name", "agent.name")
CONVERSATION = ("gen_ai.conversation.id", "session.id", "conversation.id")
TOOL = ("gen_ai.tool.name", "tool.name", "ai.toolCall.name", "traceloop.entity.name")
TOOL_ID = ("gen_ai.tool.call.id", "tool.id", "tool_call.id", "ai.toolCall.id", "tool_use_id", "call_id")
ARGUMENTS = ("gen_ai.tool.call.arguments", "ai.toolCall.args", "ai.toolCall.input", "gen_ai.tool.arguments", "input.value",
             "traceloop.entity.input", "tool.parameters", "mcp.request.argument")  # fmt: skip
RESULT = ("gen_ai.tool.call.result", "ai.toolCall.result", "ai.toolCall.output", "gen_ai.tool.message", "output.value",
          "traceloop.entity.output", "mcp.response.value")  # fmt: skip
INTERESTING = ("gen_ai.", "llm.", "ai.", "openinference.", "traceloop.", "mcp.")
