"""Three signals to a label: the truth table, the posterior where a signal cannot be told, and what neither may override."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from classifier.drift.continuity import interactive
from classifier.drift.correlation import Correlation
from classifier.drift.finding import EXPECTED, REVIEW, RISKY, Posterior, Signal
from classifier.drift.severity import ESCAPE, RAW_PEER, SHELL, SPECIAL_EXEC, is_secret, severity
from classifier.drift.sighting import Sighting
from classifier.envelope.strangers import ALONE, INTO, OUT

TABLE = {  # (deploy-correlated, pattern continues, resources in bounds) → label, severity; demands.md 3.2
    (True, True, True): (EXPECTED, "info"),
    (True, True, False): (REVIEW, "medium"),
    (True, False, True): (REVIEW, "medium"),
    (True, False, False): (RISKY, "high"),
    (False, True, True): (REVIEW, "low"),
    (False, True, False): (RISKY, "medium"),
    (False, False, True): (RISKY, "high"),
    (False, False, False): (RISKY, "critical"),
}
LEVELS = ("info", "low", "medium", "high", "critical")
QUANTITIES = (OUT, INTO)
VARIANCE = "normal_variance"  # no finding: what a workload does now and then by itself (demands D115)


@dataclass(frozen=True, slots=True)
class Judged:
    """One deviation with its signals."""

    sighting: Sighting
    correlation: Correlation
    continuity: Signal
    bounds: Signal
    young: bool = False  # too little is known for its bound to decide alone


@dataclass(frozen=True, slots=True)
class Verdict:
    """The label of one cause, its severity, and the rule that gave it."""

    label: str
    severity: str
    rule: str


def verdict(
    members: Sequence[Judged],
    signals: tuple[Signal, Signal, Signal],
    posterior: Posterior,
    limits: tuple[float, float, float],
    *,
    quiet: bool,
    fortnight: bool = True,
) -> Verdict:
    """Table first, then the posterior among what the table leaves open, then the rules that stand above both.

    Args:
        limits: Probabilities of risky from which an undecided cause is risky, and from which a person should look, and of
            evolution from which one that an event may explain is expected.
        quiet: The workload shows hardly anything new by itself, so that any undeclared variation is worth a look.
        fortnight: The workload has been watched for long enough that a weekly job has come twice.
    """
    label, level, rule = _open(signals, posterior, limits, quiet)
    if unnamed := [m for m in members if is_secret(m.sighting.behaviour) and not m.correlation.named]:
        rule += f"; {unnamed[0].sighting.behaviour} is an identity or secret that no authenticated event names"
        return Verdict(RISKY, _at_least(level, "high"), rule)
    if any(m.sighting.why == "forgery" for m in members):
        return Verdict(RISKY, _at_least(level, "high"), f"{rule}; a refused deploy event is itself a finding")
    if label in (EXPECTED, VARIANCE) and (floor := _floor(members)):
        return Verdict(REVIEW, "medium", f"{rule}; {floor}, which no deploy event lifts")
    ordinary = all(severity(m.sighting.behaviour) == 0 and m.sighting.why == "new" for m in members)
    if label == RISKY and ordinary:
        return Verdict(REVIEW, "low", f"{rule}; ordinary files alone are never above review")
    if label == RISKY and not fortnight and all(m.sighting.why in QUANTITIES for m in members):
        return Verdict(REVIEW, "medium", f"{rule}; a quantity alone, before a weekly job can be known, is a review")
    return Verdict(label, level, rule)


def _open(
    signals: tuple[Signal, Signal, Signal], p: Posterior, limits: tuple[float, float, float], quiet: bool
) -> tuple[str, str, str]:
    """Label, severity and rule as table and posterior give them."""
    keys = list(product(*((s.holds,) if s.holds is not None else (True, False) for s in signals)))
    cells = [TABLE[key] for key in keys]
    rule = "truth table: " + ", ".join(f"{n}={_answer(s)}" for n, s in zip("DPR", signals, strict=True))
    if len({label for label, _ in cells}) == 1 and (quiet or cells[0] != TABLE[False, True, True]):
        return cells[0][0], min((level for _, level in cells), key=LEVELS.index), rule
    odds = f"{rule}; risky {p.risky:g}, evolution {p.evolution:g}, rare but benign {p.benign:g}"
    risky = [level for label, level in cells if label == RISKY]
    if risky and p.risky >= limits[0]:
        return RISKY, min(risky, key=LEVELS.index), f"{odds}, risky from {limits[0]:g}"
    if p.risky >= limits[1]:
        return REVIEW, "medium" if risky else "low", f"{odds}, review from {limits[1]:g}"
    if cells[0][0] == EXPECTED and (p.evolution >= limits[2] or signals[0].holds):
        return EXPECTED, "info", odds
    if (False, True, True) not in keys:
        return REVIEW, "medium", f"{odds}; no open cell of the table is less"
    return (REVIEW, "low", f"{odds}; hardly anything is ever new here") if quiet else (VARIANCE, "info", odds)


def settled(m: Judged, *, far: float, times: float, least: float, young: bool) -> Judged:
    """Leave open what one number cannot decide: a quantity that is a little too large.

    Args:
        far: Robust z from which a quantity is out of bounds whatever else is known.
        times: Multiple of its bound from which it is, if it is also unusual among all hours:
        least: robust z from which that is so.
        young: Of the behaviour, or of all that the workload does, too little is known for a bound to decide alone.
    """
    b = m.bounds
    another = m.sighting.why == "schedule" and m.continuity.holds is False  # at another time, and by somebody else
    beyond = b.value >= far or (b.value >= least and m.sighting.over >= times)
    if b.holds is False and not another and (young or not beyond):
        return replace(m, bounds=replace(b, holds=None), young=young)
    return m


def together(members: Sequence[Judged]) -> tuple[Signal, Signal, Signal]:
    """The signals of a cause: each holds only if it holds for every member; the words are the weakest member's."""
    pattern = _weakest([m.continuity for m in members])
    if pattern.holds is False and any(interactive(m.sighting) for m in members):
        # What a person does who was let in breaks every pattern, and is no intruder for that alone.
        pattern = replace(pattern, holds=None, words=f"{pattern.words}; beside what a person started")
    return (
        _weakest([m.correlation.signal for m in members]),
        pattern,
        _weakest([m.bounds for m in members], largest=True),
    )


