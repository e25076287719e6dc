"""A finding's values to sentences for people. Findings of older versions lack some; absent is said, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from classifier.drift.finding import AGED, EXPECTED, OPEN, REVIEW, RISKY
from classifier.drift.severity import is_secret, severity
from classifier.drift.verdict import TABLE
from console.cli.output import moment

Values = Mapping[str, Any]
LABELS = {EXPECTED: "expected evolution", RISKY: "risky drift", REVIEW: "needs review"}
OUTCOMES = {EXPECTED: "evolution", RISKY: "risky", "benign": "benign"}
SIGNALS = {
    "deploy_correlation": "deploy correlation",
    "pattern_continuity": "pattern continuity",
    "resource_bounds": "resource bounds",
}
HOLDS = {True: "holds", False: "fails", None: "cannot be told"}
CLOSED = ("accepted", "dismissed", "aged")
OTHERWISE = (  # per signal: what would make it hold, and what would make it fail
    (
        "an authenticated deploy event that names {what}, in time and on the replicas with the change only",
        "a replica without the change that shows it too",
    ),
    ("an owner of {what} that the envelope knows", "an owner that the envelope does not know"),
    ("bytes within what was learned", "more bytes in one window than was ever learned"),
)


def label(found: Values) -> str:
    """The label in words."""
    return LABELS.get(str(found.get("label")), str(found.get("label")))


def posterior(found: Values) -> dict[str, float]:
    """Outcome → probability, the likeliest first; empty where the classifier gave none."""
    told = found.get("posterior") or {}
    known = {k: float(told[k]) for k in ("risky", "benign", "evolution") if isinstance(told.get(k), int | float)}
    return dict(sorted(known.items(), key=lambda i: -i[1]))


def probability(found: Values) -> str:
    """All three probabilities in one line; "" where the classifier gave none."""
    shares = posterior(found)
    if not shares:
        return ""
    weights = (found.get("posterior") or {}).get("weights")
    return ", ".join(f"{k} {v:.3f}" for k, v in shares.items()) + (f" (weights {weights})" if weights else "")


def own_reading(found: Values) -> str:
    """The outcome that the label says; of a review the likeliest, "" where the classifier gave none."""
    shares = posterior(found)
    own = OUTCOMES.get(str(found.get("label")), "")
    return own if own in shares else next(iter(shares), "")


def own_probability(found: Values) -> float | None:
    """The probability of what the label says; a review's is that of its likeliest outcome."""
    return posterior(found).get(own_reading(found))


def sure(label: str, reading: str, share: float | None) -> str:
    """A probability for people: of a review, which names no outcome itself, with what it is the probability of.

    >>> sure("needs_review", "benign", 0.617), sure("risky_drift", "risky", 0.95), sure("risky_drift", "", None)
    ('0.62 benign', '0.95', '')
    """
    if share is None:
        return ""
    return f"{share:.2f}" if label in OUTCOMES else f"{share:.2f} {reading}"


def waiting(state: str, owner: str, until: float | None) -> str:
    """Where a finding stands, and who decides until when, or did not.

    >>> waiting("aged", "ada", 0.0)
    'aged, ada did not decide until 1970-01-01 00:00:00Z'
    """
    if state == AGED and owner and until is not None:
        return f"{state}, {owner} did not decide until {moment(until)}"
    who = f", for {owner} to decide" if owner and state == OPEN else ""
    return f"{state}{who}" + (f" until {moment(until)}" if who and until is not None else "")


def signals(found: Values) -> list[tuple[str, bool | None, Any, str]]:
    """The three tests: name, whether it holds, its number, its sentence."""
    told = found.get("signals") or {}
    rows = ((name, told.get(key) or {}) for key, name in SIGNALS.items())
    return [(name, s.get("holds"), s.get("value"), str(s.get("words", ""))) for name, s in rows]


def considered(found: Values) -> list[Values]:
    """Every deploy event that was held against a finding, the one that explains it first."""
    return sorted(found.get("considered") or (), key=lambda c: not c.get("explains"))


def reason(c: Values, said: Iterable[str] = ()) -> str:
    """Why an event explains a finding or is rejected, without what is `said` already.

    >>> reason({"deploy": "p9", "because": "event p9 (prompt): late (+1.0); refused because nobody declared it"})
    'nobody declared it'
    """
    because = str(c.get("because", ""))
    if because in said and c.get("explains"):
        return ""
    return because.rpartition("refused because ")[2].removeprefix(f"event {c.get('deploy')} ({c.get('kind')}): ")


