"""What the workloads of one class share, as shapes with support; independent of names, namespaces and replicas.

A shape belongs to a class when at least `LEAST` workloads show it. One workload copied into several namespaces counts
once, and what is not admitted in its own envelope does not count at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from classifier.classes.known import Known
from classifier.classes.templates import DIMENSIONS, dimension, template
from classifier.drift.severity import severity
from classifier.envelope.envelope import Envelope
from classifier.envelope.items import ADMITTED

LEAST = 3  # workloads
MOST = 100  # workloads a baseline is made from, the first by name: nobody waits for more while it is made
SOUND = ("converging", "converged", "non-converging")  # of an envelope; while learning nothing is admitted


@dataclass(frozen=True, slots=True)
class Shape:
    """One thing that a class does."""

    template: str
    dimension: str
    support: int  # workloads that show it
    severity: int  # the highest of its examples, one per workload


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a class does, and how much new behaviour its workloads show."""

    name: str
    workloads: int  # that it is made from
    shapes: tuple[Shape, ...]  # by template
    novelty: Mapping[str, float]  # dimension → new behaviours per workload and active day

    @property
    def digest(self) -> str:
        """Changes when what the class does changes, not when its workloads are moved, renamed or scaled."""
        known = [s.template for s in self.shapes]
        return hashlib.sha256(json.dumps([self.name, known]).encode()).hexdigest()[:16]


def baseline(name: str, known: Known) -> Baseline:
    """The baseline of a class, from sound envelopes of it."""
    mine = (w for w in sorted(known.envelopes) if known.envelopes[w].stage in SOUND and known.class_of(w) == name)
    return of_envelopes(name, [known.envelopes[w] for w in islice(mine, MOST)])


def of_envelopes(name: str, envelopes: Iterable[Envelope]) -> Baseline:
    """The baseline of some envelopes."""
    groups: dict[str, list[Envelope]] = {}
    for e in envelopes:
        groups.setdefault(identity(e.workload), []).append(e)
    support: dict[str, int] = {}
    worst: dict[str, int] = {}
    for group in groups.values():
        for shape, bad in _shapes(group).items():
            support[shape] = support.get(shape, 0) + 1
            worst[shape] = max(worst.get(shape, 0), bad)
    shapes = tuple(Shape(s, dimension(s), support[s], worst[s]) for s in sorted(support) if support[s] >= LEAST)
    return Baseline(name, len(groups), shapes, _novelty(groups.values()))


def identity(workload: str) -> str:
    """A workload without cluster and namespace, which is what it keeps when somebody copies or moves it.

    >>> identity("prod/shop/Deployment/cart/cart"), identity("unit:agent.service")
    ('Deployment/cart/cart', 'unit:agent.service')
    """
    return "/".join(workload.split("/")[2:]) or workload


def _shapes(group: Iterable[Envelope]) -> dict[str, int]:
    found: dict[str, int] = {}
    for e in group:
        for behaviour, item in e.items.items():
            if item.state != ADMITTED or item.suspect:
                continue
            shape = template(behaviour)
            if shape and shape not in found:  # one example will do: this is looked up for every behaviour of a class
                found[shape] = severity(behaviour)
    return found


def _novelty(groups: Iterable[list[Envelope]]) -> dict[str, float]:
    """Behaviours seen on one day only, per active day; the mean over workloads."""
    rates: list[dict[str, float]] = []
    for group in groups:
        days = sum(len(e.days) for e in group)
        new = [dimension(b) for e in group for b, i in e.items.items() if len(i.days) == 1]
        rates.append({d: new.count(d) / max(1, days) for d in DIMENSIONS})
    return {d: round(sum(r[d] for r in rates) / len(rates), 4) if rates else 0.0 for d in DIMENSIONS}
