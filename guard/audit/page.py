"""A row to one page: as text for a terminal, and as HTML that needs nothing else. Both say the same."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from guard.audit.answers import LABELS, STEPS, eight, moment, trigger, urgent

RENDERER = 2  # pages of another number are not compared with those made here
LINE = 100  # columns
LONG = 1200  # characters of one sentence
LISTED = 40  # steps, records
MARKS = {"present": "yes", "missing": "NO", "unknown": "unknown"}
STYLE = (
    "body{font:16px/1.45 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "h1{font-size:1.3rem}h2{font-size:1.05rem;margin:1.4rem 0 .3rem;border-bottom:1px solid #ccc}"
    "dt{font-weight:600;margin-top:.5rem}dd{margin:0 0 .2rem 0;overflow-wrap:anywhere}.q dd{font-size:1.1rem}"
    "@media print{body{margin:0}}"
)

Section = tuple[str, list[tuple[str, str]]]


def clean(text: Any) -> str:
    r"""The text with everything that could steer a terminal or turn the order of letters written as an escape.

    >>> clean("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    text = str(text)[:LONG]
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def sections(row: Mapping[str, Any]) -> list[Section]:
    """The page: headings with facts, the most urgent first."""
    out: list[Section] = [("In short", urgent(row))]
    if row.get("kind") == "finding":
        out += [
            ("What happened, step by step", _steps(row)),
            ("For the record", eight(row)),
            ("What was watched", _layers(row)),
        ]
        versions = list((row.get("context") or {}).get("versions", {}).items())
        redaction = [("redaction of words", str(row["redaction_policy"]))] if "redaction_policy" in row else []
        out.append(("Versions in force", versions + redaction))
    out += [("Records behind this row", _records(row)), ("How to check this page", _check(row))]
    return [(heading, facts) for heading, facts in out if facts]


def title(row: Mapping[str, Any]) -> str:
    """One line that says what the row is."""
    what = LABELS.get(str(row.get("label")), str(row.get("kind")).replace("_", " "))
    return f"{row.get('id')}  {what}"


def text(row: Mapping[str, Any]) -> str:
    """The page as text."""
    lines = [clean(title(row)), clean(_under(row)), ""]
    for heading, facts in sections(row):
        lines.append(heading.upper())
        for name, words in facts:
            lines += _folded(f"  {clean(name)}: ", clean(words))
        lines.append("")
    return "\n".join(lines)


def html(row: Mapping[str, Any]) -> str:
    """The page as HTML: no script, nothing from elsewhere."""
    parts = []
    for number, (heading, facts) in enumerate(sections(row)):
        rows = "".join(f"<dt>{_html(name)}</dt><dd>{_html(words)}</dd>" for name, words in facts)
        parts.append(f"<h2>{_html(heading)}</h2><dl{' class=q' if number == 0 else ''}>{rows}</dl>")
    head = f"<h1>{_html(title(row))}</h1><p>{_html(_under(row))}</p>"
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    return (
        f'<!doctype html><html lang=en><meta charset=utf-8>{policy}<meta name=renderer content="{RENDERER}">'
        f"<title>{_html(row.get('id'))}</title><style>{STYLE}</style>{head}{''.join(parts)}</html>\n"
    )


def _html(words: Any) -> str:
    return escape(clean(words), quote=True)


def _under(row: Mapping[str, Any]) -> str:
    about = row.get("workload") or "no single workload"
    return f"{row.get('kind')} ({row.get('what')}) about {about}, at {moment(row.get('time'))}"


def _steps(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The chain, oldest first, each step with how it is known."""
    chain = row.get("chain") or {}
    records = {r.get("id"): r for r in row.get("records") or ()}
    out, joined = [], chain.get("joined") or {}
    if joined.get("basis") == "inferred":
        out.append(("Mind", f"these steps are joined to what was seen by time alone (INFERRED): {joined.get('why')}"))
    if chain.get("edges"):
        out.append(("It began with", trigger(row)))
    for edge in chain.get("edges", ())[:LISTED]:
        step = records.get(edge.get("to"), {"words": edge.get("to")})
        at = f"{moment(step['time'])}: " if "time" in step else ""
        unsure = f"; it could also come from {len(edge['ambiguous'])} others" if edge.get("ambiguous") else ""
        known = f"[known: {edge.get('basis')}, by {edge.get('method')}{unsure}]"
        out.append((STEPS.get(edge.get("kind"), str(edge.get("kind"))), f"{at}{step.get('words')} {known}"))
    for id in (chain.get("unlinked") or ())[:LISTED]:
        if id in records:
            step = records[id]
            out.append(
                ("Seen, with no link to it", f"{moment(step.get('time'))}: {step.get('kind')} {step.get('behaviour')}")
            )
    if more := len(chain.get("edges") or ()) - LISTED:
        out += [("And", f"{more} further steps")] if more > 0 else []
    if not chain.get("edges"):
        out.append(
            ("No step is linked", (row.get("trigger") or {}).get("why") or "nothing of the agent's words was captured")
        )
    if looked := chain.get("looked"):
        span = f"{moment(looked.get('from'))} to {moment(looked.get('until'))}" if looked.get("events") else "nowhere"
        out.append(("How far was looked", f"{span}, {looked.get('events')} records; {looked.get('why')}"))
    return out + [("Not whole", words) for words in chain.get("lost") or ()]


def _layers(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    out = [("Complete", f"{row.get('completeness')} layers")]
    for name, layer in (row.get("layers") or {}).items():
        state = MARKS.get(str(layer.get("state")), str(layer.get("state")))
        count = f", {layer['records']} records ({layer.get('basis')})" if layer.get("state") == "present" else ""
        out.append((name, f"{state}{count}{': ' + layer['reason'] if layer.get('reason') else ''}"))
    ordering = row.get("ordering") or {}
    if ordering.get("time_error_ms") is not None:
        out.append(
            (
                "Order",
                f"{ordering['by_id']} links by id; {ordering['by_time']} by time ± {ordering['time_error_ms']:g} ms",
            )
        )
    return out


def _records(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    records = row.get("records") or ()
    out = [(str(r.get("id")), f"{moment(r['time']) if 'time' in r else ''} {r.get('kind')} {r.get('behaviour', '')} "
            f"{r.get('words', '')}".strip()) for r in records[:LISTED]]  # fmt: skip
    if len(records) > LISTED:
        out.append(("And", f"{len(records) - LISTED} more; the row lists them all"))
    return out + [("No longer kept", id) for id in row.get("records_missing") or ()]


def _check(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Row", f"number {row.get('seq')} of trail {row.get('log')}, after {row.get('prev')}"),
        ("Check", 'driftline audit verify BUNDLE --key PUBLICKEY; without "good" at the end this page proves nothing'),
    ]


def _folded(begin: str, words: str) -> list[str]:
    lines, line = [], begin
    for word in words.split(" "):
        if len(line) + len(word) + 1 > LINE and line.strip():
            lines.append(line.rstrip())
            line = "      "
        line += word + " "
    return [*lines, line.rstrip()]
