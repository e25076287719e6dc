"""What real instrumentations exported of two calls, recorded with their versions of November 2026, beside the bytes of these calls.

| files | made by |
|---|---|
| `openai-v2` | opentelemetry-instrumentation-openai-v2 2.3b0, with content captured, and as it is by default |
| `openllmetry` | opentelemetry-instrumentation-openai 0.62.4 |
| `openinference` | openinference-instrumentation-openai 0.1.66 |
| `ai-sdk-7`, `ai-sdk-7-legacy` | ai 7.0.173 with both integrations of @ai-sdk/otel |
| `mcp-sdk` | mcp 2.3.0, client and server over stdio |

The client of the first three was openai 3.54.0, the model a script. What telemetry tells must be what the decoder reads in
the bytes.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from classifier.inventory.compared import differences, method
from classifier.otlp import protobuf
from classifier.otlp.intake import Intake
from classifier.otlp.replies import PROTOBUF
from classifier.settings import OtlpLimits
from sensor.observe.applayer.told import Context, Teller
from tests.factories import identity, replica
from tests.observe.applayer.wires import answer, request, run
from tests.otlp.test_conventions import Sink

FOLDER = Path(__file__).parent / "exports"
WITH_WORDS = ["openai-v2", "openllmetry", "openinference", "ai-sdk-7", "ai-sdk-7-legacy"]


def files(name):
    return sorted(FOLDER.glob(f"{name}-[0-9].*.pb"))


def told(name, order=1):
    """Events of an instrumentation's exports."""
    sink, spans = Sink(), protobuf.traces(files(name)[0].read_bytes(), 100_000).spans
    intake = Intake(sink, OtlpLimits(), clock=lambda: max(s.end for s in spans) + 30)
    for path in files(name)[::order]:
        intake.take(path.name.split(".")[-2], PROTOBUF, path.read_bytes(), "", identity())
    intake.settle(all_of_it=True)
    return sorted((e for e in sink.events if e.kind != "coverage"), key=lambda e: (e.data["began"], e.kind))


def seen():
    """Events of the bytes of the same calls, which OpenInference keeps whole."""
    spans = protobuf.traces(files("openinference")[0].read_bytes(), 100_000).spans
    calls = sorted((s for s in spans if "input.value" in s.attributes), key=lambda s: s.start)
    out = b"".join(request("/v1/chat/completions", s.attributes["input.value"].encode()) for s in calls)
    back = b"".join(answer(s.attributes["output.value"].encode()) for s in calls)
    teller = Teller(node="n1", epoch="e1", mark="t")
    context = Context(replica(), "tls", "c")
    return [e for record in run(out, back) for e in teller.events(record, context=context)]


@pytest.mark.parametrize("order", [1, -1], ids=["spans-first", "logs-first"])
@pytest.mark.parametrize("name", WITH_WORDS)
def test_telemetry_tells_what_the_decoder_reads_in_the_bytes(name, order):
    mine, theirs = told(name, order), seen()
    assert [e.kind for e in mine] == [e.kind for e in theirs] == ["llm", "tool", "llm"]
    same = "model_asked model_answered answer answer_chain history system tokens_in tokens_out turns user_turn_digest calls "
    for a, b in zip(mine, theirs, strict=True):
        names = [*same.split(), "response_id"] if a.kind == "llm" else ["name", "id", "arguments_digest", "index"]
        assert {n: a.data.get(n) for n in names} == {n: b.data.get(n) for n in names}
    (mine_back,), (their_back,) = (json.loads(e[2].data["results"]) for e in (mine, theirs))
    assert mine_back | their_back == mine_back, "some name the tool, too"
    assert json.loads(mine[2].data["history"])[1][1] == mine[0].data["answer"]


@pytest.mark.parametrize("name", [*WITH_WORDS, "openai-v2-without-words"])
def test_they_are_paired_by_the_response_id_without_a_contradiction(name):
    pairs = [(a.data, b.data) for a, b in zip(told(name), seen(), strict=True) if a.kind == "llm"]
    assert [method(a, b) for a, b in pairs] == ["id", "id"]
    found = [d for a, b in pairs for d in differences(a, b)]
    # The script's server is 127.0.0.1 for the client; the request that the test makes of it names another host.
    assert {what for what, _, _ in found} <= {"host"}


def test_words_that_were_kept_back_are_not_taken_for_empty_ones():
    first, tool, second = told("openai-v2-without-words")
    for call in (first, second):
        assert call.data["partial"] == "words:not-told" and call.data["tokens_in"] == 21
        assert not {"answer", "history", "turns", "user_turn", "results"} & call.data.keys()
    assert json.loads(first.data["calls"]) == [{"id": "call_1", "name": "lookup_ticket", "index": 0}]
    assert tool.behaviour == "tool:lookup_ticket" and "arguments_digest" not in tool.data


def test_card_numbers_stay_with_the_agent():
    assert "4111" not in str([told(name) for name in WITH_WORDS])


def test_both_ends_of_a_pipe_tell_their_own_side():
    client, server = ([e.data for e in told(f"mcp-sdk-{end}")] for end in ("client", "server"))
    assert [c["method"] for c in client] == ["initialize", "tools/list", "tools/call"]
    assert {(c["by"], c["role"]) for c in client} == {("sent", "client")}
    assert {(s["by"], s["role"]) for s in server} == {("received", "server")} and len(server) == 4
    assert client[-1]["tool"] == server[-1]["tool"] == "lookup_ticket"
    assert client[-1]["traceparent"][36:52] == server[-1]["parent"], "the server's span names the client's"
