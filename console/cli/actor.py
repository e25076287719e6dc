"""Who sits at the keyboard, for what is decided or announced."""

from __future__ import annotations

import getpass
import os


def current() -> str:
    """The person's user name; the one before sudo where sudo says it."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user number without a name, as in containers
        return f"uid:{os.getuid()}"
