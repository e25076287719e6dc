"""Commands that look into the kernel say at once when they cannot."""

from __future__ import annotations

import os

from console.cli.failure import CANNOT_HONOUR, Failure


def need_root(what: str) -> None:
    """Raise unless this process is root.

    Raises:
        Failure: It is not.
    """
    if os.geteuid() != 0:
        raise Failure(f"{what} needs root", 'run it with "sudo"; replaying a trace needs no root', code=CANNOT_HONOUR)
