"""The pinned requirements of a release to its bill of materials: CycloneDX 1.6. `make sbom` writes build/driftline.cdx.json."""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "systemd/requirements.lock"
SPACE = uuid.UUID("6f1c2a54-3f0e-5d61-9a3e-9f5f4f1d2b7c")  # of our serial numbers
PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[^\s;\\]+)(?: ; (?P<when>[^\\]+?))? \\$")
HASH = re.compile(r"^    --hash=sha256:(?P<digest>[0-9a-f]{64})(?: \\)?$")
VIA = re.compile(r"^    # +(?:via +)?(?P<name>\S.*)$")


@dataclass(frozen=True, slots=True)
class Pinned:
    """One requirement of a release."""

    name: str
    version: str
    when: str  # where it is needed at all, such as "sys_platform == 'win32'"
    hashes: tuple[str, ...]  # SHA-256 of every file of this version that the registry has
    via: tuple[str, ...]  # who asked for it

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


def pinned(text: str) -> list[Pinned]:
    """The rows of a file of requirements as uv writes it.

    Raises:
        ValueError: A line is something else: an address, a version that is not pinned.
    """
    found: list[Pinned] = []
    for number, line in enumerate(text.splitlines(), 1):
        if head := PINNED.match(line):
            found.append(Pinned(head["name"], head["version"], head["when"] or "", (), ()))
        elif found and (digest := HASH.match(line)):
            found[-1] = _with(found[-1], hashes=digest["digest"])
        elif found and (asker := VIA.match(line)):
            found[-1] = _with(found[-1], via="" if asker["name"] == "via" else asker["name"].partition(" ")[0])
        elif line and not line.startswith("#"):
            raise ValueError(f"line {number} is no pinned requirement: {line[:80]}")
    return found


def _with(row: Pinned, *, hashes: str = "", via: str = "") -> Pinned:
    return Pinned(
        row.name, row.version, row.when, row.hashes + ((hashes,) if hashes else ()), row.via + ((via,) if via else ())
    )


def bom(rows: list[Pinned], project: dict[str, Any], packages: list[str]) -> dict[str, Any]:
    """The bill of materials. The same requirements give the same document.

    Args:
        packages: of Debian, which the sensor's loader runs with; whoever installs them chooses their versions.
    """
    name, version = project["name"], project["version"]
    root = f"pkg:pypi/{name}@{version}"
    debian = [
        {"type": "library", "bom-ref": f"pkg:deb/debian/{p}", "name": p, "purl": f"pkg:deb/debian/{p}"}
        for p in packages
    ]
    serial = uuid.uuid5(SPACE, sha256(repr((rows, version, packages)).encode()).hexdigest())
    main = {"type": "application", "bom-ref": root, "name": name, "version": version, "purl": root}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "component": main | {"licenses": [{"license": {"id": project["license"]}}]},
        },
        "components": [_component(row) for row in rows] + debian,
        "dependencies": _edges(rows, root, packages),
    }


def _component(row: Pinned) -> dict[str, Any]:
    files = {
        "type": "distribution",
        "url": f"https://pypi.org/project/{row.name}/{row.version}/#files",
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in row.hashes],
    }
    made = {"type": "library", "bom-ref": row.purl, "name": row.name, "version": row.version, "purl": row.purl}
    made |= {"externalReferences": [files]}
    return made | ({"properties": [{"name": "driftline:when", "value": row.when}]} if row.when else {})


def _edges(rows: list[Pinned], root: str, packages: list[str]) -> list[dict[str, Any]]:
    ref = {row.name: row.purl for row in rows} | {"driftline": root}
    needs: dict[str, set[str]] = {r: set() for r in ref.values()}
    for row in rows:
        for asker in row.via:
            needs[ref[asker]].add(row.purl)
    needs[root] |= {f"pkg:deb/debian/{p}" for p in packages}
    return [{"ref": r, "dependsOn": sorted(some)} for r, some in sorted(needs.items())]


def debian_packages(makefile: str) -> list[str]:
    """What `make setup` installs, for whatever architecture."""
    line = next(line for line in makefile.splitlines() if line.startswith("PACKAGES :="))
    return [word.replace("$(ARCH)", "amd64") for word in line.partition(":=")[2].split()]


def ours() -> dict[str, Any]:
    """The bill of this checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return bom(pinned(LOCK.read_text()), project, debian_packages((ROOT / "Makefile").read_text()))


if __name__ == "__main__":
    json.dump(ours(), sys.stdout, indent=2)
    print()
