"""The importer is found by the beginning of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor.importers import registry, scap, sequence, strace
from wire.blocks import TraceError

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("name", "content", "module"),
    [
        pytest.param("x.scap", b"\x1f\x8b\x08", scap, id="scap"),
        pytest.param("x", b"1 1.5 getpid() = 1\n", strace, id="strace"),
        pytest.param("x", b"1 2 3\n", sequence, id="sequence"),
    ],
)
def test_each_importer_is_found(tmp_path, name, content, module):
    (tmp_path / name).write_bytes(content)
    assert registry.detect(tmp_path / name) is module


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4", b"DRIFTTR\n"])
def test_an_unknown_file_is_refused_with_a_remedy(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(TraceError, match="no importer knows this file; name one of scap, strace, sequence"):
        registry.detect(tmp_path / "x")


def test_every_shared_file_of_ours_is_found():
    files = [*DATA.glob("scap/*.scap"), *DATA.glob("adfa-ld/*.gz"), *DATA.glob("unm/*.gz")]
    if not files:
        pytest.skip(f"{DATA} is not here; it lies beside the checkout")
    assert [registry.detect(f) for f in files] == [scap] * (len(files) - 2) + [sequence] * 2
