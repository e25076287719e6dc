"""A cause to the numbers that its posterior is computed from: one name, one value, one sentence each.

Each value is the evidence of the cause's weakest member, so that one explained file does not excuse the shell beside
it. The terms are those of drift-model 4.2; what could not be observed is zero, and a flag of its own says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from classifier.drift.compatibility import head_of
from classifier.drift.continuity import interactive
from classifier.drift.correlation import Correlation
from classifier.drift.finding import Term
from classifier.drift.severity import RAW_PEER, SPECIAL_EXEC, is_secret, severity
from classifier.drift.sighting import Sighting
from classifier.drift.verdict import Judged
from classifier.envelope.dimensions import TOTAL, dimension
from classifier.envelope.envelope import Envelope

PAIRS = (  # what weighs more together than the sum of its parts
    ("chain", "few replicas"), ("foreign owner", "severity 2"), ("code brought in", "foreign owner"),
    ("few replicas", "severity 2"), ("chain", "out of bounds"), ("sends much", "severity 2"),
    ("volley", "few replicas"), ("odd calls", "how far"),
    ("new sequences", "how far"), ("foreign owner", "novelty of its kind"), ("far name", "novelty of its kind"),
    ("chain", "novelty"), ("sends much", "few replicas"), ("foreign owner", "no event"), ("outside scope", "far name"),
)  # fmt: skip
QUANTITY = ("volume out", "volume in", "schedule", "creep")
SPREAD_ONE, SPREAD_ALL = 30.0, 2.0  # Beta(1, b) priors of a behaviour's share of replicas: of an intruder, of a change


def features(members: Sequence[Judged], envelope: Envelope, expected: Mapping[str, float]) -> tuple[Term, ...]:
    """All terms of a cause.

    Args:
        expected: Sessions with something new that the workload shows by itself in a day, per dimension and in all.
    """
    rows = (
        *_deploy(members, envelope),
        *_continuity(members),
        *_placement(members, envelope),
        *_quantity(members),
        *_what(members),
        *_novelty(members, expected),
    )
    found = {name: Term(name, round(value, 4), words) for name, value, words in rows if value}
    both = ((found[a], found[b]) for a, b in PAIRS if a in found and b in found)
    pairs = (Term(f"{a.name} and {b.name}", round(a.value * b.value, 4), f"{a.words}; {b.words}") for a, b in both)
    return (*found.values(), *pairs)


Row = tuple[str, float, str]


def _deploy(members: Sequence[Judged], envelope: Envelope) -> Iterable[Row]:
    doubtful = [e for m in members for e in m.correlation.considered if "no weight" in e.because]
    yield "unbelieved event", float(bool(doubtful)), doubtful[0].because if doubtful else ""
    first = min(m.sighting.first for m in members)
    newest = envelope.ledger.newest(first)
    days = 0.0 if newest is None else (first - newest) / envelope.policy.day
    yield "revision's age", math.log1p(min(days, 7.0)), f"{days:.1f} days after the newest revision"
    c = min((m.correlation for m in members), key=_rank)
    terms = {t.name: t for t in c.terms}
    if not terms:
        yield "no event", 1.0, "no believed event is near"
        yield "undeclared", max(-4.0, min(c.undeclared, 6.0)), "a new revision that no event announced"
        return
    for name, low, high in (("time", -4.0, 6.0), ("revision", -6.0, 6.0), ("kind", -3.0, 1.0)):
        yield f"deploy {name}", max(low, min(terms[name].value, high)), terms[name].words
    yield "named", float(all(m.correlation.named for m in members)), "a believed event names all of it"
    yield "outside scope", float(terms["scope"].value < 0), terms["scope"].words
    yield "scope unknown", float(not c.named and terms["scope"].value == 0), "the event declares nothing of it"
    yield "refused", float(c.signal.holds is False), c.why_none
    p = c.placement
    yield "on old replicas", float(p is not None and p.old_hits > 0), f"{p.old_hits if p else 0} old replicas show it"


def _rank(c: Correlation) -> tuple[int, float]:
    return {False: 0, None: 1, True: 2}[c.signal.holds] + 3 * bool(c.named), c.signal.value


def _continuity(members: Sequence[Judged]) -> Iterable[Row]:
    by_name: dict[str, Term] = {}
    for m in members:
        for t in m.sighting.continuity_terms:
            if t.name not in by_name or t.value < by_name[t.name].value:
                by_name[t.name] = t
    line = by_name.get("lineage")
    yield "owner unknown", float(line is None), "who did it was not observed"
    yield "foreign owner", 1.0 - line.value if line is not None else 0.0, line.words if line is not None else ""
    if t := by_name.get("profile"):
        yield "odd calls", min(4.0, -math.log(max(t.value, 1e-3))), t.words
    if t := by_name.get("sequences"):
        yield "new sequences", 1.0 - t.value, t.words
    peers = [m.sighting for m in members if m.sighting.behaviour.startswith("egress:")]
    files = [m.sighting for m in members if not m.sighting.behaviour.startswith("egress:")]
    for name, some in (("far name", peers), ("far path", files)):
        if some:
            worst = min(some, key=lambda s: (s.near, -severity(s.behaviour)))
            yield name, 1.0 - worst.near, f"nothing known is named like {worst.behaviour}"
    own = sum(m.sighting.habit for m in members)
    yield "habit", float(own > 0), f"{own} of the files it runs are where it runs new ones every day"
    human = [m.sighting.behaviour for m in members if interactive(m.sighting)]
    yield "by a person", float(bool(human)), f"{human[0] if human else ''} was started from outside the workload"


def _placement(members: Sequence[Judged], envelope: Envelope) -> Iterable[Row]:
    """Term 7: a change shows on many replicas, an intruder's tools in one place and all at once."""
    first, hour = min(m.sighting.first for m in members), envelope.policy.hour
    # Of the replicas that ran at its beginning: over weeks every habit meets every replica.
    running = {
        e.replica for e in envelope.ledger.exposures.values() if e.start <= first + hour and e.end >= first - hour
    }
    showing = {
        r for m in members for r, x in m.sighting.sights.items() if x.first <= first + 24 * hour and r in running
    }
    n, k = max(1, len(running)), max(1, len(showing))
    if n > 1:
        few, many = _beta_ratio(k, n, SPREAD_ONE), _beta_ratio(k, n, SPREAD_ALL)
        yield "few replicas", max(-6.0, min(few - many, 6.0)), f"on {k} of {n} replicas that ran then"
    yield "single", float(n == 1), "the workload has one replica, so placement says nothing"
    close = [m for m in members if m.sighting.first - first <= hour]
    yield "burst", math.log(len(close)), f"{len(close)} new behaviours within an hour"
    quick = max(sum(0 <= m.sighting.first - o.sighting.first <= hour / 30 for m in members) for o in members)
    yield "volley", math.log(quick), f"{quick} new behaviours within two minutes"
    peers = [m for m in members if m.sighting.behaviour.startswith("egress:") and m.sighting.why == "new"]
    yield "fan-out", math.log(max(1, len(peers))), f"{len(peers)} new peers"
    kinds = {_stage(m.sighting.behaviour) for m in members} - {""}
    yield "chain", float(max(0, len(kinds) - 1)), " and ".join(sorted(kinds))


