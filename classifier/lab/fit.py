"""Simulated deployments to the weights of the posterior. Offline: ``python -m classifier.lab.fit --write``.

Multinomial logistic regression over evolution, benign and risky (benign is the reference), with an L2 penalty and the
signs that the meaning of a term demands, by L-BFGS-B. Seeds, and four attack families, are kept from it; thresholds are
set on further seeds. What follows from the figures is in docs/lab.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import pickle
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from classifier.drift.posterior import READINGS, Condition, Rule, Weights, loaded, shipped
from classifier.lab.harness import Case, Outcome, judge
from classifier.lab.simulate import FAMILIES, Plan

LIMITS = ("risky_from", "review_from", "evolution_from")
HELD_BACK = ("lateral-movement", "web-shell", "data-staging", "mining")  # families that no fit has seen
FIT_FAMILIES = tuple(f for f in FAMILIES if f not in HELD_BACK)
FIT_SEEDS = range(1000, 1024)
PENALTY = 0.001
ATTACKS = 3.0  # a deployment-month in the fleets of the fit, so that there is something to learn from
TREES, MOST_RULES, LEAF = 60, 40, 20
TELLING = ("severity 1", "severity 2", "severity 3", "out of bounds", "creep")
SIGNS = {  # term → (sign of evolution's weight, of risky's); 0: free
    "no event": (-1, 0), "named": (1, -1), "refused": (-1, 0), "deploy revision": (1, -1), "deploy kind": (1, -1),
    "undeclared": (1, 0), "on old replicas": (-1, 0), "outside scope": (-1, 1), "foreign owner": (0, 1), "odd calls": (0, 1),
    "new sequences": (0, 1), "far name": (0, 1), "few replicas": (0, 1), "burst": (0, 1), "chain": (0, 1), "out of bounds": (0, 1),
    "how far": (0, 1), "volume out": (0, 1), "schedule": (0, 1), "off schedule": (0, 1), "creep": (0, 1), "owner": (0, 1),
    "severity 2": (0, 1), "severity 3": (0, 1), "bare address": (0, 1), "code brought in": (0, 1), "novelty": (0, -1),
    "novelty of its kind": (0, -1), "sends": (0, 1), "sends much": (0, 1), "volley": (0, 1), "fan-out": (0, 1), "far path": (0, 1),
    "foreign owner and severity 2": (0, 1), "code brought in and foreign owner": (0, 1), "sends much and severity 2": (0, 1),
    "chain and out of bounds": (0, 1), "outside scope and far name": (0, 1), "habit": (0, -1), "unbelieved event": (-1, 1),
    "times its bound": (0, 1),
}  # fmt: skip


def outcomes(plans: Iterable[Plan], *, weights: Weights | None = None, workers: int = 2) -> Iterable[Outcome]:
    """Every deployment of every plan, judged."""
    jobs = [(plan, n, weights) for plan in plans for n in range(plan.deployments)]
    # One deployment makes hardly any cycles, and a search for them takes a tenth of the time.
    with ProcessPoolExecutor(workers, initializer=gc.disable) as pool:
        yield from pool.map(_one, jobs, chunksize=2)


def _one(job: tuple[Plan, int, Weights | None]) -> Outcome:
    plan, number, weights = job
    return judge(plan, number, weights=weights)


def fit(cases: Sequence[Case]) -> dict[str, Any]:
    """Weights of labelled causes, each by its first and its last look."""
    # A file that an attack opens is no attack to be learned from: it looks as every file does.
    cases = [c for c in cases if c.kind != "risky" or any(n in c.last.terms for n in TELLING)]
    looks = [look.terms for c in cases for look in (c.first, c.last)]
    y = np.repeat([READINGS.index(c.kind) for c in cases], 2)
    names = sorted({n for terms in looks for n in terms})
    x = np.array([[terms.get(n, 0.0) for n in names] for terms in looks])
    found = rules(x, y == 2, names)
    x = np.hstack((x, [[float(r.holds(terms)) for r in found] for terms in looks])) if found else x
    names += [r.name for r in found]
    e, r, bias = _weights(x, y, names)
    return {
        "bias": [round(float(b), 4) for b in bias],
        "evolution": {n: round(float(v), 4) for n, v in zip(names, e, strict=True) if abs(v) >= 5e-4},
        "risky": {n: round(float(v), 4) for n, v in zip(names, r, strict=True) if abs(v) >= 5e-4},
        "rules": [[list(c) for c in r.conditions] for r in found],
    }


def rules(x: np.ndarray, risky: np.ndarray, names: Sequence[str]) -> list[Rule]:
    """Paths of small boosted trees, of which an L1 regression keeps what adds something to the terms themselves."""
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    trees = GradientBoostingClassifier(
        n_estimators=TREES, max_depth=3, learning_rate=0.1, subsample=0.6, min_samples_leaf=LEAF, random_state=0
    ).fit(x, risky)
    drafts = {r.name: r for row in trees.estimators_ for r in _paths(row[0].tree_, names)}
    every = [drafts[n] for n in sorted(drafts)]
    looks = [dict(zip(names, row, strict=True)) for row in x]
    held = np.array([[float(r.holds(look)) for r in every] for look in looks])
    scale = x.std(axis=0) + 1e-9
    lasso = LogisticRegression(l1_ratio=1.0, C=0.15, solver="liblinear", max_iter=500, random_state=0)
    lasso.fit(np.hstack((x / scale, held / 0.4)), risky)
    weight = np.abs(lasso.coef_[0][len(names) :])
    best = np.argsort(-weight)[:MOST_RULES]
    return [every[i] for i in sorted(best) if weight[i] > 1e-6]


def _paths(tree: Any, names: Sequence[str]) -> Iterable[Rule]:
    """The conditions that lead to each node of a tree below its root."""

    def walk(node: int, path: tuple[Condition, ...]) -> Iterable[Rule]:
        if len(path) > 1:
            yield Rule(path)
        if tree.children_left[node] >= 0:
            name, limit = names[tree.feature[node]], float(f"{tree.threshold[node]:.3g}")
            for child, sign in ((tree.children_left[node], "<="), (tree.children_right[node], ">")):
                yield from walk(int(child), (*path, (name, sign, limit)))

    yield from walk(0, ())


def _weights(x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Multinomial regression with benign as the reference: weights of evolution, of risky, and both biases."""
    from scipy.optimize import minimize

    x = np.hstack((x, np.ones((len(x), 1))))
    k = x.shape[1]
    share = np.where(y == READINGS.index("risky"), 1.0 / ATTACKS, 1.0)  # as often as a month without a fit has them
    share /= share.sum()

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = np.zeros((3, k))
        w[0], w[2] = flat[:k], flat[k:]
        z = x @ w.T
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(axis=1, keepdims=True)
        nll = -(np.log(np.maximum(p[np.arange(len(y)), y], 1e-12)) * share).sum()
        p[np.arange(len(y)), y] -= 1.0
        g = (p * share[:, None]).T @ x
        ridge = np.r_[flat[: k - 1], 0.0, flat[k:-1], 0.0]
        return nll + PENALTY * float(ridge @ ridge) / 2, np.r_[g[0], g[2]] + PENALTY * ridge

    limits = [_limit(n, 0) for n in names] + [(None, None)] + [_limit(n, 1) for n in names] + [(None, None)]
    flat = minimize(loss, np.zeros(2 * k), jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 2000}).x
    return flat[: k - 1], flat[k:-1], (flat[k - 1], flat[-1])


