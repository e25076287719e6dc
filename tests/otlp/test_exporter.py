"""The exporter of the OpenTelemetry SDK in an observed cgroup, over loopback, against a running classifier."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest

from tests.deploys.conftest import daemon  # noqa: F401
from tests.deploys.test_senders import cgroup  # noqa: F401
from tests.factories import SHOP
from tests.service.daemon import DEADLINE, free_address, quote
from wire.records import Head, Identity, Replica, Tick

EXPORTER = """
import json, os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
url, packed = sys.argv[2], Compression.Gzip if sys.argv[3] == "gzip" else Compression.NoCompression
resource = Resource({"service.name": "cart", "k8s.pod.name": "someone-else-1"})
provider = TracerProvider(resource=resource)
exporter = OTLPSpanExporter(endpoint=url + "/v1/traces", compression=packed)
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("the.agent", "1.0")
with tracer.start_as_current_span("invoke_agent support", attributes={"gen_ai.operation.name": "invoke_agent"}):
    with tracer.start_as_current_span("chat gpt-5", attributes={
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5",
        "gen_ai.response.model": "gpt-5-2026", "gen_ai.input.messages": json.dumps(
            [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [
            {"type": "tool_call", "id": "c1", "name": "lookup", "arguments": {"id": 1}}]}]),
    }):
        pass
    with tracer.start_as_current_span("execute_tool lookup", attributes={
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup", "gen_ai.tool.call.id": "c1"}):
        pass
    with tracer.start_as_current_span("GET", attributes={"http.request.method": "GET"}):
        pass
provider.force_flush()
provider.shutdown()
print("done")
"""


def observed(cgroup, now, named=True):  # noqa: F811
    replica = Replica("n1", cgroup.stat().st_ino)
    identity = Identity(now, replica, f"/{cgroup.name}", SHOP, "r1", "rule", container="c0ffee", pod="shop/cart-1")
    return [Head(now, "n1", "6.1", "e1", "/", 10.0), *([identity] if named else []), Tick("n1", now)]


def exported(cgroup, at, packed="none"):  # noqa: F811
    command = [sys.executable, "-c", EXPORTER, str(cgroup), "http://{}:{}".format(*at), packed]
    # Seconds for an answer; milliseconds after which a busy machine would send half of it.
    environment = os.environ | {"OTEL_EXPORTER_OTLP_TIMEOUT": "60", "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * DEADLINE, env=environment)
    assert done.stdout.strip() == "done", done.stderr
    return done.stderr


def shown(one):
    status, found = one.get(f"/inventory/{quote(SHOP, safe='')}")
    return {(i["kind"], i["name"]): i for i in found["items"]} if status == 200 else {}


@pytest.mark.parametrize("packed", ["none", "gzip"])
def test_what_the_sdk_exports_is_in_the_inventory_of_the_workload_that_the_kernel_names(daemon, cgroup, packed):  # noqa: F811
    at, metrics, now = free_address(), free_address(), time.time()  # noqa: TID251  the daemon compares it with its own
    one = daemon(otlp_address=at, metrics_address=metrics).start()
    one.send(observed(cgroup, now))
    assert "error" not in exported(cgroup, at, packed).lower()
    one.until(lambda: ("tool", "lookup") in shown(one))
    model = shown(one)["model", "gpt-5-2026"]
    assert (model["basis"], model["more"]["asked_as"]) == ("self_reported", "gpt-5")
    event = one.get(f"/events/{quote(model['evidence'][0], safe='')}")[1]
    assert event["data"]["service"] == "cart" and event["data"]["conflict"] == "k8s.pod.name"
    assert event["replica"]["cgroup"] == cgroup.stat().st_ino
    told = one.get("/health")[1]["otlp"]
    assert (told["traces"], told["llm"], told["tool"], told["other"]) == (1, 1, 1, 2)
    with urlopen("http://{}:{}/metrics".format(*metrics), timeout=DEADLINE) as page:
        assert b'driftline_otlp{what="llm"} 1.0' in page.read()
    assert told["dropped: a tool call that its answer told"] == 1 and told["conflicts"] >= 1


def test_a_process_that_nobody_observes_is_refused_and_gets_no_record(daemon, cgroup):  # noqa: F811
    at = free_address()
    one = daemon(otlp_address=at).start()
    exported(cgroup, at)
    health = one.get("/health")[1]
    assert "llm" not in health["otlp"] and any("no workload" in why for why in health["otlp"])
    assert one.get("/inventory")[1] == []


def test_after_a_kill_the_journal_tells_the_same(daemon, cgroup):  # noqa: F811
    at, now = free_address(), time.time()  # noqa: TID251  the daemon compares it with its own
    one = daemon(otlp_address=at).start()
    one.send(observed(cgroup, now))
    exported(cgroup, at)
    one.until(lambda: ("tool", "lookup") in shown(one))
    names = ("basis", "version", "first", "evidence", "more")
    before = {key: {n: item[n] for n in names} for key, item in shown(one).items()}
    one.kill()
    one.start()
    assert {key: {n: item[n] for n in names} for key, item in shown(one).items()} == before


def test_without_the_setting_nothing_listens(daemon):  # noqa: F811
    one = daemon().start()
    assert one.get("/health")[1]["otlp"] is None
