"""Clients of agents in containers: what they say is told with equal digests, and the one that cannot be read is told loudly."""

import os

import pytest

from tests.clients import __main__ as command
from tests.clients import trial
from tests.clients.trial import NOT_TRIED

pytestmark = pytest.mark.kernel
REQUIRED = os.environ.get("DRIFTLINE_REQUIRE_KERNEL") == "1"


@pytest.fixture(scope="module")
def rows():
    if why := command.lack():
        (pytest.fail if REQUIRED else pytest.skip)(f"{why} is missing here")
    return {row.client: row for row in trial.run()}


def test_every_client_is_told_as_it_should_be(rows):
    assert {name: row.faults for name, row in rows.items() if row.faults} == {}


def test_none_is_left_out_where_all_are_demanded(rows):
    left = {name: row.reason for name, row in rows.items() if row.rung == NOT_TRIED}
    if left and not REQUIRED:
        pytest.skip(str(left))
    assert left == {}


def test_every_call_of_a_covered_client_is_told_with_model_and_digests_equal(rows):
    covered = [row for row in rows.values() if row.rung == "symbol"]
    assert covered and all(row.told == row.tools == row.calls > 0 for row in covered)


def test_the_stripped_one_is_uncovered_in_every_place_with_the_reason(rows):
    row = rows["static-stripped"]
    if row.rung == NOT_TRIED:
        pytest.skip(row.reason)
    assert (row.rung, row.told) == ("uncovered", 0) and row.calls > 0
    assert "not in the signature table" in row.reason and row.library == "/work/static-stripped"
    assert {"inventory show", "workload show", "envelope show", "audit show", "metrics", "log"} == row.loud.keys()
    assert "not in the signature table" in row.loud["inventory show"]
