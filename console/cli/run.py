"""`driftline run`: both programs as children of this one."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import click

from console.cli.configured import SECONDS, settings
from console.cli.failure import Failure
from console.cli.privilege import need_root


@click.command()
@click.option("--scope", metavar="CGROUP", help="Observe only this cgroup and what is below it.")
@click.option("--interval", type=SECONDS, help="Seconds between windows.")
@click.pass_context
def run(ctx: click.Context, scope: str | None, interval: float | None) -> None:
    """Run sensor and classifier together, the classifier without any privilege.

    \b
    Example:
      driftline run --scope /system.slice
    """
    from console.supervise import Child, Supervisor, bound, unprivileged, user_ids

    chosen = settings(ctx)
    need_root("observing the kernel")
    user = user_ids(chosen["user"])
    for place in ("run_dir", "state_dir"):
        prepare(Path(chosen[place]), user)
    config = ctx.find_root().obj
    myself = [sys.executable, "-m", "console.cli.main", *(("--config", config) if config else ())]
    options = [*(("--scope", scope) if scope else ()), *(("--interval", str(interval)) if interval else ())]
    children = [
        Child("sensor", bound([*myself, "sensor", *options])),
        Child("classifier", unprivileged([*myself, "classifier"], user)),
    ]
    ctx.exit(Supervisor(children, say).run())


def prepare(folder: Path, user: tuple[int, int]) -> None:
    """A folder that the classifier owns and nobody else enters. One that is there already stays whose it is."""
    if folder.is_symlink():
        raise Failure(f"{folder} is a symbolic link", "name the folder itself in the configuration")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o750)
    except FileExistsError:
        require_owner(folder, user)
    else:
        os.chown(folder, *user, follow_symlinks=False)


def require_owner(folder: Path, user: tuple[int, int]) -> None:
    """A folder that somebody else made is not taken from them."""
    held = folder.lstat()
    if not stat.S_ISDIR(held.st_mode):
        raise Failure(f"{folder} is no folder", "name another one in the configuration")
    if held.st_uid != user[0]:
        hint = f'if it is driftline\'s own: "chown -R {user[0]}:{user[1]} {folder}"; else name another in the configuration'
        raise Failure(f"{folder} belongs to user {held.st_uid}, and the classifier is user {user[0]}", hint)


def say(line: str) -> None:
    """One line for the log, which systemd or the terminal dates."""
    click.echo(f"driftline: {line}", err=True)
