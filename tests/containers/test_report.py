"""A claim that does not hold is red in the page, in the table and in the answer for programs."""

import pytest

from tests.containers import report
from tests.containers.claims import Claim, Row, Work, checked, hold, row
from tests.containers.said import EGRESS, Said
from wire.records import CgroupId, Event, Identity, Replica, Tick, Use, Window

GOOD = Row("a restart", "two lives", "two replicas", True)
BAD = Row("an exec", "two | calls", "one call", False)
CART = Work("c1", "lab/shop/Deployment/cart/main", "cart-7c9-bbbbb", 2, "w")
HERE = Replica("lab", CgroupId(7))


def said(**changes):
    """A container that made two calls, each by a program of its own."""
    identity = Identity(1.0, HERE, "/x", CART.workload, "7c9", "cri", "c1", "main", f"shop/{CART.pod}")
    uses = (Use(EGRESS, changes.pop("connects", 2)), Use("exec:/bin/call<work", changes.pop("execs", 2)))
    fields = {name: changes.get(name, getattr(identity, name)) for name in identity.__struct_fields__}
    event = Event("lab/e/1", 1.5, HERE, "exec", "exec:/bin/call<work", {"path": "/bin/call", "lineage": "call<work"})
    return Said([Identity(**fields), event, Window(HERE, 1.0, 2.0, uses), Tick("lab", 100.0)])


def test_a_page_in_which_everything_holds_has_no_red():
    assert "| a restart | two lives | two replicas |" in report.page([GOOD])
    assert "Red**:" not in report.page([GOOD])
    assert report.answer([GOOD], 1.0)["holds"]


def test_what_does_not_hold_is_red_everywhere():
    assert "| an exec | two \\| calls | **Red**: one call |" in report.page([GOOD, BAD])
    assert "RED an exec" in report.table([GOOD, BAD])
    assert not report.answer([GOOD, BAD], 1.0)["holds"]


def test_a_container_that_did_what_was_seen_is_checked_in_peace():
    assert checked(CART, said(), revision="7c9").callers("/bin/call") == {"call<work"}
    assert not said().unresolved(but="") and not said().nameless(but="")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"connects": 1}, id="a-call-unseen"),
        pytest.param({"execs": 3}, id="an-exec-too-many"),
        pytest.param({"workload": None}, id="no-owner"),
        pytest.param({"workload": "lab/shop/Deployment/other/main"}, id="another-owner"),
        pytest.param({"pod": "shop/other"}, id="another-pod"),
        pytest.param({"name": "proxy"}, id="another-container"),
        pytest.param({"revision": "5d4"}, id="another-revision"),
        pytest.param({"container": "c2"}, id="another-id"),
    ],
)
def test_whatever_differs_does_not_hold(changes):
    with pytest.raises(Claim):
        checked(CART, said(**changes), revision="7c9")


def test_uses_of_one_behaviour_by_two_owners_are_both_counted():
    seen = said().of("c1")
    found = Said([*seen.identities.values(), Window(HERE, 1.0, 2.0, (Use(EGRESS, 3), Use(EGRESS, 4)))])
    assert found.of("c1").connects == 7


def test_what_nobody_named_is_counted():
    found = said(workload=None)
    assert (found.nameless(but=""), found.unresolved(but="")) == (2, ["unresolved:7"])
    assert (found.nameless(but="c1"), found.unresolved(but="c1")) == (0, []), "a forged container is nobody's by right"


def test_a_scene_that_does_not_hold_makes_a_red_row():
    class Scene:
        claim = "an exec"

        def look(self, said):
            hold(False, "one call")

    assert row(Scene(), "two | calls", said()) == BAD
