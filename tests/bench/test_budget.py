"""Rows of the published load: what is asked stands beside what was measured."""

import pytest

from bench.budget import rows

SAMPLES = {
    "p50, on": [110.0, 111.0, 112.0],
    "p50, off": [100.0, 100.0, 100.0],
    "p95, on": [206.0, 204.0, 205.0],
    "p95, off": [200.0, 200.0, 200.0],
    "load, on": [12.0, 12.0, 12.0],
    "load, off": [10.0, 10.0, 10.0],
    "daemon, on": [1.0, 1.2, 1.1],
    "daemon, off": [0.5, 0.5, 0.5],
}


@pytest.mark.parametrize(
    ("what", "value", "asked"),
    [
        pytest.param("CPU of the daemon", 1.1, "", id="daemon"),
        pytest.param("CPU of the node, with against without", 1.55, "<= 3", id="node-of-two-cpus"),
        pytest.param("  more with, p50", 11.0, "", id="median"),
        pytest.param("  more with, p95", 2.5, "<= 3", id="tail"),
        pytest.param("memory of the daemon, resident", 49.5, "<= 300", id="memory"),
    ],
)
def test_each_figure_stands_beside_what_is_asked(what, value, asked):
    row = next(r for r in rows(SAMPLES, 49.5, 2) if r["what"] == what)
    assert row["value"] == pytest.approx(value) and row["asked"] == asked and row["measured"]
