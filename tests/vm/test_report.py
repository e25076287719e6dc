"""A difference between kernels is red in the page and in the exit code."""

from dataclasses import replace

import pytest

from tests.vm.report import Column, page, sum_of

DOCTOR = {"rows": [{"probe": "kprobes", "state": "no", "stand_in": "cgroup_skb"}]}
FACT = {"probe": "files", "load": "10 opens", "wanted": 10, "seen": 10}
HOOK = {"hook": "LSM file_open", "stand_in": "sys_exit", "load": "writes", "wanted": 10, "seen": 10}
CLAIM = {"claim": "both start", "holds": True, "seen": "active"}
HERE = Column("this machine", "6.18", DOCTOR, (FACT,))
GOOD = Column("6.1", "6.1.0", DOCTOR, (FACT,), (HOOK,), "9 passed", (CLAIM,), guest=True)


def test_a_page_in_which_everything_holds_has_no_red():
    text = page([HERE, GOOD])
    assert "Red**:" not in text
    assert "| files | 10 opens | 10 | 10 |" in text
    assert "| kprobes | not on this kernel; cgroup_skb | not on this kernel; cgroup_skb |" in text
    assert (HERE.red, GOOD.red) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"facts": (FACT | {"seen": 9},)}, id="fact"),
        pytest.param({"facts": ()}, id="no-facts"),
        pytest.param({"hooks": (HOOK | {"seen": "not permitted"},)}, id="hook"),
        pytest.param({"tests": "1 failed, 8 passed"}, id="test"),
        pytest.param({"tests": ""}, id="no-tests"),
        pytest.param({"services": (CLAIM | {"holds": False},)}, id="claim"),
        pytest.param({"services": ()}, id="no-claims"),
        pytest.param({"hooks": ()}, id="no-hooks"),
        pytest.param({"hooks": (HOOK, HOOK | {"seen": "absent"})}, id="a-hook-of-one-kernel"),
        pytest.param({"cut": ("a boot",)}, id="cut"),
    ],
)
def test_whatever_differs_is_red(changes):
    bad = replace(GOOD, **changes)
    assert len(bad.red) == 1
    page([HERE, bad])


def test_a_kernel_that_lacks_a_row_of_another_says_so():
    more = replace(GOOD, hooks=(HOOK, HOOK | {"hook": "fexit"}))
    assert "| fexit | 10 writes | not tried | 10 | **Red**: no answer | sys_exit |" in page([HERE, more, GOOD])


def test_a_probe_is_told_with_its_hook_and_a_stand_in_with_its_reason():
    rows = [
        {"probe": "probe files", "state": "stand-in", "hook": "sys_exit", "stand_in": "refused"},
        {"probe": "probe process", "state": "yes", "hook": "exec", "stand_in": ""},
    ]
    text = page([replace(HERE, doctor={"rows": rows})])
    assert "| probe files | stand-in: sys_exit: refused |" in text
    assert "| probe process | yes: exec |" in text


@pytest.mark.parametrize(
    "lines, ended, wanted",
    [
        pytest.param([".", "3 passed in 1.23s"], True, "3 passed", id="whole"),
        pytest.param(["== 1 failed, 2 passed in 61.00s (0:01:01) =="], True, "1 failed, 2 passed", id="framed"),
        pytest.param(["..."], False, "error: no end within the time", id="cut"),
        pytest.param([], True, "error: no end within the time", id="nothing"),
    ],
)
def test_the_sum_of_a_run_is_its_last_line(lines, ended, wanted):
    assert sum_of(lines, ended=ended) == wanted
