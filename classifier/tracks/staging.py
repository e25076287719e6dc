"""A staging envelope to a baseline that is signed, and back: canonical JSON, Ed25519, keys as for deploy events.

What is signed is `ID.TIME.JSON` as in Standard Webhooks, with an id that names the content, so the same file of keys and the
same check serve both. A baseline is for one workload, and only a key that speaks for that workload can sign it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from classifier.deploys.signing import ID, SIGNATURE, TIMESTAMP, Key, Refused, Signed, verify

FORMAT = 1
KIND = "driftline staging baseline"
LIMIT = 64 << 20  # bytes of a file
MOST = 100_000  # behaviours
TEXT = 1024  # characters of a name
SOUND = ("learning", "converging", "converged", "non-converging", "ageing")
FIELDS = ("behaviour", "severity", "lineages", "bytes_out", "bytes_in", "schedule", "days", "count")


class StagingError(ValueError):
    """A baseline that cannot be made or used; the message says why and what to do."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline that somebody signed."""

    content: Mapping[str, Any]
    signed: Signed
    digest: str

    @property
    def target(self) -> str:
        """The workload in production that it is for."""
        return str(self.content["for"])

    @property
    def pin(self) -> str:
        """How a pin names it."""
        return f"sha256:{self.digest} signed by {self.signed.key.name}"


def exported(
    envelope: Mapping[str, Any], *, target: str, now: float, valid: float, start_up: bool = False
) -> dict[str, Any]:
    """The admitted set of an envelope (as `envelope show --json` gives it) as an unsigned baseline.

    Args:
        target: the workload in production that it is for.
        now, valid: seconds; when it is made, and for how long it holds.
        start_up: also what every replica showed although on too few days to be admitted, as replicas that were never
            restarted do with all that belongs to their start.
    Raises:
        StagingError: What was observed is missing or partial, or nothing is admitted.
    """
    state = envelope.get("state")
    if state not in SOUND:
        raise StagingError(
            f"the staging envelope is {state}: {envelope.get('because')}; observe it without loss, and export again"
        )
    rows = envelope.get("behaviours", ())
    replicas = len(envelope.get("ledger", ()))
    admitted = [b for b in rows if b.get("state") == "admitted" or (start_up and _start(b, replicas))]
    if not admitted:
        raise StagingError("the staging envelope admits nothing yet; let staging run for more days")
    return {
        "format": FORMAT,
        "kind": KIND,
        "for": target,
        "source": envelope["workload"],
        "state": state,
        "because": envelope.get("because"),
        "active_days": envelope.get("active_days"),
        "digest": envelope.get("digest"),
        "exported": now,
        "valid_until": now + valid,
        "behaviours": [{name: b.get(name) for name in FIELDS} for b in admitted],
        "left_out": sorted(b["behaviour"] for b in rows if b not in admitted and b.get("state") == "provisional"),
        "syscalls": envelope.get("syscalls", []),
    }


def _start(row: Mapping[str, Any], replicas: int) -> bool:
    """Whether every one of several replicas showed it, and it is nothing that a person must look at."""
    return row.get("state") == "provisional" and replicas >= 2 and row["replicas"] >= replicas and row["severity"] < 2


def canonical(value: Any) -> bytes:
    """The one form in which a value is signed: keys sorted, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(content)).hexdigest()


def signed(content: Mapping[str, Any], key: Ed25519PrivateKey, *, now: float) -> dict[str, Any]:
    """The file of a baseline with its signature.

    Raises:
        StagingError: It is no baseline.
    """
    content = checked(content)
    id, time = _id(content), str(int(now))
    signature = key.sign(b".".join((id.encode(), time.encode(), canonical(content))))
    return {
        "baseline": content,
        "signature": {ID: id, TIMESTAMP: time, SIGNATURE: f"v1a,{base64.b64encode(signature).decode()}"},
    }


def verified(file: Any, keys: Sequence[Key], *, now: float, target: str | None = None) -> Baseline:
    """The baseline of a file, if a key that speaks for its workload signed it.

    Args:
        now: seconds.
        target: the workload that it must be for; None: whichever it says.
    Raises:
        StagingError: It is damaged, unsigned, changed, signed by somebody else, for another workload, or too old.
    """
    if not isinstance(file, Mapping) or "baseline" not in file:
        raise StagingError("no staging baseline; write one with `driftline track staging export`")
    content, headers = checked(file["baseline"]), file.get("signature")
    if not isinstance(headers, Mapping) or not all(isinstance(headers.get(h), str) for h in (ID, TIMESTAMP, SIGNATURE)):
        raise StagingError("unsigned; sign it with `driftline track staging sign`")
    if headers[ID] != _id(content):
        raise StagingError("changed after it was signed; export and sign it again")
    public = [k for k in keys if k.public]  # a shared secret proves nothing about who made a file
    try:
        by = verify(
            {h: headers[h] for h in (ID, TIMESTAMP, SIGNATURE)},
            canonical(content),
            public,
            now=now,
            tolerance=float("inf"),
        )
    except Refused as e:
        raise StagingError(f"{e}; check that the file of keys holds the signer's public key") from e
    _usable(content, by, now, target)
    return Baseline(content, by, digest(content))


def _usable(content: Mapping[str, Any], by: Signed, now: float, target: str | None) -> None:
    mine = content["for"]
    if target is not None and mine != target:
        raise StagingError(f"it is for {mine}, not for {target}; export one with --for {target}")
    if not by.key.speaks_for(mine):
        raise StagingError(f"key {by.key.name} does not speak for {mine}; add it to the key's workloads if it should")
    if now > content["valid_until"]:
        raise StagingError("its validity has ended; observe staging anew, export and sign again")


def checked(content: Any) -> dict[str, Any]:
    """A baseline's content, every part of it that is used of the right kind and bounded.

    Raises:
        StagingError: It is something else.
    """
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise StagingError("no staging baseline; write one with `driftline track staging export`")
    if content.get("format") != FORMAT:
        raise StagingError(
            f"baseline of format {content.get('format')!s:.20}, this driftline reads {FORMAT}; please update"
        )
    if not _sound(content):
        raise StagingError("damaged staging baseline; export it again")
    return content


def _sound(content: Mapping[str, Any]) -> bool:
    times, rows = (content.get("exported"), content.get("valid_until")), content.get("behaviours")
    if not all(isinstance(t, int | float) and not isinstance(t, bool) for t in times) or not _name(content.get("for")):
        return False
    try:
        canonical(content)
    except (ValueError, TypeError, RecursionError):  # 1e999 is read as infinity, which has no canonical form
        return False
    return isinstance(rows, list) and len(rows) <= MOST and all(_row(r) for r in rows)


def _row(row: Any) -> bool:
    if not isinstance(row, dict) or not _name(row.get("behaviour")):
        return False
    sizes = [row.get(q) for q in ("bytes_out", "bytes_in")]
    whole = all(s is None or (isinstance(s, dict) and isinstance(s.get("max"), int)) for s in sizes)
    lists = [row.get(name) or [] for name in ("lineages", "schedule")]
    return (
        whole
        and all(isinstance(one, list) for one in lists)
        and all(isinstance(x, str | int) for one in lists for x in one)
    )


def _name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= TEXT


def _id(content: Mapping[str, Any]) -> str:
    return f"staging-{digest(content)}"


def public_key(key: Ed25519PrivateKey) -> str:
    """The public half as a file of keys has it."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"whpk_{base64.b64encode(raw).decode()}"
