"""A row to what a person asks under time pressure: what set it off, what left, where to, who allowed it, is it over.

Plain sentences, no system words. What is not known says so; a sentence never fills a gap.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
LABELS = {
    "risky_drift": "RISKY - behaviour that nothing explains",
    "expected_evolution": "expected - an announced change explains it",
    "needs_review": "to be reviewed by a person",
}
NOT_KNOWN = "Not known"
STEPS = {
    "input>llm": "A request reached the agent, which asked the model",
    "agent>agent": "One agent called another",
    "llm>llm": "The conversation went on",
    "llm>tool": "The model asked for a tool",
    "tool>llm": "The tool's result went to the model",
    "tool>mcp": "A tool server was asked to run it",
    "mcp>process": "The server's program ran it",
    "call>exec": "It started a program",
    "call>file": "It opened a file",
    "call>egress": "It talked to the network",
}


def urgent(row: Row) -> list[tuple[str, str]]:
    """Question and answer."""
    if row.get("kind") != "finding":
        return [("What happened?", str(row.get("words") or row.get("kind")))]
    return [
        ("What set it off?", trigger(row)),
        ("What left?", _left(row)),
        ("Where did it go?", _where(row)),
        ("Who allowed it?", _allowed(row)),
        ("Is it over?", _over(row)),
    ]


def eight(row: Row) -> list[tuple[str, str]]:
    """What an investigation must reconstruct."""
    if row.get("kind") != "finding":
        return []
    acts, first_last = row.get("acts") or {}, _span(row)
    return [
        ("Which input set it off", trigger(row)),
        ("Which tool or function did it", _tools(row)),
        ("Under which identity", _identity(row)),
        ("Which data", _data(row)),
        ("Where it went", _where(row)),
        ("When", f"{first_last}; the finding was opened {moment((row.get('finding') or {}).get('opened'))}"),
        ("What was allowed at that time", _normal(row)),
        ("What was done about it", _done(row) + (f" Programs: {', '.join(acts['processes'])}." if acts.get("processes") else "")),
    ]  # fmt: skip


def trigger(row: Row) -> str:
    """What set it off, in a sentence."""
    told = row.get("trigger") or {}
    state = told.get("state")
    if state in ("captured", "inferred"):
        mark = " (INFERRED from the time alone)" if state == "inferred" else ""
        words = str(told.get("excerpt") or "its words were not kept").replace("”", '"')  # nobody leaves the quotation
        more = f"; {told['turns'] - 1} other turns show it, too" if told.get("turns") else ""
        named = f"{_kind(told.get('kind'))}{mark} at {moment(told.get('time'))}: “{words}”"
        return f"{named}; digest {told.get('digest') or 'none'}{more}"
    if state == "ambiguous":
        return f"{NOT_KNOWN}: {told.get('why')}"
    return f"{NOT_KNOWN}: not captured. {told.get('why') or ''}".strip()


def moment(seconds: Any) -> str:
    """Seconds since the epoch as UTC text."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (TypeError, ValueError, OverflowError, OSError):
        return "an unknown time"


def size(number: Any) -> str:
    """Bytes as people say them."""
    if not isinstance(number, int | float):
        return "an unknown amount"
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if number >= one:
            return f"{number / one:.1f} {unit}"
    return f"{number:g} bytes"


def place(behaviour: str) -> str:
    """A destination without its notation.

    >>> place("egress:tcp:acme.s3.amazonaws.com:443")
    'acme.s3.amazonaws.com (port 443)'
    """
    parts = behaviour.split(":")
    if len(parts) >= 4 and parts[0] == "egress":
        return f"{':'.join(parts[2:-1])} (port {parts[-1]})"
    return behaviour


def _kind(kind: Any) -> str:
    return {"user_turn": "A user's words to the agent", "inbound": "A request from outside"}.get(str(kind), str(kind))


