"""What happens in 49 days, by seed: the figures of FX-1 in demands.md hold for every seed, and nothing else is alike."""

import pytest

from classifier.lab.breach.expected import VARIANTS
from classifier.lab.breach.setting import BUCKET, CRM, DESK, EXPORT, MAIL, SUNDAYS, WORKER, at, setting
from classifier.lab.breach.story import story

SEEDS = range(1, 11)


def played(variant, seed):
    """The story, all its turns, and all that was done in them."""
    told = story(variant, seed)
    turns = [t for hour in told.turns() for t in hour]
    return told, turns, [a for t in turns for r in t.rounds for use in r for a in use.acts]


def total(acts, behaviour, field):
    return sum(getattr(a, field) for a in acts if a.behaviour == behaviour)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_to_six_replicas_run_at_any_time_but_during_a_rollout(seed):
    lives = setting(seed).lives
    for hour in range(0, 49 * 24):
        if any(0 <= at(0, hour) - r <= 3600 for r in setting(seed).rollouts):
            continue
        assert 2 <= sum(x.start <= at(0, hour) < x.end for x in lives) <= 6


@pytest.mark.parametrize("seed", SEEDS)
def test_each_sunday_between_two_and_a_quarter_past_a_child_sends_17_to_19_megabytes(seed):
    _, _, acts = played("quiet", seed)
    sent = [a for a in acts if a.behaviour == BUCKET]
    assert {a.lineage for a in sent} == {EXPORT}
    for day in SUNDAYS:
        assert 17e6 <= sum(a.out for a in sent if at(day, 2) <= a.time < at(day, 2, 15)) <= 19e6
    assert all(any(at(day, 2) <= a.time < at(day, 2, 15) for day in SUNDAYS) for a in sent)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_ticket_takes_one_to_three_records_and_one_reply(seed):
    _, turns, _ = played("quiet", seed)
    for turn in (t for t in turns if t.ticket):
        acts = [a for r in turn.rounds for use in r for a in use.acts]
        assert 1 <= total(acts, CRM, "count") <= 3 and total(acts, CRM, "into") <= 60_000
        assert total(acts, DESK, "count") == 1 and 3_000 <= total(acts, DESK, "out") <= 12_000


@pytest.mark.parametrize("seed", SEEDS)
def test_the_theft_is_smaller_than_any_export_and_by_the_worker(seed):
    told, turns, _ = played("fx1", seed)
    (theft,) = [t for t in turns if t.start == told.time and t.life == told.crime.life]
    acts = [a for r in theft.rounds for use in r for a in use.acts]
    assert {a.lineage for a in acts} == {WORKER}
    assert 2_200 <= total(acts, CRM, "count") <= 2_600 and 4.5e6 < total(acts, CRM, "into") < 5.8e6
    assert 4e6 < total(acts, BUCKET, "out") < total(acts, CRM, "into") < 17e6
    assert told.crime.ticket == theft.ticket and told.crime.begin < told.crime.write < told.crime.end


def test_the_summary_by_mail_has_28_kilobytes():
    told, turns, _ = played("fx1b", 3)
    (theft,) = [t for t in turns if t.start == told.time and t.life == told.crime.life]
    acts = [a for r in theft.rounds for use in r for a in use.acts]
    assert total(acts, MAIL, "out") == 28_000 and total(acts, BUCKET, "out") == 0


def test_seed_one_is_the_wednesday_of_the_story_and_others_differ():
    crimes = [setting(seed).crime for seed in SEEDS]
    assert crimes[0] == at(44, 14, 32, 10) and len(set(crimes)) == 10
    assert len({setting(s).first_ticket for s in SEEDS}) == 10 and len({setting(s).rollouts for s in SEEDS}) > 5


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_deploy_is_near_but_where_the_variant_says_so(variant):
    told = story(variant, 4)
    near = {d.kind for d in told.deploys if abs(d.time - told.time) <= 86_400}
    assert near == {"fx1d": {"prompt"}, "fx1e": {"config"}, "fx1e-worker": {"config"}}.get(variant, set())


def test_variants_of_a_seed_have_the_same_habits():
    def before(variant):
        _, turns, _ = played(variant, 5)
        return [(t.start, t.user) for t in turns if t.start < at(44)]

    assert before("fx1") == before("quiet") == before("fx1d")
