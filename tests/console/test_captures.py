"""Full captures on the command line: counted, verified, and not taken for traces."""

import json

import numpy as np
import pytest

from console.cli.captures import is_capture
from tests.console.conftest import HOSTILE
from tests.factories import head, identity
from wire import columns


@pytest.fixture
def capture(tmp_path):
    """Seven reads and three writes of one replica, of which four more were lost."""
    path = tmp_path / "small.capture"
    rows = np.zeros(10, columns.ROW)
    rows["time"], rows["tid"], rows["slot"] = np.arange(10) * 10**9, 5, 2
    rows["nr"] = [0] * 7 + [1] * 3
    with columns.Writer(path, head=head(), offset=10**9) as writer:
        writer.add(rows)
        writer.identify(2, identity(path=f"/lab/{HOSTILE}"))
        writer.lose(2, "rows", 4)
    return path


def test_show_counts_the_calls_of_each_replica(driftline, capture):
    rows = json.loads(driftline("trace", "show", capture, "--json").stdout)
    assert [(r["call"], r["count"]) for r in rows] == [("read", 7), ("write", 3), ("lost: rows", 4)]
    assert {r["path"] for r in rows} == {f"/lab/{HOSTILE}"}


def test_a_hostile_path_does_not_reach_the_terminal(driftline, capture):
    shown = driftline("trace", "show", capture, "--limit", "1").stdout
    assert "read" in shown and "write" not in shown
    assert "\x1b" not in shown


def test_verify_says_how_many_rows_from_when_to_when(driftline, capture):
    (report,) = json.loads(driftline("trace", "verify", capture, "--json").stdout)
    assert (report["frames"], report["complete"]) == (10, True)
    assert (report["first_time"], report["last_time"]) == (1.0, 10.0)


def test_verify_of_a_cut_capture_fails(driftline, capture):
    capture.write_bytes(capture.read_bytes()[:-30])
    assert driftline("trace", "verify", capture).exit_code == 1


def test_replay_says_what_reads_a_capture(driftline, capture):
    result = driftline("trace", "replay", capture)
    assert result.exit_code == 1
    assert "trace show" in result.stderr


def test_a_trace_is_no_capture(trace):
    assert not is_capture(trace)