def _stage(behaviour: str) -> str:
    if is_secret(behaviour):
        return "credential"
    if behaviour.startswith("exec:"):
        return "execution"
    if behaviour.startswith("egress:"):
        return "egress"
    return "write" if behaviour.startswith("write:") else ""


def _beta_ratio(k: int, n: int, b: float) -> float:
    return math.lgamma(1 + k) + math.lgamma(b + n - k) - math.lgamma(1 + b + n) - (math.lgamma(b) - math.lgamma(1 + b))


def _quantity(members: Sequence[Judged]) -> Iterable[Row]:
    worst = max((m.bounds for m in members if m.bounds.holds is not True), key=lambda b: b.value, default=None)
    if worst is not None and worst.value > 0:
        yield "out of bounds", 1.0, worst.words
        yield "how far", math.log1p(min(worst.value, 60.0)), worst.words
    times, most = max(((m.sighting.over, m.sighting.broken) for m in members), default=(0.0, ""))
    yield "times its bound", math.log(max(1.0, min(times, 100.0))), most
    fresh = [m.sighting for m in members if m.sighting.behaviour.startswith("egress:") and m.sighting.why == "new"]
    for s in sorted(fresh, key=lambda s: -s.bytes_out)[:1]:
        ratio = math.log((s.bytes_out + 500.0) / (s.bytes_in + 500.0))
        yield "sends", max(-3.0, min(ratio, 5.0)), f"{s.bytes_out} bytes out, {s.bytes_in} in, at {s.behaviour}"
        yield "sends much", math.log1p(s.bytes_out / 5e4), f"{s.bytes_out} bytes out at {s.behaviour}"
    unknown = all(m.bounds.holds is None and m.bounds.value == 0 for m in members)
    yield "no bounds", float(unknown), "no bound is learned yet"
    for why in QUANTITY:
        found = [m.sighting for m in members if m.sighting.why == why or (m.sighting.why == "drip" and why == "creep")]
        yield why, float(bool(found)), found[0].note if found else ""
    off = [m.sighting for m in members if m.sighting.note and m.sighting.why not in ("creep", "drip")]
    yield "off schedule", float(bool(off)), off[0].note if off else ""
    owner = [m.sighting for m in members if m.sighting.why == "owner"]
    yield "owner", float(bool(owner)), owner[0].lineage if owner else ""


def _novelty(members: Sequence[Judged], expected: Mapping[str, float]) -> Iterable[Row]:
    """Term 9: what is new every day is cheap, the same on a workload that has nothing new is not."""
    rates = [expected.get(dimension(m.sighting.behaviour) or TOTAL, 0.0) for m in members]
    rate, every = min(rates), expected.get(TOTAL, 0.0)
    yield "novelty of its kind", math.log(rate + 0.03), f"{rate:g} sessions a day show something new of its kind"
    yield "novelty", math.log(every + 0.03), f"{every:g} sessions a day show something new"


def _what(members: Sequence[Judged]) -> Iterable[Row]:
    names = [m.sighting.behaviour for m in members]
    worst = max(names, key=severity)
    level = severity(worst)
    yield f"severity {level}", float(level > 0), worst
    if raw := next((b for b in names if RAW_PEER.match(b)), ""):
        yield "bare address", 1.0, raw
    if odd := next((m for m in members if _brought(m.sighting)), None):
        yield "code brought in", 1.0, odd.sighting.behaviour
    head = head_of(worst)
    for kind in ("exec", "egress", "ingress", "write", "open", "identity", "syscall"):
        yield f"kind {kind}", float(head == kind), worst


def _brought(s: Sighting) -> bool:
    return s.behaviour.startswith("exec:") and (
        SPECIAL_EXEC.match(s.behaviour) is not None or s.layer in ("memfd", "upper")
    )
