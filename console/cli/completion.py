"""`driftline completion`: the script that a shell sources."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      driftline completion bash > /etc/bash_completion.d/driftline
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # click has all three
    # The template alone: `source()` would ask the bash of this machine for its version, which need not be the reader's.
    script = found(ctx.find_root().command, {}, "driftline", "_DRIFTLINE_COMPLETE")
    click.echo(found.source_template % script.source_vars())
