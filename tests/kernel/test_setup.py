"""What a runtime does in a container's cgroup before the container's program is run is not the container's.

runc mounts, unshares and changes users there, and so does systemd for its units. Counted, it made these calls usual for every
container: one that unshared its mounts for the first time was no finding (#5).
"""

from __future__ import annotations

import subprocess

import pytest

from tests.kernel.lab import DEADLINE, PYTHON, until
from wire.syscalls import number

# Waits to be moved, then bears a child that changes its group, as a runtime does, and runs a program that changes its user.
RUNTIME = f"""
import os, sys
print(flush=True)
sys.stdin.readline()
if os.fork() == 0:
    os.setgid(0)
    os.execv("{PYTHON}", ["python3", "-S", "-E", "-c", "import os; os.setuid(0)"])
sys.exit(os.wait()[1])
"""
ITSELF = """
import os, sys, time
print(flush=True)
sys.stdin.readline()
if os.fork():
    os.wait()
while True:
    os.setgid(0)
    time.sleep(0.2)
"""
MOVES = """
import os, sys
for place in ("a", "b"):
    open(f"{sys.argv[1]}/{place}/cgroup.procs", "w").write("0")
    os.setgid(0)
"""
ARGUMENTS = ("-S", "-E", "-c")
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}


def made(said) -> dict[str, int]:
    return {name: said.calls()[number(name)] for name in ("setgid", "setuid")}


def moved(process: subprocess.Popen, box) -> None:
    """Lets a process go on in a cgroup into which it was moved."""
    process.stdout.readline()
    (box.path / "cgroup.procs").write_text(str(process.pid))
    process.stdin.write("go\n")
    process.stdin.flush()


def ended(process: subprocess.Popen) -> None:
    assert process.wait(DEADLINE) == 0
    process.stdin.close(), process.stdout.close()


@pytest.mark.parametrize("observed", [False, True], ids=["runtime-outside-the-scope", "runtime-observed-too"])
def test_a_container_is_not_told_to_do_what_its_runtime_does(sensor, box, observed):
    start = sensor.cgroup().start if observed else subprocess.Popen
    argv = (PYTHON, *ARGUMENTS, RUNTIME)
    process = start(*argv, **PIPES) if observed else start(argv, **PIPES)
    moved(process, box)
    ended(process)
    said = sensor.all_of(box)
    assert made(said) == {"setgid": 0, "setuid": 1}
    assert [e.behaviour for e in said.events("syscall")] == ["syscall:setuid"]


def test_a_program_that_moves_through_cgroups_of_its_own_is_counted_in_each(sensor, box):
    inner = [box.child(name) for name in "ab"]
    box.python(MOVES, str(box.path))
    assert [made(sensor.all_of(cgroup))["setgid"] for cgroup in inner] == [1, 1]


def test_a_process_that_was_moved_in_to_stay_is_counted_ten_seconds_later(sensor, box):
    with subprocess.Popen((PYTHON, *ARGUMENTS, ITSELF), **PIPES) as process:
        moved(process, box)
        until(lambda: made(sensor.of(box))["setgid"], "a call of the moved process")
        process.kill()


def test_what_was_at_work_before_the_sensor_is_counted_at_once(lab):
    box = lab.scope.child("old")
    process = box.start(PYTHON, *ARGUMENTS, RUNTIME, **PIPES)
    process.stdout.readline()
    with lab.sensor() as sensor:
        until(lambda: sensor.of(box).identities(), "the identity of what ran before")
        process.stdin.write("go\n")
        process.stdin.flush()
        ended(process)
        assert made(sensor.all_of(box)) == {"setgid": 1, "setuid": 1}
