"""From root to a user that may do nothing: after the sockets are open, before the first thread starts.

prctl(2) works on one thread, so a thread that exists already would keep what it has.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from pathlib import Path

PR_SET_NO_NEW_PRIVS, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_CAP_AMBIENT = 38, 23, 24, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPS = 64  # more than any kernel has


class PrivilegeError(RuntimeError):
    """Privileges cannot be dropped; going on would be worse than stopping."""

    exit_code = 3


def ids(user: str) -> tuple[int, int]:
    """User and group of a name or a number.

    >>> ids("65520")
    (65520, 65520)
    """
    if user.isdigit():
        return int(user), int(user)
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise PrivilegeError(f'no user {user} here; create it with "useradd --system {user}"') from None
    return entry.pw_uid, entry.pw_gid


def drop_privileges(user: str | None) -> None:
    """Become `user` without groups and capabilities, and make sure that nothing of it comes back.

    Without a user the process stays who it is and still gives up all capabilities for whatever it might run.

    Raises:
        PrivilegeError: The kernel refused a part, or capabilities are left.
    """
    root = os.geteuid() == 0
    if root:
        _empty_bounding_set()
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, optional=True)
    if root and user is not None:
        _become(*ids(user))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    if user is not None and (left := held()):
        raise PrivilegeError(f"capabilities are left: {left:#x}; start the classifier with fewer")


def _become(uid: int, gid: int) -> None:
    try:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as e:
        raise PrivilegeError(f"cannot become user {uid}: {e.strerror}; start the classifier as that user") from e


def _empty_bounding_set() -> None:
    for cap in range(CAPS):
        if _libc().prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1:
            _prctl(PR_CAPBSET_DROP, cap)


def held() -> int:
    """Effective and permitted capabilities of this process, as bits."""
    lines = Path("/proc/thread-self/status").read_text().splitlines()
    return max(int(line.split()[1], 16) for line in lines if line.startswith(("CapEff", "CapPrm")))


def _prctl(option: int, argument: int, *, optional: bool = False) -> None:
    if _libc().prctl(option, argument, 0, 0, 0) != 0 and not optional:
        raise PrivilegeError(f"prctl({option}, {argument}): {os.strerror(ctypes.get_errno())}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
