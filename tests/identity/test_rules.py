from __future__ import annotations

import pytest

from sensor.identity.rules import RuleError, first, load

LAB = {
    "match": "/lab/(?P<app>[^/]+)",
    "workload": "lab/shop/Deployment/{app}/{app}",
    "revision": "{app}-1",
    "name": "n",
}


def test_first_rule_that_fits_names_the_workload():
    rules = load([LAB, LAB | {"match": "/(?P<app>.*)", "workload": "unit:{app}"}])
    assert first(rules, "/lab/cart").workload == "lab/shop/Deployment/cart/cart"
    assert first(rules, "/lab/cart").revision == "cart-1"
    assert first(rules, "/other").workload == "unit:other"
    assert first(rules[:1], "/other") is None


def test_what_lies_below_a_match_belongs_to_it():
    rules = load([LAB])
    assert first(rules, "/lab/cart/lab/admin") == first(rules, "/lab/cart")


def test_pattern_ends_where_a_component_ends():
    rules = load([{"match": "/lab/cart", "workload": "unit:cart"}])
    assert first(rules, "/lab/cart2") is None
    assert first(rules, "/x/lab/cart") is None
    assert first(rules, "/lab/cart\n") is None


def test_captured_text_cannot_add_a_part_to_the_key():
    rules = load([{"match": "/(?P<all>.*)", "workload": "a/b/c/{all}/e"}])
    assert first(rules, "/x/../admin\n").workload == "a/b/c/x\\x2f..\\x2fadmin\\x0a/e"
    assert first(load([{"match": "/(?P<x>a)?", "workload": "unit:{x}"}]), "/").workload == "unit:-"


REFUSED = [
    pytest.param({"workload": "unit:x"}, "no 'match'", id="no-pattern"),
    pytest.param({"match": "/x"}, "no 'workload'", id="no-workload"),
    pytest.param({"match": "/x", "workload": "unit:x", "wrokload": ""}, "unknown key 'wrokload'", id="unknown-key"),
    pytest.param({"match": "/x", "workload": 3}, "mapping of texts", id="number"),
    pytest.param("/x", "mapping of texts", id="no-mapping"),
    pytest.param({"match": "/(x", "workload": "unit:x"}, "unterminated", id="bad-pattern"),
    pytest.param({"match": "/x", "workload": "unit:{app}"}, r"no group \(\?P<app>", id="missing-group"),
    pytest.param({"match": "/(?P<a>x)", "workload": "unit:{a.__class__}"}, "no group", id="attribute"),
    pytest.param({"match": "/(?P<a>x)", "workload": "unit:{a!r:>9}"}, "no format", id="format"),
    pytest.param({"match": "/(?P<a>x)", "workload": "unit:{a"}, "expected '}'", id="open-brace"),
    pytest.param({"match": "/x", "workload": "a/b"}, "must be cluster", id="short-key"),
    pytest.param({"match": "/x", "workload": "a//c/d/e"}, "must be cluster", id="empty-part"),
    pytest.param({"match": "/x", "workload": "unit:"}, "must be cluster", id="empty-unit"),
    pytest.param({"match": "/(a+)+b", "workload": "unit:x"}, "one character", id="repeat-of-a-repeat"),
    pytest.param({"match": "/(a|aa)*b", "workload": "unit:x"}, "one character", id="repeat-of-alternatives"),
    pytest.param({"match": "/.*/.*/x", "workload": "unit:x"}, "may cross", id="two-wide-repeats"),
    pytest.param({"match": "/[^-]*/[^x]*", "workload": "unit:x"}, "may cross", id="two-wide-sets"),
    pytest.param({"match": "/a?" + "a?" * 20, "workload": "unit:x"}, "more than", id="many-options"),
    pytest.param({"match": r"/(a)\1", "workload": "unit:x"}, "back references", id="back-reference"),
    pytest.param({"match": "/(?=a)", "workload": "unit:x"}, "look-around", id="look-ahead"),
]


@pytest.mark.parametrize(("item", "reason"), REFUSED)
def test_rule_that_cannot_work_is_refused_with_its_number(item, reason):
    with pytest.raises(RuleError, match=f"identity rule 2: .*{reason}"):
        load([LAB, item])


def test_a_costly_pattern_ends_soon_on_a_path_made_for_it():
    rules = load(
        [{"match": "/a/[^/]*-[^/]*-[^/]*b", "workload": "unit:x"}, {"match": "/.*-[^/]+b", "workload": "unit:y"}]
    )
    for path in ("/a/" + "-" * 255, "/" + "-" * 4095, "/--" * 1365, "/a" + ("/" + "-" * 255) * 15):
        assert first(rules, path) is None
