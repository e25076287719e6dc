"""CloudEvents 1.0, structured and binary, to deploy events: our own types and those of CDEvents.

Own types are ``dev.driftline.KIND``; their data has `workload` and at will `revision`, `actor`, `scope`. Of CDEvents we
take what changes a running service; `customData` (or `customData.driftline`) may hold the same fields, and without a
workload there the subject's id is it.

A webhook signature covers the body and the webhook's id and time, not the headers in which binary mode carries type, id,
source and time. So under a signature, binary mode takes id and time from the webhook, and the type must stand in the body
too: as `kind` in our own data, as `context.type` in CDEvents'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from cloudevents.exceptions import GenericException
from cloudevents.http import CloudEvent, from_http

from classifier.deploys.plain import KINDS, BadDeploy, deploy, text
from classifier.deploys.signing import Signed
from wire.records import Deploy

OWN = "dev.driftline."
CDEVENTS = "dev.cdevents."
CDEVENT_KINDS = {  # subject and predicate → kind of change
    "service.deployed": "image",
    "service.upgraded": "image",
    "service.rolledback": "image",
    "artifact.published": "image",
    "artifact.deployed": "image",
}
DATA_FIELDS = ("workload", "revision", "actor", "scope", "kind")


class NotOurs(BadDeploy):
    """A sound event of a type that announces no change of a running workload."""


@dataclass(frozen=True, slots=True)
class Read:
    """A CloudEvent as it came."""

    event: CloudEvent
    binary: bool  # its attributes are headers


def read(headers: Mapping[str, str], body: bytes) -> Read:
    """The CloudEvent of a request.

    Raises:
        BadDeploy: It is none.
    """
    kind = headers.get("content-type", "")
    if kind.startswith("application/cloudevents-batch"):
        raise BadDeploy("batches are not read; send one event a request")
    try:
        return Read(from_http(dict(headers), body), not kind.startswith("application/cloudevents+"))
    # The library lets through what its parser stumbles over.
    except (GenericException, ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise BadDeploy(f"no CloudEvent: {e!s:.200}") from e


def to_deploy(
    found: Read, *, trust: str, received: float, prefix: str = "", actor: str = "", signed: Signed | None = None
) -> Deploy:
    """The change that a CloudEvent announces.

    Args:
        signed: what its signature says; None where it has no good one.
        received: now, in seconds.
        prefix: put before its id.
        actor: who it was if the event does not say.
    Raises:
        NotOurs: It is sound and about something else.
        BadDeploy: A field is missing or wrong.
    """
    event = found.event
    type = _attribute(event, "type")
    data = event.data if isinstance(event.data, Mapping) else {}
    if type.startswith(OWN):
        body = _own(type, data)
    elif type.startswith(CDEVENTS):
        body = _cdevent(type, data)
    else:
        raise NotOurs(f"type {type[:100]!r} announces no change; use {OWN}<kind> or CDEvents' service.deployed")
    if signed is not None and found.binary:
        _require_type_in_body(type, data)
        body |= {"id": f"webhook#{signed.id}", "time": signed.time}
    else:
        body |= {"id": f"{_attribute(event, 'source')}#{_attribute(event, 'id')}"[:500], "time": _time(event)}
    return deploy(body, source="http", trust=trust, received=received, prefix=prefix, actor=actor)


def _require_type_in_body(type: str, data: Mapping[str, Any]) -> None:
    """The header alone could be changed by whoever carries the request."""
    own = type.startswith(OWN)
    told = data.get("kind") if own else _mapping(data, "context").get("type")
    if told != (type.removeprefix(OWN) if own else type):
        raise BadDeploy(
            "in binary mode the signed body repeats the type, as kind or context.type; or use structured mode"
        )


def _own(type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    kind = type.removeprefix(OWN)
    if kind not in KINDS:
        raise NotOurs(f"type {type[:100]!r} is none of ours; the kinds are {', '.join(KINDS)}")
    return {k: data[k] for k in DATA_FIELDS if k in data} | {"kind": kind}


def _cdevent(type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    what = ".".join(type.removeprefix(CDEVENTS).split(".")[:2])  # the rest is the type's version
    if what not in CDEVENT_KINDS:
        raise NotOurs(f"CDEvents' {what[:60]} changes nothing that runs")
    subject, custom = _mapping(data, "subject"), _mapping(data, "customData")
    told = _mapping(custom, "driftline") or custom
    body = {k: told[k] for k in DATA_FIELDS if k in told}
    body.setdefault("kind", CDEVENT_KINDS[what])
    body.setdefault("workload", text(subject, "id").strip("/"))
    body.setdefault("revision", _digest(text(_mapping(subject, "content"), "artifactId") or text(subject, "id")))
    return body


def _digest(purl: str) -> str:
    """The digest in a package URL, which is what replicas of an image carry; "" where it has none.

    >>> _digest("pkg:oci/cart@sha256%3Aab12?repository_url=r.example.org")
    'sha256:ab12'
    """
    version = unquote(purl.partition("?")[0].partition("#")[0]).rpartition("@")[2]
    return version if purl.startswith("pkg:") and version.startswith("sha256:") else ""


def _mapping(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = of.get(name)
    return value if isinstance(value, Mapping) else {}


def _attribute(event: CloudEvent, name: str) -> str:
    return text({name: event.get(name)}, name, required=True)


def _time(event: CloudEvent) -> float | None:
    """Seconds of the event's time; None where it has none.

    A time without a zone is UTC: anything else would be this machine's guess.
    """
    value = event.get("time")
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as e:
        raise BadDeploy("time is no RFC 3339 time") from e
