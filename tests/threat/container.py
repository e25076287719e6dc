"""A process as uid 0 in namespaces and a root of its own, with the capabilities that runtimes leave by default.

`python3 container.py ROOT PROGRAM [ARGUMENT]...`, run within a cgroup. ROOT is an empty directory. There is no seccomp filter, as
runtimes add one: what is refused here is refused by the kernel's own checks. Only the standard library; exits as the program does.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys

NEW = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "pid": 0x20000000, "net": 0x40000000}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH, PR_CAPBSET_DROP, SIOCSIFFLAGS, IFF_UP = 2, 24, 0x8914, 1
# chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod audit_write setfcap
DEFAULT = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)
SHARED = ("/usr", "/bin", "/lib", "/lib64", "/sbin")
DEVICES = ("null", "zero", "urandom")
LIBC = ctypes.CDLL(None, use_errno=True)


def must(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    must(LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()), target)


def bind(source: str, target: str) -> None:
    """Read-only, as layers of an image and devices are."""
    mount(source, target, "", MS_BIND)
    mount("none", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID)


def furnish(root: str) -> None:
    """A root file system: programs of the host, and nothing else of it."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", MS_NOSUID, "size=256m")
    for path in SHARED:
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
        elif os.path.isdir(path):
            os.mkdir(root + path)
            bind(path, root + path)
    for path in ("/proc", "/sys", "/tmp", "/run", "/etc", "/dev", "/old"):
        os.mkdir(root + path)
    for name in DEVICES:
        open(f"{root}/dev/{name}", "w").close()
        mount(f"/dev/{name}", f"{root}/dev/{name}", "", MS_BIND)


def enter(root: str) -> None:
    """Root becomes the root; of what was there nothing is left. /proc is this pid namespace's, its switches read-only."""
    os.chdir(root)
    must(LIBC.syscall(155, b".", b"old"), "pivot_root")  # x86-64
    os.chdir("/")
    must(LIBC.umount2(b"/old", MNT_DETACH), "umount")
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_RDONLY)
    for path in ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"):
        if os.path.exists(path):
            bind(path, path)


def loopback() -> None:
    """An own network has an own loopback, which is down at first."""
    with socket.socket() as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def drop() -> None:
    """What is not in the bounding set is not there after the next exec, not even for uid 0."""
    with open("/proc/sys/kernel/cap_last_cap") as file:
        last = int(file.read())
    for number in set(range(last + 1)) - set(DEFAULT):
        must(LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), "prctl")


def main() -> None:
    root, *program = sys.argv[1:]
    must(LIBC.unshare(sum(NEW.values())), "unshare")
    child = os.fork()  # the first of its pid namespace
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    furnish(root)
    enter(root)
    loopback()
    drop()
    os.execve(program[0], program, {"PATH": "/usr/bin:/bin", "LC_ALL": "C"})


if __name__ == "__main__":
    main()