def carried(members: Sequence[Judged], bounds: Signal, *, far: float) -> Signal:
    """Bounds of a cause that reads more than ever here and sends more than ever there: neither decides alone, both do.

    Args:
        far: Robust z that both must reach.
    """
    if bounds.holds is not None:
        return bounds
    into, out = (
        max(
            (m for m in members if m.sighting.why == why and m.bounds.value >= far and not m.young),
            key=_value,
            default=None,
        )
        for why in ("volume in", "volume out")
    )
    if into is None or out is None or into.sighting.behaviour == out.sighting.behaviour:
        return bounds
    return replace(bounds, holds=False, words=f"{into.bounds.words}; and with it {out.bounds.words}")


def _value(m: Judged) -> float:
    return m.bounds.value


def _weakest(signals: Sequence[Signal], *, largest: bool = False) -> Signal:
    order = {False: 0, None: 1, True: 2}
    return min(signals, key=lambda s: (order[s.holds], -s.value if largest else s.value, "no bytes" in s.words))


def _floor(members: Sequence[Judged]) -> str:
    """The first thing about these that a deploy event alone cannot excuse; "" if there is none."""
    return next((f for m in members if (f := floor_of(m.sighting, m.correlation.change, m.continuity))), "")


def floor_of(s: Sighting, change: str = "", continuity: Signal | None = None) -> str:
    """Why a behaviour is never simply expected; "" for most."""
    if s.habit:
        return ""
    if s.why == ALONE:
        return "one replica alone does this, day after day"
    if s.behaviour.startswith("exec:"):
        if SPECIAL_EXEC.match(s.behaviour) or s.layer in ("memfd", "upper"):
            return "code from memory or a writable place"
        if change in ("prompt", "model"):
            return f"an executable after a {change} change"
        return "a shell" if SHELL.match(s.behaviour) and s.bytes_out else ""
    if ESCAPE.match(s.behaviour):
        return "a system call that leaves the container"
    unknown = continuity is not None and continuity.holds is False
    if is_secret(s.behaviour) and unknown:
        return "a credential used by a new owner"
    return "a bare address contacted by a new program" if RAW_PEER.match(s.behaviour) and unknown else ""


def _at_least(level: str, least: str) -> str:
    return max(level, least, key=LEVELS.index)


def _answer(s: Signal) -> str:
    return "unknown" if s.holds is None else "yes" if s.holds else "no"
