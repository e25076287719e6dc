"""`driftline audit`: rows for people, bundles for others, answers with exit codes."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from guard.audit.heads import parsed
from guard.audit.keys import create, pem
from guard.audit.ledger import Ledger
from guard.audit.writer import Writer
from tests.fixtures import fx1
from tests.guard.audit.trail import KEY, PUBLIC, Told, finding, story
from wire.bus import Sender
from wire.records import Gap
from wire.trace import Writer as Trace

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A trail with its key, as the running classifier's."""
    folder = tmp_path / "state/audit"
    ledger = Ledger(folder, writer=True)
    key = create(folder / "key.pem")
    Writer(ledger, key, Told(Gap("n1", 1.0, 9.0, "ring full"), finding(), events=story())).turn(1000.0)
    ledger.close()
    monkeypatch.setenv("DRIFTLINE_STATE_DIR", str(tmp_path / "state"))
    return folder


@pytest.fixture
def public(folder, tmp_path, driftline):
    path = tmp_path / "audit.pub"
    path.write_text(driftline("audit", "key", "--pem").stdout)
    return path


def test_rows_are_listed_and_chosen(driftline, folder):
    found = json.loads(driftline("audit", "list", "--json").stdout)
    assert [row["kind"] for row in found] == ["sensing_gap", "finding"]
    assert "AR-000002" in driftline("audit", "list", "--kind", "finding").stdout
    assert driftline("audit", "list", "--workload", "nobody").stderr == "no rows\n"
    assert driftline("audit", "list", "--csv").stdout.startswith("id,when,kind")


@pytest.mark.parametrize("id", ["AR-000002", "ar-2", "2", "f00d", "f0"])
def test_a_row_is_shown_by_its_id_or_its_findings(driftline, folder, id):
    shown = driftline("audit", "show", id)
    assert shown.exit_code == 0 and "ZD-88213" in shown.stdout and "4/4" in shown.stdout


def test_a_row_is_shown_as_values_as_a_page_and_with_its_records(driftline, folder):
    row = json.loads(driftline("audit", "show", "2", "--json", "--records").stdout)
    assert len(row["frames"]) == 3 and row["hash"]
    assert driftline("audit", "show", "2", "--html").stdout.startswith("<!doctype html>")
    assert "acme-weekly-export" in driftline("audit", "show", "2", "--records").stdout.splitlines()[-1]


def test_an_unknown_row_has_a_hint(driftline, folder):
    failed = driftline("audit", "show", "AR-000099")
    assert failed.exit_code == 1 and "no row and no finding" in failed.stderr


def test_a_bundle_is_good_and_one_changed_byte_names_the_row(driftline, folder, public, tmp_path):
    file = tmp_path / "case.zip"
    assert driftline("audit", "export", "--bundle", file, "--id", "f00d").exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    good = driftline("audit", "verify", file, "--key", public)
    assert good.exit_code == 0 and "good" in good.stdout and "1 of 2 rows" in good.stdout
    data = bytearray(file.read_bytes())
    data[data.index(b"4900000")] ^= 1
    file.write_bytes(data)
    bad = driftline("audit", "verify", file, "--key", public)
    assert bad.exit_code == 1 and "AR-000002" in bad.stderr
    told = json.loads(driftline("audit", "verify", file, "--key", public, "--json").stdout)
    assert told["first_bad"] == "AR-000002" and told["good"] is False


def test_a_key_of_somebody_else_is_no_key_of_this_trail(driftline, folder, tmp_path):
    driftline("audit", "export", "--bundle", tmp_path / "case.zip")
    assert driftline("audit", "verify", tmp_path / "case.zip", "--key", pem(PUBLIC)).exit_code == 1
    assert driftline("audit", "verify", tmp_path / "case.zip").exit_code == 2


def test_verifying_needs_neither_trail_nor_settings(driftline, folder, public, tmp_path, monkeypatch):
    driftline("audit", "export", "--bundle", tmp_path / "case.zip", "--last", "1")
    monkeypatch.setenv("DRIFTLINE_STATE_DIR", "/nowhere")
    for path in folder.iterdir():
        path.unlink()
    assert driftline("audit", "verify", tmp_path / "case.zip", "--key", public).exit_code == 0


def test_a_pipe_and_junk_are_no_bundle(driftline, public, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "junk").write_bytes(b"\x1b[2J" * 100)
    assert driftline("audit", "verify", tmp_path / "pipe", "--key", public).exit_code == 1
    failed = driftline("audit", "verify", tmp_path / "junk", "--key", public)
    assert failed.exit_code == 1 and "manifest.json" in failed.stderr and "\x1b" not in failed.output


def test_a_head_is_kept_elsewhere_and_proves_growth(driftline, folder, public, tmp_path):
    kept = tmp_path / "head.json"
    assert driftline("audit", "head", "--output", kept).exit_code == 0
    assert parsed(kept.read_bytes()).size == 2
    assert driftline("audit", "head", "--output", kept, "--json").stdout == kept.read_text()  # it was a line for people
    assert "2 rows, signed" in driftline("audit", "head").stdout
    ledger = Ledger(folder, writer=True)
    from guard.audit.keys import load

    Writer(ledger, load(folder / "key.pem"), Told(*[Gap("n2", 0.0, float(n), "x") for n in range(5)])).turn(2000.0)
    ledger.close()
    case = tmp_path / "case.zip"
    assert driftline("audit", "export", "--bundle", case, "--anchor", kept).exit_code == 0
    assert driftline("audit", "verify", case, "--key", public, "--anchor", kept).exit_code == 0
    other = Ledger(tmp_path / "other", writer=True)
    Writer(other, KEY, Told(finding())).turn(1.0)
    kept.write_bytes(other.head())
    other.close()
    assert driftline("audit", "verify", case, "--key", public, "--anchor", kept).exit_code == 1


