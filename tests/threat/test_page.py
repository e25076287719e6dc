"""docs/threat-model.md claims nothing without a test, or says so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.fuzz.table import BY_NAME

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/threat-model.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/(?!threat/test_page)[^`\s]+\.py[^`\s]*)`", PAGE)))


def rows():
    """Cells of every row of every table, headings and rulers left out."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rulers = {at for at, row in enumerate(cells) if set(row[0]) <= {"-"} and row[0]}
    return [row for at, row in enumerate(cells) if at not in rulers and at + 1 not in rulers]


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_is_named_exists(named):
    path, _, name = named.partition("::")
    tests = {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)}
    assert name in tests


def test_every_claim_has_its_test_or_says_that_it_has_none():
    claims = [row for row in rows() if len(row) == 3]
    assert len(claims) > 40
    assert [row[0] for row in claims if "::" not in row[2] and "not shown" not in row[2]] == []


def test_the_page_lists_every_decoder_and_no_other():
    part = PAGE.partition("## Decoders that are fuzzed")[2].partition("## What")[0]
    listed = {name for row in part.splitlines() if row.startswith("| ") for name in re.findall(r"`([a-z0-9-]+)`", row)}
    assert listed == BY_NAME.keys()
