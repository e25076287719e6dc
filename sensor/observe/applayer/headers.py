"""Headers to the few that are kept. A list of what may pass, not of what may not: a new kind of key is dropped unseen."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from sensor.observe.applayer.records import Trace
from wire.redact import Redactor

FRAMING = ("content-type", "content-encoding", "upgrade")
MCP = ("mcp-protocol-version", "mcp-method", "mcp-name")
IDS = (
    "request-id",
    "x-request-id",
    "x-amzn-requestid",
    "x-claude-code-session-id",
    "x-codex-turn-metadata",
    "x-correlation-id",
)
SESSION = "mcp-session-id"  # whoever holds it can speak for the client, so only its digest is kept
KEPT = frozenset((*FRAMING, *MCP, *IDS, SESSION, "host", ":authority", "traceparent", "baggage"))

TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
ID_KEY = re.compile(r"[\w.-]{0,40}(?:id|run|session|conversation|workflow|task|turn)", re.IGNORECASE)
BAGGAGE = 16  # entries that are looked at
PATH = 512  # characters of a path that are kept
PLAIN_PATH = re.compile(r"[\w./:%@+~,$-]*")  # it ends where a query, a parameter or anything like one may begin
PLAIN = {"host": re.compile(r"[\w.:\[\]-]{1,255}"), ":authority": re.compile(r"[\w.:\[\]-]{1,255}")}
PLAIN |= {name: re.compile(r"[\w.:/+-]{1,128}") for name in IDS}  # what looks otherwise is no such value: dropped
USERINFO = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Headers:
    """What may be known of one head."""

    values: dict[str, str] = field(default_factory=dict)
    session: str = ""  # digest of the MCP session id
    known: bool = True  # False: HPACK state was lost, or the head itself

    def get(self, name: str) -> str:
        """A kept header; empty where there is none."""
        return self.values.get(name, "")

    @property
    def media(self) -> str:
        """Media type without parameters."""
        return self.get("content-type").partition(";")[0].strip().lower()


UNKNOWN = Headers(known=False)


def kept(rows: Iterable[tuple[bytes, bytes]], redactor: Redactor) -> Headers:
    """Headers without secrets. Values that pass are masked all the same: a key in the wrong header is still a key."""
    values: dict[str, str] = {}
    session = ""
    for raw, value in rows:
        name = raw.lower().decode("latin-1")
        if name == SESSION:
            session = hashed(value)
        elif name in KEPT and name not in values:
            longest = 4096 if name == "baggage" else 256
            text = value.decode("utf-8", "replace").strip()
            if name not in PLAIN or PLAIN[name].fullmatch(text):
                values[name] = redactor.label(text, longest)
    return Headers(values, session)


def hashed(secret: bytes) -> str:
    """A secret that must be told from others, and no more."""
    return hashlib.sha256(secret).hexdigest()[:32]


def path(target: str, redactor: Redactor) -> str:
    """A path without query, fragment, and user.

    >>> from wire.redact import Policy
    >>> path("https://u:p@h/v1/models?key=AIza", Redactor(Policy()))
    '/v1/models'
    """
    bare = PLAIN_PATH.match(USERINFO.sub("", target))
    return redactor.label(bare.group() if bare else "", PATH)


def trace(headers: Headers, meta: object = None) -> Trace:
    """Correlation ids of a message: of its headers, or of its MCP `_meta`, which speaks for the message itself."""
    own = meta if isinstance(meta, dict) else {}
    parent = _string(own.get("traceparent")) or headers.get("traceparent")
    baggage = _string(own.get("baggage")) or headers.get("baggage")
    ids = tuple((name, headers.get(name)) for name in IDS if headers.get(name))
    return Trace(parent if TRACEPARENT.fullmatch(parent) else None, _ids(baggage), ids)


def _string(value: object) -> str:
    return value[:4096] if isinstance(value, str) else ""


def _ids(baggage: str) -> tuple[tuple[str, str], ...]:
    """Entries whose key names an id: baggage may carry anything, also names of people."""
    rows = (entry.partition(";")[0].partition("=") for entry in baggage.split(",")[:BAGGAGE])
    pairs = ((key.strip(), value.strip()) for key, _, value in rows)
    return tuple((k, v[:64]) for k, v in pairs if v and ID_KEY.fullmatch(k))
