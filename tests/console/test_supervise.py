"""Two children: started, restarted, stopped together, and never with more privileges than they need."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from console.supervise import GRACE, POLL, PrivilegeError, bound, unprivileged, user_ids

RUN = """
import os, sys
from console.supervise import Child, Supervisor, bound
children = [Child(name, bound([sys.executable, "-c", code])) for name, code in {children!r}.items()]
sys.exit(Supervisor(children, lambda line: os.write(1, f"{{line}}\\n".encode())).run())
"""
# Each says that it runs: from then on its death signal is set, and a stubborn one is deaf. One write is one line in the pipe
# that they share; `print` writes the end of a line apart where PYTHONUNBUFFERED is set.
SLEEPS = "import os, time; os.write(1, b'up %d\\n' % os.getpid()); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"
DEADLINE = 60.0  # seconds, for a machine that does other things too


def supervised(**children):
    code = textwrap.dedent(RUN).format(children=children)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def lines_until(process, text):
    seen = []
    for line in process.stdout:
        seen.append(line.strip())
        if text in line:
            return seen
    raise AssertionError(f"ended without {text!r}: {seen}")


def running(process, count=2):
    """Process numbers of the children, once each of them has said that it runs."""
    return [int(lines_until(process, "up ")[-1].rpartition(" ")[2]) for _ in range(count)]


def gone(pid):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{pid}/stat") as stat:  # a zombie waits for init, which is no work of ours
            if stat.read().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_both_and_the_exit_code_is_0(number):
    process = supervised(a=SLEEPS, b=SLEEPS)
    pids = running(process)
    process.send_signal(number)
    assert process.wait(DEADLINE) == 0
    assert all(map(gone, pids))


def test_a_child_that_ignores_the_signal_is_killed():
    process = supervised(a=STUBBORN, b=STUBBORN)
    pids = running(process)
    process.terminate()
    assert "killed" in lines_until(process, "a did not stop in time")[-1]
    assert process.wait(DEADLINE) == 0
    assert all(map(gone, pids))


def test_a_stop_leaves_the_service_manager_time():
    assert GRACE + POLL < 5, "TimeoutStopSec of the units"


def test_a_child_that_ends_is_started_again_after_a_growing_delay():
    process = supervised(a="raise SystemExit(1)", b=SLEEPS)
    seen = lines_until(process, "again in 1 s")
    assert any("again in 0.5 s" in line for line in seen)
    process.terminate()
    assert process.wait(DEADLINE) == 0


@pytest.mark.parametrize("code", [2, 3])
def test_a_child_that_says_that_a_restart_cannot_help_ends_everything_with_its_code(code):
    process = supervised(a=f"raise SystemExit({code})", b=SLEEPS)
    assert process.wait(DEADLINE) == code


def test_a_killed_supervisor_leaves_no_orphan():
    process = supervised(a=SLEEPS, b=SLEEPS)
    pids = running(process)
    process.kill()
    process.wait()
    assert all(map(gone, pids))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: nobody else has privileges to drop")
def test_the_unprivileged_command_has_no_capability_and_cannot_regain_one():
    show = "print(open('/proc/self/status').read())"
    done = subprocess.run(
        unprivileged(["/usr/bin/python3", "-c", show], (65520, 65520)), capture_output=True, text=True
    )
    status = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["Uid"].split() == ["65520"] * 4
    assert status["NoNewPrivs"] == "1"
    assert status["Groups"].split() in ([], ["65520"])


def test_an_unknown_user_is_refused_with_the_remedy():
    with pytest.raises(PrivilegeError, match="useradd --system nobody-of-this-name"):
        user_ids("nobody-of-this-name")


def test_a_number_is_a_user_too():
    assert user_ids("1234") == (1234, 1234)


def test_bound_keeps_the_command_as_it_is():
    assert bound(["x", "-y"])[-2:] == ["x", "-y"]
