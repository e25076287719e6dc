"""A release is pinned to the byte, and says of what it is made."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.threat.sbom import LOCK, ROOT, bom, debian_packages, ours, pinned

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ("cri", "originals")  # what a release may run with; the others are for developers and the demo
ASKED = [Requirement(r) for r in PROJECT["dependencies"]]
ASKED += [Requirement(r) for extra in EXTRAS for r in PROJECT["optional-dependencies"].get(extra, ())]
ROWS = pinned(LOCK.read_text())


@pytest.mark.parametrize("asked", ASKED, ids=lambda r: r.name)
def test_every_dependency_is_pinned_to_a_version_that_fits(asked):
    found = [row for row in ROWS if row.name == canonicalize_name(asked.name)]
    assert found, f"{asked.name} is not in {LOCK.name}: run `make lock`"
    assert all(asked.specifier.contains(row.version) for row in found), f"{asked}: run `make lock`"


def test_every_requirement_has_the_hashes_of_its_files():
    assert len(ROWS) > len(ASKED)
    assert [row.name for row in ROWS if not row.hashes] == []


def test_everything_is_asked_for_by_something_that_is_there():
    names = {row.name for row in ROWS} | {"driftline"}
    assert [row.name for row in ROWS if not row.via or not set(row.via) <= names] == []


def test_pip_takes_the_file_as_it_is():
    """It checks hashes of all or of none; a line that it cannot read ends the installation."""
    code = (
        "from pip._internal.req.req_file import parse_requirements as p; from pip._internal.network.session import PipSession as s;"
        f"print(len([r for r in p({str(LOCK)!r}, s()) if r.options['hashes']['sha256']]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(ROWS)


@pytest.mark.parametrize(
    "line", ["requests", "a>=1", "-e .", "git+https://x/y", "--index-url http://x", "a==1"], ids=lambda line: line
)
def test_what_is_not_pinned_is_refused(line):
    with pytest.raises(ValueError, match="no pinned requirement"):
        pinned(f"# fine\n{line}\n")


def test_the_bill_validates_and_names_every_part():
    made = ours()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(made)) is None
    refs = {c["bom-ref"] for c in made["components"]}
    assert {row.purl for row in ROWS} <= refs
    assert made["metadata"]["component"]["version"] == PROJECT["version"] == version("driftline")
    edges = {e["ref"]: e["dependsOn"] for e in made["dependencies"]}
    assert all(set(needs) <= refs for needs in edges.values())
    assert {r.purl for r in ROWS if "driftline" in r.via} <= set(edges[made["metadata"]["component"]["bom-ref"]])


def test_the_same_requirements_give_the_same_bill_and_others_another():
    assert ours() == ours()
    fewer = bom(ROWS[1:], PROJECT | {"name": "x"}, debian_packages("PACKAGES := a b-$(ARCH)"))
    assert fewer["serialNumber"] != ours()["serialNumber"]
    assert [c["name"] for c in fewer["components"][-2:]] == ["a", "b-amd64"]