def test_a_key_is_shown_and_made_where_there_is_none(driftline, folder, tmp_path):
    told = json.loads(driftline("audit", "key", "--json").stdout)
    assert told["key"].startswith("whpk_") and len(told["fingerprint"]) == 64
    assert driftline("audit", "key", "--dir", tmp_path / "new").exit_code != 0
    assert "fingerprint" in driftline("audit", "key", "--dir", tmp_path / "new", "--create").stdout


def test_without_a_trail_the_remedy_is_said(driftline, tmp_path):
    failed = driftline("audit", "list", "--dir", tmp_path / "none")
    assert failed.exit_code != 0 and "there is no audit trail" in str(failed.exception)


# a trace ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def breach(tmp_path_factory):
    path = tmp_path_factory.mktemp("fx1") / "fx1.trace"
    with Trace(path) as writer:
        for record in fx1.fx1():
            writer.add(record)
    return path


def test_a_replay_writes_the_trail_that_the_daemon_would_have_written(driftline, breach, tmp_path):
    folder = tmp_path / "trail"
    plain = driftline("trace", "replay", breach, "--json")
    assert driftline("trace", "replay", breach, "--json", "--audit", folder).stdout == plain.stdout
    row = json.loads(driftline("audit", "show", "1", "--dir", folder, "--json").stdout)
    assert (row["label"], row["completeness"], row["mode"]) == ("risky_drift", "2/4", "replay")
    assert row["trigger"]["state"] == "not_captured" and row["acts"]["bytes_in"] > 5_000_000
    again = driftline("trace", "replay", breach, "--audit", folder)
    assert again.exit_code == 1 and "there is a trail already" in again.stderr


def test_ten_quiet_minutes_are_explained_and_the_theft_is_not(driftline, breach, tmp_path):
    def share(at):
        told = driftline("audit", "explain", fx1.WORKLOAD, "--at", at, "--trace", breach, "--json")
        return json.loads(told.stdout)["explained"]

    assert all(share(f"2026-02-{day:02}T1{day % 8}:2{day % 10}") >= 0.95 for day in (3, 10, 17))
    assert share("2026-02-18T14:32:20") < 0.5
    words = driftline("audit", "explain", fx1.WORKLOAD, "--at", "2026-02-17T14:32", "--trace", breach).stdout
    assert "uses are explained by the envelope" in words and "admitted" in words


def test_a_running_classifier_says_what_was_known_then(driftline, classifier, folder):
    workload = finding().workload
    rows = [
        {
            "behaviour": "exec:/bin/x",
            "state": "admitted",
            "because": "b",
            "count": 9,
            "days": 3,
            "first": 0.0,
            "last": 1e9,
        }
    ]
    classifier.answers["/envelopes/" + quote(workload, safe="")] = (
        200,
        {"state": "converged", "because": "b", "digest": "d", "behaviours": rows},
    )
    told = driftline("audit", "explain", workload, "--at", "1970-01-01T00:02")
    assert told.exit_code == 0, told.output
    assert "exec:/bin/x" in told.stdout and "AR-000002" in told.stdout
    assert driftline("audit", "explain", workload, "--at", "now").exit_code == 2


# the daemon -------------------------------------------------------------------------------------------------------------


def test_the_running_classifier_keeps_a_trail_that_can_be_read_meanwhile(driftline, tmp_path, monkeypatch):
    for name in ("run_dir", "state_dir"):
        monkeypatch.setenv(f"DRIFTLINE_{name.upper()}", str(tmp_path / name))
    (tmp_path / "run_dir").mkdir()
    with open(tmp_path / "log", "wb") as log:
        program = [sys.executable, "-m", "console.cli.main", "classifier"]
        daemon = subprocess.Popen(program, stderr=log, cwd=ROOT, env=os.environ | {"DRIFTLINE_CLASSIFIER_SYSTEMD": "0"})
    try:
        until(lambda: driftline("finding", "list").exit_code == 0, daemon)
        sender = Sender(tmp_path / "run_dir/classifier.sock", node="n1")
        sender.send(Gap("n1", 1.0, 9.0, "ring full"))
        assert sender.pump(60), sender.error
        until(lambda: "ring full" in driftline("audit", "show", "1").stdout, daemon)
        assert driftline("audit", "export", "--bundle", tmp_path / "b.zip").exit_code == 0
        key = driftline("audit", "key").stdout.split()[0]
        assert driftline("audit", "verify", tmp_path / "b.zip", "--key", key).exit_code == 0
        daemon.terminate()
        assert daemon.wait(60) == 0
        assert len(json.loads(driftline("audit", "list", "--json").stdout)) >= 1
    finally:
        daemon.kill()
        daemon.wait(60)


def until(done, process):
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
