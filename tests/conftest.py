"""What holds for every test: how long an example takes is no claim, and a second run tries what the first did.

New examples are what `make fuzz` is for. Where kernel tests are demanded, no test is skipped but those that say whose they are.
"""

import subprocess

import pytest
from hypothesis import HealthCheck, settings

from tests.observe.capability import elsewhere, possible, required

settings.register_profile(
    "unhurried",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
settings.load_profile("unhurried")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if required() and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(call.excinfo.value) if call.excinfo else ""
        if not elsewhere(reason):
            report.outcome, report.longrepr = "failed", f"skipped where DRIFTLINE_REQUIRE_KERNEL=1 demands it: {reason}"
    return report


@pytest.fixture
def fault(record_property):
    """Says what a fault cost, for `make faults`: `done` what was done, `lost` how much, `told` where it is reported."""

    def say(**said):
        for name, words in said.items():
            record_property(name, str(words))

    return say


@pytest.fixture
def small_disk(tmp_path):
    """Makes file systems of so many megabytes."""
    made = []

    def make(name, megabytes):
        where = tmp_path / name
        where.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", where]
        done = subprocess.run(command, capture_output=True, text=True)
        possible(f"may not mount here: {done.stderr.strip()}" if done.returncode else "")
        made.append(where)
        return where

    yield make
    for where in made:
        subprocess.run(["umount", "-l", where], check=True)
