"""How much of a workload's behaviour is still unseen, and what may be said about its envelope.

Good-Turing in incidence form: with Q1 of T sessions holding something that no other session showed, the next session
shows something new with probability about Q1/T (drift-model 2.5: within 25 % from 10 to 3,470 traces). A session is
one replica on one day; a session that introduced forty things counts once, since one odd session must not look like
forty. Chao2 is a lower bound of what is still unseen, printed as such.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Set
from dataclasses import dataclass

from classifier.policy import Policy

Session = Hashable  # whatever names a replica on a day


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the sessions of one workload say about the unseen rest."""

    sessions: int
    active_days: int
    singles: int  # behaviours seen in one session only
    doubles: int  # in two
    openers: int  # sessions that hold a behaviour seen in no other
    seen: int

    @property
    def expected(self) -> float:
        """Sessions with something new, per active day."""
        return round(self.openers / max(1, self.active_days), 6)

    @property
    def upper(self) -> float:
        """Upper 90 % bound of `expected` (Poisson)."""
        return round(poisson_upper(self.openers) / max(1, self.active_days), 6)

    @property
    def unseen(self) -> float:
        """Chao2 lower bound of the number of behaviours not seen yet."""
        t = max(1, self.sessions)
        return round((t - 1) / t * self.singles * max(0, self.singles - 1) / (2 * (self.doubles + 1)), 2)


def coverage(incidence: Mapping[str, Set[Session]], sessions: int, active_days: int) -> Coverage:
    """Count once over behaviour → sessions that showed it."""
    single = [next(iter(s)) for s in incidence.values() if len(s) == 1]
    doubles = sum(len(s) == 2 for s in incidence.values())
    return Coverage(sessions, active_days, len(single), doubles, len(set(single)), len(incidence))


def poisson_upper(k: int) -> float:
    """Upper 90 % bound of a Poisson mean after `k` events (Wilson and Hilferty).

    >>> round(poisson_upper(0), 1), round(poisson_upper(10), 1)
    (2.3, 15.4)
    """
    if k == 0:
        return 2.302585
    n = k + 1
    return n * (1 - 1 / (9 * n) + 1.281552 / (3 * n**0.5)) ** 3


def state(c: Coverage, policy: Policy, *, windows: int, idle: float, loss: str, age: float = 0.0) -> tuple[str, str]:
    """The named state of an envelope, and why.

    Args:
        windows: Windows learned.
        idle: Seconds since the last active window.
        age: Seconds since its first window.
        loss: What was lost within the memory for losses, in words; "" if nothing.
    """
    stage, because = _stage(c, policy, windows)
    if stage == "learning" and age >= policy.converged_days * policy.day:
        return "insufficient_traffic", f"{because}; {age / policy.day:.0f} days since the first window"
    if stage in ("missing", "learning"):
        return stage, because + (f"; {loss}" if loss else "")
    if loss:
        return "partial", f"{loss}; otherwise {stage}: {because}"
    if idle > policy.validity:
        return "ageing", f"no traffic for {idle / policy.day:.1f} days, valid for {policy.validity / policy.day:g}"
    return stage, because


def stage(c: Coverage, policy: Policy, windows: int) -> str:
    """missing, learning, converging, converged or non-converging, loss and age left aside."""
    return _stage(c, policy, windows)[0]


def _stage(c: Coverage, policy: Policy, windows: int) -> tuple[str, str]:
    if windows == 0:
        return "missing", "no window was observed"
    days = f"{c.active_days} active days"
    if c.active_days < policy.learn_days:
        return "learning", f"{days} of the {policy.learn_days} before anything is judged"
    rate = f"{c.openers} of {c.sessions} sessions showed something no other did, at most {c.upper:g} new a day"
    if c.active_days < policy.converged_days:
        return "converging", f"{days} of {policy.converged_days}; {rate}"
    if c.upper < policy.expected_new:
        return "converged", f"{days}; {rate}, limit {policy.expected_new:g}"
    if c.active_days >= policy.open_days:
        return "non-converging", f"{days}; {rate}, limit {policy.expected_new:g}"
    return "converging", f"{days}; {rate}, limit {policy.expected_new:g}"


def words(losses: Iterable[tuple[str, int]]) -> str:
    """Losses in words, e.g. ``lost in windows: ring 3``."""
    return ", ".join(f"{what} {n}" for what, n in sorted(losses))
