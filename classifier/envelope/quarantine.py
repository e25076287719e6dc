"""What was first seen in bad company to quarantine: neither allowed nor dropped until others confirm it.

A behaviour that an intruder brings while we learn comes with a shell that somebody opened by hand, with a credential
that is read, in a replica that something else was found in, or in one replica alone. Independent replicas or a person
confirm it. One replica has one vote a day, as days and replicas are sets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from classifier.drift.severity import GUARDED, SHELLS, severity
from classifier.envelope.items import PROVISIONAL, QUARANTINED, Item
from classifier.envelope.state import stored
from wire.records import Replica, Use, Window

if TYPE_CHECKING:
    from classifier.envelope.envelope import Envelope

INTERACTIVE = re.compile(rf"exec:[^<]*/{SHELLS}<(?:containerd-shim|runc|crun|conmon|docker-exec)")
ALARMS = 64  # replicas that are remembered
USUAL = 3  # days on which such a shell was seen, from which it is a health check
CONFIRMING = 2  # further replicas
ALONE = 3  # replicas of the workload, from which one that does something by itself is odd
LONG = 4  # days on which one does it, from which it is told
BUSY = 1.0  # sessions with something new a day, from which one more is nothing special

AFTER = "after an interactive "
Alarm = tuple[float, str]  # until when (seconds), and why


def alarm(e: Envelope, replica: Replica, until: float, why: str) -> None:
    """What this replica shows for the first time until then is not to be trusted."""
    e.alarms[replica] = max(e.alarms.get(replica, (until, why)), (until, why))
    while len(e.alarms) > ALARMS:
        del e.alarms[min(e.alarms, key=lambda r: (e.alarms[r][0], r))]


def notice(e: Envelope, window: Window, strange: list[Use]) -> None:
    """A shell that the container runtime started in a replica that was running already: somebody is inside."""
    for use in strange:
        if use.behaviour.startswith("exec:") and INTERACTIVE.match(use.behaviour) and not _young(e, window):
            item = e.items.get(use.behaviour)
            if item is None or len(item.days) < USUAL:
                alarm(e, window.replica, window.end + e.policy.cause_window, AFTER + use.behaviour)


def suspicion(e: Envelope, window: Window, use: Use) -> str:
    """Why a behaviour that is seen for the first time is not trusted; "" if there is no reason."""
    until, why = e.alarms.get(window.replica, (0.0, ""))
    if why and window.start <= until:
        return why
    if _young(e, window):
        return ""
    secret = next((u.behaviour for u in window.uses if u.behaviour.startswith(GUARDED) and u is not use), "")
    return f"beside {secret}" if secret else ""


def _young(e: Envelope, window: Window) -> bool:
    """A container's first window holds its runtime, its entry point and the secrets it starts with."""
    exposure = e.ledger.exposures.get(window.replica)
    return exposure is None or exposure.windows <= 1


@stored
@dataclass(frozen=True, slots=True)
class Lone:
    """What one or two replicas do day after day, and those that run beside them never did."""

    behaviour: str
    words: str
    first: float  # seconds
    last: float
    who: tuple[Replica, ...]
    lineages: tuple[str, ...]


def lone(e: Envelope, behaviour: str, item: Item) -> Lone | None:
    """What is held back and goes on, once, when learning has ended. Where that never comes it is nothing special."""
    if item.state != QUARANTINED or item.told or len(item.days) < LONG or item.replicas > CONFIRMING:
        return None
    if e.stage not in ("converging", "converged") or severity(behaviour) == 0:
        return None
    first, last = min(item.days) * e.policy.day, (max(item.days) + 1) * e.policy.day
    others = (x for x in e.ledger.exposures.values() if x.replica not in item.who)
    beside = sum(x.seen(first, last) >= e.policy.day for x in others)
    if beside < ALONE or e.coverage().expected > BUSY:
        return None
    item.told = True
    words = f"on {len(item.days)} days in {item.replicas} replicas, never in {beside} that ran beside; held back {item.because}"
    return Lone(behaviour, words, first, last, tuple(sorted(item.who)), tuple(sorted(item.lineages)))


def review(e: Envelope, item: Item, replicas: int) -> None:
    """Once a day: hold back what one of several replicas does alone, let go what others confirm."""
    if item.state == PROVISIONAL and item.replicas == 1 and replicas >= ALONE and len(item.days) > 1:
        item.move("suspected", f"on one of {replicas} replicas only, on {len(item.days)} days")
    if item.state != QUARANTINED:
        return
    enough = item.replicas > CONFIRMING or (replicas <= CONFIRMING and item.replicas > 1 and len(item.days) > 1)
    shell = e.items.get(item.because.removeprefix(AFTER))
    if item.state == QUARANTINED and shell is not None and len(shell.days) >= USUAL:
        item.move("confirmed", f"{item.because}, which turned out to come every day, as a health check does")
    if item.state == QUARANTINED and enough:
        item.move(
            "confirmed", f"seen in {item.replicas} replicas on {len(item.days)} days; was held back {item.because}"
        )
