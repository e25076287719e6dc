"""What holds for every test: how long an example takes is no claim, and a second run tries what the first did.

Examples are drawn anew only where fuzzing is asked for (`make fuzz`, DRIFTLINE_FUZZ_SECONDS).
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unhurried",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="DRIFTLINE_FUZZ_SECONDS" not in os.environ,
)
settings.load_profile("unhurried")
