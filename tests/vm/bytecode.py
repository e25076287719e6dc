"""A checkout to what Python compiles it to, as a layer over the guest's files: under emulation each start would do it anew.

python -m tests.vm.bytecode TREE INTO AT, once under each Python that runs in a guest. A cached file goes by the hash of its source
and not by its time, so a copy of both stays good and a source that was changed is compiled again.
"""

from __future__ import annotations

import contextlib
import importlib.util
import py_compile
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHONS = (ROOT / ".venv/bin/python", "/usr/bin/python3")
PACKAGES = ("wire", "sensor", "classifier", "guard", "console", "bpf", "tests")


def build(tree: Path, into: Path) -> Path:
    """The layer, in which the checkout lies where this one does."""
    for python in PYTHONS:
        subprocess.run([python, "-m", "tests.vm.bytecode", tree, into, ROOT], cwd=ROOT, check=True)
    return into


def write(tree: Path, into: Path, at: Path) -> int:
    """Compiles what is not there yet, and says how many files it was."""
    written = 0
    for source in (file for package in PACKAGES for file in sorted((tree / package).rglob("*.py"))):
        place = at / source.relative_to(tree)
        cached = into / importlib.util.cache_from_source(str(place)).lstrip("/")
        with contextlib.suppress(py_compile.PyCompileError):  # whoever imports it will say so
            if not _current(cached, source):
                py_compile.compile(
                    str(source),
                    str(cached),
                    str(place),
                    True,
                    invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
                )
                written += 1
    return written


def _current(cached: Path, source: Path) -> bool:
    """By the hash, which follows four bytes of the interpreter's own and four of flags. Source: PEP 552."""
    try:
        head = cached.read_bytes()[:16]
    except FileNotFoundError:
        return False
    return head == importlib.util.MAGIC_NUMBER + b"\3\0\0\0" + importlib.util.source_hash(source.read_bytes())


if __name__ == "__main__":
    write(*(Path(word) for word in sys.argv[1:]))
