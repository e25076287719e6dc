"""A plain mapping, as it comes from JSON, to a Pin: every field checked, every length bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from classifier.classes.pins import ALLOW, VALUES, known
from classifier.deploys.plain import BadDeploy, note, text
from wire.records import Pin, Workload

LONGEST = 400 * 86400.0  # seconds; what is allowed for longer belongs into a new baseline
FIELDS = {"workload", "what", "value", "actor", "note", "until"}


def pin(body: Any, *, time: float, actor: str) -> Pin:
    """The pin of a mapping with `workload`, `what`, `value`, and at will `actor`, `note` and `until`.

    Args:
        time: now, in seconds.
        actor: who it was if it does not say.
    Raises:
        BadDeploy: A field is missing, of the wrong kind or too long.
    """
    if not isinstance(body, Mapping) or not body.keys() <= FIELDS:
        raise BadDeploy(f"a pin is an object with {', '.join(sorted(FIELDS))}")
    what, value = text(body, "what", required=True), text(body, "value")
    if what not in VALUES:
        raise BadDeploy(f"what is one of {', '.join(VALUES)}")
    if not known(what, value):
        raise BadDeploy(f"{what} is one of {', '.join(VALUES[what] or ())}")
    who = text(body, "actor") or actor
    return Pin(
        time, Workload(text(body, "workload", required=True)), what, value, who, note(body), _until(body, what, time)
    )


def _until(body: Mapping[str, Any], what: str, time: float) -> float:
    """When it ends; only an allowance does, and it must."""
    value = body.get("until")
    if (value is None) != (what != ALLOW):
        raise BadDeploy("until belongs to what is allowed, and only to that")
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= time + LONGEST:
        raise BadDeploy(f"until is seconds since the epoch, at most {LONGEST / 86400:g} days from now")
    return float(value)
