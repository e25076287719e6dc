"""Rows to one page and one table: what was done, what driftline saw of it, and whether that is all of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import asdict

from tests import pages
from tests.containers.claims import Row

HEAD = """# Containers

Written by `make containers`, which starts containerd with its CRI plugin and runc in cgroups, mounts and a network of its own, runs
pods with the labels that Kubernetes gives, and lets sensor and classifier observe them as two programs, as a user runs them; edit
`tests/containers`, not this page. Images are built from busybox and two small C programs; a peer in the node's network counts
what reaches it, so that what was done is known from both ends.

**Red** means that something done was not seen, or not under its own name.
"""
TAIL = """
A pod's sandbox (the pause process) is the container `POD` of the pod's owner, so what the runtime does in its cgroup has a
name too. crun needs an ordinary kernel: `make containers-crun` does the same under it in a guest, with limits and a seccomp filter
([containers of crun](containers-crun.md)). Not tried: CRI-O and a Kubernetes API server, which no Debian package holds.
"""


def page(rows: Iterable[Row]) -> str:
    """The whole page.

    >>> "| a restart | two lives | two replicas |" in page([Row("a restart", "two lives", "two replicas", True)])
    True
    """
    return "\n".join([HEAD, body(rows), TAIL])


def body(rows: Iterable[Row]) -> str:
    """The table."""
    cells = ((r.claim, r.done, r.seen if r.holds else f"**Red**: {r.seen}") for r in rows)
    return "\n".join(pages.table(("claim", "what was done", "what driftline saw"), cells))


def table(rows: Iterable[Row]) -> str:
    """For a terminal."""
    return "\n".join(_paragraph(row) for row in rows)


def answer(rows: list[Row], seconds: float) -> dict[str, object]:
    """For a program."""
    return {"holds": all(r.holds for r in rows), "seconds": round(seconds, 1), "rows": [asdict(r) for r in rows]}


def _paragraph(row: Row) -> str:
    parts = [f"{'ok ' if row.holds else 'RED'} {row.claim}", f"    done  {row.done}", f"    saw   {row.seen}"]
    return "\n".join(textwrap.fill(part, 120, subsequent_indent=" " * 10) for part in parts)
