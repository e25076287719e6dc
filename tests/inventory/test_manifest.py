"""Declared against loaded: FX-7's lists, and what cannot be said."""

from __future__ import annotations

import pytest

from classifier.inventory.history import History
from classifier.inventory.manifest import Declared, ManifestError, checked, declared, fits
from classifier.inventory.moment import shown
from tests.fixtures import fx7
from tests.fixtures.fx7 import ADAPTERS, END, MANIFEST, START
from tests.inventory.test_stock import told


@pytest.fixture(scope="module")
def kernel_only():
    return told(fx7.fx7())


@pytest.fixture(scope="module")
def whole():
    return told(fx7.with_calls())


def by_status(rows, status: str, side: str) -> set[str]:
    return {r[side] for r in rows if r["status"] == status}


def test_undeclared_and_never_loaded_are_two_lists(whole):
    rows = checked(whole, MANIFEST, ADAPTERS + 60)
    assert by_status(rows, "undeclared", "loaded") == {"some-mcp", "model-b", "lora-2"}
    assert by_status(rows, "never_loaded", "declared") == {"model-a", "tool-x"}
    assert all(r["evidence"] for r in rows if r["loaded"])


def test_another_version_than_the_declared_one_is_named(whole):
    found = next(r for r in checked(whole, MANIFEST, END) if r["status"] == "version_differs")
    assert found["note"] == "1 of 900 files differ"
    assert (found["declared"], found["declared_version"], found["loaded_version"]) == ("langchain", "0.2.1", "0.2.3")


def test_what_was_not_loaded_yet_is_not_held_against_it(whole):
    early = checked(whole, MANIFEST, START + 60)
    assert "some-mcp" not in by_status(early, "undeclared", "loaded")


def test_without_the_application_layer_a_hosted_model_and_tools_are_unknown(kernel_only):
    rows = checked(kernel_only, MANIFEST, END)
    unknown = by_status(rows, "unknown(not_captured)", "declared")
    assert unknown == {"model-a", "search", "refund", "tool-x"}  # model-a may be what the endpoint was asked for
    assert by_status(rows, "never_loaded", "declared") == set()


def test_a_start_that_was_not_seen_makes_never_loaded_unknown():
    late = told(fx7.records(fx7.agent(1, observed=False)))
    found = checked(late, {"adapters": ["lora-1"]}, END)
    assert [r["status"] for r in found] == ["unknown(startup_not_observed)"]


def test_of_what_was_never_observed_everything_is_only_declared():
    rows = checked(History("w", 0.0, None, None, None), MANIFEST, 0.0)
    assert {r["status"] for r in rows} == {"declared_only"} and len(rows) == 13


def test_a_section_that_is_missing_is_not_checked(whole):
    assert by_status(checked(whole, {"tools": ["search", "refund"]}, END), "undeclared", "loaded") == set()


def test_the_configuration_of_an_agent_is_a_manifest_of_its_servers(whole):
    rows = checked(whole, {"mcpServers": {"tickets": {"command": "mcp-tickets"}, "git": {"command": "npx"}}}, ADAPTERS)
    assert by_status(rows, "matched", "declared") == {"tickets", "git"}
    assert by_status(rows, "undeclared", "loaded") == {"some-mcp"}


def test_what_a_server_says_of_itself_and_its_start_are_one_item_on_the_replica_that_heard_it(whole):
    found = [i for i in shown(whole, START + 600)["items"] if i["kind"] == "mcp" and i["name"] == "mcp-tickets"]
    assert [(i["version"], i["basis"], i["replicas"]) for i in found] == [
        ("3.1", "verified", ["n1/1"]),
        ("unknown", "inferred", ["n1/2"]),
    ]
    assert found[0]["more"]["command"] == "mcp-tickets --stdio"


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(None, id="empty"),
        pytest.param([], id="a-list"),
        pytest.param({"apiVersion": "v1"}, id="something-else"),
        pytest.param({"models": "model-a"}, id="no-list"),
        pytest.param({"models": [{"version": "1"}]}, id="no-name"),
        pytest.param({"models": [{"name": 3}]}, id="a-number-for-a-name"),
        pytest.param({"mcpServers": ["git"]}, id="servers-no-mapping"),
        pytest.param({"models": ["x"] * 5000}, id="too-many"),
    ],
)
def test_what_is_no_manifest_is_refused_with_a_remedy(manifest):
    with pytest.raises(ManifestError, match=";"):
        declared(manifest)


@pytest.mark.parametrize(
    ("entry", "kind", "name", "expected"),
    [
        pytest.param({"name": "m"}, "model", "meta-llama/m", True, id="name-without-its-owner"),
        pytest.param({"name": "m"}, "model", "mm", False, id="part-of-a-name"),
        pytest.param({"name": "Lang_Chain"}, "framework", "lang-chain", True, id="spelling-of-python"),
        pytest.param({"name": "mcp"}, "mcp", "mcp-server", False, id="a-name-without-a-stem"),
    ],
)
def test_an_entry_fits(whole, entry, kind, name, expected):
    from dataclasses import replace

    item = replace(next(i for i in whole.items if i.kind == kind and i.more.get("reach") != "remote"), name=name)
    assert fits(Declared("models", **entry), item) is expected
