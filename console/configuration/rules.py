"""The list below `identity.rules` to rules."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from console.configuration.nodes import Node, at_line, is_empty
from console.configuration.values import SettingsError

if TYPE_CHECKING:
    from sensor.identity.rules import Rule

RULES = 256
PATTERN = 512  # characters of one rule's pattern
RULE_KEYS = ("match", "workload", "revision", "name")


def rules_of(node: Node, where: str) -> tuple[Rule, ...]:
    if is_empty(node):
        return ()
    if node.id != "sequence":
        raise SettingsError(f"{at_line(node, where)}: identity.rules is a list; begin each rule with `- match:`")
    if len(node.value) > RULES:
        raise SettingsError(
            f"{at_line(node, where)}: {len(node.value)} rules, the limit is {RULES}; join some patterns"
        )
    return tuple(_rule(item, where) for item in node.value)


def _rule(node: Node, where: str) -> Rule:
    from sensor.identity import rules

    at = at_line(node, where)
    if node.id != "mapping" or any(value.id != "scalar" for _, value in node.value):
        raise SettingsError(f"{at}: a rule has the keys {', '.join(RULE_KEYS)}; write each as `key: text`")
    for key, _ in node.value:
        if key.value not in RULE_KEYS:
            near = difflib.get_close_matches(key.value, RULE_KEYS, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"a rule has {', '.join(RULE_KEYS)}"
            raise SettingsError(f"{at_line(key, where)}: unknown key {key.value} in a rule; {remedy}")
    parts = {key.value: value.value for key, value in node.value}
    if len(parts.get("match", "")) > PATTERN:
        raise SettingsError(f"{at}: pattern of more than {PATTERN} characters; split the rule")
    try:
        return rules.load([parts])[0]
    except rules.RuleError as e:
        raise SettingsError(f"{at}: {str(e).removeprefix('identity rule 1: ')}") from e
