"""Two children: started, restarted, stopped together, and never with more privileges than they need."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from console.supervise import PrivilegeError, bound, unprivileged, user_ids

RUN = """
import sys
from console.supervise import Child, Supervisor, bound
children = [Child(name, bound([sys.executable, "-c", code])) for name, code in {children!r}.items()]
sys.exit(Supervisor(children, lambda line: print(line, flush=True)).run())
"""
SLEEPS = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


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


def pid_in(line):
    return int(line.rpartition(" ")[2])


def gone(pid, seconds=3.0):
    end = time.monotonic() + seconds
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
    pids = [pid_in(line) for line in lines_until(process, "b started")]
    process.send_signal(number)
    assert process.wait(5) == 0
    assert all(map(gone, pids))


def test_a_child_that_ignores_the_signal_is_killed_within_five_seconds():
    process = supervised(a=STUBBORN, b=STUBBORN)
    pids = [pid_in(line) for line in lines_until(process, "b started")]
    time.sleep(0.3)
    begun = time.monotonic()
    process.terminate()
    assert process.wait(6) == 0
    assert time.monotonic() - begun < 5
    assert all(map(gone, pids))


def test_a_child_that_ends_is_started_again_after_a_growing_delay():
    process = supervised(a="raise SystemExit(1)", b=SLEEPS)
    seen = lines_until(process, "again in 1 s")
    assert any("again in 0.5 s" in line for line in seen)
    process.terminate()
    assert process.wait(5) == 0


@pytest.mark.parametrize("code", [2, 3])
def test_a_child_that_says_that_a_restart_cannot_help_ends_everything_with_its_code(code):
    process = supervised(a=f"raise SystemExit({code})", b=SLEEPS)
    assert process.wait(5) == code


def test_a_killed_supervisor_leaves_no_orphan():
    process = supervised(a=SLEEPS, b=SLEEPS)
    pids = [pid_in(line) for line in lines_until(process, "b started")]
    time.sleep(0.3)  # the children set their death signal after they were forked
    process.kill()
    process.wait(5)
    assert all(map(gone, pids))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")
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
