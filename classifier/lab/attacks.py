"""Families of attacks: which change they hide behind, where they strike, and what they do. One fact each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from classifier.lab import disguises, intrusions, rollouts, thefts
from classifier.lab.acts import Draft
from classifier.lab.rollouts import Rollout
from classifier.lab.scene import Scene
from classifier.lab.strike import Strike
from classifier.lab.truth import RISKY
from classifier.lab.workloads import Profile
from classifier.lab.world import DAY, HOUR, World

if TYPE_CHECKING:
    from classifier.lab.simulate import Plan

ROLLING = ("image", "dependency", "config", "tools", "model")


def plan(
    rng: np.random.Generator,
    plan: Plan,
    world: World,
    p: Profile,
    changes: list[Rollout],
    drafts: list[Draft],
    judged: float,
    until: float,
) -> list[Strike]:
    """Which attacks a deployment will see; a change is added where one is needed and there is none."""
    wanted = []
    for _ in range(int(rng.poisson(plan.attacks * (until - judged) / (30 * DAY)))):
        family = plan.families[int(rng.integers(len(plan.families)))]
        stealth = int(plan.stealth[int(rng.integers(len(plan.stealth)))])
        time = float(rng.uniform(judged + 2 * HOUR, max(judged + 3 * HOUR, until - DAY)))
        anchor, kinds = None, FAMILIES[family][0]
        if kinds:
            fit = [
                r
                for r in changes
                if r.kind in kinds and r.deploys and judged < r.time < until - DAY and r.way != "rollback"
            ]
            fit = [r for r in fit if family == "prompt-residue" or r.way != "hot"]
            anchor = fit[int(rng.integers(len(fit)))] if fit else None
            if anchor is None:
                kind = kinds[int(rng.integers(len(kinds)))]
                anchor = rollouts.extra(
                    rng, world, p, time=time, kind=kind, before=changes, drafts=drafts, hot=family == "prompt-residue"
                )
                changes.append(anchor)
        wanted.append(Strike(family, stealth, time, anchor))
    changes.sort(key=lambda r: r.time)
    rollouts.chain(changes)
    return wanted


def play(s: Scene, strikes: list[Strike]) -> None:
    """Let every attack happen; one that finds nobody there is tried again at another time."""
    for strike in strikes:
        for _ in range(8):
            before = len(s.deeds)
            fact = s.draft(RISKY, strike.family, strike.stealth)
            FAMILIES[strike.family][1](s, strike, fact)
            if any(d.fact == fact for d in s.deeds[before:]):
                break
            strike.time = s.between(s.judged_from + HOUR, max(s.judged_from + 2 * HOUR, s.until - DAY))


Family = tuple[tuple[str, ...], Callable[[Scene, Strike, int], None]]
FAMILIES: dict[str, Family] = {  # name → changes that it hides behind, what it does
    "remote-code-execution": ((), intrusions.remote_code),
    "at-deploy": (ROLLING, intrusions.at_deploy),
    "delayed": (ROLLING, intrusions.delayed),
    "all-replicas": ((), intrusions.all_replicas),
    "credential-theft": ((), thefts.credentials),
    "sanctioned-channel": ((), thefts.sanctioned),
    "prompt-residue": (("prompt",), disguises.prompt_residue),
    "slow-drip": ((), thefts.drip),
    "tampered-dependency": (("image", "dependency"), disguises.tampered),
    "poisoning": ((), disguises.poisoning),
    "forged-deploy": ((), disguises.forged),
    "lateral-movement": ((), intrusions.lateral),
    "web-shell": ((), intrusions.web_shell),
    "escape": ((), intrusions.escape),
    "new-binary": ((), intrusions.new_binary),
    "data-staging": ((), thefts.staging),
    "mining": ((), intrusions.mining),
}
