"""What somebody is about to read to a row: who, what, why. It is written before anything is opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.audit.ledger import Draft

KIND, ORIGINAL = "access", "original"


def asked(told: Mapping[str, Any], number: int, now: float) -> Draft:
    """The row of one request for a whole text.

    Args:
        told: `digest workload node text actor uid reason to`, checked by whoever took the order.
        number: no other request has it.
        now: seconds.
    """
    where = {"screen": "read", "copy": "take away, still sealed,"}[told["to"]]
    who = f"{told['actor']} (user {told['uid']} to the kernel)"
    words = (
        f"{who} asked to {where} a whole text of {told['workload']} ({told['text']}, SHA-256 {told['digest']},"
        f" kept on {told['node']}): {told['reason']}"
    )
    content = {"words": words, "records": [], "access": dict(told)}
    return Draft(f"{KIND}/{ORIGINAL}/{number}", KIND, ORIGINAL, now, content, workload=told["workload"])
