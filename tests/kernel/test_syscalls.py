"""System calls: every one counted, none twice, in order per thread, from the first one on."""

import os
import struct

import numpy as np

from sensor.observe import grams
from sensor.probes.maps import Map
from wire.syscalls import number

MARKERS = ("chdir", "mkdir", "rename", "link", "symlink", "rmdir", "socket")
SPREAD = """
import ctypes, os, sys, time
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None)
steps = [(83, b"a", 0o700), (82, b"a", b"b"), (86, b"f", b"g"), (88, b"f", b"h"), (84, b"b")]
open("f", "w").close()
for step in steps:
    libc.syscall(*step)
    time.sleep(0.15)
libc.syscall(41, 2, 1, 0)
"""


def kernel_counts(sensor, cgroup):
    """What the kernel's own rows hold, without the way through windows."""
    kernel = sensor.agent.kernel
    slot = kernel.seat_of(cgroup.id)
    total = kernel.calls[slot]["count"].sum(axis=0)
    return {int(n): int(total[n]) for n in np.flatnonzero(total)}


def kernel_bits(sensor, cgroup):
    raw = Map(sensor.agent.loaded.folder / "grams").get(struct.pack("<I", sensor.agent.kernel.seat_of(cgroup.id)))
    return set(grams.set_bits(np.frombuffer(raw, np.uint8)).tolist())


def test_markers_spread_in_time_are_all_reported_and_the_set_is_the_kernels(sensor, tmp_path, fault):
    for attempt in range(2):
        box = sensor.cgroup()
        folder = tmp_path / str(attempt)
        folder.mkdir()
        box.python(SPREAD, str(folder))
        dump = kernel_counts(sensor, box)
        said = sensor.all_of(box)
        assert dict(said.calls()) == dump
        assert {number(m) for m in MARKERS} <= set(dump)
        assert not said.loss()
    fault(lost=f"0 of {len(MARKERS)} markers, 0 of {sum(dump.values()):,} calls", told="nothing to tell")


def test_calls_of_threads_on_two_cpus_are_counted_to_the_last(sensor, box):
    box.load("parents", "10000")
    said = sensor.all_of(box)
    assert said.calls()[number("getppid")] == 20_000
    assert not said.loss()


def test_the_very_first_call_of_a_process_counts(sensor, box):
    for _ in range(5):
        box.run(box.programs / "first")
    said = sensor.all_of(box)
    assert said.calls() == {number("execve"): 5, number("getppid"): 5, number("exit"): 5}
    assert int(grams.pack(number("execve"), number("getppid"), number("exit"))) in said.grams()


def test_trigrams_keep_to_their_thread_when_two_interleave(sensor, box):
    box.load("cycles", "300")
    bits = kernel_bits(sensor, box)
    said = sensor.all_of(box)
    one, other = (
        {number(n) for n in names} for names in (("getppid", "getpgrp", "getgid"), ("getuid", "geteuid", "getegid"))
    )
    triples = [tuple(int(n) for n in grams.unpack(g)) for g in said.grams()]
    assert not [t for t in triples if set(t) & one and set(t) & other]
    assert tuple(map(number, ("getpgrp", "getgid", "getppid"))) in triples
    assert tuple(map(number, ("geteuid", "getegid", "getuid"))) in triples
    assert {int(grams.bit(g)) for g in said.grams()} == bits


def test_many_threads_at_once_do_not_take_each_other_for_a_beginning(sensor, box):
    """Their last calls lie in a table by thread id; ids that live together must not share a place there."""
    box.load("crowd", "200")
    said = sensor.all_of(box)
    getppid = number("getppid")
    assert said.calls()[getppid] == 64 * 200
    assert int(grams.pack(grams.NONE, grams.NONE, getppid)) not in said.grams()


def test_calls_are_told_as_first_seen_facts_once(sensor, box):
    box.load("parents", "500")
    said = sensor.all_of(box)
    packed = [g for w in said.windows() for g in w.grams]
    assert len(packed) == len(set(packed))


def test_32_bit_calls_and_numbers_beyond_the_table_count_apart(sensor, box):
    box.load("compat", "37")
    box.load("beyond", "11")
    said = sensor.all_of(box)
    assert said.foreign() == 37 + 2 * 11
    assert max(said.calls()) < 512


def test_a_foreign_call_is_a_link_in_its_threads_sequence(sensor, box):
    """It was left out, so the calls before and after it made a trigram that the thread never made."""
    box.load("beyond", "3")
    said = sensor.all_of(box)
    assert int(grams.pack(512, 512, 512)) in said.grams()


def test_two_cgroups_are_counted_apart(sensor, box):
    other = sensor.cgroup()
    box.load("parents", "100")
    other.load("parents", "300")
    assert sensor.all_of(box).calls()[number("getppid")] == 200
    assert sensor.all_of(other).calls()[number("getppid")] == 600


def test_nothing_outside_the_scope_is_seen(sensor, box):
    os.getppid()
    box.run("/bin/true")
    sensor.all_of(box)
    inside = {r.replica.cgroup for r in sensor.sink.records if hasattr(r, "replica")}
    own = {int(os.stat(p).st_ino) for p in [sensor.scope.path]}
    assert os.stat(sensor.scope.path.parent).st_ino not in inside | own
