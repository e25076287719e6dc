"""Whom a workload talks to, to models, data sources, tool servers and identities. All by name and port, so all inferred."""

from __future__ import annotations

import re
from functools import lru_cache

from classifier.classes.endpoints import LLM, STORE, holds_vectors, parts, purpose
from classifier.inventory.kinds import USE
from classifier.inventory.sighting import Sighting, guessed, seen

MCP_HOST = re.compile(r"(?:^|[.-])mcp(?:[.-]|$)")
BUCKET = re.compile(
    r"^(?P<a>[^.]+)\.s3[.-].*amazonaws\.com$|^(?P<b>[^.]+)\.s3\.amazonaws\.com$|^(?P<c>[^.]+)\.storage\.googleapis\.com$"
    r"|^(?P<d>[^.]+)\.blob\.core\.windows\.net$"
)
REGION = re.compile(
    r"^bedrock(?:-agent)?-runtime\.([a-z0-9-]+)\.amazonaws\.com$|^([a-z0-9-]+)-aiplatform\.googleapis\.com$"
)
ENGINES = {
    "1433": "mssql", "1521": "oracle", "3306": "mysql", "5432": "postgres", "6333": "qdrant", "6334": "qdrant",
    "6379": "redis", "8123": "clickhouse", "9000": "minio", "9042": "cassandra", "9092": "kafka", "9200": "elasticsearch",
    "19530": "milvus", "27017": "mongodb",
}  # fmt: skip
ENGINE_NAMES = re.compile(
    r"(qdrant|weaviate|milvus|chroma|pgvector|pinecone|postgres|mysql|redis|kafka|elasticsearch|opensearch|minio|snowflake"
    r"|bigquery|dynamodb|mongo)"
)
PROVIDERS = (
    (re.compile(r"openai\.azure\.com$"), "azure-openai"), (re.compile(r"openai\.com$"), "openai"),
    (re.compile(r"anthropic\.com$"), "anthropic"), (re.compile(r"^bedrock"), "aws-bedrock"),
    (re.compile(r"googleapis\.com$"), "google"), (re.compile(r"mistral\.ai$"), "mistral"),
    (re.compile(r"cohere\.(?:ai|com)$"), "cohere"), (re.compile(r"huggingface\.co$"), "huggingface"),
)  # fmt: skip
CLOUDS = (
    ("/.aws/", "aws"), ("eks.amazonaws", "aws"), ("gcloud", "gcp"), ("application_default", "gcp"), ("/.azure/", "azure"),
    ("azure/tokens", "azure"), ("/.kube/", "kubernetes"), ("kubernetes.io", "kubernetes"), ("/.docker/", "registry"),
)  # fmt: skip
METADATA = {"169.254.170.2": "aws", "169.254.170.23": "aws", "fd00:ec2::254": "aws", "100.100.100.200": "alibaba"}


@lru_cache(maxsize=8192)
def of_peer(behaviour: str) -> Sighting | None:
    """The item behind an egress behaviour; None where its name and port suggest none.

    >>> of_peer("egress:tcp:api.openai.com:443").more["model"], of_peer("egress:tcp:qdrant.kb.svc:6333").kind
    ('unknown(not_captured)', 'data')
    """
    _, host, port = parts(behaviour)
    if not host:
        return None
    if MCP_HOST.search(host):
        return guessed("mcp", f"{host}:{port}", place=host, lasts=USE, more={"transport": "http"})
    what = purpose(behaviour)
    if what == LLM:
        more = {
            "reach": "remote",
            "provider": _provider(host),
            "region": _region(host),
            "model": "unknown(not_captured)",
        }
        return guessed("model", f"{host}:{port}", place=host, lasts=USE, more=more)
    if what == STORE:
        return guessed("data", f"{host}:{port}", place=host, lasts=USE, more=_store(behaviour, host, port))
    return None


def _store(behaviour: str, host: str, port: str) -> dict[str, str]:
    bucket = BUCKET.search(host)
    named = ENGINE_NAMES.search(host)
    return {
        "reach": "network",
        "engine": "object store" if bucket else named[1] if named else ENGINES.get(port, ""),
        "bucket": next((b for b in bucket.groups() if b), "") if bucket else "",
        "vectors": "yes" if holds_vectors(behaviour) else "",
    }


def _provider(host: str) -> str:
    return next((name for pattern, name in PROVIDERS if pattern.search(host)), "")


def _region(host: str) -> str:
    found = REGION.search(host)
    return (found[1] or found[2]) if found else ""


@lru_cache(maxsize=4096)
def of_identity(behaviour: str) -> Sighting | None:
    """The identity of an `identity:` behaviour.

    >>> of_identity("identity:cloud:/root/.aws/credentials").more["provider"]
    'aws'
    """
    what, _, name = behaviour.partition(":")[2].partition(":")
    if what == "metadata":
        more = {"role": "metadata service", "provider": METADATA.get(name, "")}
        return seen("identity", f"metadata:{name}", lasts=USE, more=more)
    if what not in ("token", "cloud"):
        return None
    provider = next((cloud for part, cloud in CLOUDS if part in name), "")
    role = "service account token" if what == "token" else "cloud credentials"
    # Whose it is stands inside the file, which nobody reads.
    return seen("identity", name, place=name.rpartition("/")[0], lasts=USE, more={"role": role, "provider": provider})
