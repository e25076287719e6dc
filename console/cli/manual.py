"""The click tree to docs/cli.md: `python -m console.cli.manual > docs/cli.md`.

With a page as its argument it prints that page with the table of configuration keys between its marks written anew.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from console.cli.main import root
from console.configuration.keys import KEYS, Key, variable
from console.configuration.values import figure

NUMBERS = {"float range": "NUMBER", "float": "NUMBER", "integer range": "NUMBER", "integer": "NUMBER"}
BEGIN, END = "<!-- keys: written by make manual -->\n", "<!-- end of keys -->"

OPENING = """\
# The command `driftline`

Written by `make manual` from the commands themselves; edit those, not this page.

Tables are for people, `--json` is for programs (one JSON value on stdout), `--csv` for spreadsheets. Progress bars go
to stderr and only to a terminal. There is no colour where stdout is no terminal or `NO_COLOR` is set. Names that
workloads chose are printed with control characters escaped.

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed; stderr says `Error: …` and, where there is a remedy, `Hint: …` |
| 2 | the command line or the configuration is wrong |
| 3 | the configured mode cannot be honoured on this machine |
| 4 | nothing was observed: what was printed is a manifest's word alone |
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
    if isinstance(param.type, click.Choice):
        shown = param.metavar or "|".join(param.type.choices)
    else:
        shown = param.metavar or NUMBERS.get(param.type.name, param.type.name.upper())
    return f"`{shown}`".replace("|", "\\|")


def with_keys(page: str) -> str:
    """The page with the table of keys between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{keys()}\n{END}{after}"


def keys() -> str:
    """Every configuration key as a row: default, limits, variable, meaning."""
    rows = (
        f"| `{name}` | {_default(key)} | `{variable(name)}` | {key.about}{_limits(key)} |" for name, key in KEYS.items()
    )
    text = "\n".join(["| key | default | variable | what it does |", "|---|---|---|---|", *rows])
    return text.replace(f"`{variable('identity.rules')}`", "none")


def _default(key: Key) -> str:
    if key.default in (None, "", ()):
        return "empty"
    shown = ", ".join(map(str, key.default)) if isinstance(key.default, tuple) else key.default
    return f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"


def _limits(key: Key) -> str:
    chosen = f" One of {', '.join(f'`{c}`' for c in key.choices)}." if key.choices else ""
    if key.least is None or key.most is None:
        return chosen
    return f"{chosen} From {figure(key.least)} to {figure(key.most)}."


if __name__ == "__main__":
    print(with_keys(Path(sys.argv[1]).read_text()) if len(sys.argv) > 1 else manual(), end="")
