"""Each process says on which rung it stands and why not higher."""

import pytest

from sensor.observe.plaintext.ladder import NoSignatures, Part, part, stand
from sensor.observe.plaintext.libraries import Library

BOTH = {"SSL_read": 1, "SSL_write": 2}


def library(**changes):
    return Library(**({"key": (1, 2, 3, 4), "path": "/x.so", "build_id": "ab12"} | changes))


@pytest.mark.parametrize(
    "found,attached,by,rung,reason",
    [
        pytest.param({"functions": BOTH, "speaks": True}, True, "symbol", "symbol", "", id="by-symbol"),
        pytest.param(
            {"speaks": True}, True, "signature", "signature", "ab12 is in the signature table", id="by-signature"
        ),
        pytest.param(
            {"speaks": True}, False, "symbol", "uncovered", "ab12 is not in the signature table", id="stripped"
        ),
        pytest.param({"speaks": True, "build_id": ""}, False, "symbol", "uncovered", "no build id", id="no-build-id"),
        pytest.param(
            {"functions": {"SSL_read": 1}, "speaks": True}, False, "symbol", "uncovered", "half of its", id="half"
        ),
        pytest.param({"functions": BOTH, "speaks": True}, False, "symbol", "uncovered", "Too many", id="refused"),
    ],
)
def test_an_implementation_of_tls_has_a_rung_and_a_reason(found, attached, by, rung, reason):
    made = part(library(**found), attached=attached, by=by, refused="Too many open files")
    assert made.rung == rung
    assert reason in made.reason and bool(reason) == bool(made.reason)


@pytest.mark.parametrize("speaks", [None, False])
def test_a_file_without_tls_is_no_part(speaks):
    assert part(library(speaks=speaks), attached=False, by="symbol", refused="") is None


GOOD, BLIND = Part("/a.so", "symbol", ""), Part("/b.so", "uncovered", "stripped")


@pytest.mark.parametrize(
    "parts,changes,rung,reason",
    [
        pytest.param([GOOD], {}, "symbol", "", id="symbol"),
        pytest.param([BLIND], {}, "uncovered", "/b.so: stripped", id="uncovered"),
        pytest.param([BLIND, GOOD], {}, "symbol", "/b.so: stripped", id="one-of-two"),
        pytest.param([], {"waiting": 3}, "searching", "3 files", id="searching"),
        pytest.param([], {}, "none", "no code of TLS", id="none"),
        pytest.param([], {"hello": True}, "metadata", "greeted", id="greeted"),
        pytest.param([], {"unread": ["/c lies on FUSE"]}, "metadata", "FUSE", id="not-opened"),
    ],
)
def test_a_process_stands_on_its_best_part_and_names_what_would_be_unseen(parts, changes, rung, reason):
    row = stand(40, 7, parts, **({"waiting": 0, "unread": (), "hello": False, "http": False} | changes))
    assert row.rung == rung
    assert reason in row.reason and bool(reason) == bool(row.reason)


def test_the_empty_table_knows_no_build():
    assert NoSignatures().find("ab12") is None
