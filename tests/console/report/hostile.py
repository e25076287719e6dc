"""A report in which whatever a workload can name is an attack on terminal, page or reader."""

from __future__ import annotations

from classifier.policy import Policy
from console.report.model import Report, Span, made
from tests.console.report.samples import evolution, finding, review

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
ANSI = "\x1b[2J\x1b]0;owned\x07\x9b31m"
BIDI = "\u202egpj.exe\u2066\u200f"
MARKDOWN = "![x](https://evil.example/p.png) [y](javascript:alert(3)) | a | `b` \\| <b> www.evil.example **c** &lt;"
LONG = "A" * 4096
TEMPLATE = "{{ 7*7 }}{% raw %}</style></svg></title>--><!--"
ALL = (SCRIPT, ANSI, BIDI, MARKDOWN, LONG, TEMPLATE, "=cmd|'/C calc'!A0", "\n\r\n# heading\n| x | y |", "\ud800")
NAME = "".join(ALL)


def report(name: str = NAME) -> Report:
    """Every text of it holds `name`."""
    bad = {
        "id": name, "title": name, "because": name, "why_no_deploy": name, "severity": name, "state": name,
        "owner": name, "attribution": name, "magnitude": name, "revisions": [name], "evidence": [name],
        "deviations": [{"behaviour": name, "severity": 1}],
        "signals": {"deploy_correlation": {"holds": None, "value": 1.0, "words": name}},
        "considered": [{"deploy": name, "kind": name, "time": 1e300, "value": 1.0, "explains": False, "because": name}],
        "history": [{"version": 1, "label": name, "time": 1.0, "because": name},
                    {"version": 2, "label": "x", "time": -1e18, "because": name}],
        "posterior": {"risky": 0.5, "benign": 0.3, "evolution": 0.2, "weights": name}, "workload": name,
    }  # fmt: skip
    findings = [
        finding(**bad), evolution(**bad | {"deploy": name, "id": name + "2"}), review(**bad | {"id": name + "3"}),
        finding(**bad | {"label": name, "id": name + "4"}), finding(**bad | {"opened": 1.0, "id": name + "5"}),
    ]  # fmt: skip
    deploy = {"id": name, "workload": name, "kind": name, "time": 15 * 86400.0, "actor": name, "trust": "signed",
              "revision": name, "refused": ""}  # fmt: skip
    idle = deploy | {"id": name + "i", "trust": name}
    exposure = {"node": name, "revision": name, "start": 10 * 86400.0, "end": 30 * 86400.0, "lossy": 1,
                "gaps": [[11 * 86400.0, 12 * 86400.0]]}  # fmt: skip
    series = [{"day": d, "dimension": "total", "stage": name, "spread": 0.1} for d in (11, 12, 13)]
    envelope = {
        "state": name, "because": name, "ledger": [exposure], "lost": {name: 3}, "blind_spots": [name],
        "behaviours": [{"behaviour": name + "b", "first": 12 * 86400.0, "because": name}], "convergence": series,
    }  # fmt: skip
    span = Span(10 * 86400.0, 40 * 86400.0, 30.0)
    return made(findings, [deploy, idle], {name: envelope}, span=span, policy=Policy(), source=name)
