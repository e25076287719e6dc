"""Paths of opened files to packages of Python and Node, with a version where the path itself holds one.

Code is opened below the package's folder, which has no version in its name; that of Python's is in the name of the
`dist-info` folder beside it, which many packages read at their start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from classifier.inventory.kinds import INFERRED, SELF_REPORTED, UNKNOWN, VERIFIED
from classifier.inventory.sighting import Sighting, seen

PYTHON = re.compile(r"^(?P<place>.*/(?:site|dist)-packages)/(?P<top>[^/]+)(?P<rest>/.*)?$")
DIST = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._]*?)-(?P<version>\d[^/-]*)(?:-py[\d.]+)?\.(?:dist|egg)-info$")
NODE = re.compile(r"^(?P<place>.*/node_modules)/(?P<name>(?:@[^/]+/)?[^/@.][^/]*)/.+$")
PNPM = re.compile(r"/\.pnpm/(?P<name>(?:@[^/+]+\+)?[^/@]+)@(?P<version>\d[^/_(]*)[^/]*/node_modules$")
MODULE = re.compile(r"^(?P<name>[A-Za-z_]\w*)(?:\.[\w-]+)*\.(?:py|pyc|so)$")
NO_PACKAGE = {"__pycache__", "bin", "distutils-precedence"}

FRAMEWORKS = frozenset(
    "langchain langchain-core langchain-community langchain-openai langchain-anthropic langgraph langsmith llama-index "
    "llama-index-core llamaindex crewai autogen autogen-core autogen-agentchat ag2 haystack haystack-ai semantic-kernel "
    "dspy dspy-ai pydantic-ai pydantic-ai-slim smolagents agno phidata openai openai-agents agents anthropic claude-agent-sdk "
    "mistralai cohere google-genai google-generativeai google-adk ollama litellm vllm sglang transformers "
    "sentence-transformers peft torch tensorflow onnxruntime llama-cpp-python ctransformers guidance outlines instructor "
    "mcp fastmcp guardrails-ai nemoguardrails strands-agents bedrock-agentcore mem0ai letta chromadb faiss-cpu "
    "ai @langchain/core @langchain/openai @langchain/langgraph @langchain/community @modelcontextprotocol/sdk "
    "@anthropic-ai/sdk @anthropic-ai/claude-code @openai/agents @openai/codex @mastra/core @ai-sdk/openai "
    "@ai-sdk/anthropic @google/genai @google/generative-ai llamaindex".split()
)
IMPORTS = {  # name of the module → name of the package, where they differ
    "yaml": "pyyaml", "pil": "pillow", "sklearn": "scikit-learn", "cv2": "opencv-python", "bs4": "beautifulsoup4",
    "dotenv": "python-dotenv", "jwt": "pyjwt", "dateutil": "python-dateutil", "llama-cpp": "llama-cpp-python",
    "mem0": "mem0ai", "guardrails": "guardrails-ai", "faiss": "faiss-cpu", "attr": "attrs", "strands": "strands-agents",
}  # fmt: skip


@lru_cache(maxsize=4096)
def of_package(path: str) -> Sighting | None:
    """The package of an opened file; None where it belongs to none.

    >>> of_package("/app/lib/python3.11/site-packages/langchain-0.2.3.dist-info/METADATA").version
    '0.2.3'
    >>> of_package("/app/node_modules/@langchain/core/package.json").name
    '@langchain/core'
    """
    if found := NODE.match(path):
        return _of_node(found)
    found = PYTHON.match(path)
    if found is None or found["top"] in NO_PACKAGE:
        return None
    if dist := DIST.match(found["top"]):  # finding out what is installed reads these, too
        return replace(_item(plain(dist["name"]), found["place"], "pypi", dist["version"]), basis=INFERRED)
    if found["rest"] is None:  # a module of one file
        module = MODULE.match(found["top"])
        return _item(plain(module["name"]), found["place"], "pypi") if module else None
    if found["top"].endswith((".dist-info", ".egg-info", ".libs", ".data")):
        return None
    return _item(plain(found["top"]), found["place"], "pypi")


def of_record(data: Mapping[str, str | int | float]) -> Sighting | None:
    """A package whose installed files were compared with its RECORD: the place where that check comes in.

    No sensor sends such an event yet. It is expected as kind `package` with `name version place` and `changed`, how many files
    differ from what was installed.

    >>> of_record({"name": "langchain", "version": "0.2.3", "place": "/l/site-packages", "changed": 1}).more["record_mismatch"]
    '1 files'
    """
    name, version, place, changed = (data.get(k) for k in ("name", "version", "place", "changed"))
    if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
        return None
    kind = "framework" if plain(name) in FRAMEWORKS else "library"
    more = {"system": "pypi", "record_mismatch": f"{changed} files" if isinstance(changed, int) and changed else ""}
    return seen(kind, plain(name), version=version, version_basis=VERIFIED, basis=INFERRED,
                place=place if isinstance(place, str) else "", more=more)  # fmt: skip


def plain(name: str) -> str:
    """The name of a Python package as its index spells it.

    >>> plain("Langchain_Core"), plain("yaml")
    ('langchain-core', 'pyyaml')
    """
    found = re.sub(r"[-_.]+", "-", name).lower().strip("-")
    return IMPORTS.get(found, found)


def _of_node(found: re.Match[str]) -> Sighting:
    store = PNPM.search(found["place"])
    version = store["version"] if store and store["name"].replace("+", "/") == found["name"] else UNKNOWN
    return _item(found["name"], found["place"], "npm", version)


def _item(name: str, place: str, system: str, version: str = UNKNOWN) -> Sighting:
    kind = "framework" if name in FRAMEWORKS else "library"
    basis = (
        UNKNOWN if version == UNKNOWN else SELF_REPORTED
    )  # the folder says so; nobody compared its files with RECORD
    return seen(kind, name, version=version, version_basis=basis, place=place, more={"system": system})
