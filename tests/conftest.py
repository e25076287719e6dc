"""What holds for every test: how long an example takes is no claim, and a second run tries what the first did.

New examples are what `make fuzz` is for.
"""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "unhurried",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
settings.load_profile("unhurried")


@pytest.fixture
def fault(record_property):
    """Says what a fault cost, for `make faults`: `done` what was done, `lost` how much, `told` where it is reported."""

    def say(**said):
        for name, words in said.items():
            record_property(name, str(words))

    return say
