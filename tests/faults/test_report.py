"""A fault whose test failed, was left out or said nothing is red in the page and in the exit code."""

from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS, PEERS, Fault
from tests.faults.report import Case, cases, page, row

ROOT = Path(__file__).parents[2]
FAULT = Fault("f", "Ring full", "a storm", ("t.py::a", "t.py::b"))
SAID = (("lost", "3 | 4"), ("told", "the tick"))
GOOD = [Case("t.py::a", "", 1.0, SAID), Case("t.py::b[x]", "", 1.0, ()), Case("t.py::b[y]", "", 1.0, SAID)]


def test_a_row_says_what_its_tests_said_once():
    found = row(FAULT, GOOD)
    assert (found.done, found.lost, found.told, found.seconds, found.red) == ("a storm", "3 | 4", "the tick", 3.0, ())
    assert "| Ring full | a storm | 3 \\| 4 | the tick | 3 s |" in page([found], [], "here")


@pytest.mark.parametrize(
    "ran",
    [
        pytest.param(GOOD[:1], id="one-did-not-run"),
        pytest.param([*GOOD, Case("t.py::b[z]", "failure: x", 1.0, ())], id="one-failed"),
        pytest.param([Case(c.id, "", 1.0, ()) for c in GOOD], id="nothing-said"),
    ],
)
def test_whatever_is_missing_is_red(ran):
    found = row(FAULT, ran)
    assert len(found.red) == 1
    assert "**Red**" in page([found], [], "here")


def test_a_report_of_pytest_is_read(tmp_path):
    (tmp_path / "r.xml").write_text(
        '<testsuites><testsuite><testcase classname="tests.kernel.test_x" name="a[1]" time="0.5"><properties>'
        '<property name="lost" value="0"/></properties></testcase>'
        '<testcase classname="t" name="b" time="1"><skipped message="no root"/></testcase></testsuite></testsuites>'
    )
    first, second = cases(tmp_path / "r.xml")
    assert first == Case("tests/kernel/test_x.py::a[1]", "", 0.5, (("lost", "0"),))
    assert "skipped" in second.failure


def test_every_fault_names_tests_that_exist():
    assert len({f.name for f in FAULTS}) == len(FAULTS)
    for test in (t for f in FAULTS for t in f.tests):
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(), test


def test_every_loss_of_a_peer_has_its_counterpart():
    known = {f.name for f in FAULTS}
    assert [p for p in PEERS if not p.ours or not known.issuperset(p.ours)] == []


def test_the_page_has_every_fault():
    text = (ROOT / "docs/faults.md").read_text()
    assert [f.name for f in FAULTS if f"| {f.fault} |" not in text] == []
    assert "**Red**:" not in text
