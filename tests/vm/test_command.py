"""Whatever ends a command that boots guests, its folder goes, and the code says why."""

import signal

import pytest

from tests.vm import command
from tests.vm.packages import PackageError


def raising(error):
    def work():
        raise error

    return work


@pytest.fixture(autouse=True)
def _as_root(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(command.os, "geteuid", lambda: 0)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("work", "code"),
    [(lambda: 0, 0), (lambda: 1, 1), (raising(PackageError("none")), 1), (raising(KeyboardInterrupt()), 130)],
    ids=["done", "red", "no-package", "ended"],
)
@pytest.mark.parametrize("keep", [False, True])
def test_the_folder_goes_unless_it_is_kept(tmp_path, work, code, keep):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    assert command.run("kernel", folder, work, keep=keep) == code
    assert folder.exists() is keep


def test_whoever_is_not_root_is_told_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command.os, "geteuid", lambda: 1000)
    assert command.run("kernel", tmp_path, lambda: 0, keep=False) == 2
    assert "sudo make kernel" in capsys.readouterr().err and tmp_path.exists()