def _limit(name: str, which: int) -> tuple[float | None, float | None]:
    sign = SIGNS.get(name, (0, 0))[which]
    return (0.0 if sign > 0 else None, 0.0 if sign < 0 else None)


def main() -> None:
    """Fit, choose the thresholds, print what came out."""
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--deployments", type=int, default=8, help="of each seed")
    p.add_argument("--cases", type=Path, help="keep the labelled causes in this file, or take them from it")
    p.add_argument("--weights", type=Path, help="weights to play with instead of the shipped ones")
    p.add_argument("--write", type=Path, help="write the weights to this file")
    p.add_argument("--version", default="unnamed")
    p.add_argument("--risky-from", type=float, default=0.45)
    p.add_argument("--review-from", type=float, default=0.17)
    p.add_argument("--evolution-from", type=float, default=0.9)
    args = p.parse_args()
    if args.cases and args.cases.exists():
        cases = pickle.loads(args.cases.read_bytes())
    else:
        start = loaded(json.loads(args.weights.read_text())) if args.weights else shipped()
        plan = Plan(0, deployments=args.deployments, attacks=ATTACKS, families=FIT_FAMILIES)
        cases = []
        for n, o in enumerate(outcomes((replace(plan, seed=s) for s in FIT_SEEDS), weights=start)):
            cases += o.cases
            print(f"\r{n + 1} deployments, {len(cases)} causes", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        if args.cases:
            args.cases.write_bytes(pickle.dumps(cases))
    data = {"version": args.version} | fit(cases) | {n: getattr(args, n) for n in LIMITS}
    if args.write:
        args.write.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    print(json.dumps(data, indent=1))


if __name__ == "__main__":
    main()
