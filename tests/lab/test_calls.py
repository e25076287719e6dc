"""System calls beside behaviours: known for everybody's programs alike."""

from __future__ import annotations

import numpy as np

from classifier.lab.calls import COST, START_UP, novelty, profile, trigrams
from classifier.lab.simulate import Plan, deployment
from wire.records import Window


def unpacked(gram: int) -> tuple[int, int, int]:
    return gram >> 20, gram >> 10 & 1023, gram & 1023


def test_the_same_name_has_the_same_trigrams_and_another_name_others():
    assert trigrams("exec:/bin/sh<node", 30) == trigrams("exec:/bin/sh<node", 30)
    assert trigrams("exec:/bin/sh<node", 30) != trigrams("exec:/bin/sh<java", 30)


def test_a_trigram_is_packed_as_in_a_window():
    for gram in (*START_UP, *trigrams("x", 50)):
        assert all(1 <= part <= 331 for part in unpacked(gram))


def test_a_program_brings_more_than_a_file():
    programs = [novelty(f"exec:/usr/bin/{n}", "exec") for n in range(50)]
    files = [novelty(f"open:data:/srv/{n}", "open") for n in range(50)]
    assert min(programs) > max(files)


def test_a_profile_varies_around_its_workload():
    found = profile(np.random.default_rng(1), 16)
    assert len(found) == 16 and len({tuple(f) for f in found}) == 1 and len({tuple(f.values()) for f in found}) == 16


def test_only_acts_that_are_sensitive_make_sensitive_calls():
    assert not {101, 165, 272, 308, 310, 321} & {call for costs in COST.values() for call in costs}


def test_benign_things_bring_sequences_too():
    stream, _ = deployment(Plan(seed=3, attacks=0.0), 2)
    later = [w for w in stream if isinstance(w, Window) and w.grams and not set(START_UP) <= set(w.grams)]
    assert len(later) > 5
