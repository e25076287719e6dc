"""Who is about to read a whole text stands in the trail before the answer comes, and without a row there is no answer."""

import contextlib
import json
import os
import sqlite3

import pytest

from guard.audit.bundle import bundle
from guard.audit.keys import load
from guard.audit.ledger import Ledger
from guard.audit.page import text
from guard.audit.verify import verify
from tests.guard.audit.test_kill import ATTENDED
from tests.service import daemon as daemons
from tests.service.daemon import Daemon

DIGEST = "ab" * 32
BODY = {"digest": DIGEST, "workload": "unit:support", "node": "n1", "text": "user_turn", "reason": "case 812", "actor": "ada",
        "to": "screen"}  # fmt: skip


@pytest.fixture
def start(tmp_path, monkeypatch):
    made = []

    def begin(program=ATTENDED):
        monkeypatch.setattr(daemons, "PROGRAM", program)
        made.append(Daemon(tmp_path).start())
        return made[-1]

    yield begin
    for one in made:
        if one.process.poll() is None:
            one.kill()


def until_open(daemon):
    """The trail is opened beside the first answers."""
    daemon.until(lambda: (daemon.folder / "state/audit/audit.db").exists())


def test_the_answer_is_a_row_that_is_on_the_disk(start, tmp_path):
    daemon = start()
    until_open(daemon)
    answers = [daemon.ask("POST", "/originals", BODY | {"to": to}) for to in ("screen", "copy", "screen")]
    assert [status for status, _ in answers] == [200, 200, 200]
    daemon.kill()  # what was answered needs no orderly end
    folder = tmp_path / "state/audit"
    ledger = Ledger(folder)
    rows = [row for seq in range(1, ledger.size + 1) if (row := ledger.row(seq).value)["kind"] == "access"]
    assert [row["id"] for row in rows] == [told["row"] for _, told in answers]
    assert rows[0]["access"] == BODY | {"uid": os.getuid()}
    page = text(rows[1])
    assert (
        "ada" in page and "take away, still sealed" in page and DIGEST in page.replace("\n", "") and "case 812" in page
    )
    key = load(folder / "key.pem")
    data = bundle(ledger, key.public_key(), [row["seq"] for row in rows], signer=key)
    ledger.close()
    path = tmp_path / "bundle.zip"
    path.write_bytes(data)
    assert verify(data, key.public_key()).good


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"digest": "xyz"}, id="no-digest"),
        pytest.param({"digest": DIGEST.upper()}, id="upper-case"),
        pytest.param({"reason": ""}, id="no-reason"),
        pytest.param({"reason": "x" * 100_000}, id="endless"),
        pytest.param({"reason": "a\x1b[2Jb"}, id="terminal"),
        pytest.param({"to": "world"}, id="elsewhere"),
        pytest.param({"workload": None}, id="of-nobody"),
        pytest.param({"actor": ["ada"]}, id="actor-of-another-kind"),
    ],
)
def test_an_order_that_says_too_little_or_anything_else_is_refused(start, change):
    status, told = start().ask("POST", "/originals", BODY | change)
    assert status == 400 and "row" not in told and json.dumps(told)


def test_without_a_trail_nothing_may_be_opened(start):
    status, told = start(ATTENDED.replace(", attend=attend", "")).ask("POST", "/originals", BODY)
    assert (status, told["hint"]) == (409, "set audit.keep to true") and "row" not in told


def test_a_trail_that_cannot_be_written_opens_nothing(start, tmp_path):
    daemon = start()
    until_open(daemon)
    with contextlib.closing(sqlite3.connect(tmp_path / "state/audit/audit.db", timeout=60)) as held:
        held.execute("BEGIN IMMEDIATE")
        status, told = daemon.ask("POST", "/originals", BODY)
        assert status == 503 and "row" not in told
        held.execute("ROLLBACK")
    assert daemon.ask("POST", "/originals", BODY)[0] == 200
