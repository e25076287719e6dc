"""Rows of the pods that ran under crun in a guest, to their part of docs/kernels.md."""

from __future__ import annotations

import json

from tests.containers import report
from tests.containers.claims import Row
from tests.vm.machine import Outcome

HEAD = """## Pods under crun

containerd with crun in the guest of {release}: cgroup v2 with its controllers, so containers have limits, and the runtime's own
seccomp filter. The rows of `make containers`, which takes runc on the machine itself, are in [containers](containers.md).
"""
CLAIM = "pods under crun"


def rows(outcome: Outcome | None) -> tuple[Row, ...]:
    """What a guest left; one red row where it left nothing. None where it was not asked."""
    if outcome is None:
        return ()
    try:
        found = json.loads(outcome.files["pods.json"])["pods"]
    except (KeyError, ValueError):
        return (Row(CLAIM, "not done", "no answer of the guest", False),)
    return tuple(Row(**row) for row in found)


def section(found: tuple[Row, ...], release: str) -> str:
    """The part of the page; "" where no pods ran."""
    return f"\n{HEAD.format(release=release)}\n{report.body(found)}\n" if found else ""
