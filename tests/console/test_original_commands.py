"""`driftline original`: what is kept is listed closed, opened by its key alone, and never without a row of who asked."""

import json
import stat

import pytest

from sensor.originals.sealing import new_key, sealer
from sensor.originals.shelf import Original, Shelf
from wire.digests import sha256

PRIVATE, PUBLIC = new_key()
HOSTILE = "ticket \x1b[2J\u202e card 5500 0000 0000 0004"
DIGEST = sha256(HOSTILE)
ROW = {"row": "AR-000007"}


def said(failed):
    """What a person reads of a failure, whichever layer it comes from."""
    return f"{failed.stderr} {failed.exception}"


def original(text, workload="unit:support", *, digest="", time=100.0):
    return Original(
        digest or sha256(text), workload, "user_turn", "n1", 7, time, len(text), sealer([PUBLIC])(text.encode())
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What a sensor kept; the last row is sealed under a digest that is not its own."""
    shelf = Shelf(tmp_path / "kept", max_bytes=1 << 20)
    shelf.put(
        [original(HOSTILE), original(HOSTILE, "unit:other", time=50.0), original("x", digest="c" * 64)], before=0.0
    )
    shelf.lost("memory", 3)
    shelf.close()
    monkeypatch.setenv("DRIFTLINE_SENSOR_CAPTURE_ORIGINALS_DIR", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "officer.key"
    path.write_text(f"# mine\n{PRIVATE}\n")
    return path


@pytest.fixture
def noted(classifier):
    """A classifier that writes the row."""
    classifier.answers["/originals"] = 200, ROW
    return classifier


def test_what_is_kept_is_listed_without_its_content(driftline, folder):
    listed = driftline("original", "list")
    assert DIGEST in listed.stdout and "unit:support" in listed.stdout and "5500" not in listed.stdout
    assert "3 texts lost while the disk was slow" in listed.stderr
    rows = json.loads(driftline("original", "list", "--workload", "unit:o*", "--json").stdout)
    assert [(r["workload"], r["digest"], r["kind"]) for r in rows] == [("unit:other", DIGEST, "user_turn")]
    assert driftline("original", "list", "--csv").stdout.startswith("digest,what,bytes,first,last,workload\n")
    assert "no originals" in driftline("original", "list", "--digest", "ffff").stderr


def test_a_text_is_opened_behind_its_row_and_cannot_steer_the_terminal(driftline, folder, key, noted):
    shown = driftline("original", "show", DIGEST[:12], "--key", key, "--reason", "case 812")
    assert shown.exit_code == 0 and "card 5500 0000 0000 0004" in shown.stdout and "AR-000007" in shown.stdout
    assert "\x1b" not in shown.stdout and "\u202e" not in shown.stdout
    ((method, path, body),) = noted.asked
    assert (method, path, body["digest"], body["workload"]) == ("POST", "/originals", DIGEST, "unit:support")
    assert (body["reason"], body["to"], body["node"], body["text"]) == ("case 812", "screen", "n1", "user_turn")
    assert PRIVATE not in json.dumps(body)


def test_the_bytes_come_as_they_are_where_they_are_wanted(driftline, folder, key, noted):
    arguments = "original", "show", DIGEST, "--key", key, "--reason", "case 812"
    assert driftline(*arguments, "--raw").stdout_bytes == HOSTILE.encode()
    told = json.loads(driftline(*arguments, "--json").stdout)
    assert (told["words"], told["row"], told["digest"]) == (HOSTILE, "AR-000007", DIGEST)


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        pytest.param(
            409, {"error": "no audit trail is kept, so nothing may be opened"}, "no audit trail", id="no-trail"
        ),
        pytest.param(503, {"error": "not kept: disk full"}, "disk full", id="disk-full"),
        pytest.param(403, {"error": "not allowed"}, "not allowed", id="not-allowed"),
        pytest.param(500, b"<html>", "something else than JSON", id="a-fault"),
    ],
)
def test_nothing_is_opened_where_no_row_is_written(driftline, folder, key, classifier, tmp_path, status, answer, words):
    classifier.answers["/originals"] = status, answer
    failed = driftline("original", "show", DIGEST, "--key", key, "--reason", "case 812", "--raw")
    assert failed.exit_code == 1 and "5500" not in failed.output
    assert "not opened, for no audit row could be written" in said(failed) and words in said(failed)
    copied = driftline("original", "copy", DIGEST, "--output", tmp_path / "out.age", "--reason", "case 812")
    assert copied.exit_code == 1 and not (tmp_path / "out.age").exists()


def test_nothing_is_opened_where_no_classifier_runs(driftline, folder, key, tmp_path, monkeypatch):
    monkeypatch.setenv("DRIFTLINE_CLASSIFIER_CONTROL", str(tmp_path / "nobody.sock"))
    failed = driftline("original", "show", DIGEST, "--key", key, "--reason", "case 812")
    assert failed.exit_code == 1 and "no classifier answers" in said(failed) and "5500" not in failed.output


@pytest.mark.parametrize("reason", [(), ("--reason", ""), ("--reason", "  ")], ids=["none", "empty", "spaces"])
def test_nothing_is_opened_without_a_reason(driftline, folder, key, noted, reason):
    failed = driftline("original", "show", DIGEST, "--key", key, *reason)
    assert failed.exit_code != 0 and noted.asked == [] and "5500" not in failed.output


def test_another_key_opens_nothing_and_the_row_stands(driftline, folder, tmp_path, noted):
    (tmp_path / "other.key").write_text(new_key()[0])
    failed = driftline("original", "show", DIGEST, "--key", tmp_path / "other.key", "--reason", "case 812")
    assert failed.exit_code != 0 and "does not open it" in said(failed) and len(noted.asked) == 1


def test_what_is_no_key_is_said_before_anything_is_asked(driftline, folder, tmp_path, noted):
    (tmp_path / "other.key").write_text("no key")
    failed = driftline("original", "show", DIGEST, "--key", tmp_path / "other.key", "--reason", "case 812")
    assert "no key file of age" in said(failed) and noted.asked == []


@pytest.mark.parametrize(
    ("digest", "words"),
    [("f" * 64, "no original"), ("c", "too short"), ("", "too short")],
    ids=["missing", "short", "empty"],
)
def test_a_text_that_is_not_there_has_a_remedy(driftline, folder, key, noted, digest, words):
    failed = driftline("original", "show", digest, "--key", key, "--reason", "case 812")
    assert failed.exit_code == 1 and words in said(failed) and "Hint: " in failed.stderr and noted.asked == []


def test_a_text_that_is_not_that_of_its_digest_is_not_shown(driftline, folder, key, noted):
    failed = driftline("original", "show", "c" * 64, "--key", key, "--reason", "case 812")
    assert failed.exit_code == 1 and "not the one of this digest" in said(failed)


def test_a_copy_is_still_sealed_and_its_row_says_that_it_was_taken(driftline, folder, tmp_path, noted):
    import pyrage

    file = tmp_path / "out.age"
    copied = driftline("original", "copy", DIGEST, "--workload", "unit:other", "--output", file, "--reason", "case 812")
    assert copied.exit_code == 0 and "AR-000007" in copied.stdout and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert noted.asked[0][2]["to"] == "copy" and noted.asked[0][2]["workload"] == "unit:other"
    assert pyrage.decrypt(file.read_bytes(), [pyrage.x25519.Identity.from_str(PRIVATE)]) == HOSTILE.encode()
    again = driftline("original", "copy", DIGEST, "--output", file, "--reason", "case 812")
    assert again.exit_code != 0 and isinstance(again.exception, FileExistsError)


def test_a_new_key_opens_what_is_sealed_for_its_public_one(driftline, tmp_path):
    from sensor.originals.sealing import opener

    path = tmp_path / "new.key"
    public = json.loads(driftline("original", "key", "--output", path, "--json").stdout)["public"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert opener(path.read_text())(sealer([public])(b"x")) == b"x"
    assert driftline("original", "key", "--output", path).exit_code != 0  # a key is never written over
    assert public in path.read_text()


def test_where_nothing_is_kept_the_answer_says_so(driftline, tmp_path):
    failed = driftline("original", "list", "--dir", tmp_path)
    assert failed.exit_code == 1 and "there are no originals" in said(failed)
