"""The click tree to docs/cli.md: `python -m console.cli.manual > docs/cli.md`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from console.cli.main import root

OPENING = """\
# The command `driftline`

Written by `make manual` from the commands themselves; edit those, not this page.

Lists and tables are for people; `--json` is for programs (one JSON value on stdout) and `--csv` for spreadsheets. Progress
bars go to stderr and only to a terminal. There is no colour where stdout is no terminal or `NO_COLOR` is set. Names that
workloads chose are printed with control characters escaped.

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed; stderr says `Error: …` and, where there is a remedy, `Hint: …` |
| 2 | the command line or the configuration is wrong |
| 3 | the configured mode cannot be honoured on this machine |
| 130 | interrupted |

`DRIFTLINE_DEBUG=1` adds the stack trace to an error. `DRIFTLINE_CONFIG` names the configuration file
([configuration.md](configuration.md)).
"""


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below this one with its full name, itself first."""
    yield path, command
    if isinstance(command, click.Group):
        ctx = click.Context(command, info_name=path)
        for name in command.list_commands(ctx):
            child = command.get_command(ctx, name)
            assert child is not None
            yield from commands(child, f"{path} {name}")


def manual() -> str:
    """The whole page."""
    return "\n".join([OPENING, *(_section(path, command) for path, command in commands(root, "driftline"))])


def _section(path: str, command: click.Command) -> str:
    ctx = click.Context(command, info_name=path)
    words, _, example = inspect.cleandoc(command.help or "").partition("\b\nExample:\n")
    depth = "#" * (path.count(" ") + 2)
    pieces = [
        f"{depth} `{path}`",
        " ".join(words.split("\n\n")[0].split()),
        *(" ".join(paragraph.split()) for paragraph in words.split("\n\n")[1:] if paragraph.strip()),
        f"```sh\n{inspect.cleandoc(example)}\n```",
        f"Usage: `{' '.join([path, *command.collect_usage_pieces(ctx)])}`",
    ]
    table = [row for row in map(_option, command.params) if row]
    if table:
        pieces.append("\n".join(["| option | what it does |", "|---|---|", *table]))
    return "\n\n".join(pieces) + "\n"


def _option(param: click.Parameter) -> str:
    if not isinstance(param, click.Option):
        return ""
    names = ", ".join(f"`{name}`" for name in sorted(param.opts, key=len))
    value = "" if param.is_flag else f" {_metavar(param)}"
    default = f" Default: `{param.default}`." if param.show_default and isinstance(param.default, str) else ""
    return f"| {names}{value} | {(param.help or '').strip()}{default} |"


def _metavar(param: click.Option) -> str:
    shown = param.metavar or ("|".join(param.type.choices) if isinstance(param.type, click.Choice) else param.type.name)
    return "`" + shown.upper().replace("|", "\\|") + "`" if not param.metavar else "`" + shown.replace("|", "\\|") + "`"


if __name__ == "__main__":
    print(manual(), end="")
