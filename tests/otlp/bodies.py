"""Export requests in both encodings from one description, so that every test can be made with either."""

from __future__ import annotations

import base64
import json

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from classifier.otlp.replies import JSON, PROTOBUF

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NOW = 1_800_000_000.0


def span(
    name="chat gpt-5", *, id=SPAN, trace=TRACE, parent="", start=NOW - 3, end=NOW - 1, failed=False, events=(), **a
):
    """A span; attributes have `__` for a dot, or come as `attributes`."""
    return {
        **{"traceId": trace, "spanId": id, "parentSpanId": parent, "name": name, "kind": 3},
        **{"startTimeUnixNano": nanos(start), "endTimeUnixNano": nanos(end)},
        "attributes": pairs(attributes(a)),
        "events": [{"timeUnixNano": nanos(end), "name": n, "attributes": pairs(v)} for n, v in events],
        "status": {"code": 2} if failed else {},
    }


def log(name="", body=None, *, trace=TRACE, id=SPAN, time=NOW - 2, **a):
    """A log record."""
    made = {
        **{"traceId": trace, "spanId": id, "timeUnixNano": nanos(time), "observedTimeUnixNano": nanos(time)},
        **{"eventName": name, "attributes": pairs(attributes(a))},
    }
    return made | ({} if body is None else {"body": any_value(body)})


def attributes(told):
    """Keywords to names with dots."""
    return {k.replace("__", "."): v for k, v in told.pop("attributes", {}).items()} | {
        k.replace("__", "."): v for k, v in told.items()
    }


def nanos(seconds):
    """As OTLP in JSON has it: a text."""
    return str(int(seconds * 1e9))


def any_value(value):
    """A value of JSON as an AnyValue."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, list | tuple):
        return {"arrayValue": {"values": [any_value(v) for v in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": pairs(value)}}
    return {"stringValue": value} if isinstance(value, str) else {}


def pairs(found):
    """A mapping as KeyValues."""
    return [{"key": k, "value": any_value(v)} for k, v in found.items()]


def traces(*spans, resource=None, scope="lib"):
    """An export request of spans, as JSON has it."""
    inner = {"scope": {"name": scope, "version": "1"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": pairs(resource or {})}, "scopeSpans": [inner]}]}


def logs(*records, resource=None, scope="lib"):
    """An export request of log records, as JSON has it."""
    inner = {"scope": {"name": scope}, "logRecords": list(records)}
    return {"resourceLogs": [{"resource": {"attributes": pairs(resource or {})}, "scopeLogs": [inner]}]}


def in_json(request):
    """The request as a JSON body."""
    return json.dumps(request).encode()


def in_protobuf(request):
    """The same as a protobuf body."""
    kind = ExportTraceServiceRequest if "resourceSpans" in request else ExportLogsServiceRequest
    made = kind()
    _into(made, request)
    return made.SerializeToString()


def encoded(request, media):
    """The body of a request."""
    return in_json(request) if media == JSON else in_protobuf(request)


MEDIA = [JSON, PROTOBUF]


def _into(message, value):
    for name, held in value.items():
        field = message.DESCRIPTOR.fields_by_camelcase_name[name]
        if field.message_type is not None and field.is_repeated:
            for one in held:
                _into(getattr(message, field.name).add(), one)
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            _into(getattr(message, field.name), held)
        elif field.type == field.TYPE_BYTES:
            read = base64.b64decode if isinstance(message, AnyValue) else bytes.fromhex
            setattr(message, field.name, read(held))
        elif field.type in (field.TYPE_FIXED64, field.TYPE_INT64):
            setattr(message, field.name, int(held))
        else:
            setattr(message, field.name, held)
