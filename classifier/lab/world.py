"""The parameters of a world, drawn from its seed: how its people work, name things and change them.

A world knows nothing of the model that will judge it: no table of the classifier is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

START = 1_767_571_200.0  # Monday 2026-01-05 00:00 UTC, the first second of every stream
HOUR, DAY = 3600.0, 86400.0
BUSY = "busy"

CONSONANTS, VOWELS = "b c d f g k l m n p r s t v w z br cl dr st tr".split(), "a e i o u ai ea o i".split()
TLDS = "com net io dev ai cloud".split()
VENDOR_SUBS = "api www data events ingest cdn static sdk gateway files eu us hooks app auth".split()

SPROUTS = ("exec", "egress", "ingress", "code", "config", "data", "model", "secret", "write", "syscall", "volume")
SHARES = {  # of the new behaviours of a change, before a world bends them
    "image": (0.17, 0.26, 0.04, 0.22, 0.12, 0.08, 0.01, 0.02, 0.05, 0.01, 0.02),
    "model": (0.02, 0.14, 0.00, 0.08, 0.12, 0.05, 0.44, 0.01, 0.03, 0.00, 0.11),
    "prompt": (0.02, 0.34, 0.00, 0.03, 0.16, 0.22, 0.01, 0.00, 0.05, 0.00, 0.17),
    "tools": (0.26, 0.34, 0.02, 0.12, 0.08, 0.05, 0.00, 0.03, 0.06, 0.00, 0.04),
    "config": (0.04, 0.38, 0.05, 0.04, 0.26, 0.06, 0.02, 0.04, 0.05, 0.00, 0.06),
    "dependency": (0.10, 0.12, 0.01, 0.55, 0.08, 0.06, 0.01, 0.01, 0.04, 0.01, 0.01),
}


@dataclass(frozen=True, slots=True)
class World:
    """What is alike for all deployments of a seed."""

    seed: int
    shift: str
    rollouts: tuple[float, float]  # a month and deployment, from and to
    sprouts: float  # mean number of new behaviours of a change
    shape: float  # of the gamma distribution of their rates; small: many that show rarely
    shares: dict[str, np.ndarray]  # change → probability of each of SPROUTS
    declares: float  # share of events that declare a scope
    names_it: float  # chance that a declared scope names a behaviour
    wildcard: float  # chance that it does so by a wildcard
    undeclared: float  # share of rollouts without any event
    late: float  # share of events that come 5 to 60 min late
    rarities: float  # factor on the number of rare benign things
    debugging: float  # sessions a month


def world_of(seed: int, shift: str = "none") -> World:
    """The world of a seed."""
    rng = np.random.default_rng([seed, 0xD1F7])
    busy = 1.5 if shift == BUSY else 1.0
    low = float(rng.uniform(1.6, 2.4)) * busy
    shares = {k: rng.dirichlet(np.array(p) * 40 + 0.05) for k, p in SHARES.items()}
    return World(
        seed,
        shift,
        (low, low + float(rng.uniform(1.4, 2.0)) * busy),
        float(rng.uniform(3.0, 4.0)),
        float(rng.uniform(0.7, 0.9)) / (1.6 if shift == BUSY else 1.0),
        shares,
        float(rng.uniform(0.6, 0.7)),
        float(rng.uniform(0.88, 0.96)),
        float(rng.uniform(0.15, 0.4)),
        float(rng.uniform(0.03, 0.07)),
        float(rng.uniform(0.03, 0.07)),
        float(rng.uniform(0.8, 1.2)) * busy,
        float(rng.uniform(0.2, 0.4)),
    )


class Names:
    """Words, hosts and addresses that look like a company's, the same for the same generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._used: set[str] = set()

    def pick(self, items):
        """One of some things."""
        return items[int(self._rng.integers(len(items)))]

    def share(self) -> float:
        """A number from 0 to 1."""
        return float(self._rng.random())

    def word(self) -> str:
        """A word that this deployment has not used yet; never hexadecimal, which a sensor would blank out."""
        while True:
            n = int(self._rng.integers(2, 4))
            text = "".join(self.pick(CONSONANTS) + self.pick(VOWELS) for _ in range(n)) + self.pick("lnrxs")
            if text not in self._used:
                self._used.add(text)
                return text

    def domain(self) -> str:
        """The domain of some company."""
        return f"{self.word()}.{self.pick(TLDS)}"

    def host(self, domain: str = "") -> str:
        """A host, of a new company unless a domain is given."""
        sub = self.pick(VENDOR_SUBS)
        return f"{sub}-{self.word()}.{domain}" if domain else f"{sub}.{self.domain()}"

    def address(self, private: bool = False) -> str:
        """An address."""
        a, b, c = (int(x) for x in self._rng.integers(1, 255, 3))
        return f"10.{a}.{b}.{c}" if private else f"{int(self._rng.integers(11, 100))}.{a}.{b}.{c}"

    def hex(self, length: int = 10) -> str:
        """Such as the hash of a ReplicaSet."""
        return bytes(self._rng.integers(0, 256, (length + 1) // 2, dtype=np.uint8)).hex()[:length]
