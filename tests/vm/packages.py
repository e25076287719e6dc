"""Kernels and qemu from Debian's packages, unpacked in a folder of their own: nothing is installed, no image is built."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

SERIES = {
    "6.1": re.compile(r"linux-image-6\.1\.0-\d+-cloud-amd64"),
    "6.12": re.compile(r"linux-image-6\.12\.\d+\+deb12-cloud-amd64"),
}
EMULATOR = "qemu-system-x86"


class PackageError(RuntimeError):
    """A package is not to be had; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One unpacked kernel."""

    series: str  # "6.1"
    release: str  # as uname -r says it
    image: Path
    layer: Path  # its modules below usr/lib/modules, laid over the machine's own files


def newest(names: list[str], series: str) -> str:
    """The package of the newest kernel of a series.

    >>> newest(["linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-50-cloud-amd64"], "6.1")
    'linux-image-6.1.0-50-cloud-amd64'
    """
    found = [n for n in names if SERIES[series].fullmatch(n)]
    if not found:
        raise PackageError(f'no package of a {series} kernel; run "apt-get update", or add bookworm-security')
    return max(found, key=lambda n: [int(part) for part in re.findall(r"\d+", n)])


def kernel(series: str, folder: Path) -> Kernel:
    """Unpacks a kernel once per folder."""
    names = _run("apt-cache", "pkgnames", f"linux-image-{series}.").split()
    package = newest(names, series)
    release = package.removeprefix("linux-image-")
    layer, unpacked = folder / f"layer-{series}", folder / f"kernel-{series}"
    if not layer.exists():
        _unpack([package], unpacked, folder)
        # Before trixie, packages ship /lib; here /lib is a link to /usr/lib, which a folder in a layer would hide.
        (layer / "usr/lib").mkdir(parents=True)
        (unpacked / "lib/modules").rename(layer / "usr/lib/modules")
        _run("depmod", "-b", layer / "usr", release)
    return Kernel(series, release, unpacked / f"boot/vmlinuz-{release}", layer)


def emulator(folder: Path) -> Path:
    """Root of the unpacked qemu, with the libraries that this machine lacks."""
    root = folder / "qemu"
    if not (root / "usr/bin/qemu-system-x86_64").exists():
        wanted = _run("apt-get", "-s", "install", "--no-install-recommends", EMULATOR)
        _unpack([*re.findall(r"^Inst (\S+)", wanted, re.M)] or _all_of(EMULATOR), root, folder)
    return root


def _all_of(package: str) -> list[str]:
    """Where qemu is installed its libraries are too."""
    return [package, "qemu-system-common", "qemu-system-data", "seabios", "ipxe-qemu"]


def _unpack(packages: list[str], into: Path, folder: Path) -> None:
    debs = folder / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    missing = [p for p in packages if not list(debs.glob(f"{p}_*.deb"))]
    if missing:
        _run("apt-get", "-qq", "download", *missing, cwd=debs)
    into.mkdir(parents=True, exist_ok=True)
    for package in packages:
        [deb, *_] = debs.glob(f"{package}_*.deb")
        _run("dpkg-deb", "-x", deb, into)


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    except FileNotFoundError as e:
        raise PackageError(f"{command[0]} is missing; these machines are made from Debian packages") from e
    if done.returncode:
        raise PackageError(f"{' '.join(map(str, command))}: {done.stderr.strip()[-300:]}")
    return done.stdout
