"""A plain mapping, as it comes from JSON, to a Pin: every field checked, every length bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from classifier.classes.pins import VALUES, known
from classifier.deploys.plain import BadDeploy, text
from wire.records import Pin, Workload

NOTE = 4096  # characters
FIELDS = {"workload", "what", "value", "actor", "note"}


def pin(body: Any, *, time: float, actor: str) -> Pin:
    """The pin of a mapping with `workload`, `what`, `value`, and at will `actor` and `note`.

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
    note = body.get("note") or ""
    if not isinstance(note, str) or len(note) > NOTE:
        raise BadDeploy(f"note is a text of at most {NOTE} characters")
    return Pin(time, Workload(text(body, "workload", required=True)), what, value, text(body, "actor") or actor, note)
