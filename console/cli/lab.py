"""`driftline lab`: simulate fleets, evaluate the label on them, and play the breach of week seven."""

from __future__ import annotations

import click

from console.cli.lab_breach import breach
from console.cli.lab_evaluate import evaluate
from console.cli.lab_simulate import simulate


@click.group()
def lab() -> None:
    """Simulate fleets, evaluate the label, play the breach of week seven.

    \b
    Example:
      driftline lab simulate --seed 7 --deployments 4
    """


lab.add_command(simulate)
lab.add_command(evaluate)
lab.add_command(breach)
