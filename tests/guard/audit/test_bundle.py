"""A bundle is good, or the first bad row is named: every byte, every forgery, every hostile file."""

import base64
import json
import os
import random
import sqlite3
import zipfile
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.audit import archive, layout, page
from guard.audit.bundle import BundleError, bundle
from guard.audit.canon import canonical
from guard.audit.heads import parsed, sign, written
from guard.audit.keys import pem
from guard.audit.seal import seal
from guard.audit.verify import first_row, verify
from guard.audit.writer import Writer
from tests.guard.audit.trail import KEY, OTHER, PUBLIC, Told, changed, draft, filled, finding, story


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """Five rows, the last a finding with its whole story."""
    ledger = filled(tmp_path_factory.mktemp("bundle") / "audit", 4)
    Writer(ledger, KEY, Told(finding(), events=story())).turn(3000.0)
    yield ledger
    ledger.close()


@pytest.fixture(scope="module", params=[True, False], ids=["signed-list", "unsigned-list"])
def data(ledger, request):
    return bundle(ledger, PUBLIC, range(1, 6), signer=KEY if request.param else None)


def files_of(data):
    with zipfile.ZipFile(BytesIO(data)) as zip:
        return {name: zip.read(name) for name in zip.namelist()}


def rebuilt(files, *, key=None, **changes):
    """A bundle whose list of files fits whatever was done to them, as a forger would make it."""
    files = dict(files)
    manifest = json.loads(files.pop(layout.MANIFEST)) | changes
    manifest["files"] = [[n, len(d), archive_digest(d)] for n, d in files.items()]
    manifest["signature"] = ""
    if key is not None:
        manifest["signature"] = base64.b64encode(key.sign(layout.said(manifest))).decode()
    return archive.packed({layout.MANIFEST: canonical(manifest)} | files)


def lies(data, name):
    """Where a file begins, behind the list that names it, too."""
    at = data.index(name.encode())
    while data[at - archive.LOCAL.size : at - archive.LOCAL.size + 4] != b"PK\3\4":
        at = data.index(name.encode(), at + 1)
    return at


def archive_digest(data):
    import hashlib

    return hashlib.sha256(data).hexdigest()


# good -------------------------------------------------------------------------------------------------------------------


def test_a_clean_bundle_is_good(data):
    report = verify(data, PUBLIC)
    assert report.good and report.rows == [f"AR-{n:06d}" for n in range(1, 6)] and report.size == 5


def test_the_same_rows_give_the_same_bytes(ledger, data):
    assert data in (bundle(ledger, PUBLIC, range(1, 6), signer=KEY), bundle(ledger, PUBLIC, [5, 4, 3, 2, 1, 1]))


def test_one_row_is_shown_without_the_rest(ledger):
    data = bundle(ledger, PUBLIC, [3], signer=KEY)
    report = verify(data, PUBLIC)
    assert report.good and report.rows == ["AR-000003"] and report.size == 5
    assert b"row 2" not in data and b"row 4" not in data


def test_any_program_for_archives_opens_it(data):
    names = set(files_of(data))
    assert {"README.txt", "head.json", "rows/AR-000005.json", "pages/AR-000005.html"} <= names


def test_bodies_past_their_retention_leave_their_hashes(tmp_path):
    ledger = filled(tmp_path / "audit", 4)
    with ledger.writing():
        ledger.forget(1002.5)
        ledger.add(draft(5), now=3000.0)
        seal(ledger, KEY, 3000.0)
    data = bundle(ledger, PUBLIC, range(1, 6), signer=KEY)
    report = verify(data, PUBLIC)
    assert report.good and report.removed == 2 and "rows/AR-000001.json" not in files_of(data)
    ledger.close()


def test_a_row_that_is_not_there_cannot_be_exported(ledger):
    with pytest.raises(BundleError, match="AR-000009"):
        bundle(ledger, PUBLIC, [9])


# one byte ---------------------------------------------------------------------------------------------------------------


