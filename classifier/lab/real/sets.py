"""Which set a folder holds, told by its files; and its evaluation."""

from __future__ import annotations

import gzip
import importlib
import json
import zlib
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from classifier.lab.real.table import DataError, Report

MODULES = {"adfa-ld": "adfa", "unm": "unm", "cdl-shil": "cdl", "sysflow-lab": "sysflow", "agent-runs": "agents"}
KNOWN = (
    "adfa-ld and unm (traces.tsv.gz), cdl-shil (freqvec.npz and meta.json), sysflow-lab (*.jsonl.gz of SysFlow records), "
    "agent-runs (agentdojo_*.jsonl)"
)


def evaluate(path: str | Path, learn: str | Path | None = None) -> Report:
    """The report on the set in a folder.

    Args:
        learn: another folder of the same set to learn the normal traces from; adfa-ld only.
    Raises:
        DataError: No such folder, no set that is known, or a damaged one.
    """
    folder = Path(path)
    name = recognise(folder)
    module = importlib.import_module(f"classifier.lab.real.{MODULES[name]}")
    start = perf_counter()
    if learn is None:
        report = module.evaluate(folder)
    elif name == "adfa-ld" and recognise(Path(learn)) == name:
        report = module.evaluate(folder, Path(learn))
    else:
        raise DataError(
            f"{folder}: only adfa-ld learns from another folder, of adfa-ld as well; leave the other folder out"
        )
    return replace(report, seconds=round(perf_counter() - start, 1))


def recognise(folder: Path) -> str:
    """The name of the set that a folder holds, whatever the folder is called."""
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder; give the folder that holds one set, such as ../shared/data/adfa-ld")
    if (folder / "freqvec.npz").is_file() and (folder / "meta.json").is_file():
        return "cdl-shil"
    if (folder / "traces.tsv.gz").is_file():
        return _of_traces(folder / "traces.tsv.gz")
    if any(folder.glob("agentdojo_*.jsonl")):
        return "agent-runs"
    if any(_is_sysflow(p) for p in sorted(folder.glob("*.jsonl.gz"))[:3]):
        return "sysflow-lab"
    inside = sorted(p.name for p in folder.iterdir() if p.is_dir())
    remedy = f"give one of its folders ({', '.join(inside[:8])})" if inside else f"known are {KNOWN}"
    raise DataError(f"{folder}: holds no set that can be evaluated; {remedy}")


def _of_traces(path: Path) -> str:
    """ADFA-LD splits its normal traces into training and validation; UNM has programs."""
    try:
        with gzip.open(path, "rt", errors="replace") as file:
            splits = {line.split("\t", 1)[0] for line in file}
    except (OSError, EOFError, zlib.error) as e:
        raise DataError(f"{path}: cannot be read ({e}); restore the file from its source") from e
    return "adfa-ld" if splits & {"train", "val"} else "unm"


def _is_sysflow(path: Path) -> bool:
    try:
        with gzip.open(path, "rt", errors="replace") as file:
            first = json.loads(file.readline(1 << 20))
        return isinstance(first, dict) and {"ts", "op", "k"} <= first.keys()
    except (OSError, EOFError, ValueError, zlib.error):
        return False
