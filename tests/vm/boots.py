"""What is asked of a kernel: one script for each boot. A line that begins with @@ names the stage that begins there."""

from __future__ import annotations

from dataclasses import dataclass

from tests.vm.machine import ROOT

FULL = "6.12"  # the kernel under which the units are asked everything; systemd is the same under the others
# What a kernel decides: compiling, loading, verifying, counting. The rest of the suite would say the same on every kernel.
TESTS = """
tests/probes/test_btf.py tests/probes/test_headers.py tests/probes/test_pins.py
tests/kernel/test_processes.py tests/kernel/test_files.py tests/kernel/test_network.py tests/kernel/test_syscalls.py
tests/kernel/test_scripts.py tests/kernel/test_hooks.py tests/kernel/test_io_uring.py
""".split()

# Nothing here is a claim about time: whatever is waited for may take ten times as long as on the machine itself.
ENTER = f"cd {ROOT}; set -o pipefail; export PYTHONDONTWRITEBYTECODE=1 DRIFTLINE_TEST_PACE=10"
# From here on the machine around the guest compiles. What clang compiles in the guest: the hooks, and all that the units load.
COMPILER = """
to=/usr/local/lib/$(basename "$(readlink -f /usr/bin/python3)")/dist-packages
install -D -m 644 -t "$to" tests/vm/guest/bcc.py
install -m 755 -t /usr/local/bin tests/vm/guest/gcc
"""
PLAIN = f"""{ENTER}
echo "@@ doctor"
.venv/bin/driftline doctor --json > /share/doctor.json
echo "@@ hooks"
/usr/bin/python3 -m tests.vm.hooks /share/hooks.json
{COMPILER}
export DRIFTLINE_TEST_HOOKS=/share/hooks.json DRIFTLINE_REQUIRE_KERNEL=1 DRIFTLINE_TEST_INTERVAL=0.6 DRIFTLINE_TEST_ONE_SENSOR=1
echo "@@ facts"
.venv/bin/python -m tests.vm.facts /share/facts.json
echo "@@ tests"
.venv/bin/python -m pytest {" ".join(TESTS)} --timeout 900 --tb short 2>&1 | tee /share/tests.txt
"""
UNITS = f"""{ENTER}
.venv/bin/python -m tests.vm.services /share/services.json """
PODS = f"""{ENTER}
{COMPILER}
.venv/bin/python -m tests.containers.crun /share/pods.json
"""
PODS_SECONDS = 2400  # of emulation beside whatever else the machine does
PLAIN_NAME, UNITS_NAME = "kernel tests", "units under systemd"


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of one kernel."""

    name: str
    series: str
    script: str
    weight: int  # seconds that it takes where nothing else runs: the longest is begun first
    systemd: bool = False
    seconds: int = 1200  # the longest it may take; then it is ended and what it said is shown


def of(series: str) -> tuple[Boot, ...]:
    """The boots of one kernel."""
    full = series == FULL
    return (
        Boot(UNITS_NAME, series, UNITS + ("" if full else "short"), 280 if full else 160, systemd=True),
        Boot(PLAIN_NAME, series, PLAIN, 200),
    )
