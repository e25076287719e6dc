"""The bill of materials is valid CycloneDX 1.6, whatever names a workload chose."""

from __future__ import annotations

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.inventory.cyclonedx import bom
from classifier.inventory.kinds import KINDS
from classifier.inventory.moment import shown
from tests.fixtures import fx7
from tests.inventory.test_stock import told

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)
NAMES = st.text(max_size=40)


def wrong(document) -> str:
    """What the official schema has against a document; empty: nothing."""
    found = VALIDATOR.validate_str(json.dumps(document))
    return "" if found is None else str(found)


@pytest.fixture(scope="module")
def document():
    return bom(shown(told(fx7.with_calls()), fx7.END), "1.2.3")


def test_the_export_validates_against_the_official_schema(document):
    assert wrong(document) == ""


def test_a_document_with_a_wrong_type_does_not_validate(document):
    assert wrong(document | {"components": [{"type": "toaster", "name": "x"}]})


def test_models_are_components_of_their_own_type_and_servers_are_services(document):
    kinds = {c["name"]: c["type"] for c in document["components"]}
    assert kinds["model-b"] == kinds["gpt-5"] == "machine-learning-model" and kinds["langchain"] == "framework"
    assert {s["name"] for s in document["services"]} >= {
        "mcp-tickets",
        "some-mcp",
        "api.openai.com:443",
        "qdrant.kb.svc:6333",
    }
    purls = {c["name"]: c.get("purl") for c in document["components"]}
    assert purls["langchain"] == "pkg:pypi/langchain@0.2.3" and purls["openai"] == "pkg:pypi/openai"


def test_each_of_the_five_classes_is_in_it(document):
    told_kinds = {p["value"] for c in document["components"] + document["services"] for p in c["properties"]
                  if p["name"] == "driftline:kind"}  # fmt: skip
    assert {KINDS[k].of for k in told_kinds} == {"models", "data sources", "tools", "infrastructure", "identities"}


def test_what_may_be_missing_is_said(document):
    assert document["compositions"][0]["aggregate"] == "complete"
    late = bom(shown(told(fx7.records(fx7.agent(1, observed=False))), fx7.END), "1.2.3")
    assert late["compositions"][0]["aggregate"] == "unknown" and wrong(late) == ""
    about = {p["name"]: p["value"] for p in late["metadata"]["component"]["properties"]}
    assert about["driftline:missed"] == "startup_not_observed"


def test_the_same_inventory_gives_the_same_document(document):
    assert bom(shown(told(fx7.with_calls()), fx7.END), "1.2.3") == document


def row(kind: str, name: str, version: str, place: str, more: dict[str, str]):
    plain = {"basis": "inferred", "version_basis": "unknown", "since": 0.0, "first": 0.0, "last": 1e300, "replicas": [name],
             "revisions": [], "images": [place], "evidence": [name]}  # fmt: skip
    return plain | {"kind": kind, "name": name, "version": version, "place": place, "more": more}


KEYS = st.sampled_from(("system", "hub", "reach", "transport", "provider", "role", "sha256", "model"))
VALUES = NAMES | st.sampled_from(("pypi", "npm", "huggingface", "remote", "network", "stdio", "token"))
ROWS = st.builds(row, st.sampled_from(list(KINDS)), NAMES, NAMES, NAMES, st.dictionaries(KEYS, VALUES))


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=4, unique_by=lambda r: (r["kind"], r["name"], r["version"], r["place"])), NAMES)
def test_hostile_names_stay_valid(rows, workload):
    found = {
        "workload": workload,
        "at": 0.0,
        "now": 0.0,
        "complete": False,
        "unknown": ["x"],
        "kinds": {},
        "items": rows,
    }
    assert wrong(bom(found, "1")) == ""
