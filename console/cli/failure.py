"""What goes wrong becomes two lines: `Error: …` and `Hint: …`, and an exit code."""

from __future__ import annotations

import os
from typing import Any

import click

from console.cli.escape import escape

FAILED = 1
USAGE = 2
CANNOT_HONOUR = 3  # the configured mode does not work on this machine
ONLY_DECLARED = 4  # a manifest alone speaks: nothing of it was observed (D031)
OURS = {"wire", "sensor", "classifier", "guard", "console"}


class Failure(click.ClickException):
    """A failure with its remedy."""

    def __init__(self, message: str, hint: str = "", *, code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = code

    def show(self, file: Any = None) -> None:
        """Print both lines on stderr, with whatever a name could hide made visible."""
        click.echo(f"Error: {_lines(self.message)}", err=True)
        if self.hint:
            click.echo(f"Hint: {_lines(self.hint)}", err=True)


def _lines(text: str) -> str:
    return "\n".join(escape(line) for line in text.splitlines())


def debugging() -> bool:
    """Whether the person asked to see stack traces."""
    return os.environ.get("DRIFTLINE_DEBUG", "") not in ("", "0")


def from_usage(error: click.UsageError) -> Failure:
    """A mistake in the command line, with the way to its help."""
    path = error.ctx.command_path if error.ctx else "driftline"
    return Failure(error.format_message(), f'run "{path} --help"', code=USAGE)


def from_exception(error: Exception) -> Failure:
    """What a deeper layer raised. Our own errors already say where, what, and what to do."""
    hint = str(getattr(error, "hint", "") or "")
    code = int(getattr(error, "exit_code", FAILED) or FAILED)
    if type(error).__module__.partition(".")[0] in OURS:
        return _from_ours(str(error), hint, code)
    if isinstance(error, OSError):
        return _from_os(error)
    if isinstance(error, ModuleNotFoundError):
        return Failure(f"this installation lacks the module {error.name}", 'run "make setup" in the checkout')
    return Failure(
        f"unexpected {type(error).__name__}: {error}",
        "this is a mistake in driftline; run it again with DRIFTLINE_DEBUG=1 and report what it prints",
    )


def _from_ours(text: str, hint: str, code: int) -> Failure:
    """Where, what; what to do: the last part is the hint."""
    message, separator, remedy = text.rpartition("; ")
    if hint or not separator:
        return Failure(text, hint, code=code)
    return Failure(message, remedy, code=code)


def _from_os(error: OSError) -> Failure:
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    hint = 'run it as root, for example with "sudo"' if isinstance(error, PermissionError) else ""
    return Failure(f"{where}{error.strerror or error}", hint)
