"""UNM and MIT: processes of single programs of the nineties; each program is a workload, half of its normals learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from classifier.lab.real import compare, kernel
from classifier.lab.real.table import PUBLISHED, DataError, Figure, Report, Row, Table, reach
from classifier.lab.real.traces import Trace, read

NAME = "unm"
FEWEST = 10  # normal traces of a program
JUDGED = (kernel.HEADLINE, "ours: new trigrams told")  # the second after the first had failed
REFERENCES = {  # drift-model 2.2, program → rows; "live lpr" is there apart from MIT's, here both are one program
    "lpr": (
        ("UNM live lpr: trigrams [M]", 0.989, 0.001),
        ("UNM live lpr: pair-set novelty [M]", 0.496, None),
        ("MIT lpr: all of pairs or more [M]", 1.0, None),
    ),
    "sendmail": (
        ("STIDE n=3 [M]", 0.835, 0.48),
        ("pair-set novelty [M]", 0.794, 0.48),
        ("LOF [M]", 0.786, 0.0),
    ),
    "login": (
        ("STIDE n=6, locality frame [M]", 0.868, 0.46),
        ("pair-set novelty [M]", 0.719, 0.46),
        ("IsolationForest [M]", 0.49, None),
    ),
    "xlock": (("all methods [M]", 1.0, None),),
}
WHY = (
    "few and unlike normal traces: half of them teach too little for a profile of counts (with 22 learned, the normal ones "
    "are farther from each other than the attacks), and one or two odd ones set the thresholds"
)


def evaluate(folder: Path) -> Report:
    """A table a program that has both normal traces and attacks; the others are named."""
    traces = read(folder / "traces.tsv.gz")
    programs = sorted({t.family for t in traces})
    tables, without = [], []
    for program in programs:
        normal = [t for t in traces if t.family == program and not t.attack]
        attack = [t for t in traces if t.family == program and t.attack]
        if len(normal) < FEWEST or not attack:
            without.append(f"{program}: {len(normal)} normal and {len(attack)} attack traces")
        else:
            tables.append(_table(program, normal, attack))
    if not tables:
        raise DataError(
            f"{folder}: no program has {FEWEST} normal traces and an attack ({'; '.join(without)}); "
            "put the normal and the attack traces of a program into one table under one family"
        )
    if without:
        tables[-1] = replace(tables[-1], notes=(f"left out, for want of either: {'; '.join(without)}",))
    return Report(NAME, tuple(tables), kernel.KEEPS)


def _table(program: str, normal: list[Trace], attack: list[Trace]) -> Table:
    train, test = normal[::2], normal[1::2]
    protocol = (
        f"every other normal trace learned ({len(train)}); tested on {len(test)} normal and {len(attack)} attack traces"
    )
    known = next((rows for word, rows in REFERENCES.items() if word in program.lower()), ())
    references = tuple(
        Row(m, PUBLISHED, {"AUC": Figure(auc), "DR@1%": None if dr is None else Figure(dr)}, {}) for m, auc, dr in known
    )
    rows = (*compare.rows(train, test, attack), *references)
    table = Table(f"UNM, {program}", protocol, compare.COLUMNS, rows, "DR@1%")
    return replace(table, aims=tuple(reach(table, c, m, why=WHY) for m in JUDGED for c in compare.COLUMNS[:2]))
