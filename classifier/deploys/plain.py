"""A plain mapping, as it comes from JSON, to a Deploy: every field checked, every length bounded."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import Any

from wire.records import Deploy, Workload

KINDS = ("image", "model", "prompt", "tools", "config", "dependency", "restart")
TEXT = 512  # characters of a name, a revision, a behaviour
NOTE = 4096  # characters of what a person wrote
SCOPE = 256  # behaviours that one change declares
FIELDS = {"id", "time", "workload", "kind", "revision", "actor", "scope"}


class BadDeploy(ValueError):
    """A deploy event that says nothing usable; the message names the field."""


def deploy(body: Any, *, source: str, trust: str, received: float, actor: str = "", prefix: str = "") -> Deploy:
    """The event of a mapping with `workload`, and at will `kind`, `revision`, `actor`, `scope`, `time` and `id`.

    Args:
        received: now, in seconds; also when the change began if it does not say.
        actor: who it was if it does not say.
        prefix: put before its id, so that one sender cannot use up another's ids.
    Raises:
        BadDeploy: A field is missing, of the wrong kind or too long.
    """
    if not isinstance(body, Mapping):
        raise BadDeploy("a deploy event is an object with at least a workload")
    if unknown := sorted(str(k) for k in body if k not in FIELDS):
        raise BadDeploy(f"unknown field {unknown[0]!r:.60}; known are {', '.join(sorted(FIELDS))}")
    id = text(body, "id") or uuid.uuid4().hex
    return Deploy(
        id=prefix + id,
        time=_time(body, received),
        received=received,
        source=source,
        workload=Workload(text(body, "workload", required=True)),
        kind=_kind(body),
        revision=text(body, "revision") or None,
        actor=text(body, "actor") or actor,
        scope=_scope(body),
        trust=trust,
    )


def text(body: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    """A short printable text of a mapping; "" where there is none.

    Raises:
        BadDeploy: It is something else.
    """
    value = body.get(name)
    if value is None or value == "":
        if required:
            raise BadDeploy(f"{name} is missing")
        return ""
    if not isinstance(value, str) or len(value) > TEXT or not value.isprintable():
        raise BadDeploy(f"{name} is a printable text of at most {TEXT} characters")
    return value


def note(body: Mapping[str, Any]) -> str:
    """What a person wrote, of many lines perhaps; "" where there is none.

    Raises:
        BadDeploy: It is something else, or text that no file can hold: JSON may carry half a character.
    """
    value = body.get("note") or ""
    if not isinstance(value, str) or len(value) > NOTE or value.encode(errors="ignore").decode() != value:
        raise BadDeploy(f"note is a text of at most {NOTE} characters")
    return value


def _kind(body: Mapping[str, Any]) -> str:
    kind = text(body, "kind") or "image"
    if kind not in KINDS:
        raise BadDeploy(f"kind is one of {', '.join(KINDS)}")
    return kind


def _time(body: Mapping[str, Any], received: float) -> float:
    value = body.get("time")
    if value is None:
        return received
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11 or math.isnan(value):
        raise BadDeploy("time is seconds since the epoch")
    return float(value)


def _scope(body: Mapping[str, Any]) -> tuple[str, ...]:
    value = body.get("scope")
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > SCOPE:
        raise BadDeploy(f"scope is a list of at most {SCOPE} behaviours")
    return tuple(text({"scope": one}, "scope", required=True) for one in value)
