"""Figures and tables say what was measured, what was not seen, and what did not run and why."""

import pytest

from bench.beside.figures import PEERS, figures, loads
from bench.beside.page import section, table
from bench.beside.tools import REFUSED
from tests.bench.beside.samples import results


def by_name(made):
    return {(f.load, f.peer): f for f in figures(made)}


def test_a_factor_is_time_with_by_time_without_of_the_same_round():
    found = by_name(results())
    assert loads(results()) == ["getppid", "nginx"]
    assert found["getppid", "strace -f -c"].inside.value == pytest.approx(100)
    assert found["getppid", "strace -f -c"].outside.value == pytest.approx(1)
    e = found["nginx", "driftline"].inside
    assert e.low <= e.value <= e.high


def test_more_seen_than_made_is_all_of_it():
    f = by_name(results())["getppid", "driftline"]
    assert (f.made, f.seen, f.lost) == (7000, 7000, 0)


def test_a_tool_that_misses_calls_shows_it_and_never_as_hundred():
    made = results()
    made["seen"]["getppid, perf trace -s"] = [[1_000_000, 999_999, 1]] * 2
    made["seen"]["getppid, bpftrace"] = [[1000, 100, 0]] * 7
    text = "\n".join(section(made))
    assert "99.99 %, 2 lost" in text and "10.00 %, 0 lost" in text and "not told" in text


def test_what_did_not_run_has_its_rows_and_its_reason():
    lines = section(results())
    row = next(line for line in lines if line.startswith("| bpftrace"))
    assert row.count("did not run") == 1
    assert "- nginx, bpftrace did not run: `ERROR: it is broken`" in lines
    for name in REFUSED:
        assert any(line.startswith(f"| {name}") and "not run" in line for line in lines)


def test_every_peer_has_a_row_in_every_table_of_factors():
    lines = section(results())
    for peer in PEERS:
        assert sum(line.startswith(f"| {peer} ") for line in lines) >= 2


def test_a_busy_machine_and_programs_of_others_are_told():
    text = "\n".join(section(results(others=3)))
    assert "up to 3 programs" in text and "2.5 at most" in text


def test_a_section_without_one_load_that_ran_is_still_a_page():
    empty = results(samples={}, cpu={}, seen={}, attach={}, failed={}, busy=[])
    assert section(empty)


def test_columns_of_a_table_are_as_wide_as_their_longest_cell():
    assert table(["a", "bc"], [["ddd", ""]]) == ["| a   | bc |", "|-----|----|", "| ddd |    |"]
