"""A kernel's modules and busybox to the smallest initial file system that can mount the rest."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path

from tests.vm.packages import Kernel

NEEDED = ("virtio_pci", "virtio_console", "virtiofs", "overlay")
GUEST = Path(__file__).with_name("guest")
FOLDERS = ("bin", "m", "proc", "sys", "dev", "host", "over", "new")


def build(kernel: Kernel, into: Path) -> Path:
    """Writes the archive and says where it is."""
    modules = kernel.layer / "usr/lib/modules" / kernel.release
    order = load_order((modules / "modules.dep").read_text(), NEEDED)
    files = {
        "bin/busybox": Path("/bin/busybox").read_bytes(),
        "init": (GUEST / "init").read_bytes(),
        "start": (GUEST / "start").read_bytes(),
        "m/order": "".join(f"{_name(m)}\n" for m in order).encode(),
    }
    files |= {f"m/{_name(m)}": _plain(modules / m) for m in order}
    target = into / f"initrd-{kernel.series}"
    target.write_bytes(gzip.compress(archive(FOLDERS, files), 1))
    return target


def load_order(dependencies: str, wanted: tuple[str, ...]) -> list[str]:
    """Paths of modules, each after those that it needs; what modules.dep does not name is built in.

    >>> load_order("a/x.ko: b/y.ko b/z.ko\\nb/y.ko: b/z.ko\\nb/z.ko:\\n", ("x", "none"))
    ['b/z.ko', 'b/y.ko', 'a/x.ko']
    """
    rows = dict(line.split(":", 1) for line in dependencies.splitlines())
    found: dict[str, None] = {}
    for name in wanted:
        for path in (p for p in rows if _name(p) == f"{name}.ko"):
            found |= dict.fromkeys([*reversed(rows[path].split()), path])
    return list(found)


def _name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".xz")


def _plain(path: Path) -> bytes:
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def archive(folders: tuple[str, ...], files: dict[str, bytes]) -> bytes:
    """The kernel's own format (newc, Documentation/driver-api/early-userspace/buffer-format.rst)."""
    entries = [(name, 0o040755, b"") for name in folders] + [(n, 0o100755, d) for n, d in files.items()]
    return b"".join(_entries([*entries, ("TRAILER!!!", 0, b"")]))


def _entries(entries: list[tuple[str, int, bytes]]) -> Iterator[bytes]:
    for number, (name, mode, data) in enumerate(entries, 1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + "".join(f"{f:08X}" for f in fields).encode() + name.encode() + b"\0"
        yield head + bytes(-len(head) % 4)
        yield data + bytes(-len(data) % 4)
