"""The files of a process come from its maps, each once; hostile names and files are survived."""

import os
import subprocess
import sys

import pytest

from sensor.observe.plaintext import libraries
from sensor.observe.plaintext.libraries import Mapping, Shelf, fuse_devices, mapped, opened, searched

MAPS = b"""\
55d0c0000000-55d0c0001000 r--p 00000000 08:01 11 /usr/bin/agent
55d0c0001000-55d0c0002000 r-xp 00001000 08:01 11 /usr/bin/agent
7f0000000000-7f0000001000 r-xp 00000000 08:01 12                         /opt/a b/libssl-8bd944e8.so.3
7f0000002000-7f0000003000 r-xp 00002000 08:01 12                         /opt/a b/libssl-8bd944e8.so.3
7f0000004000-7f0000005000 r-xp 00000000 00:2c 13                         /app/lib\xff.so (deleted)
7f0000006000-7f0000007000 rw-p 00000000 08:01 14                         /data
7f0000008000-7f0000009000 rwxp 00000000 00:00 0
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0                          [vdso]
"""


@pytest.fixture
def proc(tmp_path):
    home = tmp_path / "40"
    home.mkdir()
    (home / "maps").write_bytes(MAPS)
    return tmp_path


def test_each_file_that_holds_code_is_named_once(proc):
    assert [(m.device, m.inode, m.path) for m in mapped(40, proc)] == [
        ("08:01", 11, "/usr/bin/agent"),
        ("08:01", 12, "/opt/a b/libssl-8bd944e8.so.3"),
        ("00:2c", 13, "/app/lib\\xff.so (deleted)"),
    ]


def test_a_process_that_is_gone_has_no_files(proc):
    assert mapped(41, proc) == []
    assert fuse_devices(41, proc) == set()


def test_a_process_with_very_many_files_is_bounded(proc, monkeypatch):
    monkeypatch.setattr(libraries, "FILES", 2)
    assert len(mapped(40, proc)) == 2


def test_devices_that_a_program_serves_are_known(proc):
    (proc / "40/mountinfo").write_text(
        "36 35 0:44 / /app rw - fuse.sshfs host: rw\n37 35 8:1 / / rw,noatime shared:1 - ext4 /dev/sda1 rw\n"
    )
    assert fuse_devices(40, proc) == {"00:2c"}


def test_a_file_is_opened_by_its_mapping_and_one_that_was_replaced_is_refused(tmp_path):
    mine = next(m for m in mapped(os.getpid()) if m.path == os.path.realpath(sys.executable))
    with opened(os.getpid(), mine) as file:
        assert os.fstat(file.fileno()).st_ino == mine.inode
    with pytest.raises(OSError):
        opened(os.getpid(), Mapping("08:01", 1 << 60, "0-1", "/proc/self/exe"))


def test_a_fifo_in_the_place_of_a_library_holds_nobody(proc):
    home = proc / "40"
    (home / "root").mkdir()
    os.mkfifo(home / "root/libssl.so")
    inode = (home / "root/libssl.so").stat().st_ino
    with pytest.raises(OSError):
        opened(40, Mapping("08:01", inode, "0-1", "/libssl.so"), proc)


def test_a_shelf_looks_into_a_file_once_and_again_when_it_changes(tmp_path, monkeypatch):
    looked = []
    real = libraries._inspected
    monkeypatch.setattr(libraries, "_inspected", lambda *a: looked.append(a) or real(*a))
    path, shelf = tmp_path / "x.so", Shelf()
    for text in (b"no elf", b"no elf", b"another text"):
        path.write_bytes(text)
        os.utime(path, ns=(1, len(text)))
        with open(path, "rb") as file:
            found = shelf.look(file, str(path))
    assert len(looked) == 2
    assert (found.speaks, found.has_both) == (False, False)
    assert "ELF" in found.unread
    shelf.keep(set())
    assert len(shelf) == 0


@pytest.mark.parametrize("words,speaks", [("c ap traffic", True), ("nothing", False)])
def test_tls_without_symbols_is_found_by_a_label_that_every_implementation_holds(tmp_path, words, speaks):
    source, made = tmp_path / "x.c", tmp_path / "x"
    source.write_text(f'const char *said = "{words}"; int main(int c, char **v) {{ return said[c]; }}')
    if subprocess.run(["gcc", "-s", "-o", made, source], capture_output=True).returncode:
        pytest.skip("needs gcc")
    with open(made, "rb") as file:
        library = Shelf().look(file, str(made))
        assert library.speaks is None
        assert sum(searched(file, library)) >= 0
    assert library.speaks is speaks
