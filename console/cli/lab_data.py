"""The evaluation of a recorded set as tables for people, JSON or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.cli.output import emit_csv, emit_json, emit_table, say, working

if TYPE_CHECKING:
    from classifier.lab.real.table import Report, Table


def evaluate_data(path: str, learn: str | None = None, *, as_json: bool = False, as_csv: bool = False) -> None:
    """Evaluate the set in a folder and print what was found.

    Args:
        learn: another folder of the same set, whose normal traces are learned instead (adfa-ld only).
    Raises:
        DataError: The folder holds no set that is known; it says what to do.
    """
    from classifier.lab.real.sets import evaluate  # scikit-learn and NumPy: only for this command

    with working(f"evaluating {path}"):
        report = evaluate(path, learn)
    if as_json:
        emit_json(report.plain())
    elif as_csv:
        emit_csv(*_flat(report))
    else:
        _show(report)


def _show(report: Report) -> None:
    for table in report.tables:
        _table(table)
    say(f"\nKept for our rows: {report.keeps}.")
    say(
        "Our methods were chosen with the development parts of these sets in sight, the baselines were not: see docs/lab-data.md."
    )
    say(
        f"{report.set}: {report.seconds:g} s. Brackets: 95 % bootstrap intervals. [M] measured in drift-model.md, [S] published."
    )


def _table(table: Table) -> None:
    say(f"\n{table.title}", style="bold")
    say(table.protocol)
    emit_table(
        ["method", *table.columns], [[r.method, *(_word(r.figures.get(c)) for c in table.columns)] for r in table.rows]
    )
    families = sorted({f for r in table.rows for f in r.families})
    if len(families) > 1:
        say(f"{table.family_figure} by family:")
        some = [r for r in table.rows if r.families]
        emit_table(["method", *families], [[r.method, *(_word(r.families.get(f)) for f in families)] for r in some])
    for aim in table.aims:
        verdict = "reached" if aim.reached else "not reached"
        say(f"{verdict}: {aim.what}: to beat {aim.aim}; ours {aim.ours}" + (f"; {aim.why}" if aim.why else ""))
    for note in table.notes:
        say(f"Note: {note}")


def _word(value: Any) -> str | None:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") or "0"
    return None if value is None else str(value)


def _flat(report: Report) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """One row a figure."""
    columns = dict.fromkeys(("set", "table", "method", "kind", "figure", "value", "low", "high"), "")
    rows = []
    for table in report.tables:
        for row in table.rows:
            base = {"set": report.set, "table": table.title, "method": row.method, "kind": row.kind}
            for name, value in row.figures.items():
                interval = {k: getattr(value, k, None) for k in ("low", "high")}
                rows.append(base | {"figure": name, "value": getattr(value, "value", value)} | interval)
            rows += [base | {"figure": f"{table.family_figure} {f}", "value": v} for f, v in row.families.items()]
    return rows, columns