def test_one_flipped_bit_anywhere_is_found(data):
    """Every place is too many for each run; a different few hundred each time would be flaky only if one were missed."""
    chances = random.Random(len(data))
    for at in sorted({*range(0, len(data), 211), *chances.sample(range(len(data)), 150), len(data) - 1}):
        broken = bytearray(data)
        broken[at] ^= 1 << chances.randrange(8)
        report = verify(bytes(broken), PUBLIC)
        assert not report.good and first_row(report), at


@pytest.mark.parametrize("prefix", ["rows", "proofs", "pages"])
@pytest.mark.parametrize("row", ["AR-000001", "AR-000003", "AR-000005"])
def test_the_row_whose_file_was_changed_is_named(data, prefix, row):
    at = lies(data, f"{prefix}/{row}") + len(f"{prefix}/{row}.json") + 40
    broken = bytearray(data)
    broken[at] ^= 1
    assert first_row(verify(bytes(broken), PUBLIC)) == row


def test_the_row_that_rests_on_a_changed_record_is_named(data):
    name = next(n for n in files_of(data) if n.startswith("records/") and b"ZD-88213" in files_of(data)[n])
    for offset in (-4, 90):  # in the archive's head of that file, and in the record
        broken = bytearray(data)
        broken[lies(data, name) + offset] ^= 1
        assert first_row(verify(bytes(broken), PUBLIC)) == "AR-000005"


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_bytes_cut_added_or_moved_are_found(data, choice):
    kind = choice.draw(st.sampled_from(["cut", "more", "swap", "blank"]))
    at = choice.draw(st.integers(0, len(data) - 2))
    broken = {
        "cut": data[:at],
        "more": data[:at] + b"x" + data[at:],
        "swap": data[:at] + data[at + 1 : at + 2] + data[at : at + 1] + data[at + 2 :],
        "blank": data[:at] + bytes(min(64, len(data) - at)) + data[at + 64 :],
    }[kind]
    assert verify(broken, PUBLIC).good == (broken == data)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_survived(junk):
    assert not verify(junk, PUBLIC).good
    assert not verify(b"PK\3\4" + junk, PUBLIC).good


# forgers, who make every hash fit ---------------------------------------------------------------------------------------


def test_a_dropped_row_shows_by_the_list_or_by_the_head(ledger, data):
    files = {n: d for n, d in files_of(data).items() if "AR-000003" not in n}
    assert first_row(verify(rebuilt(files), PUBLIC)) == "AR-000003"
    rows = [r for r in json.loads(files[layout.MANIFEST])["rows"] if r["seq"] != 3]
    signed = verify(rebuilt(files, rows=rows, key=OTHER), PUBLIC)
    assert first_row(signed) == layout.MANIFEST
    fewer = verify(rebuilt(files, rows=rows), PUBLIC)  # nobody signed the list: the report still says 4 of 5
    assert (len(fewer.rows), fewer.size) == (4, 5)


def test_two_rows_in_each_others_place_are_found(data):
    files = files_of(data)
    for kind in ("rows", "proofs"):
        a, b = f"{kind}/AR-000002.json", f"{kind}/AR-000003.json"
        files[a], files[b] = files[b], files[a]
    assert first_row(verify(rebuilt(files), PUBLIC)) == "AR-000002"


def test_a_row_of_their_own_is_not_in_the_tree(data):
    files = files_of(data)
    files["rows/AR-000002.json"] = files["rows/AR-000002.json"].replace(b"row 2", b"ROW 2")
    assert first_row(verify(rebuilt(files), PUBLIC)) == "AR-000002"


def test_a_page_that_says_something_else_is_found_without_a_signature(data):
    files = files_of(data)
    for name in ("pages/AR-000005.txt", "pages/AR-000005.html"):
        forged = {**files, name: files[name].replace(b"4.9 MB", b"4.9 KB")}
        assert forged[name] != files[name] and first_row(verify(rebuilt(forged), PUBLIC)) == "AR-000005"


def test_pages_of_another_release_are_noted_and_need_the_signature(data, monkeypatch):
    monkeypatch.setattr(page, "RENDERER", page.RENDERER + 1)
    monkeypatch.setattr(page, "text", lambda row: "another page")
    report = verify(data, PUBLIC)
    assert report.good and any("not compared" in note for note in report.notes)


