"""What the kernel did not run is a number, and news of it come once."""

import pytest

from sensor.probes import skipped
from sensor.probes.skipped import Skipped


def test_without_a_link_at_a_function_nothing_is_skipped(tmp_path):
    (tmp_path / "link_raw_tracepoint__sys_exit").touch()
    found = Skipped(tmp_path)
    assert not found.grew()
    assert found.health() == {"lost/skipped": 0.0}


def test_a_link_that_was_taken_out_counts_nothing(tmp_path):
    (tmp_path / "link_fexit_do_sys_openat2").touch()  # no bpffs: what the kernel has is gone
    assert not Skipped(tmp_path).grew()


@pytest.fixture
def counted(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / f"link_fexit_{name}").touch()
    misses = {"link_fexit_a": 0, "link_fexit_b": 0}
    monkeypatch.setattr(skipped, "_misses", lambda link: misses[link.name])
    return Skipped(tmp_path), misses


def test_each_growth_is_news_once(counted):
    found, misses = counted
    misses["link_fexit_b"] = 3
    assert [found.grew(), found.grew()] == [True, False]
    misses["link_fexit_a"] = 1
    assert found.grew()
    assert found.health() == {"lost/skipped": 4.0}
