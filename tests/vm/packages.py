"""Kernels and qemu from Debian's packages, unpacked in a folder of their own: nothing is installed, no image is built."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SERIES = {
    "6.1": re.compile(r"linux-image-6\.1\.0-\d+-cloud-amd64"),
    "6.12": re.compile(r"linux-image-6\.12\.\d+\+deb12-cloud-amd64"),
}
EMULATOR, RUNTIME = "qemu-system-x86", "crun"
PATIENCE = 600  # seconds for one call of apt, on a slow mirror
APT = ("-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30", "-qq")


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
    """Unpacks a kernel, and the container runtime that only it can run, once per folder."""
    return _with_new_lists(lambda: _kernel(series, folder))


def _kernel(series: str, folder: Path) -> Kernel:
    package = newest(_run("apt-cache", "pkgnames", f"linux-image-{series}.").split(), series)
    release = package.removeprefix("linux-image-")
    layer, unpacked = folder / f"layer-{series}", folder / f"kernel-{series}"
    modules = layer / "usr/lib/modules" / release
    if not (modules / "modules.dep.bin").exists():
        shutil.rmtree(unpacked, ignore_errors=True)
        _unpack([package], unpacked, folder)
        # Before trixie, packages ship /lib; here /lib is a link to /usr/lib, which a folder in a layer would hide.
        shutil.rmtree(layer, ignore_errors=True)
        modules.parent.mkdir(parents=True)
        (unpacked / "lib/modules" / release).rename(modules)
        _run("depmod", "-b", layer / "usr", release)
    if not (layer / "usr/bin" / RUNTIME).exists():
        _unpack(_needed(RUNTIME), layer, folder)
    return Kernel(series, release, unpacked / f"boot/vmlinuz-{release}", layer)


def emulator(folder: Path) -> Path:
    """Root of the unpacked qemu, with the libraries that this machine lacks."""
    root = folder / "qemu"
    if not (root / "whole").exists():
        _with_new_lists(lambda: _unpack(_needed(EMULATOR) or _all_of(EMULATOR), root, folder))
        (root / "whole").touch()
    return root


def _all_of(package: str) -> list[str]:
    """Where qemu is installed its libraries are too."""
    return [package, "qemu-system-common", "qemu-system-data", "seabios", "ipxe-qemu"]


def _needed(package: str) -> list[str]:
    """A package and what it depends on, as far as this machine lacks it."""
    return re.findall(r"^Inst (\S+)", _run("apt-get", "-s", "install", "--no-install-recommends", package), re.M)


def _unpack(packages: list[str], into: Path, folder: Path) -> None:
    debs = folder / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    missing = [p for p in packages if not list(debs.glob(f"{p}_*.deb"))]
    if missing:
        _run("apt-get", *APT, "download", *missing, cwd=debs)
    into.mkdir(parents=True, exist_ok=True)
    for package in packages:
        [deb, *_] = debs.glob(f"{package}_*.deb")
        _run("dpkg-deb", "-x", deb, into)


def _with_new_lists(act: Callable[[], T]) -> T:
    """Once more with new lists of packages: old ones name what the mirror has no more. Raises PackageError."""
    try:
        return act()
    except PackageError:
        _run("apt-get", *APT, "-o", "DPkg::Lock::Timeout=300", "update")
        return act()


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError as e:
        raise PackageError(f"{command[0]} is missing; these machines are made from Debian packages") from e
    except subprocess.TimeoutExpired as e:
        raise PackageError(f"{' '.join(map(str, command))}: no end within {PATIENCE} s") from e
    if done.returncode:
        raise PackageError(f"{' '.join(map(str, command))}: {done.stderr.strip()[-300:]}")
    return done.stdout
