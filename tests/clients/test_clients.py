"""Clients of agents in containers: what they say is told with equal digests, and the one that cannot be read is told loudly."""

import pytest

from tests.clients import __main__ as command
from tests.clients import trial
from tests.clients.trial import NOT_TRIED
from tests.observe.capability import need, possible

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def rows():
    need(not command.lack(), command.lack())
    return {row.client: row for row in trial.run()}


def test_every_client_is_told_as_it_should_be(rows):
    assert {name: row.faults for name, row in rows.items() if row.faults} == {}


def test_none_is_left_out_where_all_are_demanded(rows):
    left = [f"{name}: {row.reason}" for name, row in rows.items() if row.rung == NOT_TRIED]
    possible("; ".join(left))  # each says which package of Debian or Python is missing here


def test_every_call_of_a_covered_client_is_told_with_model_and_digests_equal(rows):
    covered = [row for row in rows.values() if row.rung == "symbol"]
    assert covered and all(row.told == row.tools == row.calls > 0 for row in covered)


def test_the_stripped_one_is_uncovered_in_every_place_with_the_reason(rows):
    row = rows["static-stripped"]
    possible(row.reason if row.rung == NOT_TRIED else "")  # no gcc or no static OpenSSL: the reason names the package
    assert (row.rung, row.told) == ("uncovered", 0) and row.calls > 0
    assert "not in the signature table" in row.reason and row.library == "/work/static-stripped"
    assert {"inventory show", "workload show", "envelope show", "audit show", "metrics", "log"} == row.loud.keys()
    assert "not in the signature table" in row.loud["inventory show"]
