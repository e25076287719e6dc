"""What tools printed on a real machine is read for what it says, and anything else for nothing."""

import pytest

from bench.beside import parse

STRACE = """\
strace: Process 31715 attached
strace: Process 31715 detached
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 99.95    0.167699          16     10000           getppid
  0.03    0.000049          49         3         2 openat
------ ----------- ----------- --------- --------- ----------------
100.00    0.167779          16     10003         2 total
"""
PERF = """\

 Summary of events:

 loop (31715), 40004 events, 100.0%

   syscall            calls  errors  total       min       avg       max       stddev
                                     (msec)    (msec)    (msec)    (msec)        (%)
   --------------- --------  ------ -------- --------- --------- ---------     ------
   getppid            20000      0   299.741     0.012     0.015     0.101      0.18%
   read                   1      0     0.000     0.000     0.000     0.000      0.00%

LOST 17 events!

 true (31716), 12 events, 0.0%

   getppid                5      1     0.741     0.012     0.015     0.101      0.18%
LOST 3 events!
"""
BPFTRACE = """\
ERROR: Unknown error -1: couldn't set RLIMIT_MEMLOCK for bpftrace. If your program is not loading, you can try "ulimit -l 8192"
Attaching 1 probe...
Lost 4 events


@[1]: 1
@[0]: 1
@[110]: 100000
"""
SYSCOUNT = """\
Tracing syscalls, printing top 1000... Ctrl+C to quit.
[16:52:01]
SYSCALL                   COUNT
getppid                   90513
openat                        2

Detaching...
"""


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        pytest.param(parse.strace, STRACE, {"getppid": 10000, "openat": 3}, id="strace"),
        pytest.param(parse.perf, PERF, {"getppid": 20005, "read": 1}, id="perf-adds-threads-up"),
        pytest.param(parse.syscount, SYSCOUNT, {"getppid": 90513, "openat": 2}, id="syscount"),
    ],
)
def test_the_table_of_a_tool_becomes_calls_by_name(read, text, expected):
    assert read(text) == expected


def test_numbers_of_bpftrace_get_the_names_of_the_architecture(monkeypatch):
    monkeypatch.setattr(parse, "ARCH", "x86_64")
    assert parse.bpftrace(BPFTRACE) == {"write": 1, "read": 1, "getppid": 100000}


@pytest.mark.parametrize("read", [parse.strace, parse.perf, parse.syscount, parse.bpftrace])
@pytest.mark.parametrize("text", ["", "Error: no such thing\n", "@[x]: y\n\x1b[2J"], ids=["empty", "error", "noise"])
def test_text_that_is_no_table_gives_nothing(read, text):
    assert not read(text)


def test_what_a_tool_says_that_it_lost_is_added_up():
    assert parse.perf_lost(PERF) == 20 and parse.bpftrace_lost(BPFTRACE) == 4
    assert parse.not_told("LOST 3 events!") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "it said nothing", id="empty"),
        pytest.param("one\ntwo\n", "two", id="the-last-line"),
        pytest.param("Exception: Failed to compile\nbye\n", "Exception: Failed to compile", id="the-error"),
        pytest.param("error " + "x" * 5000, "error " + "x" * 194, id="bounded"),
    ],
)
def test_a_tool_that_does_not_run_is_told_with_its_own_words(text, expected):
    assert parse.reason(text) == expected
