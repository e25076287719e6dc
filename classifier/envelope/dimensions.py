"""A behaviour to the dimension it counts in; a kind of change to the dimensions it may touch."""

from __future__ import annotations

from classifier.drift.compatibility import KINDS, C

TOTAL = "total"
DIMENSIONS = ("exec", "egress", "ingress", "file", "identity", "syscall")
HEADS = {"open": "file", "write": "file", "io_uring": "syscall"} | {d: d for d in DIMENSIONS if d != "file"}
OF_KIND = {"exec": "exec", "egress": "egress", "ingress": "ingress", "file": "file", "model": "file", "write": "file"}
OF_KIND |= {"secret": "identity", "syscall": "syscall"}
TOUCHES = 0.1  # share of new behaviours after such a change that are of a kind, from which the kind counts as touched


def dimension(behaviour: str) -> str | None:
    """Where a behaviour counts; None for what convergence is not measured on.

    >>> dimension("write:code:/app/x.py"), dimension("gram:1>2>3")
    ('file', None)
    """
    return HEADS.get(behaviour.partition(":")[0])


def touched(change: str) -> tuple[str, ...]:
    """Dimensions in which a change of this kind may bring something new; an unknown kind may touch all.

    >>> touched("prompt")
    ('egress', 'file')
    """
    if change not in C:
        return DIMENSIONS
    found = {OF_KIND[k] for k in KINDS if k in OF_KIND and C[change][k] >= TOUCHES}
    return tuple(d for d in DIMENSIONS if d in found)
