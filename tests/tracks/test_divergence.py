"""Divergence: what production does that staging never did, the reverse, and differences in amount, owner and hours."""

from __future__ import annotations

import pytest

from classifier.tracks.divergence import GAP, OWNER, QUANTITY, SCHEDULE, UNUSED, divergence

API, DB, OTHER_DB = "egress:tcp:a.example:443", "egress:tcp:db.staging.svc:5432", "egress:tcp:db.prod.svc:5432"
TOKEN = "identity:token:/var/run/secrets/kubernetes.io/serviceaccount/token"


def row(behaviour: str = API, **more):
    return {"behaviour": behaviour, "state": "admitted"} | more


def rows(staging: list, production: list | None, findings=()):
    seen = None if production is None else {"behaviours": production}
    return divergence({"behaviours": staging}, seen, findings)


@pytest.mark.parametrize(
    ("staging", "production", "kinds"),
    [
        pytest.param([row()], [row()], [], id="the-same"),
        pytest.param([row()], [row(), row(TOKEN)], [GAP], id="production-only"),
        pytest.param([row()], [row(), row(TOKEN, state="provisional")], [GAP], id="learning-it-excuses-nothing"),
        pytest.param([row()], [row(), row(TOKEN, state="retired")], [], id="retired"),
        pytest.param([row(), row(DB)], [row()], [UNUSED], id="staging-only"),
        pytest.param([row()], None, [UNUSED], id="production-not-seen"),
        pytest.param([], [], [], id="empty"),
        pytest.param(
            [row(bytes_out={"max": 20_000})], [row(bytes_out={"max": 50_000})], [QUANTITY], id="twice-as-much-and-more"
        ),
        pytest.param([row(bytes_in={"max": 20_000})], [row(bytes_in={"max": 39_000})], [], id="within-the-margin"),
        pytest.param([row(bytes_in={"max": 100})], [row(bytes_in={"max": 9_000})], [], id="below-the-floor"),
        pytest.param([row(lineages=["python3.11<sh"])], [row(lineages=["curl<sh"])], [OWNER], id="another-owner"),
        pytest.param([row(lineages=["python3.11<sh"])], [row(lineages=["python3.12<tini"])], [], id="a-newer-owner"),
        pytest.param([row(schedule=[3])], [row(schedule=[3, 90])], [SCHEDULE], id="other-hours"),
    ],
)
def test_each_difference_is_one_row_of_its_kind(staging, production, kinds):
    assert [r["kind"] for r in rows(staging, production)] == kinds


def test_the_worst_comes_first_and_asks_for_a_decision():
    found = rows([row(), row(DB)], [row(TOKEN), row(OTHER_DB)])
    assert [(r["kind"], r["behaviour"]) for r in found[:2]] == [(GAP, TOKEN), (GAP, OTHER_DB)]
    assert found[0]["action"] == "deny or review" and found[0]["severity"] == 3


def test_another_name_for_the_same_shape_is_told():
    gap = rows([row(DB)], [row(OTHER_DB)])[0]
    assert gap["like"] == [DB] and f"of the same shape as {DB}" in gap["words"]


def test_what_stands_in_a_finding_is_a_gap_too():
    """What a converged envelope does not take in is in its findings and nowhere else."""
    finding = {
        "id": "f1",
        "opened": 7.0,
        "deviations": [{"behaviour": TOKEN, "why": "new"}, {"behaviour": API, "why": "owner"}],
    }
    found = rows([row()], [row()], [finding])
    assert [(r["kind"], r["behaviour"], r["finding"], r["first"]) for r in found] == [(GAP, TOKEN, "f1", 7.0)]


def test_what_somebody_allowed_stays_a_row_with_owner_and_end():
    by = {"behaviour": TOKEN, "actor": "ann", "until": 99.0, "note": "ticket 9"}
    gap, other = divergence({"behaviours": [row()]}, {"behaviours": [row(), row(TOKEN), row(DB)]}, allowed=[by])
    assert (gap["kind"], gap["action"], gap["allowed_by"], gap["allowed_until"]) == (GAP, "allowed", "ann", 99.0)
    assert (other["behaviour"], other["action"], other["allowed_by"]) == (DB, "deny or review", None)
