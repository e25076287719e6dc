"""FX-5 as a classifier answers that gets every label right: what a report makes of it does not hang on the labels."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from classifier.drift.finding import EXPECTED, REVIEW, RISKY
from classifier.policy import Policy
from console.report.model import Report, Span, made
from tests.console.report.samples import evolution, finding, review
from tests.fixtures import fx5
from tests.fixtures.fleet import DAY, HOUR

SPAN = Span(fx5.LEARNED, fx5.END, 30.0)
KINDS = {"ml-m2": "model/prompt", "tools-7": "tools", "dep-419": "dependency"}


def answer(n: int, change: fx5.Change) -> dict[str, Any]:
    """One finding as it should be told."""
    make = {EXPECTED: evolution, RISKY: finding}.get(change.label, review)
    names = sorted(change.behaviours)
    values = {
        "id": f"{n:02d}{change.name.encode().hex()[:14]:0<14}",
        "workload": fx5.WORKLOAD,
        "opened": change.begin + 60,
        "updated": change.begin + 3600,
        "title": f"{names[0]}: {'explained by event ' + change.event if change.event else 'no event explains it'}",
        "deploy": change.event,
        "deviations": [{"behaviour": b, "why": "new", "severity": 1, "count": 9, "replicas": 2} for b in names],
    }
    if change.event:
        event = next(d for d in fx5.deploys() if d.id == change.event)
        fits = {"deploy": event.id, "kind": event.kind, "time": event.time, "value": 16.2, "explains": True}
        values["considered"] = [fits | {"because": f"named by '{event.scope[0]}', on 4 of 4 new replicas"}]
        values["attribution"] = KINDS.get(change.event, "model/prompt")
    else:
        values["considered"] = []
    if change.label == REVIEW:
        values["review_until"] = change.begin + 7 * DAY
        values["posterior"] = {"evolution": 0.05, "benign": 0.81, "risky": 0.14, "weights": "w3"}
    if change.name == "masked":
        values["considered"] = [
            {"deploy": "prompt-v9", "kind": "prompt", "time": fx5.T["prompt-2"], "value": -2.6, "explains": False,
             "because": "the declared scope of 1 patterns does not name it (scope_match=false)"},
        ]  # fmt: skip
        values["why_no_deploy"] = "event prompt-v9 refused: the declared scope of 1 patterns does not name it"
    return make(**values)


def envelope() -> dict[str, Any]:
    """What the envelope of such a workload says: four revisions, a gap, thirty days of convergence."""
    ledger = [
        {"node": p.node, "cgroup": p.number, "generation": 0, "revision": p.revision, "start": p.start,
         "end": min(p.end, fx5.END), "ended": p.end < fx5.END, "windows": 400, "lossy": 0,
         "gaps": [[fx5.at(41, 3.2), fx5.at(41, 3.5)]] if p.node == "n2" and p.end > fx5.at(41) else []}
        for p in fx5.pods()
    ]  # fmt: skip
    first = int(fx5.START // DAY)
    series = [
        {"day": first + n, "dimension": "total", "stage": "learning" if n < 3 else "converging" if n < 14 else "converged",
         "spread": 0.4 / (n + 1), "mass": 0.2 / (n + 1), "fresh": 1 / (n + 1), "new": 9 if n == 0 else n % 11 == 1}
        for n in range(44)
    ]  # fmt: skip
    return {
        "workload": fx5.WORKLOAD, "state": "partial", "because": "lost within the last 7 days: gap: sensor updated 1",
        "ledger": ledger, "convergence": series, "lost": {"gap: sensor updated": 1}, "blind_spots": ["io_uring: sends"],
        "behaviours": [
            {"behaviour": "egress:tcp:crm.example.org:443", "first": fx5.START, "state": "admitted"},
            {"behaviour": "open:data:/tmp/*.json", "first": fx5.LEARNED + HOUR, "state": "admitted", "because": "covered",
             "count": 40},
        ],
    }  # fmt: skip


def report() -> Report:
    findings = [answer(n, c) for n, c in enumerate(fx5.CHANGES)]
    deploys = [asdict(d) for d in fx5.deploys()]
    idle = deploys[0] | {"id": "restart-3", "kind": "restart", "time": fx5.at(20), "revision": None}
    forged = deploys[0] | {"id": "fake", "time": fx5.at(22), "trust": "none", "refused": "bad signature"}
    return made(
        findings, [*deploys, idle, forged], {fx5.WORKLOAD: envelope()}, span=SPAN, policy=Policy(),
        source="trace fx5.trace",
    )  # fmt: skip
