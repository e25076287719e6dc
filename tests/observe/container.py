"""A process in a root of its own, on a real overlay in a private mount namespace. Run: container.py DIRECTORY [MEMFD]

DIRECTORY holds `lower`, `upper`, `work`, `volume`, `merged`. Says "ready" when it stands there, ends with standard input.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_BIND = 0x20000, 0x4000, 1 << 18, 0x1000
LIBC = ctypes.CDLL(None, use_errno=True)


def must(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    must(LIBC.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode()))


def main() -> None:
    base = sys.argv[1]
    merged = f"{base}/merged"
    must(LIBC.unshare(CLONE_NEWNS))
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    layers = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work".replace(":", "\\:")
    mount("overlay", merged, "overlay", 0, layers)
    mount(f"{base}/volume", f"{merged}/data", "", MS_BIND)
    os.chroot(merged)
    os.chdir("/")
    with open("/written", "w") as file:
        file.write("by the container")
    os.rename("/renamed", "/moved")
    os.remove("/removed")
    print("ready", flush=True)
    sys.stdin.read()


main()
