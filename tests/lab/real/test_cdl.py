"""Count vectors: windows, scopes, and that the arrays say what the daemon's own code says."""

import numpy as np
import pytest

from classifier.envelope.counters import Counters
from classifier.lab.real import cdl, cdl_methods, cdl_windows
from classifier.lab.real.cdl_windows import DAEMON, SLIDING, Cut
from classifier.lab.real.table import DataError, number
from tests.lab.real.tiny import counts


def test_windows_are_sums_and_the_last_one_is_what_is_left():
    samples = np.arange(25)[:, None]
    assert cdl_windows.cut_up(samples, Cut(10, 10))[:, 0].tolist() == [45, 145, 110]
    assert cdl_windows.cut_up(samples, SLIDING)[:2, 0].tolist() == [45, 55]


def test_before_and_during_share_no_window(tmp_path):
    pod = cdl_windows.read(counts(tmp_path))["CVE-0"][0]
    for cut in (SLIDING, DAEMON):
        windows, before, during = pod.tested(cut)
        assert not (before & during).any() and before.any() and during.any() and len(windows) == len(before)
    assert pod.impact == "execute code"


def test_the_counters_alarm_where_the_arrays_do():
    rng = np.random.default_rng(1)
    quiet, other = rng.poisson([30, 3, 0.1, 0], (300, 4)), rng.poisson([40, 4, 0.2, 0.01], (500, 4))
    plain = cdl_methods.over_max(1.5)(quiet, 1.0)
    ours = cdl_methods.counters(1.5)(quiet, 1.0)
    assert ((plain.score(other) > 1.5) == (ours.score(other) > 1.5)).all()


def test_learning_the_windows_with_a_maximum_is_learning_all():
    quiet = np.random.default_rng(1).poisson([30, 3, 0.1, 0], (300, 4))
    every = Counters(1.0)
    for window in cdl_methods.dicts(quiet):
        every.learn(window)
    score = cdl_methods.counters(1.5)(quiet, 1.0).score(quiet[:50] + 1)
    assert score.tolist() == [every.score(w) for w in cdl_methods.dicts(quiet[:50] + 1)]


def test_windows_become_the_records_counts():
    assert list(cdl_methods.dicts(np.array([[0, 2], [0, 0], [5, 1]]))) == [{1: 2}, {}, {0: 5, 1: 1}]


def test_every_method_finds_a_new_call_and_the_scopes_differ(tmp_path):
    report = cdl.evaluate(counts(tmp_path))
    methods, scopes, daemon = report.tables
    rows = {r.method: r for r in methods.rows}
    for name in (cdl_methods.HEADLINE, cdl_methods.EITHER, "new call only", "over-max or new call"):
        assert number(rows[name].figures["detected"]) == 1.0
    assert rows[cdl_methods.HEADLINE].families == {"execute code (6)": 1.0}
    assert len({r.method for r in scopes.rows}) == 6 and len(daemon.rows) == 6 and len(methods.aims) == 5


@pytest.mark.parametrize("damage", ["freqvec.npz", "meta.json"])
def test_damaged_files_say_what_to_do(tmp_path, damage):
    counts(tmp_path)
    (tmp_path / damage).write_bytes(b"{}")
    with pytest.raises(DataError, match="restore"):
        cdl.evaluate(tmp_path)
