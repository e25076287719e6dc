"""What the commands that boot guests have in common: their options, that they need root, and that nothing of them stays."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.vm.machine import ROOT
from tests.vm.packages import PackageError


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """With the options that all have."""
    made = argparse.ArgumentParser(prog=prog, description=description)
    made.add_argument("--folder", type=Path, default=Path("/tmp"), help="where packages are unpacked")
    made.add_argument("--tree", type=Path, default=ROOT, help="a checkout that guests see in place of this one")
    made.add_argument("--page", type=Path, help="where the tables are written")
    made.add_argument("--keep", action="store_true", help="leave the folder, so that the next run fetches nothing")
    return made


def run(target: str, folder: Path, work: Callable[[], int], *, keep: bool) -> int:
    """The exit code of `work`, or that of what kept it from its end.

    Args:
        target: Of make, for whoever is not root.
        folder: Removed as a whole at the end, so a name of our own.
    """
    if os.geteuid():
        print(f"Error: a guest's root is made of mounts, which needs root\nHint: sudo make {target}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was unpacked is removed
    try:
        return work()
    except PackageError as e:
        print(f"Error: {e}\nHint: is the mirror of /etc/apt up? What was fetched is fetched once", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
