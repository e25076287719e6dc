"""The ground that a demo plays on: namespaces of its own for the calling process, and replicas in cgroups that it made."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyroute2 import IPRoute

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
APP = Path("/srv/app")  # where a replica finds its revision's files, as /app is in an image
TOKEN = "/run/secrets/kubernetes.io/serviceaccount/token"

LIBC = ctypes.CDLL(None, use_errno=True)


def enter(folder: Path, addresses: Sequence[str], resolver: str) -> None:
    """New namespaces: loopback only, with the peers' addresses; a resolver file; a token where a pod has one."""
    _check(LIBC.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
    _mount("none", "/", "", MS_REC | MS_PRIVATE)
    with IPRoute() as ip:
        lo = ip.link_lookup(ifname="lo")[0]
        ip.link("set", index=lo, state="up")
        for address in addresses:
            ip.addr("add", index=lo, address=address, prefixlen=32)
    (folder / "resolv.conf").write_text(f"nameserver {resolver}\n")
    _mount(str(folder / "resolv.conf"), os.path.realpath("/etc/resolv.conf"), "", MS_BIND)
    for place in ("/run", str(APP.parent)):
        _mount("demo", place, "tmpfs", 0)
    Path(TOKEN).parent.mkdir(parents=True)
    Path(TOKEN).write_text("eyJhbGciOiJSUzI1NiJ9.not-a-real-token\n")
    APP.mkdir()


def image(made: Path, files: Mapping[str, str]) -> Path:
    """The files of a revision, in a folder that is made once; what they call /app is `APP` here."""
    if not made.is_dir():
        made.mkdir()
        for name, text in files.items():
            (made / name).write_text(text.replace('"/app', f'"{APP}'))
            (made / name).chmod(0o755)
    return made


def begin(command: Sequence[str], image: Path, cgroup: Path, log: Path | None = None) -> subprocess.Popen[bytes]:
    """A replica: a program in its own cgroup and mount namespace, with the files of an image at `APP`."""
    cgroup.mkdir(parents=True)

    def enter_replica() -> None:
        LIBC.unshare(CLONE_NEWNS)
        _mount("none", "/", "", MS_REC | MS_PRIVATE)
        _mount(str(image), str(APP), "", MS_BIND)
        (cgroup / "cgroup.procs").write_text(str(os.getpid()))

    environment = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
    with open(log or os.devnull, "ab") as words:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": words}
        return subprocess.Popen(command, preexec_fn=enter_replica, env=environment, **quiet)


def end(process: subprocess.Popen[bytes], cgroup: Path) -> None:
    """Kills a replica with all its children and removes its cgroup."""
    (cgroup / "cgroup.kill").write_text("1")
    process.wait()
    for _ in range(50):
        try:
            cgroup.rmdir()
            return
        except OSError:  # a child is still being reaped
            time.sleep(0.02)


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    _check(LIBC.mount(source.encode(), target.encode(), kind.encode() or None, flags, None), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
