"""A moment of the classifier to what held at that moment for a workload: versions, identities, class, the envelope's state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from classifier.classes.known import Known
from classifier.envelope import view as envelopes
from classifier.inventory import view as inventory
from classifier.inventory.moment import OutsideError, shown
from guard.audit.canon import canonical

UNKNOWN = "unknown"
NONE = "none"  # this release has no such thing
NAMES = 8  # items of a kind that a row names


def situation(known: Known, workload: str, at: float) -> dict[str, Any]:
    """What held at `at` (seconds), as far as it is known; what is not says `unknown`."""
    items, lacks = _items(known, workload, at)
    models, prompts = _versions(items, "model"), _versions(items, "prompt")
    state, because = known.state(workload)
    return {
        "versions": {
            "revision": _joined(_revisions(known, workload)),
            "model": _joined(models),
            "prompt": _joined(prompts),
            "tools": _joined(_versions(items, "tool")),
            "envelope": _envelope(known, workload),
            "policy": hashlib.sha256(canonical(asdict(known.policy))).hexdigest()[:16],
            "weights": UNKNOWN,  # a finding says its own
            "artefact": NONE,
            "pact": NONE,
            "driftline": _release(),
        },
        "read_at": known.now,  # the envelope is of this moment, the items are of the finding's
        "inventory_lacks": lacks,
        "identities": [_identity(i) for i in items if i["kind"] == "identity"][:NAMES],
        "data": [i["name"] for i in items if i["kind"] == "data"][:NAMES],
        "class": known.class_of(workload),
        "envelope_state": state,
        "envelope_because": because,
        "pins": _pins(known, workload),
    }


def _items(known: Known, workload: str, at: float) -> tuple[list[dict[str, Any]], list[str]]:
    found = inventory.recorded(known, workload)
    if found is None:
        return [], ["never_observed"]
    try:
        told = shown(found, min(at, found.now))
    except OutsideError as e:
        return [], [str(e)]
    return list(told["items"]), list(told["unknown"])


def _versions(items: Iterable[Mapping[str, Any]], kind: str) -> list[str]:
    return [f"{i['name']}@{i['version'] or UNKNOWN} ({i['basis']})" for i in items if i["kind"] == kind][:NAMES]


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or UNKNOWN


def _identity(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": item["name"], "basis": item["basis"], "since": item["since"]}


def _revisions(known: Known, workload: str) -> list[str]:
    envelope = known.envelopes.get(workload)
    return list(envelope.ledger.revisions())[-1:] if envelope is not None else []


def _envelope(known: Known, workload: str) -> str:
    envelope = known.envelopes.get(workload)
    return envelopes.digest(envelope) if envelope is not None else UNKNOWN


def _pins(known: Known, workload: str) -> dict[str, str]:
    kept = known.pins.kept.get(workload, {})
    return {what: value for what in sorted(kept) if (value := known.pins.value(workload, what))}


def _release() -> str:
    try:
        return version("driftline")
    except PackageNotFoundError:
        return UNKNOWN
