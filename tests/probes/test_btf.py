"""Offsets from the running kernel's type information."""

from pathlib import Path

import pytest

from sensor.probes import btf, catalogue

pytestmark = pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel has no BTF")


@pytest.fixture(scope="module")
def kernel():
    try:
        made = btf.Kernel()
    except OSError as e:
        pytest.skip(str(e))
    yield made
    made.close()


def test_members_that_never_move_are_where_they_are(kernel):
    assert kernel.offset("list_head.next") == 0
    assert kernel.offset("list_head.prev") == 8
    assert kernel.offset("path.dentry") == 8


def test_a_member_in_a_nameless_part_counts_from_the_outside(kernel):
    inner = kernel.offset("dentry.d_name.name")
    assert inner is not None and inner > kernel.offset("dentry.d_parent")


@pytest.mark.parametrize("path", ["no_such_struct.x", "path.no_such_member", "path.dentry.too.deep"])
def test_what_is_not_there_is_none(kernel, path):
    assert kernel.offset(path) is None


def test_this_kernel_has_what_the_probes_need():
    known = btf.offsets()
    assert not [o for p in catalogue.PROBES for o in p.offsets if o not in known]
    assert all(isinstance(at, int) and at >= 0 for at in known.values())


@pytest.mark.parametrize(
    ("tracepoint", "struct"),
    [("sched_process_exec", "task_struct"), ("irq_handler_entry", ""), ("no_such_tracepoint", None)],
)
def test_what_a_tracepoint_hands_over_first_is_known(kernel, tracepoint, struct):
    assert kernel.handed(tracepoint) == struct
