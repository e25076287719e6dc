"""Functions are found in real libraries, exported or local, and hostile files are survived."""

import io
import random
import shutil
import subprocess

import pytest

from sensor.probes.symbols import Elf, ElfError

NAMES = frozenset({"SSL_read", "SSL_write", "absent"})
SOURCE = "int {kind} SSL_read(int a){{return a+1;}} int {kind} X_SSL_write(int a){{return a+2;}} {main}"

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc to make a library")


def built(folder, *flags, kind="", main=""):
    source, made = folder / "x.c", folder / "made"
    source.write_text(SOURCE.format(kind=kind, main=main).replace("X_SSL_write", "SSL_write"))
    subprocess.run(["gcc", "-o", made, source, *flags], check=True)
    return made


def real_offset(path, name):
    """What binutils say: the address of a function, less that of its segment, plus the segment's offset."""
    rows = subprocess.run(["readelf", "-sW", path], capture_output=True, text=True).stdout.splitlines()
    address = next(int(r.split()[1], 16) for r in rows if r.split()[7:8] == [name])
    for row in subprocess.run(["readelf", "-lW", path], capture_output=True, text=True).stdout.splitlines():
        part = row.split()
        if part[:1] == ["LOAD"] and int(part[2], 16) <= address < int(part[2], 16) + int(part[5], 16):
            return address - int(part[2], 16) + int(part[1], 16)
    raise AssertionError("no segment")


@needs_gcc
@pytest.mark.parametrize(
    "flags,kind,main",
    [
        pytest.param(("-shared", "-fPIC"), "", "", id="exported"),
        pytest.param((), "__attribute__((noinline))", "int main(){return SSL_read(1)+SSL_write(2);}", id="local-pie"),
        pytest.param(("-no-pie",), "", "int main(){return 0;}", id="not-pie"),
    ],
)
def test_functions_are_found_where_they_lie_in_the_file(tmp_path, flags, kind, main):
    made = built(tmp_path, *flags, kind=kind, main=main)
    with open(made, "rb") as file:
        found = Elf(file).functions(NAMES)
    assert found == {n: real_offset(made, n) for n in ("SSL_read", "SSL_write")}


@needs_gcc
def test_a_stripped_file_has_no_symbols_but_its_words_and_its_build_id(tmp_path):
    main = 'const char *said="c ap traffic"; int main(int c,char**v){return said[c]+SSL_read(1);}'
    made = built(tmp_path, "-s", "-Wl,--build-id=sha1", main=main)
    with open(made, "rb") as file:
        elf = Elf(file)
        assert elf.functions(NAMES) == {}
        assert len(elf.build_id) == 40
        assert any(b"c ap traffic" in piece for piece in elf.constants(11))
        assert not any(b"s ap traffic" in piece for piece in elf.constants(11))


@pytest.mark.parametrize("raw", [b"", b"\x7fELF", b"MZ" + bytes(100), b"\x7fELF\x01\x01" + bytes(100)])
def test_what_is_no_elf_file_is_refused(raw):
    with pytest.raises(ElfError):
        Elf(io.BytesIO(raw))


@needs_gcc
def test_broken_files_are_survived(tmp_path):
    whole = built(tmp_path, "-shared", "-fPIC").read_bytes()
    chance = random.Random(7)
    for _ in range(400):
        raw = bytearray(whole)
        for _ in range(chance.randrange(1, 30)):
            raw[chance.randrange(6, 64) if chance.random() < 0.5 else chance.randrange(6, len(raw))] = chance.randrange(
                256
            )
        elf = Elf(io.BytesIO(bytes(raw[: chance.randrange(64, len(raw))])))
        assert elf.functions(NAMES).keys() <= NAMES
        assert len(elf.build_id) <= 128
        assert sum(map(len, elf.constants(11))) < 100 * len(whole)
