"""What single deeds are played on: the deployment, its replicas, its changes, and the list they are added to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from classifier.lab.acts import Act, Deed, Draft
from classifier.lab.lives import Cast, Life
from classifier.lab.rollouts import Rollout
from classifier.lab.workloads import Profile
from classifier.lab.world import DAY, HOUR, START, World
from wire.records import Deploy


@dataclass(slots=True)
class Scene:
    """One deployment while its story is written."""

    rng: np.random.Generator
    world: World
    p: Profile
    cast: Cast
    rollouts: list[Rollout]
    drafts: list[Draft]
    judged_from: float
    until: float
    deeds: list[Deed] = field(default_factory=list)
    deploys: list[Deploy] = field(default_factory=list)  # beside those of the rollouts

    def draft(self, kind: str, family: str, stealth: int = 0, deploy: str = "") -> int:
        """A new fact; returns its number."""
        self.drafts.append(Draft(kind, family, stealth, deploy))
        return len(self.drafts) - 1

    def do(self, time: float, life: Life, act: Act, *, fact: int = -1, count: int = 1, out=0, into=0, **more) -> None:
        """Let one replica do one thing; what would come after its end does not happen."""
        if life.start < time < min(life.end, self.until):
            self.deeds.append(Deed(time, life.number, act, count, int(out), int(into), fact, **more))

    def someone(self, time: float, margin: float = 120.0) -> Life | None:
        """Any replica that lives at a time and for a while after it."""
        alive = self.cast.alive(time, margin)
        return alive[int(self.rng.integers(len(alive)))] if alive else None

    def times(self, monthly: float, *, after: float) -> list[float]:
        """When something happens that happens so often in 30 days, from some seconds after the start on; by time."""
        low, high = START + after, self.until - HOUR
        many = self.rng.poisson(monthly * max(0.0, high - low) / (30 * DAY))
        return np.sort(self.rng.uniform(low, max(low, high), many)).tolist()

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def about(self, median: float, sigma: float = 0.7) -> float:
        """A positive number, lognormal around a median."""
        return float(self.rng.lognormal(np.log(median), sigma))
