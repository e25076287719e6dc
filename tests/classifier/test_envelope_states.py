"""States with reasons, per dimension too; what is held back; what a person sees of each item."""

from __future__ import annotations

from dataclasses import replace

import pytest

from classifier.envelope.envelope import Envelope
from classifier.envelope.items import ADMITTED, DORMANT, PROVISIONAL, QUARANTINED
from classifier.envelope.quarantine import ALARMS, INTERACTIVE
from classifier.envelope.view import closure, shown
from tests.classifier.story import ORDINARY, POLICY, days, learned, play, rollout
from tests.factories import SHOP, deploy, replica, use
from wire.records import Window

SHELL = use("exec:/bin/bash<runc")
LEAK = use("egress:tcp:paste.example.org:443")


def lived(days_: int, replicas: int = 2) -> Envelope:
    e = Envelope(SHOP, POLICY)
    for day in range(days_):
        for n in range(1, replicas + 1):
            see(e, n, day)
    return e


def see(e: Envelope, n: int, day: float, *uses) -> None:
    e.learn(Window(replica(n), day, day + 1, (*ORDINARY, *uses)), accept=3)


def test_change_makes_only_its_dimensions_converge_anew():
    """D055: a tool server is new; identity and system calls keep their state."""
    e = lived(20)
    e.changed(deploy(id="mcp-7", kind="tools", time=20.0))
    states = e.states(20.0)
    assert states["egress"][0] == states["exec"][0] == "converging" and "event mcp-7 (tools)" in states["egress"][1]
    assert states["ingress"][0] == "converged" and e.state(20.0)[0] == "converged"
    for day in range(20, 25):
        see(e, 1, day)
    assert e.states(25.0)["egress"][0] == "converged"


def test_pipeline_tells_the_envelope_of_a_believed_change_only():
    assert play([*learned(1, 2), rollout(40.0), *days(40, 41, 1, 2)]).envelope(SHOP).touched
    assert not play([*learned(1, 2), rollout(40.0, refused="bad signature")]).envelope(SHOP).touched


def test_few_active_days_of_many_are_said():
    """D042."""
    e = Envelope(SHOP, POLICY)
    for day in range(0, 27, 3):
        see(e, 1, day)
    assert e.state(28.0)[0] == "converging" and "9 active days" in e.state(28.0)[1]


@pytest.mark.parametrize(
    ("before", "uses"),
    [
        pytest.param((), (SHELL, LEAK), id="with-an-interactive-shell"),
        pytest.param((SHELL,), (LEAK,), id="after-an-interactive-shell"),
        pytest.param((), (LEAK, use("identity:token:/t")), id="beside-a-credential"),
    ],
)
def test_what_comes_in_bad_company_is_held_back(before, uses):
    """D056."""
    e = lived(5)
    see(e, 1, 5, *before)
    see(e, 1, 5.01, *uses)
    assert e.items[LEAK.behaviour].state == QUARANTINED and LEAK.behaviour in shown(e)["sign_off"]
    assert LEAK.behaviour in shown(e)["quarantined"] and LEAK.behaviour not in e.admitted


def test_first_window_of_a_container_and_a_health_check_are_no_bad_company():
    e = Envelope(SHOP, replace(POLICY, cause_window=0.1))
    for day in range(6):
        for n in (1, 2):
            see(e, n, day, SHELL, use("identity:token:/t"))
    see(e, 1, 6, SHELL)
    see(e, 1, 7, LEAK)
    assert e.items[LEAK.behaviour].state == PROVISIONAL


def test_open_incident_taints_what_its_replica_shows_next():
    e = lived(5)
    e.alarm(replica(1), 6.0, "while exec:/bin/sh is open")
    see(e, 1, 5.5, LEAK)
    see(e, 2, 5.5, use("open:data:/other"))
    assert e.items[LEAK.behaviour].because == "while exec:/bin/sh is open"
    assert e.items["open:data:/other"].state == PROVISIONAL


def test_one_replica_every_day_is_held_back_and_others_confirm():
    e = lived(5, 5)
    for day in range(5, 12):
        for n in range(1, 6):
            see(e, n, day, *([LEAK] if n == 3 else ()))
    assert e.items[LEAK.behaviour].state == QUARANTINED
    for day in range(12, 15):
        for n in range(1, 6):
            see(e, n, day, *([LEAK] if n < 4 else ()))
    e.sweep(15)
    assert e.items[LEAK.behaviour].state == ADMITTED


def test_a_person_confirms():
    e = lived(5)
    e.alarm(replica(1), 9.0, "x")
    see(e, 1, 5.5, LEAK)
    e.admit(LEAK.behaviour, "ada said so")
    assert e.items[LEAK.behaviour].state == ADMITTED


@pytest.mark.parametrize("way", ["tolerate", "admit"])
def test_what_was_taken_in_without_a_count_has_a_day_all_the_same(way):
    """It was shown as seen in 1970, so no report of a month counted it as normal variance."""
    e = lived(5)
    getattr(e, way)(LEAK.behaviour, "now and then")
    (row,) = (b for b in shown(e)["behaviours"] if b["behaviour"] == LEAK.behaviour)
    assert row["first"] == row["last"] == e.day * POLICY.day > 0


def test_quarantined_behaviour_ages_as_others_do():
    e = lived(5)
    e.alarm(replica(1), 9.0, "x")
    see(e, 1, 5.5, LEAK)
    e.sweep(int(POLICY.dormant_after) + 10)
    assert e.items[LEAK.behaviour].state == DORMANT


def test_alarms_are_bounded():
    e = Envelope(SHOP, POLICY)
    for n in range(200):
        e.alarm(replica(n), float(n), "x")
    assert len(e.alarms) == ALARMS and replica(199) in e.alarms


@pytest.mark.parametrize(
    ("behaviour", "yes"),
    [
        ("exec:/bin/bash<containerd-shim", True),
        ("exec:/bin/sh<crun", True),
        ("exec:/bin/sh<python3.11", False),
        ("exec:/usr/bin/python3<runc", False),
    ],
)
def test_shell_of_a_person_has_the_runtime_as_its_parent(behaviour, yes):
    assert bool(INTERACTIVE.match(behaviour)) is yes


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("open:data:/tmp/run-*/out.json", "template"),
        ("open:secret:/etc/shadow", "literal"),
        ("egress:tcp:bucket.s3.amazonaws.com:443", "literal"),
        ("egress:tcp:*.example.org:443", "suffix"),
    ],
)
def test_every_item_says_how_general_it_is(behaviour, kind):
    """D048."""
    assert closure(behaviour) == kind


def test_ageing_items_have_weight_and_expiry():
    """D043."""
    e = lived(3)
    see(e, 1, 3, LEAK)
    for day in range(4, 18):
        see(e, 1, day)
    row = next(r for r in shown(e)["behaviours"] if r["behaviour"] == LEAK.behaviour)
    assert row["weight"] == 0.5 and row["expires"] == 4.0 + POLICY.dormant_after
    assert shown(e)["valid_because"].startswith("converged envelopes hold")


def test_what_is_handed_back_as_new_counts_as_seen():
    """A code agent whose binaries are judged one by one does not converge by that."""
    e = lived(20)
    for day in range(20, 40):
        new = use(f"exec:/w/{day}<python3")
        assert e.learn(Window(replica(1), day, day + 1, (*ORDINARY, new)), accept=-1)
    assert e.coverage().openers == 20 and e.coverages()["exec"].singles == 20
