"""Where the values of acting calls came from, by who wanted the call: the user, or an injection. What provenance alone tells.

Who wanted a call is ground truth of the data set and read by nothing else here.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from classifier.links.intent import acts
from wire.provenance import TOOL, UNKNOWN, USER, Source, origins

SIZES: dict[str, int | None] = {"512 B of each result": 512, "2 KiB": 2048, "whole": None}
WORST = (TOOL, UNKNOWN, "model", "system", USER)  # a call counts under the first of these that one of its values has


def sources(folder: Path, results: dict[str, str]) -> list[dict[str, Any]]:
    """Rows: what is read, who wanted the call, and the share of such calls by the worst source among their values."""
    rows = [json.loads(line) for path in sorted(folder.glob("agentdojo_*.jsonl")) for line in path.open()]
    out = []
    for name, size in SIZES.items():
        found: dict[str, Counter[str]] = {"the user": Counter(), "an injection": Counter()}
        for row in rows:
            for wanted, worst in _calls(row, results, size):
                found["the user" if wanted == USER else "an injection"][worst] += 1
        for who, counts in found.items():
            total = counts.total() or 1
            shares = {w: round(counts[w] / total, 3) for w in (TOOL, UNKNOWN, "model", USER, "no value")}
            out.append({"read": name, "wanted by": who, "acting calls": counts.total()} | shares)
    return out


def _calls(row: dict[str, Any], results: dict[str, str], size: int | None) -> list[tuple[str, str]]:
    held, out = [Source(USER, row["prompt"])], []
    for call in row["calls"]:
        if acts(call["tool"]):
            heads = {o.source.partition(":")[0] for o in origins("", call.get("args") or {}, held)}
            worst = next((w for w in WORST if w in heads), "no value")
            out.append((str(call.get("origin") or USER), worst))
        key = call.get("result_sha256", "")
        whole = results.get(key, "")
        text = whole if size is None else whole.encode()[:size].decode("utf-8", "ignore")
        held.append(Source(f"tool:{call['tool']}", text, cut=key not in results or len(text) < len(whole)))
    return out