def _left(row: Row) -> str:
    acts = row.get("acts") or {}
    sent = [e for e in acts.get("egress") or () if e["bytes_out"]]
    if not sent:
        return "No bytes were counted as leaving." if acts else NOT_KNOWN
    total = size(sum(e["bytes_out"] for e in sent))
    read = [e for e in acts.get("egress") or () if e["bytes_in"]]
    into = f" Before or beside it {size(sum(e['bytes_in'] for e in read))} came in." if read else ""
    return f"{total} in {len(sent)} flow{'s' if len(sent) > 1 else ''}.{into}"


def _where(row: Row) -> str:
    sent = [e for e in (row.get("acts") or {}).get("egress") or () if e["bytes_out"]]
    sent.sort(key=lambda e: -e["bytes_out"])
    return "; ".join(f"{place(e['behaviour'])}: {size(e['bytes_out'])}" for e in sent[:8]) or "Nowhere that was seen."


def _allowed(row: Row) -> str:
    finding = row.get("finding") or {}
    if finding.get("deploy"):
        return f"An announced change, event {finding['deploy']}."
    people = [r for r in row.get("response") or () if r.get("decision") in ("accept", "adopt")]
    if people:
        return f"{people[-1].get('actor')}, afterwards, at {moment(people[-1].get('time'))}."
    return f"Nobody: no announced change explains it ({finding.get('why_no_deploy') or 'none is known'})."


def _over(row: Row) -> str:
    finding = row.get("finding") or {}
    last = max((d["last"] for d in finding.get("deviations") or ()), default=None)
    state = {"open": "the finding is open", "accepted": "the finding was accepted", "dismissed": "the finding was dismissed",
             "aged": "nobody decided in time"}.get(str(finding.get("state")), str(finding.get("state")))  # fmt: skip
    return f"Last seen {moment(last)}, as of this row ({moment(row.get('time'))}); {state}. Later rows may say more."


def _tools(row: Row) -> str:
    acts, layers = row.get("acts") or {}, row.get("layers") or {}
    tools = acts.get("tools") or []
    if tools:
        return "; ".join(
            f"{t['name']}, {t['calls']} call{'s' if t['calls'] != 1 else ''} from {moment(t['first'])}"
            for t in tools[:8]
        )
    return f"{NOT_KNOWN}: {(layers.get('tools') or {}).get('reason') or 'tool calls were not captured'}"


def _identity(row: Row) -> str:
    context = row.get("context") or {}
    named = ", ".join(f"{i['name']} ({i['basis']})" for i in context.get("identities") or ())
    return f"workload {row.get('workload')}; " + (f"credentials: {named}" if named else "its credentials are not known")


def _data(row: Row) -> str:
    acts, context = row.get("acts") or {}, row.get("context") or {}
    read = [e for e in acts.get("egress") or () if e["bytes_in"]]
    words = "; ".join(
        f"{e['count']} exchanges with {place(e['behaviour'])}, {size(e['bytes_in'])} read" for e in read[:8]
    )
    known = ", ".join(context.get("data") or ())
    return (words or "no read was counted") + (f". Data sources of this workload: {known}" if known else "")


def _normal(row: Row) -> str:
    finding, context = row.get("finding") or {}, row.get("context") or {}
    names = {"deploy_correlation": "Announced changes", "pattern_continuity": "Pattern", "resource_bounds": "Amounts"}
    signals = finding.get("signals") or {}
    words = "; ".join(f"{name}: {signals[key]['words']}" for key, name in names.items() if key in signals)
    return f"What was normal is the envelope {(context.get('versions') or {}).get('envelope', 'unknown')}. {words}"


def _done(row: Row) -> str:
    told = [f"{r.get('actor')}: {r.get('decision')} at {moment(r.get('time'))} {r.get('note') or ''}".strip()
            for r in row.get("response") or ()]  # fmt: skip
    return "; ".join(told) + "." if told else "Nothing yet, as of this row."


def _span(row: Row) -> str:
    rows = (row.get("finding") or {}).get("deviations") or ()
    if not rows:
        return moment(row.get("time"))
    return f"{moment(min(d['first'] for d in rows))} to {moment(max(d['last'] for d in rows))}"
