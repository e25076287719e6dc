"""Methods on traces to a table: each fitted once, scored once, timed."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from classifier.lab.real import baselines, kernel
from classifier.lab.real.baselines import Method
from classifier.lab.real.score import detected, figures
from classifier.lab.real.table import BASELINE, OURS, Row
from classifier.lab.real.traces import Trace

COLUMNS = ("AUC", "DR@1%", "DR@0.1%", "fit s", "score s")


def rows(train: list[Trace], normal: list[Trace], attack: list[Trace]) -> tuple[Row, ...]:
    """Every baseline and each of ours, learned from `train`, on the others."""
    every = [(OURS, m) for m in kernel.METHODS.items()] + [(BASELINE, m) for m in baselines.METHODS.items()]
    return tuple(_row(kind, name, method, (train, normal, attack)) for kind, (name, method) in every)


def _row(kind: str, name: str, method: Method, parts: tuple[list[Trace], list[Trace], list[Trace]]) -> Row:
    train, normal, attack = parts
    start = perf_counter()
    scorer = method(train)
    fitted = perf_counter()
    n, a = scorer(normal), scorer(attack)
    scored = perf_counter()
    # Six digits, so that a sum taken in another order on another machine makes no new ties and breaks none.
    n, a = np.round(n, 6), np.round(a, 6)
    found = {**figures(n, a), "fit s": round(fitted - start, 2), "score s": round(scored - fitted, 2)}
    return Row(name, kind, found, detected(n, a, [t.family for t in attack]))
