"""A finding as the classifier tells it, with every field that a report may show."""

from __future__ import annotations

from typing import Any

from tests.factories import SHOP

PEER = "egress:tcp:upload.example.net:443"


def signal(holds: bool | None, value: float, words: str) -> dict[str, Any]:
    return {"holds": holds, "value": value, "words": words}


def finding(**changes: Any) -> dict[str, Any]:
    """A risky one, open, of day 20."""
    values = {
        "id": "f1",
        "version": 2,
        "workload": SHOP,
        "label": "risky_drift",
        "severity": "critical",
        "opened": 20 * 86400.0,
        "updated": 20 * 86400.0 + 60,
        "title": f"{PEER} and 1 more: no event explains it",
        "because": f"{PEER}: 3 times. risky_drift (critical) by truth table: D=no, P=no, R=no.",
        "signals": {
            "deploy_correlation": signal(False, -2.6, "event p9 does not name it"),
            "pattern_continuity": signal(False, 0.1, "curl is new"),
            "resource_bounds": signal(False, 41.0, "4900000 bytes out in one window"),
        },
        "deploy": None,
        "why_no_deploy": "no matching event within 24 h before and 0.5 h after",
        "deviations": [
            {"behaviour": PEER, "why": "new", "severity": 1, "technique": "T1071", "count": 3, "replicas": 1,
             "bytes_out": 4_900_000, "bytes_in": 4_000, "lineage": "curl<sh<python", "first": 20 * 86400.0,
             "last": 20 * 86400.0 + 50},
            {"behaviour": "exec:/bin/sh<python3.11", "why": "new", "severity": 2, "technique": "T1059", "count": 1,
             "replicas": 1, "bytes_out": 0, "bytes_in": 0, "lineage": "sh<python", "first": 20 * 86400.0,
             "last": 20 * 86400.0},
        ],
        "replicas": 1,
        "revisions": ["r2"],
        "count": 4,
        "evidence": ["n1/e1/7", "n1/e1/8"],
        "history": [
            {"version": 1, "label": "needs_review", "time": 20 * 86400.0, "because": "x. needs_review (low) by table."},
            {"version": 2, "label": "risky_drift", "time": 20 * 86400.0 + 60, "because": "y. risky_drift (high) by it."},
        ],
        "state": "open",
        "partial": False,
        "owner": "",
        "posterior": {"evolution": 0.004, "benign": 0.036, "risky": 0.96, "weights": "w3"},
        "terms": [{"name": "bytes", "value": 3.2, "words": "49 times the largest window"}],
        "considered": [
            {"deploy": "p9", "kind": "prompt", "time": 19.9 * 86400.0, "value": -2.6, "explains": False,
             "because": "the declared scope of 1 patterns does not name it"},
        ],
        "placement": {"new_hits": 1, "new": 4, "old_hits": 0, "old": 2, "unknown": 1},
        "magnitude": "trust-breaking",
        "attribution": "unknown",
        "attribution_because": "nothing changed beside it",
        "review_until": None,
    }  # fmt: skip
    return values | changes


def evolution(**changes: Any) -> dict[str, Any]:
    """One that an event explains."""
    fine = signal(True, 1.0, "fine")
    return finding(
        **{
            "id": "f2", "label": "expected_evolution", "severity": "info", "deploy": "d1", "why_no_deploy": "",
            "signals": dict.fromkeys(("deploy_correlation", "pattern_continuity", "resource_bounds"), fine),
            "title": "egress:tcp:kb.example.org:443: explained by event d1", "opened": 10 * 86400.0,
            "posterior": {"evolution": 0.99, "benign": 0.007, "risky": 0.003, "weights": "w3"},
            "considered": [{"deploy": "d1", "kind": "image", "time": 10 * 86400.0, "value": 16.0, "explains": True,
                            "because": "named by 'egress:tcp:kb*'"}],
            "magnitude": "material", "attribution": "tools", "attribution_because": "event d1 is a tools change",
        }
        | changes
    )  # fmt: skip


def review(**changes: Any) -> dict[str, Any]:
    """One that a person must decide."""
    fine = signal(True, 1.0, "fine")
    return finding(
        **{
            "id": "f3", "label": "needs_review", "severity": "low", "owner": "ada", "review_until": 32 * 86400.0,
            "signals": {"deploy_correlation": signal(False, 0.0, "none"), "pattern_continuity": fine,
                        "resource_bounds": fine},
            "opened": 25 * 86400.0, "magnitude": "material", "posterior": None, "considered": [],
        }
        | changes
    )  # fmt: skip


def old() -> dict[str, Any]:
    """One of a classifier that knew nothing of the later fields."""
    later = ("posterior", "terms", "considered", "placement", "magnitude", "attribution", "attribution_because")
    return {k: v for k, v in finding().items() if k not in (*later, "review_until")}
