"""Names that a workload makes to do harm, as large as the kernel allows."""

import os
import shutil

import pytest

from classifier.pipeline import Pipeline
from classifier.policy import Policy
from tests.kernel.test_hostile import texts
from wire.records import Event

pytestmark = pytest.mark.kernel
CONTROL = bytes(b for b in range(1, 32))  # all but NUL, which ends a name


def deep(top, length):
    """A folder whose path below `top` is so long, all of it control characters; made from within, step by step."""
    name, fd, path = (CONTROL * 9)[:250], os.open(top, os.O_RDONLY), os.fsencode(top)
    while length - len(path) + len(os.fsencode(top)) > 251:
        os.mkdir(name, dir_fd=fd)
        fd, before = os.open(name, os.O_RDONLY, dir_fd=fd), fd
        os.close(before)
        path += b"/" + name
    os.close(fd)
    return path


def test_names_of_four_kilobytes_of_control_characters_are_cut_and_say_so(lab, tmp_path, fault):
    folder = deep(tmp_path, 3900)
    program = folder + b"/" + CONTROL
    shutil.copy(lab.scope.programs / "load", program)
    with lab.sensor() as sensor:
        box = sensor.cgroup()
        box.run(program, b"opens", b"3", program, CONTROL * 132)
        said = sensor.all_of(box)
    found = [t for t in texts(said) if not t.isprintable()]
    assert found == []
    [event] = [e for e in said.events("exec") if e.data["cut"]]
    assert event.data["path"].startswith("…") and len(event.behaviour) <= 512
    assert 3 in said.counts("open:").values()
    pipeline = Pipeline(Policy())
    for record in sensor.sink.records:
        pipeline.feed(record)
    assert not said.loss()
    fault(
        done=f"a program and a file with a path of {len(program):,} bytes and an argument of {132 * 31:,}, all control characters",
        lost=f"{len(program) - 640:,} bytes of the path at least, {132 * 31 - 511:,} of the arguments; execs and opens 0",
        told='the path begins with "…", `cut` of the event; shown escaped',
    )


def test_an_argument_of_128_kilobytes_is_cut_and_says_so(lab, fault):
    longest = 131_071  # MAX_ARG_STRLEN less its NUL
    with lab.sensor() as sensor:
        box = sensor.cgroup()
        box.run("/bin/true", "x" * longest, "x" * 100)
        said = sensor.all_of(box)
    [event] = said.events("exec")
    assert event.data["cut"] == 1 and event.data["argv"].startswith("/bin/true xxx")
    assert len(event.data["argv"]) <= 511
    assert said.counts("exec:") == {"exec:/usr/bin/true<-": 1} and not said.loss()
    assert all(len(str(v)) <= 4096 for e in said.records(Event) for v in e.data.values())
    kept = len(event.data["argv"])
    fault(
        done=f"an argument of {longest:,} bytes, the longest that the kernel takes",
        lost=f"{longest + 110 - kept:,} of {longest + 110:,} bytes of argv",
        told="`cut` of the event",
    )