def test_a_trail_of_their_own_under_their_own_key_is_found(tmp_path):
    ledger = filled(tmp_path / "audit", 3, key=OTHER)
    data = bundle(ledger, OTHER.public_key(), [1, 2, 3], signer=OTHER)
    assert verify(data, OTHER.public_key()).good
    report = verify(data, PUBLIC)
    assert {where for where, _ in report.problems} == {"key.pem", "manifest.json", "head.json"}
    files = files_of(data) | {"key.pem": pem(PUBLIC).encode()}  # the right key laid beside the wrong head
    assert first_row(verify(rebuilt(files), PUBLIC)) == "head.json"
    ledger.close()


def test_a_head_of_another_size_is_found(data):
    files = files_of(data)
    files["head.json"] = written(sign(changed(parsed(files["head.json"]), size=4), OTHER))
    assert not verify(rebuilt(files), PUBLIC).good


def test_no_file_can_be_changed_by_who_makes_every_hash_fit(data):
    files = files_of(data)
    for name, content in files.items():
        if name != layout.MANIFEST:
            at = len(content) // 2
            forged = files | {name: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]}
            assert not verify(rebuilt(forged), PUBLIC).good, name


def test_rows_changed_in_the_database_are_named_by_who_verifies_an_export(tmp_path):
    ledger = filled(tmp_path / "audit", 4)
    db = sqlite3.connect(tmp_path / "audit/audit.db")
    db.executescript("DROP TRIGGER rows_hold; UPDATE rows SET body = replace(body, 'row 3', 'row X') WHERE seq = 3;")
    db.executescript("UPDATE rows SET body = CAST(body AS BLOB) WHERE seq = 3;")
    db.close()
    assert first_row(verify(bundle(ledger, PUBLIC, range(1, 5), signer=KEY), PUBLIC)) == "AR-000003"
    ledger.close()


def test_a_file_that_belongs_to_no_row_is_found(data):
    files = files_of(data) | {"pages/AR-000009.html": b"<h1>all is well</h1>"}
    assert first_row(verify(rebuilt(files), PUBLIC)) == "AR-000009"


# heads kept elsewhere ---------------------------------------------------------------------------------------------------


def test_a_trail_that_grew_from_a_kept_head_says_so_and_another_does_not(tmp_path):
    ledger = filled(tmp_path / "audit", 3)
    kept = parsed(ledger.head())
    with ledger.writing():
        ledger.add(draft(4), now=1.0)
        seal(ledger, KEY, 3000.0)
    data = bundle(ledger, PUBLIC, [4], signer=KEY, anchor=kept)
    assert verify(data, PUBLIC, kept).good
    assert verify(data, PUBLIC, parsed(ledger.head())).good
    assert not verify(bundle(ledger, PUBLIC, [4], signer=KEY), PUBLIC, kept).good  # no proof inside
    ledger.close()
    rewritten = filled(tmp_path / "other", 5)
    data = bundle(rewritten, PUBLIC, [5], signer=KEY)
    assert not verify(data, PUBLIC, kept).good
    with pytest.raises(BundleError, match="another trail"):
        bundle(rewritten, PUBLIC, [5], anchor=kept)
    same_name = sign(changed(kept, root="0" * 64), KEY)  # as if the rows before it had been written anew
    assert not verify(data, PUBLIC, changed(same_name, log=parsed(rewritten.head()).log)).good
    rewritten.close()


def test_a_bundle_older_than_the_kept_head_is_found(ledger, data):
    later = sign(changed(parsed(ledger.head()), size=9), KEY)
    assert first_row(verify(data, PUBLIC, later)) == "the bundle"


# hostile files ----------------------------------------------------------------------------------------------------------


