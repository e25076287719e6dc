"""The word after --policy to a policy: a name, or a YAML file of thresholds."""

from __future__ import annotations

import difflib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from classifier.policy import DAY, Policy
from console.configuration.nodes import scalars, text_of
from console.configuration.values import SettingsError


def named(name: str, time_scale: float | None = None) -> Policy:
    """The policy of a name or file, all its times divided by `time_scale`.

    >>> named("default") == Policy()
    True
    """
    if name == "default":
        policy = Policy()
    elif name == "demo":
        policy = Policy().scaled(DAY)  # a day is as long as a second
    else:
        policy = from_file(Path(name))
    return policy.scaled(time_scale) if time_scale else policy


def from_file(path: Path) -> Policy:
    """The published policy with the thresholds that a file names.

    Raises:
        SettingsError: A threshold is unknown or not a number.
    """
    types = {f.name: f.type for f in fields(Policy)}
    changes: dict[str, Any] = {}
    for name, text, at in scalars(text_of(path), str(path)):
        if name not in types:
            near = difflib.get_close_matches(name, types, n=1)
            remedy = f"did you mean {near[0]}?" if near else "classifier/policy.py lists them"
            raise SettingsError(f"{at}: unknown threshold {name}; {remedy}")
        changes[name] = _converted(name, types[name], text, at)
    return replace(Policy(), **changes)


def _converted(name: str, kind: Any, text: str, at: str) -> Any:
    try:
        value = {"int": int, "float": float, "str": str}[kind](text)
    except (ValueError, KeyError):
        raise SettingsError(f"{at}: {name} takes a {kind}, not {text!r:.60}; correct it") from None
    if isinstance(value, int | float) and not 0 <= value < float("inf"):
        raise SettingsError(f"{at}: {name} is {text}; it must be a number from 0 on")
    return value
