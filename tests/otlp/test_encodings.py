"""Both encodings of a request carry the same; what is none is refused in a word, whatever its bytes are."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.otlp import json_mapping, protobuf, replies
from classifier.otlp.replies import JSON, PROTOBUF
from classifier.otlp.telemetry import Broken, TooMuch, identifier
from classifier.otlp.unpacking import unpacked
from tests.otlp.bodies import MEDIA, NOW, SPAN, TRACE, any_value, encoded, in_json, in_protobuf, log, logs, span, traces

MOST = 100_000
READ = {
    (JSON, "traces"): json_mapping.traces,
    (JSON, "logs"): json_mapping.logs,
    (PROTOBUF, "traces"): protobuf.traces,
    (PROTOBUF, "logs"): protobuf.logs,
}
VALUES = {
    "text": "é",
    "whole": -(2**63),
    "broken": 0.5,
    "yes": True,
    "no": False,
    "bytes": b"\x00\xff",
    "list": ["a", 1, [True]],
    "map": {"a": {"b": 2**63 - 1}},
    "nothing": None,
}


@pytest.mark.parametrize("media", MEDIA)
def test_a_span_is_read_whole(media):
    one = span(parent="1" * 16, failed=True, events=[("e", {"k": 1})], attributes=VALUES)
    batch = READ[media, "traces"](encoded(traces(one, resource={"service.name": "cart"}), media), MOST)
    (found,) = batch.spans
    assert (found.trace, found.id, found.parent, found.failed) == (TRACE, SPAN, "1" * 16, True)
    assert (found.start, found.end, found.scope) == (NOW - 3, NOW - 1, "lib")
    assert found.attributes == VALUES | {"bytes": "00ff"} and found.resource == {"service.name": "cart"}
    assert (found.events[0].name, found.events[0].attributes) == ("e", {"k": 1})


@pytest.mark.parametrize("media", MEDIA)
def test_a_log_record_is_read_whole(media):
    one = log("gen_ai.choice", {"message": {"content": "hi"}}, index=0)
    (found,) = READ[media, "logs"](encoded(logs(one), media), MOST).logs
    assert (found.name, found.body, found.attributes) == ("gen_ai.choice", {"message": {"content": "hi"}}, {"index": 0})
    assert (found.trace, found.span, found.time) == (TRACE, SPAN, NOW - 2)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        pytest.param({"intValue": "12"}, 12, id="number-as-text"),
        pytest.param({"intValue": 12}, 12, id="number"),
        pytest.param({"doubleValue": "NaN"}, "nan", id="nan-as-text"),
        pytest.param({"doubleValue": "-Infinity"}, float("-inf"), id="infinity"),
        pytest.param({"boolValue": "true"}, False, id="no-boolean"),
        pytest.param({"bytesValue": "AP8="}, "00ff", id="base64"),
        pytest.param({"stringValue": 3}, "", id="no-text"),
        pytest.param({}, None, id="empty"),
        pytest.param(7, None, id="none-at-all"),
    ],
)
def test_values_of_json(value, wanted):
    one = span() | {"attributes": [{"key": "k", "value": value}]}
    (found,) = json_mapping.traces(in_json(traces(one)), MOST).spans
    assert found.attributes["k"] == wanted or str(found.attributes["k"]) == wanted


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"traceId": "xyz"}, id="no-hex"),
        pytest.param({"traceId": TRACE[:-2]}, id="short-id"),
        pytest.param({"spanId": "0" * 16}, id="zero-id"),
        pytest.param({"spanId": 7}, id="id-of-another-type"),
        pytest.param({"startTimeUnixNano": "soon"}, id="no-time"),
        pytest.param({"startTimeUnixNano": 1 << 70}, id="time-of-too-many-bits"),
        pytest.param({"attributes": [{"key": "a", "value": {"bytesValue": "%"}}]}, id="no-base64"),
    ],
)
def test_a_broken_span_costs_no_other(change):
    batch = json_mapping.traces(in_json(traces(span() | change, span(), 3)), MOST)
    assert len(batch.spans) == 1 and batch.rejected.total() == 2 and batch.size == 3


def test_a_span_without_an_id_is_rejected_in_protobuf_too():
    batch = protobuf.traces(in_protobuf(traces(span(id=""), span(trace="ab"), span())), MOST)
    assert len(batch.spans) == 1 and batch.rejected.total() == 2


def test_ids_are_of_their_length():
    assert identifier("", 16) == "" and identifier("AB" * 8, 16) == "ab" * 8
    with pytest.raises(Broken):
        identifier("ab", 16)


@pytest.mark.parametrize("media", MEDIA)
@pytest.mark.parametrize(
    "body", [b"x", b"[]", b"\x0a\xff", b"\x0a", b"\x0b", b"\xff" * 99, b'{"a":'], ids=lambda b: repr(b[:6])
)
def test_what_is_no_request_is_refused(media, body):
    if media == PROTOBUF and body == b"[]":
        body = b"[]x"  # the two bytes alone are a field that nobody knows
    with pytest.raises(Broken) as caught:
        READ[media, "traces"](body, MOST)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("media", MEDIA)
def test_an_empty_request_is_one(media):
    assert READ[media, "traces"](b"{}" if media == JSON else b"", MOST).size == 0


# bounds ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media", "body"),
    [
        pytest.param(PROTOBUF, b"\x0a\x82\x9a\x0c\x12\xfe\x99\x0c" + b"\x12\x00" * 100_000, id="empty-spans"),
        pytest.param(PROTOBUF, b"\x18\x00" * 200_000, id="unknown-fields"),
        pytest.param(JSON, b'{"resourceSpans":[' + b"{}," * 200_000 + b"{}]}", id="empty-objects"),
        pytest.param(JSON, b'{"x":[' + b"0," * 200_000 + b"0]}", id="numbers"),
    ],
)
def test_two_bytes_do_not_unfold_into_a_message_each(media, body):
    with pytest.raises((TooMuch, Broken)):
        READ[media, "traces"](body, MOST)


def test_the_weight_of_a_body_is_that_of_all_its_fields():
    body = in_protobuf(traces(span(), span()))
    fields = protobuf.weigh(body, protobuf.ExportTraceServiceRequest.DESCRIPTOR, MOST)
    assert fields == protobuf.weigh(body, protobuf.ExportTraceServiceRequest.DESCRIPTOR, fields)
    with pytest.raises(TooMuch):
        protobuf.weigh(body, protobuf.ExportTraceServiceRequest.DESCRIPTOR, fields - 1)


@pytest.mark.parametrize("media", MEDIA)
def test_deep_values_end_somewhere(media):
    value: object = "deep"
    for _ in range(40):
        value = [value]
    batch = READ[media, "traces"](encoded(traces(span(x=value)), media), MOST)
    assert "deep" not in str(batch.spans[0].attributes)


def test_deeper_than_anybody_reads_is_refused_and_nothing_worse():
    open_, close = b'{"arrayValue":{"values":[', b"]}}"
    body = (
        b'{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":'
        + open_ * 20_000
        + close * 20_000
        + b"}]}}]}"
    )
    with pytest.raises(Broken):
        json_mapping.traces(body, 1 << 20)
    inner = b""
    for _ in range(300):
        inner = b"\x2a" + _size(len(inner) + 1 + len(_size(len(inner)))) + b"\x0a" + _size(len(inner)) + inner
    with pytest.raises(Broken):
        protobuf.logs(_wrapped(inner), MOST)


def _size(number):
    return replies._varint(number)


def _wrapped(value):
    for tag in (b"\x2a", b"\x12", b"\x12", b"\x0a"):  # body, log record, scope, resource
        value = tag + _size(len(value)) + value
    return value


def test_gzip_is_undone_within_a_bound():
    plain = os.urandom(3000) + b"x" * 3_000_000
    assert unpacked(gzip.compress(plain), "gzip", len(plain)) == plain
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", 2) == b"ab"
    assert unpacked(b"plain", "identity", 5) == b"plain" and unpacked(b"", "gzip", 5) == b""
    for bomb in (gzip.compress(plain), gzip.compress(b"\0" * (64 << 20))):
        with pytest.raises(TooMuch):
            unpacked(bomb, "gzip", len(plain) - 1)
    with pytest.raises(TooMuch):
        unpacked(b"plain", "", 4)


@pytest.mark.parametrize(
    "data", [b"x" * 40, gzip.compress(b"abc" * 99)[:-9], zlib.compress(b"abc")], ids=["no", "cut", "zlib"]
)
def test_what_is_no_whole_gzip_is_refused(data):
    with pytest.raises(Broken):
        unpacked(data, "gzip", 1 << 20)


# answers --------------------------------------------------------------------------------------------------------------


def test_answers_are_what_the_protocol_says():
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    assert replies.taken(JSON, "traces", 0, "") == b"{}" and replies.taken(PROTOBUF, "logs", 0, "") == b""
    told = ExportTraceServiceResponse.FromString(replies.taken(PROTOBUF, "traces", 300, "é"))
    assert (told.partial_success.rejected_spans, told.partial_success.error_message) == (300, "é")
    told = ExportLogsServiceResponse.FromString(replies.taken(PROTOBUF, "logs", 0, "only a warning"))
    assert told.partial_success.error_message == "only a warning"
    assert json.loads(replies.taken(JSON, "logs", 1, "why"))["partialSuccess"]["rejectedLogRecords"] == "1"


def test_a_refusal_is_a_status():
    from google.rpc.status_pb2 import Status

    told = Status.FromString(replies.status(PROTOBUF, 503, "later"))
    assert (told.code, told.message) == (14, "later")
    assert json.loads(replies.status(JSON, 403, "no")) == {"code": 7, "message": "no"}


# anything at all -----------------------------------------------------------------------------------------------------------------

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from("resourceSpans scopeSpans spans attributes key value traceId spanId events stringValue intValue "
                            "arrayValue values kvlistValue resource scope status startTimeUnixNano bytesValue".split())
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(ANY, ANY)
def test_any_json_is_read_or_refused(value, inner):
    for request in (
        value,
        {"resourceSpans": value},
        traces(value),
        traces(span() | {"attributes": inner, "events": value}),
    ):
        with contextlib.suppress(Broken, TooMuch):
            json_mapping.traces(json.dumps(request).encode(), MOST)


def test_a_value_of_the_builder_is_what_json_says():
    assert any_value([1, {"a": None}]) == {
        "arrayValue": {"values": [{"intValue": "1"}, {"kvlistValue": {"values": [{"key": "a", "value": {}}]}}]}
    }
