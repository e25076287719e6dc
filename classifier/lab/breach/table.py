"""Outcomes to one row per variant."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Any

from classifier.lab.breach.expected import TABLE
from classifier.lab.breach.judged import Job, Outcome, run


def outcomes(jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Every job, judged, in their order."""
    # A story makes hardly any cycles, and a search for them takes a tenth of the time.
    with ProcessPoolExecutor(workers, initializer=gc.disable) as pool:
        yield from pool.map(run, jobs)


def rows(found: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row for each variant, in the order of the table of expectations."""
    by_variant = {v: [o for o in found if o.variant == v] for v in TABLE}
    return [_row(v, some) for v, some in by_variant.items() if some]


def _row(variant: str, some: Sequence[Outcome]) -> dict[str, Any]:
    seconds = sorted(o.seconds for o in some if o.seconds is not None)
    thieves = [o for o in some if o.ticket and o.words]
    return {
        "variant": variant,
        "expected": " or ".join(TABLE[variant].of(some[0].words)),
        "got": dict(Counter(o.verdict for o in some).most_common()),
        "right": sum(o.right for o in some),
        "seeds": len(some),
        "wrong": [o.seed for o in some if not o.right],
        "seconds": round(median(seconds), 1) if seconds else None,
        "slowest": seconds[-1] if seconds else None,
        "named": sum(o.named == o.ticket for o in thieves) if thieves else None,
        "by": dict(Counter(o.trigger for o in thieves if o.trigger).most_common()),
        "others": sum(len(o.others) for o in some),
        "reviews": max(o.reviews for o in some),
    }
