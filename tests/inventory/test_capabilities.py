"""Inventory, envelope and manifest to one row for everything that an agent can reach."""

from __future__ import annotations

import pytest

from classifier.inventory.capabilities import capability_map
from classifier.inventory.manifest import MATCHED, NEVER, UNDECLARED

ITEM = {"kind": "tool", "name": "search", "version": None, "basis": "verified", "first": 10.0, "last": 20.0,
        "evidence": ("n1/e1/1",), "place": "", "more": {"called": "yes"}}  # fmt: skip
PEER = {"behaviour": "egress:tcp:kb.example.org:443", "first": 5.0, "last": 6.0}


def check(status, **changes):
    row = {"status": status, "kind": "tool", "declared": "search", "declared_version": None, "loaded": "search",
           "place": "", "basis": "verified"}  # fmt: skip
    return row | changes


def only(items=(), behaviours=(), checked=None):
    [row] = capability_map({"items": items}, behaviours, checked)
    return row


@pytest.mark.parametrize(
    ("row", "first"), [(only([ITEM]), 10.0), (only(behaviours=[PEER]), 5.0)], ids=["an-item", "a-destination"]
)
def test_a_row_says_since_when_it_is_known(row, first):
    assert (row["first"], row["loaded"], row["declared"]) == (first, True, None)


@pytest.mark.parametrize(
    ("checked", "flags"),
    [
        pytest.param(check(MATCHED), (True, True, True), id="declared-and-loaded"),
        pytest.param(check(UNDECLARED, declared=None), (False, True, True), id="nobody-declared-it"),
    ],
)
def test_what_is_loaded_was_declared_or_not(checked, flags):
    row = only([ITEM], checked=[checked])
    assert (row["declared"], row["loaded"], row["used"]) == flags


def test_of_two_files_of_one_name_each_was_declared_or_not_by_its_place():
    """A manifest that names the folder of one: what it said of the other was said of both."""
    files = [ITEM | {"kind": "skill", "name": "CLAUDE.md", "place": place} for place in ("/app", "/tmp")]
    named = {"kind": "skill", "loaded": "CLAUDE.md"}
    said = [check(MATCHED, place="/app", **named), check(UNDECLARED, place="/tmp", declared=None, **named)]
    assert [r["declared"] for r in capability_map({"items": files}, (), said)] == [True, False]


@pytest.mark.parametrize(
    ("status", "loaded"),
    [pytest.param(NEVER, False, id="never-loaded"), pytest.param("unknown", None, id="could-have-been-missed")],
)
def test_what_is_declared_alone_was_not_loaded_or_nobody_knows(status, loaded):
    row = only(checked=[check(status, loaded=None)])
    assert (row["declared"], row["loaded"], row["used"], row["first"]) == (True, loaded, loaded, None)


def test_a_tool_that_is_offered_and_was_never_called_is_not_used():
    assert only([ITEM | {"more": {}}])["used"] is False


@pytest.mark.parametrize("behaviour", ["egress:udp:10.0.0.53:53", "exec:/bin/sh<x"])
def test_lookups_and_programs_are_no_destination(behaviour):
    assert capability_map({"items": []}, [PEER | {"behaviour": behaviour}], None) == []