def placement(found: Values) -> str:
    """On how many replicas of each side it was seen; "" where nobody counted."""
    p = found.get("placement")
    if not p:
        return ""
    new = f"on {p.get('new_hits')} of {p.get('new')} replicas with the change"
    old = f"on {p.get('old_hits')} of {p.get('old')} without it" if p.get("old") else "none ran without it"
    hidden = f"; of {p['unknown']} nobody can tell" if p.get("unknown") else ""
    return f"{new}, {old}{hidden}"


def rule(found: Values) -> str:
    """The rule that gave the label."""
    return str(found.get("because", "")).rpartition(") by ")[2]


def cause(found: Values) -> str:
    """Why it is what it is, in one line: the event, or that none matches; and what kind of change it is."""
    if found.get("deploy"):
        return f"event {found['deploy']}" + attributed(found)
    return str(found.get("why_no_deploy") or "no event explains it") + attributed(found)


def attributed(found: Values) -> str:
    """The kind of change, in brackets; "" where nobody said."""
    return f" [{found['attribution']}]" if found.get("attribution") else ""


def behaviours(found: Values) -> list[str]:
    """The behaviours of a finding, the worst first."""
    rows = sorted(found.get("deviations") or (), key=lambda d: -int(d.get("severity") or 0))
    return list(dict.fromkeys(str(d.get("behaviour")) for d in rows))


def otherwise(found: Values) -> list[str]:
    """What would change the label: one signal turned over, each after the truth table; then people and time."""
    state = str(found.get("state"))
    if state in CLOSED:
        return [f"nothing by itself: it is {state}; if the behaviour comes back in another way, that is a new finding"]
    return [*_turned(found), *_guarded(found), *_people(found)]


def _turned(found: Values) -> Iterable[str]:
    names = behaviours(found)
    what = names[0] if names else "the behaviour"
    worst = max((severity(b) for b in names), default=0)
    # A signal that cannot be told speaks against a dangerous behaviour only.
    key = tuple(worst < 2 if holds is None else holds for _, holds, _, _ in signals(found))
    for n, holds in enumerate(key):
        turned, _ = TABLE[tuple(not h if i == n else h for i, h in enumerate(key))]  # type: ignore[index]
        if turned != found.get("label"):
            yield f"{OTHERWISE[n][holds].format(what=what)}: {LABELS[turned]}"


def _guarded(found: Values) -> Iterable[str]:
    secret = next((b for b in behaviours(found) if is_secret(b)), None)
    if secret is not None:
        yield f"but {secret} is an identity or a secret: risky until an authenticated event names it"


def _people(found: Values) -> Iterable[str]:
    if found.get("label") == EXPECTED:
        yield "a person who rejects it before its probation ends: risky drift, for good"
        return
    who, until = found.get("owner") or "a person", found.get("review_until")
    if found.get("label") == REVIEW and until:
        failed = any(holds is False for _, holds, _, _ in signals(found)[1:])
        yield f"no decision by {who} until {moment(until)}: it ages, as {LABELS[RISKY if failed else REVIEW]}"
    yield f"{who}: accept or adopt (normal from now on), reject (risky for good), dismiss (closed, nothing learned)"


def seen(found: Values) -> tuple[Any, Any]:
    """First and last sight of any of its behaviours (seconds); `updated` is when somebody last looked."""
    rows = found.get("deviations") or ()
    first, last = ([d[k] for d in rows if isinstance(d.get(k), int | float)] for k in ("first", "last"))
    return min(first, default=found.get("opened")), max(last, default=found.get("updated"))


def turns(history: Iterable[Values]) -> list[Values]:
    """The versions at which a finding's label became another one.

    >>> [v["version"] for v in turns([{"version": n, "label": x} for n, x in enumerate("aabba")])]
    [0, 2, 4]
    """
    out: list[Values] = []
    for v in history:
        if not out or out[-1].get("label") != v.get("label"):
            out.append(v)
    return out


def record(event: Values, *, limit: int | None = 160) -> str:
    """An event in one line: when, what kind, which behaviour, and its fields as far as they fit."""
    data = event.get("data") or {}
    words = " ".join(f"{name}={value}" for name, value in sorted(data.items()))
    line = f"{moment(event.get('time'))} {event.get('kind')} {event.get('behaviour') or ''} {words}".rstrip()
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"
