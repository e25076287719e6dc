"""A contradiction between word and deed in `finding list` and `finding show`, from a trace, as from a running classifier."""

from __future__ import annotations

import json

import pytest

from tests.classifier.test_contradiction import lied
from tests.factories import head, identity
from wire.trace import Writer


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "told.trace"
    with Writer(str(path)) as writer:
        for record in (head(), identity(), *lied()):
            writer.add(record)
    return path


def test_a_contradiction_is_listed_and_shown_with_both_events(driftline, trace):
    (row,) = json.loads(driftline("finding", "list", "--trace", trace, "--json").stdout)
    assert row["label"] == "needs_review" and row["title"].startswith("self_report_conflict: model_asked was told as")
    found = json.loads(driftline("finding", "show", row["id"], "--trace", trace, "--json").stdout)
    assert set(found["evidence"]) == {e.id for e in lied()}
    page = driftline("finding", "show", row["id"], "--trace", trace)
    assert page.exit_code == 0 and "gpt-5-mini" in page.stdout


def test_a_replay_writes_its_row(driftline, trace, tmp_path):
    done = driftline("trace", "replay", trace, "--audit", tmp_path / "audit")
    assert done.exit_code == 0 and "needs_review" in done.stdout
