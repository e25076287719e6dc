"""Three signals to a label: the truth table, and what no table entry may override."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from classifier.drift.correlation import Correlation
from classifier.drift.finding import EXPECTED, REVIEW, RISKY, Signal
from classifier.drift.severity import ESCAPE, RAW_PEER, SHELL, SPECIAL_EXEC, is_secret, severity
from classifier.drift.sighting import Sighting

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


@dataclass(frozen=True, slots=True)
class Judged:
    """One deviation with its signals."""

    sighting: Sighting
    correlation: Correlation
    continuity: Signal
    bounds: Signal


@dataclass(frozen=True, slots=True)
class Verdict:
    """The label of one cause, its severity, and the rule that gave it."""

    label: str
    severity: str
    rule: str


def verdict(members: Sequence[Judged], signals: tuple[Signal, Signal, Signal]) -> Verdict:
    """Table first, then the rules that stand above it: they may only make a label worse, but for ordinary files."""
    worst = max(severity(m.sighting.behaviour) for m in members)
    key = tuple(reading(s, worst) for s in signals)
    label, level = TABLE[key]  # type: ignore[index]
    rule = "truth table: " + ", ".join(f"{n}={_yes(k)}" for n, k in zip("DPR", key, strict=True))
    if unnamed := [m for m in members if is_secret(m.sighting.behaviour) and not m.correlation.named]:
        rule += f"; {unnamed[0].sighting.behaviour} is an identity or secret that no authenticated event names"
        return Verdict(RISKY, _at_least(level, "high"), rule)
    if label == EXPECTED and (floor := _floor(members)):
        return Verdict(REVIEW, "medium", f"{rule}; {floor}, which no deploy event lifts")
    if label == RISKY and worst == 0 and all(m.sighting.why == "new" for m in members):
        return Verdict(REVIEW, "low", f"{rule}; ordinary files alone are never above review")
    return Verdict(label, level, rule)


def reading(signal: Signal, worst: int) -> bool:
    """How a signal that cannot be told is read: against the deviation if its behaviour is a dangerous one."""
    return signal.holds if signal.holds is not None else worst < 2


def together(members: Sequence[Judged]) -> tuple[Signal, Signal, Signal]:
    """The signals of a cause: each holds only if it holds for every member; the words are the weakest member's."""
    return (
        _weakest([m.correlation.signal for m in members]),
        _weakest([m.continuity for m in members]),
        _weakest([m.bounds for m in members], largest=True),
    )


def _weakest(signals: Sequence[Signal], *, largest: bool = False) -> Signal:
    order = {False: 0, None: 1, True: 2}
    return min(signals, key=lambda s: (order[s.holds], -s.value if largest else s.value, "no bytes" in s.words))


def _floor(members: Sequence[Judged]) -> str:
    """The first thing about these that a deploy event alone cannot excuse; "" if there is none."""
    return next((f for m in members if (f := floor_of(m.sighting, m.correlation.change, m.continuity))), "")


def floor_of(s: Sighting, change: str = "", continuity: Signal | None = None) -> str:
    """Why a behaviour is never simply expected; "" for most."""
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


def _yes(holds: object) -> str:
    return "yes" if holds else "no"
