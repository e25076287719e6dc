"""`driftline lab`: simulate fleets, and evaluate the label on them."""

from __future__ import annotations

import click

from console.cli.lab_evaluate import evaluate
from console.cli.lab_simulate import simulate


@click.group()
def lab() -> None:
    """Simulate fleets and evaluate the label.

    \b
    Example:
      driftline lab simulate --seed 7 --deployments 4
    """


lab.add_command(simulate)
lab.add_command(evaluate)
