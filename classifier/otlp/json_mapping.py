"""OTLP in JSON to plain telemetry: camelCase keys, ids in hex, bytes in base64, 64-bit numbers as text or as numbers.

What is no OTLP inside a readable body costs its own span or log record and no more.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any

from classifier.otlp.telemetry import DEEP, NOTHING, Batch, Broken, Log, Span, TooMuch, identifier, seconds
from wire.digests import Unreadable, load

ERROR = (2, "STATUS_CODE_ERROR")
SERVER = (2, "SPAN_KIND_SERVER")
FAR = 1 << 64
DIGITS = 20  # of a 64-bit number
STRUCTURE = b"{[,"


def traces(body: bytes, values: int) -> Batch:
    """The spans of an export request.

    Raises:
        Broken: It is no such request.
        TooMuch: It has more than about so many values.
    """
    batch = Batch()
    for one, resource, scope in _rows(body, values, ("resourceSpans", "scopeSpans", "spans")):
        _add(batch, batch.spans, _span, one, resource, scope)
    return batch


def logs(body: bytes, values: int) -> Batch:
    """The log records of an export request.

    Raises:
        Broken: It is no such request.
        TooMuch: It has more than about so many values.
    """
    batch = Batch()
    for one, resource, scope in _rows(body, values, ("resourceLogs", "scopeLogs", "logRecords")):
        _add(batch, batch.logs, _log, one, resource, scope)
    return batch


def _add(batch: Batch, found: list[Any], make: Callable[..., Any], one: Any, resource: Any, scope: str) -> None:
    try:
        found.append(make(one, resource, scope))
    except Broken as e:
        batch.rejected[str(e)] += 1


def _rows(body: bytes, values: int, path: tuple[str, str, str]) -> Iterable[tuple[Any, dict[str, Any], str]]:
    if sum(body.count(sign) for sign in (STRUCTURE[i : i + 1] for i in range(len(STRUCTURE)))) > values:
        raise TooMuch(f"more than {values} values")
    try:
        request = load(body)
    except Unreadable:
        raise Broken("no JSON") from None
    if not isinstance(request, dict):
        raise Broken("no OTLP in JSON")
    groups, scopes, items = path
    for group in _objects(request.get(groups)):
        resource = _attributes(_object(group.get("resource")).get("attributes"))
        for scope in _objects(group.get(scopes)):
            name = _text(_object(scope.get("scope")).get("name"))
            for one in _list(scope.get(items)):
                yield one, resource, name


def _span(one: Any, resource: dict[str, Any], scope: str) -> Span:
    if not isinstance(one, dict):
        raise Broken("a span is no object")
    trace, id_ = _id(one.get("traceId"), 32), _id(one.get("spanId"), 16)
    if not trace or not id_:
        raise Broken("a span has no id")
    return Span(
        trace=trace,
        id=id_,
        parent=_id(one.get("parentSpanId"), 16),
        name=_text(one.get("name")),
        start=seconds(_number(one.get("startTimeUnixNano"))),
        end=seconds(_number(one.get("endTimeUnixNano"))),
        attributes=_attributes(one.get("attributes")),
        events=tuple(_event(e, trace, id_) for e in _objects(one.get("events"))),
        failed=_object(one.get("status")).get("code") in ERROR,
        served=one.get("kind") in SERVER,
        resource=resource,
        scope=scope,
    )


def _event(one: dict[str, Any], trace: str, span: str) -> Log:
    time = seconds(_number(one.get("timeUnixNano")))
    return Log(time, trace, span, _text(one.get("name")), None, _attributes(one.get("attributes")))


def _log(one: Any, resource: dict[str, Any], scope: str) -> Log:
    if not isinstance(one, dict):
        raise Broken("a log record is no object")
    return Log(
        time=seconds(_number(one.get("timeUnixNano")) or _number(one.get("observedTimeUnixNano"))),
        trace=_id(one.get("traceId"), 32),
        span=_id(one.get("spanId"), 16),
        name=_text(one.get("eventName")),
        body=_value(one.get("body")),
        attributes=_attributes(one.get("attributes")),
        resource=resource,
        scope=scope,
    )


# values ---------------------------------------------------------------------------------------------------------------


def _attributes(pairs: Any, depth: int = DEEP) -> dict[str, Any]:
    return {p["key"]: _value(p.get("value"), depth) for p in _objects(pairs) if isinstance(p.get("key"), str)}


def _value(value: Any, depth: int = DEEP) -> Any:
    """A value of an attribute.

    >>> _value({"intValue": "7"}), _value({"arrayValue": {"values": [{"stringValue": "a"}]}})
    (7, ['a'])
    """
    if not isinstance(value, dict) or depth == 0:
        return None
    for kind, read in SCALARS.items():
        if kind in value:
            return read(value[kind])
    if "arrayValue" in value:
        return [_value(v, depth - 1) for v in _list(_object(value["arrayValue"]).get("values"))]
    if "kvlistValue" in value:
        return _attributes(_object(value["kvlistValue"]).get("values"), depth - 1)
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    """A 64-bit number, as text or as a number.

    Raises:
        Broken: It is none.
    """
    if value is None or value == "":
        return 0
    if isinstance(value, str) and len(value) <= DIGITS and value.lstrip("-").isdecimal():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -FAR < value < FAR:
        raise Broken("a number is none")
    return value


def _double(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _bytes(value: Any) -> str:
    try:
        return base64.b64decode(_text(value), validate=True).hex()
    except (binascii.Error, ValueError):
        raise Broken("bytes are no base64") from None


def _id(value: Any, length: int) -> str:
    if value is not None and not isinstance(value, str):
        raise Broken("an id is not of its length or not hexadecimal")
    return identifier(value or "", length)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else dict(NOTHING)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in _list(value) if isinstance(one, dict)]


SCALARS: dict[str, Callable[[Any], Any]] = {
    "stringValue": _text,
    "boolValue": lambda value: value is True,
    "intValue": _number,
    "doubleValue": _double,
    "bytesValue": _bytes,
}
