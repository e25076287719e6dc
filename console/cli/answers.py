"""Answers of the classifier as rows, whether it wraps them in an object or not."""

from __future__ import annotations

from typing import Any

from console.cli.failure import Failure


def rows(answer: Any, name: str) -> list[dict[str, Any]]:
    """The list in an answer.

    >>> rows({"deploys": [{"id": "d1"}]}, "deploys")
    [{'id': 'd1'}]
    """
    found = answer.get(name) if isinstance(answer, dict) else answer
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Failure(f"the classifier's answer holds no list of {name}", "use the same version of both")
    return found
