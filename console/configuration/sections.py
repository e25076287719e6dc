"""The nodes of a configuration to its keys with their values; an unknown key is told with the nearest that exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from console.configuration.keys import KEYS
from console.configuration.nodes import Node, at_line, composed, is_empty
from console.configuration.rules import rules_of
from console.configuration.values import SettingsError, checked


def parse(text: str, where: str = "configuration") -> dict[str, Any]:
    """The keys that a configuration text sets.

    >>> parse("sensor: {interval: 5}")
    {'sensor.interval': 5.0}
    """
    root = composed(text, where)
    return {} if root is None else dict(_walk(root, "", where))


def _walk(node: Node, prefix: str, where: str) -> Iterator[tuple[str, Any]]:
    if is_empty(node):
        return
    if node.id != "mapping":
        raise SettingsError(f"{at_line(node, where)}: {prefix or 'the file'} holds keys; write `key: value` below it")
    seen: set[str] = set()
    for key_node, value_node in node.value:
        name = f"{prefix}.{key_node.value}" if prefix else str(key_node.value)
        if name in seen:
            raise SettingsError(f"{at_line(key_node, where)}: {name} is set twice; keep one")
        seen.add(name)
        if name in KEYS:
            yield name, _value(name, value_node, where)
        elif any(known.startswith(name + ".") for known in KEYS):
            yield from _walk(value_node, name, where)
        else:
            raise SettingsError(f"{at_line(key_node, where)}: unknown key {name}; {_nearest(name)}")


def _nearest(name: str) -> str:
    sections = {known.rpartition(".")[0] for known in KEYS} - {""}
    near = difflib.get_close_matches(name, [*KEYS, *sections], n=1, cutoff=0.5)
    tail = [known for known in KEYS if known.rpartition(".")[2] == name.rpartition(".")[2]]
    return f"did you mean {(tail or near)[0]}?" if tail or near else "docs/configuration.md lists the keys"


def _value(name: str, node: Node, where: str) -> Any:
    key = KEYS[name]
    if key.kind == "rules":
        return rules_of(node, where)
    if is_empty(node):
        return key.default
    if key.kind in ("texts", "wholes") or (key.kind == "patterns" and node.id == "sequence"):
        if node.id != "sequence" or any(item.id != "scalar" for item in node.value):
            raise SettingsError(f"{at_line(node, where)}: {name} is a list; write `- value` lines below it")
        return tuple(_item(name, item, where) for item in node.value)
    if node.id != "scalar":
        raise SettingsError(f"{at_line(node, where)}: {name} takes one value; write `{name.rpartition('.')[2]}: value`")
    return checked(name, node.value, at_line(node, where))


def _item(name: str, item: Node, where: str) -> Any:
    """One item of a list; a comma in it belongs to it, unlike in a variable."""
    if KEYS[name].kind == "texts":
        return item.value
    return checked(name, item.value, at_line(item, where))[0]
