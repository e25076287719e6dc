"""Names of packages that agents are built with, as their indexes spell them; sensor and classifier know the same ones.

`TALKING` are clients of models, agent frameworks and MCP: who opens their code is likely to talk to a model. `LOCAL` load weights
or hold vectors in the process itself, which needs no conversation.
"""

from __future__ import annotations

TALKING = frozenset(
    "langchain langchain-core langchain-community langchain-openai langchain-anthropic langgraph langsmith llama-index "
    "llama-index-core llamaindex crewai autogen autogen-core autogen-agentchat ag2 haystack haystack-ai semantic-kernel "
    "dspy dspy-ai pydantic-ai pydantic-ai-slim smolagents agno phidata openai openai-agents agents anthropic claude-agent-sdk "
    "mistralai cohere google-genai google-generativeai google-adk ollama litellm guidance outlines instructor "
    "mcp fastmcp guardrails-ai nemoguardrails strands-agents bedrock-agentcore mem0ai letta "
    "ai @langchain/core @langchain/openai @langchain/langgraph @langchain/community @modelcontextprotocol/sdk "
    "@anthropic-ai/sdk @anthropic-ai/claude-code @openai/agents @openai/codex @mastra/core @ai-sdk/openai "
    "@ai-sdk/anthropic @google/genai @google/generative-ai".split()
)
LOCAL = frozenset(
    "vllm sglang transformers sentence-transformers peft torch tensorflow onnxruntime llama-cpp-python ctransformers "
    "chromadb faiss-cpu".split()
)
FRAMEWORKS = TALKING | LOCAL
