"""A key lies where strangers can neither read nor replace it, or it is not used."""

import os
import stat

import pytest

from guard.audit import keys
from tests.guard.audit.trail import KEY, PUBLIC


def test_a_new_key_is_its_owners_alone_and_is_made_once(tmp_path):
    made = keys.create(tmp_path / "deep/key.pem")
    assert stat.S_IMODE((tmp_path / "deep/key.pem").stat().st_mode) == 0o600
    assert keys.raw(keys.load(tmp_path / "deep/key.pem").public_key()) == keys.raw(made.public_key())
    with pytest.raises(keys.AuditKeyError, match="already"):
        keys.create(tmp_path / "deep/key.pem")


def test_a_key_that_others_can_read_is_not_used(tmp_path):
    keys.create(tmp_path / "key.pem")
    for mode in (0o640, 0o604, 0o620):
        (tmp_path / "key.pem").chmod(mode)
        with pytest.raises(keys.AuditKeyError, match="chmod 0600"):
            keys.load(tmp_path / "key.pem")


def test_a_key_in_a_folder_that_anybody_writes_is_not_used(tmp_path):
    keys.create(tmp_path / "open/key.pem")
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(keys.AuditKeyError, match="chmod o-w"):
        keys.load(tmp_path / "open/key.pem")


def test_a_link_and_a_missing_file_are_no_key(tmp_path):
    keys.create(tmp_path / "key.pem")
    os.symlink(tmp_path / "key.pem", tmp_path / "link")
    with pytest.raises(keys.AuditKeyError, match="no plain file"):
        keys.load(tmp_path / "link")
    with pytest.raises(keys.AuditKeyError, match="--create"):
        keys.load(tmp_path / "missing")


def test_a_file_with_something_else_is_no_key(tmp_path):
    (tmp_path / "key.pem").write_text("hello")
    (tmp_path / "key.pem").chmod(0o600)
    with pytest.raises(keys.AuditKeyError, match="no private key"):
        keys.load(tmp_path / "key.pem")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_user_is_not_used(tmp_path):
    keys.create(tmp_path / "key.pem")
    os.chown(tmp_path / "key.pem", 65520, 65520)
    with pytest.raises(keys.AuditKeyError, match="65520"):
        keys.load(tmp_path / "key.pem")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_uses_the_key_of_the_user_whose_trail_it_is(tmp_path):
    keys.create(tmp_path / "audit/key.pem")
    for path in (tmp_path / "audit", tmp_path / "audit/key.pem"):
        os.chown(path, 65520, 65520)
    assert keys.load(tmp_path / "audit/key.pem")


def test_a_public_key_is_read_in_each_of_its_spellings(tmp_path):
    (tmp_path / "pub").write_text(keys.pem(PUBLIC))
    for told in (str(tmp_path / "pub"), keys.pem(PUBLIC), keys.short(PUBLIC), keys.raw(PUBLIC).hex()):
        assert keys.fingerprint(keys.public_of(told)) == keys.fingerprint(KEY.public_key())


@pytest.mark.parametrize("told", ["", "whpk_", "whpk_AAAA", "zz" * 32, "/nowhere", "\0", "-----BEGIN PUBLIC KEY-----"])
def test_what_is_no_public_key_is_refused(told):
    with pytest.raises(keys.AuditKeyError):
        keys.public_of(told)
