"""Traces that must be read, and judged, for ever as they were: what changes here is a change that users see."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifier.drift.finding import findings_json
from tests.classifier.story import POLICY, play
from tests.golden.stories import HERE, STORIES
from wire.trace import read, verify


@pytest.fixture(params=sorted(STORIES))
def trace(request) -> Path:
    return HERE / f"{request.param}.trace"


def test_golden_trace_is_whole(trace):
    report = verify(trace)
    assert report.complete and not report.damaged


def test_golden_trace_gives_its_findings_byte_for_byte(trace):
    expected = trace.with_suffix(".findings.json").read_text()
    assert findings_json(play(read(trace), POLICY).findings()) == expected


def test_golden_trace_still_holds_its_story(trace):
    """A codec that changed what it writes would need a new format version, and an upgrade step for the old one."""
    assert list(read(trace)) == STORIES[trace.stem]()
