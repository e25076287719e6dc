"""A destination to what it is for. Inferred from names and ports alone: a gateway may hide anything behind them.

Whether a peer really speaks a model's protocol shows only in bodies, which nothing reads yet.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

LLM, STORE, INTERNAL, TOOL, NAMES = "llm", "store", "internal", "tool", "names"
INFERRED = "inferred from its name or port"

LLM_HOST = re.compile(
    r"(?:^|\.)(?:api\.openai\.com|openai\.azure\.com|api\.anthropic\.com|api\.mistral\.ai|api\.cohere\.(?:ai|com)"
    r"|api\.groq\.com|api\.together\.(?:ai|xyz)|openrouter\.ai|api\.deepseek\.com|api\.x\.ai|api\.perplexity\.ai"
    r"|api\.fireworks\.ai|generativelanguage\.googleapis\.com|aiplatform\.googleapis\.com"
    r"|inference\.huggingface\.co)$"
    r"|^bedrock(?:-agent)?-runtime\.|-aiplatform\.googleapis\.com$"
    r"|^(?:models?|llms?|vllm|ollama|litellm|llm-gateway|inference)(?:[.-]|$)"
)
LLM_PORTS = {11434}
STORE_HOST = re.compile(
    r"(?:^|\.)(?:s3[a-z0-9.-]*\.amazonaws\.com|storage\.googleapis\.com|blob\.core\.windows\.net|pinecone\.io"
    r"|weaviate\.(?:cloud|network)|snowflakecomputing\.com|bigquery\.googleapis\.com|dynamodb\.[a-z0-9-]+\.amazonaws\.com)$"
    r"|^(?:qdrant|weaviate|milvus|chroma|pgvector|postgres|mysql|redis|kafka|elasticsearch|opensearch|minio)(?:[.-]|$)"
)
VECTOR_HOST = re.compile(
    r"(?:^|\.)(?:pinecone\.io|weaviate\.(?:cloud|network))$|^(?:qdrant|weaviate|milvus|chroma|pgvector)(?:[.-]|$)"
)
VECTOR_PORTS = {6333, 6334, 19530}
STORE_PORTS = {1433, 1521, 3306, 5432, 6333, 6334, 6379, 8123, 9000, 9042, 9092, 9200, 19530, 27017}
LOCAL = re.compile(r"(?:\.svc(?:\.cluster\.local)?|\.internal|\.local|\.lan)$|^[a-z][^.:]*$")
LOCAL_NETS = tuple(
    ipaddress.ip_network(net)
    for net in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)
NAME_PORTS = {53, 123, 5353}
EGRESS = re.compile(r"egress:([a-z0-9]+):(.+):(\d+|\*)$")


@lru_cache(maxsize=8192)
def purpose(behaviour: str) -> str:
    """What an egress behaviour is for: "llm", "store", "internal", "tool" (somebody else's service) or "names" (DNS, time).

    >>> purpose("egress:tcp:api.anthropic.com:443"), purpose("egress:tcp:10.0.0.7:5432"), purpose("egress:udp:10.0.0.2:53")
    ('llm', 'store', 'names')
    """
    _, host, port = parts(behaviour)
    number = int(port) if port.isdigit() else 0
    if number in NAME_PORTS:
        return NAMES
    if LLM_HOST.search(host) or number in LLM_PORTS:
        return LLM
    if STORE_HOST.search(host) or number in STORE_PORTS:
        return STORE
    return INTERNAL if LOCAL.search(host) or _local(host) else TOOL


def holds_vectors(behaviour: str) -> bool:
    """Whether a data store is one that is searched by meaning, which is what retrieval needs."""
    _, host, port = parts(behaviour)
    return VECTOR_HOST.search(host) is not None or (port.isdigit() and int(port) in VECTOR_PORTS)


def parts(behaviour: str) -> tuple[str, str, str]:
    """Protocol, host in lower case and port of an egress behaviour; empty where it says something else."""
    found = EGRESS.match(behaviour)
    return (found[1], found[2].lower().rstrip("."), found[3]) if found else ("", "", "")


def is_address(host: str) -> bool:
    """Whether a host is an address instead of a name."""
    return _address(host) is not None


def _local(host: str) -> bool:
    address = _address(host)
    return address is not None and any(address in net for net in LOCAL_NETS)  # is_private counts example nets too


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if not host or not (host[0].isdigit() or host[0] == "["):  # most are names, and asking costs
        return None
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
