"""Which kind of change makes which kind of behaviour: a rounded expert table, read as likelihoods.

``C[change][kind]`` is the share of new behaviours after such a change that are of that kind; ``BASE`` the same
without any change. A prompt that is said to bring a new executable costs ln(.01/.20) = -3.0.
"""

from __future__ import annotations

import math

KINDS = ("exec", "egress", "ingress", "file", "model", "secret", "write", "syscall", "volume")
BASE = dict(zip(KINDS, (0.20, 0.30, 0.03, 0.25, 0.04, 0.04, 0.08, 0.02, 0.10), strict=True))
C = {
    "image": dict(zip(KINDS, (0.25, 0.30, 0.06, 0.35, 0.04, 0.03, 0.08, 0.02, 0.10), strict=True)),
    "model": dict(zip(KINDS, (0.01, 0.20, 0.01, 0.15, 0.55, 0.01, 0.03, 0.005, 0.30), strict=True)),
    "prompt": dict(zip(KINDS, (0.01, 0.45, 0.003, 0.25, 0.01, 0.005, 0.05, 0.001, 0.25), strict=True)),
    "tools": dict(zip(KINDS, (0.25, 0.40, 0.03, 0.20, 0.01, 0.05, 0.10, 0.005, 0.20), strict=True)),
    "config": dict(zip(KINDS, (0.05, 0.45, 0.05, 0.30, 0.04, 0.04, 0.08, 0.005, 0.15), strict=True)),
    "dependency": dict(zip(KINDS, (0.15, 0.15, 0.01, 0.50, 0.01, 0.02, 0.05, 0.01, 0.05), strict=True)),
    "restart": dict(zip(KINDS, (0.02, 0.02, 0.003, 0.05, 0.01, 0.005, 0.02, 0.002, 0.05), strict=True)),
}
FILES = ("open:code:", "open:config:", "open:data:")
MODELS = ("open:model:", "write:model:")


def kind_of(behaviour: str, why: str) -> str:
    """Row of the table for a deviation."""
    if why.startswith("volume") or why in ("schedule", "creep", "drip"):
        return "volume"
    if behaviour.startswith(("identity:", "open:secret:", "write:secret:")):
        return "secret"
    if behaviour.startswith(MODELS):
        return "model"
    head = head_of(behaviour)
    return head if head in BASE else "file"


def head_of(behaviour: str) -> str:
    """What a behaviour begins with; a request to io_uring is a system call by another way.

    >>> head_of("io_uring:openat"), head_of("write:data:/x")
    ('syscall', 'write')
    """
    head = behaviour.partition(":")[0]
    return "syscall" if head == "io_uring" else head


def fits(change: str, kind: str) -> float:
    """ln of how much better the change explains this kind than no change does; an unknown change explains nothing.

    >>> round(fits("prompt", "exec"), 1)
    -3.0
    """
    return round(math.log(C.get(change, C["restart"])[kind] / BASE[kind]), 4)


def implied(change: str, behaviour: str) -> bool:
    """Whether a change brings such files by its nature, so that its scope need not name them one by one.

    Executables never: an intruder's curl may lie in the image as well.
    """
    if change in ("image", "dependency", "tools"):
        return behaviour.startswith(FILES)
    if change in ("config", "prompt"):
        return behaviour.startswith(("open:config:", "open:data:"))
    return change == "model" and behaviour.startswith(MODELS[:1])
