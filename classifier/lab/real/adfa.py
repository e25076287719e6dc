"""ADFA-LD: processes of one Ubuntu server, six kinds of attack, two protocols.

Little learned: the 833 training traces, tested on all of the validation part and all attacks (drift-model 2.1). Much
learned: training traces and one half of the validation part, tested on the other half; then with the halves exchanged.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from classifier.lab.real import compare, kernel
from classifier.lab.real.table import PUBLISHED, DataError, Figure, Report, Row, Table, reach
from classifier.lab.real.traces import Trace, read

NAME = "adfa-ld"
MUCH = "much learned"
# drift-model 2.1 and 2.6; the whole set, of which the part here may hold half and half the families
REFERENCES = (
    ("whole set, 833 learned: STIDE n=6 [M]", 0.827, 0.0, 0.0),
    ("whole set, 833 learned: pair-set novelty [M]", 0.634, 0.214, 0.015),
    ("whole set, 833 learned: pair-frequency kNN [M]", 0.798, 0.039, 0.036),
    ("whole set, 3,019 learned: bag kNN [M]", 0.879, 0.188, None),
    ("whole set, 3,019 learned: pair-frequency kNN [M]", 0.871, 0.271, 0.088),
    ("acceptance part: bag kNN [M]", 0.892, 0.136, None),
    ("supervised extra-trees on bags, Corizzo 2020 [S]", 0.9904, None, None),
    ("supervised fusion CNN-AE + GRU [S]", 0.9113, None, None),
)

WHY = (
    "some normal traces, unlike all learned, outrank the attacks and alone set this threshold; the interval of the best "
    "baseline overlaps ours"
)


def evaluate(folder: Path, learn: Path | None = None) -> Report:
    """Little learned, and much learned in both folds; or, with `learn`, all normal traces of that folder learned."""
    if learn is not None:
        elsewhere = [t for t in read(learn / "traces.tsv.gz") if not t.attack]
        here = read(folder / "traces.tsv.gz")
        normal, attack = [t for t in here if not t.attack], [t for t in here if t.attack]
        if not (elsewhere and normal and attack):
            raise DataError(
                f"{folder}, {learn}: normal traces are needed in both and attacks in the first; check the folders"
            )
        return Report(NAME, (table("learned elsewhere", elsewhere, normal, attack),), kernel.KEEPS)
    train, others, attack = parts(folder)
    halves = others[::2], others[1::2]
    tables = [table(f"{MUCH}, fold {k + 1}", train + halves[k], halves[1 - k], attack) for k in (0, 1)]
    if len(train) >= 40:
        tables.insert(0, table("little learned", train, others, attack))
    return Report(NAME, tuple(tables), kernel.KEEPS)


def parts(folder: Path) -> tuple[list[Trace], list[Trace], list[Trace]]:
    """Normal traces for training, other normal ones, attacks."""
    traces = read(folder / "traces.tsv.gz")
    train = [t for t in traces if t.split == "train"]
    others = [t for t in traces if not t.attack and t.split != "train"]
    attack = [t for t in traces if t.attack]
    if not (len(train) + len(others) > 40 and len(others) > 2 and attack):
        raise DataError(
            f"{folder}: has {len(train)} training, {len(others)} other normal and {len(attack)} attack traces; "
            "give it more than 40 normal ones, some outside the split 'train', and some attacks"
        )
    return train, others, attack


def table(title: str, train: list[Trace], normal: list[Trace], attack: list[Trace]) -> Table:
    """All methods on one protocol."""
    protocol = (
        f"{len(train)} normal traces learned; tested on {len(normal)} normal and {len(attack)} attack traces. "
        "One score a trace; threshold: the smallest that at most the share of normals exceeds."
    )
    rows = (*compare.rows(train, normal, attack), *_references())
    found = Table(f"ADFA-LD, {title}", protocol, compare.COLUMNS, rows, "DR@1%")
    aims = tuple(reach(found, c, kernel.HEADLINE, why=WHY) for c in compare.COLUMNS[:3])
    if title != "little learned":
        floor = reach(
            found, "AUC", "ours: new trigrams told", aim=0.72, source="floor of drift-model 4.8 for trigrams alone"
        )
        aims += (floor,)
    return replace(found, aims=aims)


def _references() -> tuple[Row, ...]:
    shaped = [
        (m, dict(zip(compare.COLUMNS, [None if v is None else Figure(v) for v in values], strict=False)))
        for m, *values in REFERENCES
    ]
    return tuple(Row(m, PUBLISHED, figures, {}) for m, figures in shaped)
