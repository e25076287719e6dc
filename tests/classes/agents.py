"""One agent of each class for tests: what it does in an hour, and an envelope of some days of it."""

from __future__ import annotations

from classifier.envelope.envelope import Envelope
from classifier.policy import Policy
from tests.factories import replica, use
from wire.records import Use, Window, Workload

HOUR, DAY = 3600.0, 86400.0
LLM = use("egress:tcp:api.openai.com:443", 5, bytes_out=20_000, bytes_in=9_000)
START = use("exec:/usr/bin/python3.11<containerd-shim")
REQUESTS = use("ingress:tcp:8080", 50, bytes_out=90_000, bytes_in=30_000)


def peer(host: str, port: int = 443, *, out: int = 5_000, into: int = 5_000) -> Use:
    return use(f"egress:tcp:{host}:{port}", 3, bytes_out=out, bytes_in=into)


def run(image: str, times: int = 2) -> Use:
    return use(f"exec:{image}<python3.11", times)


AGENTS: dict[str, tuple[Use, ...]] = {
    "read-only-retrieval": (LLM, REQUESTS, peer("qdrant.search.svc", 6333, out=900, into=90_000)),
    "code-execution": (LLM, run("/usr/bin/python3.11"), run("/bin/sh"), use("write:code:/work/run-*/main.py", 2)),
    "orchestrator": (LLM, *(peer(f"agent-{n}.team.svc", 8080) for n in range(7)), run("/usr/bin/mcp-files"), run("/bin/npx")),
    "tool-user": (LLM, REQUESTS, peer("crm.example.com", out=9_000), peer("desk.example.com", out=9_000)),
    "batch-worker": (peer("reports.example.com", out=90_000, into=900), use("open:data:/data/in/*.csv", 3)),
    "model-server": (REQUESTS, use("open:model:/models/*.safetensors", 4)),
    "data-pipeline": (
        peer("postgres.db.svc", 5432, out=9_000, into=90_000_000),
        peer("kafka.db.svc", 9092, out=90_000_000, into=9_000),
    ),
    "web-service": (REQUESTS, use("open:config:/etc/nginx/nginx.conf"), peer("redis.db.svc", 6379)),
}  # fmt: skip


def lived(name: str, *, days: int = 5, workload: str = "", more: tuple[Use, ...] = (), replicas: int = 1) -> Envelope:
    """An envelope of one agent's days; a batch worker is a new short replica each night."""
    e = Envelope(Workload(workload or f"prod/ai/Deployment/{name}/agent"), Policy())
    hours = (2,) if name == "batch-worker" else range(24)
    for day in range(days):
        for hour in hours:
            for number in range(replicas):
                _learn(e, name, day, hour, number, more)
    e.sweep(days)
    return e


def _learn(e: Envelope, name: str, day: int, hour: int, number: int, more: tuple[Use, ...]) -> None:
    start = day * DAY + hour * HOUR
    who = replica(100 * day + number) if name == "batch-worker" else replica(number)
    first = (START,) if (day, hour) == (0, 0) or name == "batch-worker" else ()
    e.learn(Window(who, start, start + HOUR, (*first, *AGENTS[name], *more), {0: 9}), revision="r1")
    if name == "batch-worker":
        e.ledger.close(who, start + HOUR)
