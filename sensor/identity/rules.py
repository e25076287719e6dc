"""Rules of the configuration become workloads: a pattern over the whole cgroup path, and templates for the names.

A pattern is matched from the path's beginning and must end where a component ends; what lies below belongs to the
match, so a workload gains nothing by making cgroups of its own. Patterns that could run for long on a hostile path
are refused.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]

from sensor.identity.names import clean

LONGEST_PATH = 4096  # characters a rule looks at
LONGEST_PART = 255  # bytes of a directory's name, by the kernel
CHOICES = 12  # repeats and alternatives in one pattern
CHOICES_IN_PART = 3  # between two `/`
REPEATED = {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}
REFUSED = {sre.GROUPREF, sre.GROUPREF_EXISTS, sre.ASSERT, sre.ASSERT_NOT, sre.ATOMIC_GROUP}
ONE_CHARACTER = {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}


class RuleError(ValueError):
    """A rule that cannot be used; the text says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` with named groups, and templates that use them as {group}."""

    pattern: re.Pattern[str]
    workload: str
    revision: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """What a rule says of a path."""

    workload: str
    revision: str | None
    name: str


def load(items: Iterable[Mapping[str, str]]) -> tuple[Rule, ...]:
    """Rules from the configuration's list of {match, workload, revision, name}. Raises RuleError."""
    return tuple(_rule(number, item) for number, item in enumerate(items, start=1))


def first(rules: tuple[Rule, ...], path: str) -> Named | None:
    """What the first rule that fits says; None where none does.

    >>> rule = {"match": "/lab/(?P<app>[^/]+)", "workload": "lab/shop/Deployment/{app}/{app}"}
    >>> first(load([rule]), "/lab/cart/worker").workload
    'lab/shop/Deployment/cart/cart'
    """
    if any(len(part) > LONGEST_PART for part in path.split("/")):
        return None  # no path of a kernel
    for rule in rules:
        match = rule.pattern.match(path[:LONGEST_PATH])
        if match:
            return _named(rule, match)
    return None


def _named(rule: Rule, match: re.Match[str]) -> Named:
    groups = {group: clean(value or "", part=True) or "-" for group, value in match.groupdict().items()}
    workload, revision, name = (text.format_map(groups) for text in (rule.workload, rule.revision, rule.name))
    return Named(workload, revision or None, name)


def _rule(number: int, item: Mapping[str, str]) -> Rule:
    try:
        return _checked(item)
    except (RuleError, re.error, RecursionError, OverflowError) as e:
        raise RuleError(f"identity rule {number}: {e}") from e


def _checked(item: Mapping[str, str]) -> Rule:
    _check_keys(item)
    source = item["match"]
    _check_cost(source)
    pattern = re.compile(rf"(?:{source})(?=/|\Z)", re.DOTALL)
    for key in ("workload", "revision", "name"):
        _check_template(key, item.get(key, ""), pattern)
    _check_workload(item["workload"])
    return Rule(pattern, item["workload"], item.get("revision", ""), item.get("name", ""))


def _check_keys(item: Mapping[str, str]) -> None:
    if not isinstance(item, Mapping) or not all(isinstance(value, str) for value in item.values()):
        raise RuleError("must be a mapping of texts; put numbers in quotes")
    unknown = set(item) - {"match", "workload", "revision", "name"}
    if unknown:
        raise RuleError(f"unknown key {min(map(str, unknown))!r}; known are match, workload, revision, name")
    missing = {"match", "workload"} - set(item)
    if missing:
        raise RuleError(f"has no {min(missing)!r}")


def _check_template(key: str, template: str, pattern: re.Pattern[str]) -> None:
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError as e:
        raise RuleError(f"{key} {template!r}: {e}") from e
    for _, name, spec, conversion in fields:
        if name is None:
            continue
        if name not in pattern.groupindex:
            raise RuleError(f"{key} uses {{{name}}}, but the pattern has no group (?P<{name}>…)")
        if spec or conversion:
            raise RuleError(f"{key}: {{{name}}} takes no format")


def _check_workload(template: str) -> None:
    parts = template.split("/")
    if template.startswith("unit:") and len(parts) == 1 and template != "unit:":
        return
    if len(parts) != 5 or not all(parts):
        raise RuleError(f"workload {template!r} must be cluster/namespace/kind/name/container or unit:NAME")


def _check_cost(source: str) -> None:
    """Refuse what could backtrack without bound. What remains takes at most some 255 ** 3 / 6 steps on any path."""
    choices = list(_choices(sre_parser.parse(source)))
    if choices.count("wide") > 1:
        raise RuleError("more than one repeat may cross a '/'; write [^/]* instead of .*")
    if sum(kind != "slash" for kind in choices) > CHOICES:
        raise RuleError(f"more than {CHOICES} repeats and alternatives; write several rules")
    if any(len(run.split()) > CHOICES_IN_PART for run in " ".join(choices).split("slash")):
        raise RuleError(
            f"more than {CHOICES_IN_PART} repeats or alternatives within one path component; write some out"
        )


def _choices(parsed: Iterable) -> Iterable[str]:
    """In order: "wide" or "narrow" for whatever may match in several ways, "slash" for a literal `/` between them."""
    for op, value in parsed:
        if op in REFUSED:
            raise RuleError("back references, look-around and conditions are not supported")
        if op in REPEATED:
            yield from _repeat(value)
        elif op is sre.LITERAL and value == ord("/"):
            yield "slash"
        elif op is sre.BRANCH:
            yield "narrow"
            yield from (kind for child in value[1] for kind in _choices(child))
        elif op is sre.SUBPATTERN:
            yield from _choices(value[3])


def _repeat(value: tuple) -> Iterable[str]:
    """A repeat of one character set, or an optional group: (a+)+ and (a|aa)* run for hours on a path made for them."""
    least, most, body = value
    if most == 1:
        yield "narrow"
        yield from _choices(body)
        return
    if len(body) != 1 or body[0][0] not in ONE_CHARACTER:
        raise RuleError("a repeat takes one character or one set, like [^/]+; write repeated groups out")
    if least != most:
        yield from ("wide", "narrow") if _takes_slash(*body[0]) else ("narrow",)  # a wide one costs more


def _takes_slash(op: object, value: object) -> bool:
    if op is sre.LITERAL:
        return value == ord("/")
    if op is sre.NOT_LITERAL:
        return value != ord("/")
    if op is sre.IN:
        negated = any(kind is sre.NEGATE for kind, _ in value)
        return negated != any(_holds_slash(kind, what) for kind, what in value)
    return op is sre.ANY


def _holds_slash(kind: object, what: object) -> bool:
    """Whether one element of a character set holds `/`."""
    if kind is sre.RANGE:
        return what[0] <= ord("/") <= what[1]
    if kind is sre.CATEGORY:
        return "NOT" in str(what)
    return kind is sre.LITERAL and what == ord("/")
