"""OTLP in protobuf to plain telemetry.

The generated classes of opentelemetry-proto do the reading. Before that a walk over the bare fields counts them: two
bytes of a body can unfold into a message of hundreds, so a body is weighed before anything is made of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from classifier.otlp.telemetry import DEEP, Batch, Broken, Log, Span, TooMuch, identifier, seconds

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
ERROR = 2  # status of a span
SERVER = 2  # kind of a span


def traces(body: bytes, fields: int) -> Batch:
    """The spans of an export request.

    Raises:
        Broken: It is no such request.
        TooMuch: It has more than so many fields.
    """
    request = _parsed(ExportTraceServiceRequest, body, fields)
    batch = Batch()
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for one in scope.spans:
                try:
                    batch.spans.append(_span(one, resource, scope.scope.name))
                except Broken as e:
                    batch.rejected[str(e)] += 1
    return batch


def logs(body: bytes, fields: int) -> Batch:
    """The log records of an export request.

    Raises:
        Broken: It is no such request.
        TooMuch: It has more than so many fields.
    """
    request = _parsed(ExportLogsServiceRequest, body, fields)
    batch = Batch()
    for group in request.resource_logs:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_logs:
            for one in scope.log_records:
                try:
                    batch.logs.append(_log(one, resource, scope.scope.name))
                except Broken as e:
                    batch.rejected[str(e)] += 1
    return batch


def _parsed(kind: Any, body: bytes, fields: int) -> Any:
    weigh(body, kind.DESCRIPTOR, fields)
    try:
        return kind.FromString(body)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        raise Broken("no OTLP in protobuf") from None


def _span(one: Any, resource: dict[str, Any], scope: str) -> Span:
    trace, id_ = identifier(one.trace_id.hex(), 32), identifier(one.span_id.hex(), 16)
    if not trace or not id_:
        raise Broken("a span has no id")
    return Span(
        trace=trace,
        id=id_,
        parent=identifier(one.parent_span_id.hex(), 16),
        name=one.name,
        start=seconds(one.start_time_unix_nano),
        end=seconds(one.end_time_unix_nano),
        attributes=_attributes(one.attributes),
        events=tuple(
            Log(seconds(e.time_unix_nano), trace, id_, e.name, None, _attributes(e.attributes)) for e in one.events
        ),
        failed=one.status.code == ERROR,
        served=one.kind == SERVER,
        resource=resource,
        scope=scope,
    )


def _log(one: Any, resource: dict[str, Any], scope: str) -> Log:
    return Log(
        time=seconds(one.time_unix_nano or one.observed_time_unix_nano),
        trace=identifier(one.trace_id.hex(), 32),
        span=identifier(one.span_id.hex(), 16),
        name=one.event_name,
        body=_value(one.body),
        attributes=_attributes(one.attributes),
        resource=resource,
        scope=scope,
    )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any, depth: int = DEEP) -> Any:
    kind = value.WhichOneof("value")
    if kind is None or depth == 0:
        return None
    if kind == "array_value":
        return [_value(v, depth - 1) for v in value.array_value.values]
    if kind == "kvlist_value":
        return {p.key: _value(p.value, depth - 1) for p in value.kvlist_value.values}
    found = getattr(value, kind)
    return found.hex() if isinstance(found, bytes) else found


# weighing -------------------------------------------------------------------------------------------------------------

Children = dict[int, Any]  # number of a field → descriptor of the message in it
_children: dict[str, Children] = {}


def weigh(body: bytes, descriptor: Any, fields: int) -> int:
    """How many fields a body has, those of its messages with them.

    Raises:
        Broken: It ends inside a field.
        TooMuch: There are more than `fields`.
    """
    left, stack = fields, [(0, len(body), descriptor)]
    while stack:
        at, end, kind = stack.pop()
        inside = _children_of(kind)
        while at < end:
            left -= 1
            if left < 0:
                raise TooMuch(f"more than {fields} fields")
            tag, at = _varint(body, at, end)
            wire = tag & 7
            if wire == LENGTH:
                size, at = _varint(body, at, end)
                if size > end - at:
                    raise Broken("a field is cut short")
                child = inside.get(tag >> 3)
                if child is not None and size:
                    stack.append((at, at + size, child))
                at += size
            elif wire == VARINT:
                _, at = _varint(body, at, end)
            elif wire in (FIXED64, FIXED32):
                at += 8 if wire == FIXED64 else 4
            else:
                raise Broken("a field of no known kind")
        if at != end:
            raise Broken("a field is cut short")
    return fields - left


def _children_of(descriptor: Any) -> Children:
    found = _children.get(descriptor.full_name)
    if found is None:
        found = {f.number: f.message_type for f in descriptor.fields if f.message_type is not None}
        _children[descriptor.full_name] = found
    return found


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise Broken("a number is cut short")
