"""Kernel headers that bcc can compile with: the running kernel's own, or any installed set.

Debian splits its headers over two packages. bcc looks below /lib/modules, which is not ours to change, so a set is merged
by symbolic links in a folder of our own. The set need not match the kernel: probes take struct offsets from BTF.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

ARCH = {"x86_64": "x86", "aarch64": "arm64"}


class HeadersError(RuntimeError):
    """No kernel headers at all."""


def find(into: Path) -> str | None:
    """Value for BCC_KERNEL_SOURCE, or None where bcc finds the running kernel's headers by itself.

    Args:
        into: An empty folder for the merged set.

    Raises:
        HeadersError: There is no set of headers on this machine.
    """
    chosen = choose()
    return None if chosen is None else str(_merge(*chosen, into))


def choose() -> tuple[Path, Path] | None:
    """The two halves of a set; None where the running kernel's own headers are in their place.

    Raises:
        HeadersError: There is no set of headers on this machine.
    """
    if Path(f"/lib/modules/{platform.release()}/build/include/linux/kconfig.h").exists():
        return None
    for build in sorted(Path("/usr/src").glob("linux-headers-*"), reverse=True):
        common = _common(build)
        if common is not None:
            return build, common
    raise HeadersError('no kernel headers below /usr/src; run "make setup" (Debian: linux-headers-cloud-amd64)')


def _common(build: Path) -> Path | None:
    """The half that Debian shares between flavours, named in the Makefile of the other half."""
    if not (build / "include/generated").is_dir():
        return None
    if (build / "include/linux/kconfig.h").exists():
        return build
    match = re.search(r"^include (\S+)/Makefile", (build / "Makefile").read_text(), re.M)
    return Path(match[1]) if match and Path(match[1]).is_dir() else None


def _merge(build: Path, common: Path, into: Path) -> Path:
    arch = Path("arch") / ARCH.get(platform.machine(), platform.machine()) / "include"
    for part in (Path("include"), arch):
        (into / part).mkdir(parents=True)
        for source in (build / part, common / part):
            _link_all(source, into / part)
    return into


def _link_all(source: Path, target: Path) -> None:
    for entry in os.listdir(source) if source.is_dir() else ():
        if not (target / entry).exists():
            os.symlink(source / entry, target / entry)