def listed(files, rows=()):
    told = {"format": 1, "log": "x", "renderer": 1, "rows": list(rows), "files": files, "signature": ""}
    return archive.packed({layout.MANIFEST: canonical(told)})


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([["../../etc/passwd", 1, "0" * 64]], id="a-path-out"),
        pytest.param([["/etc/passwd", 1, "0" * 64]], id="an-absolute-path"),
        pytest.param([["a\x1b[2J", 1, "0" * 64]], id="an-escape"),
        pytest.param([["rows/AR-000001.json", 1 << 62, "0" * 64]], id="a-size-without-end"),
        pytest.param([["rows/AR-000001.json", -5, "0" * 64]], id="a-size-below-zero"),
        pytest.param([["manifest.json", 1, "0" * 64]], id="itself"),
        pytest.param([["a", 1, "0" * 64], ["a", 1, "0" * 64]], id="twice"),
        pytest.param([["a", True, "0" * 64]], id="no-size"),
        pytest.param({"a": 1}, id="no-list"),
    ],
)
def test_a_hostile_list_of_files_is_refused(files):
    report = verify(listed(files), PUBLIC)
    assert first_row(report) == layout.MANIFEST


def test_what_is_packed_small_is_not_unpacked():
    """A bomb: an archive whose files are compressed is none of ours, whatever it would become."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zip:
        zip.writestr(layout.MANIFEST, b" " * (50 << 20))
    assert first_row(verify(out.getvalue(), PUBLIC)) == layout.MANIFEST


def test_a_deep_row_and_a_wrong_kind_of_row_are_survived(data):
    for body in (b"[" * 100_000, b"[]", b'{"a":1}', b"\xff", b"null"):
        report = verify(rebuilt(files_of(data) | {"rows/AR-000001.json": body}), PUBLIC)
        assert first_row(report) == "AR-000001"
    for proof in (
        b"{}",
        b'{"hash":"zz","path":[],"removed":false,"seq":1}',
        b'{"hash":5,"path":5,"removed":false,"seq":1}',
    ):
        report = verify(rebuilt(files_of(data) | {"proofs/AR-000001.json": proof}), PUBLIC)
        assert first_row(report) == "AR-000001"


def test_names_that_steer_nothing_are_the_only_ones_packed():
    for name in ("../x", "/x", "x" * 300, "a/b/c/d", "", "a\n", ".x"):
        with pytest.raises(archive.ArchiveError):
            archive.packed({name: b""})


# pages ------------------------------------------------------------------------------------------------------------------


def test_a_page_answers_the_urgent_questions_without_system_words(data):
    text = files_of(data)["pages/AR-000005.txt"].decode()
    assert "What left?: 4.9 MB" in text and "acme-weekly-export.s3.amazonaws.com" in text
    assert "Who allowed it?: Nobody" in text and "Is it over?: Last seen" in text
    assert "ZD-88213" in text and "4/4" in text and "egress:tcp" not in text.split("WHAT HAPPENED")[0]


def test_hostile_words_cannot_leave_their_page():
    nasty = '\x1b]0;x\x07</script><img src=x onerror="a">\u202e'
    told = finding(title=nasty, workload=nasty, why_no_deploy=nasty)
    from classifier.drift.finding import finding_to_dict

    row = {"id": nasty, "kind": "finding", "workload": nasty, "finding": finding_to_dict(told), "acts": {"tools": []},
           "trigger": {"state": "captured", "excerpt": nasty, "kind": nasty, "time": 1e300, "digest": nasty},
           "records": [{"id": nasty, "kind": nasty, "time": 1.0, "words": nasty}], "label": nasty}  # fmt: skip
    html, text = page.html(row), page.text(row)
    assert "<img" not in html and "\x1b" not in html + text and "\u202e" not in html + text
    assert "default-src 'none'" in html and "<script" not in html


def test_the_readme_tells_how_to_check_a_row_by_hand(data, tmp_path):
    import subprocess

    (tmp_path / "rows").mkdir()
    files = files_of(data)
    (tmp_path / "rows/AR-000001.json").write_bytes(files["rows/AR-000001.json"])
    command = files["README.txt"].decode().strip().splitlines()[-1]
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    assert done.stdout.split()[0] == json.loads(files["rows/AR-000002.json"])["prev"]
