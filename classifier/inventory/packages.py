"""Paths of opened files to packages of Python and Node, with a version where the path itself holds one.

Code is opened below the package's folder, which has no version in its name; that of Python's is in the name of the
`dist-info` folder beside it, which many packages read at their start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from classifier.inventory.kinds import INFERRED, SELF_REPORTED, UNKNOWN
from classifier.inventory.sighting import Sighting, seen
from wire.frameworks import FRAMEWORKS

PYTHON = re.compile(r"^(?P<place>.*/(?:site|dist)-packages)/(?P<top>[^/]+)(?P<rest>/.*)?$")
DIST = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._]*?)-(?P<version>\d[^/-]*)(?:-py[\d.]+)?\.(?:dist|egg)-info$")
NODE = re.compile(r"^(?P<place>.*/node_modules)/(?P<name>(?:@[^/]+/)?[^/@.][^/]*)/.+$")
PNPM = re.compile(r"/\.pnpm/(?P<name>(?:@[^/+]+\+)?[^/@]+)@(?P<version>\d[^/_(]*)[^/]*/node_modules$")
MODULE = re.compile(r"^(?P<name>[A-Za-z_]\w*)(?:\.[\w-]+)*\.(?:py|pyc|so)$")
NO_PACKAGE = {"__pycache__", "bin", "distutils-precedence"}

IMPORTS = {  # name of the module → name of the package, where they differ
    "yaml": "pyyaml", "pil": "pillow", "sklearn": "scikit-learn", "cv2": "opencv-python", "bs4": "beautifulsoup4",
    "dotenv": "python-dotenv", "jwt": "pyjwt", "dateutil": "python-dateutil", "llama-cpp": "llama-cpp-python",
    "mem0": "mem0ai", "guardrails": "guardrails-ai", "faiss": "faiss-cpu", "attr": "attrs", "strands": "strands-agents",
}  # fmt: skip


@lru_cache(maxsize=4096)
def of_package(path: str) -> Sighting | None:
    """The package of an opened file; None where it belongs to none.

    >>> of_package("/app/lib/python3.11/site-packages/langchain-0.2.3.dist-info/METADATA").version
    '0.2.3'
    >>> of_package("/app/node_modules/@langchain/core/package.json").name
    '@langchain/core'
    """
    if found := NODE.match(path):
        return _of_node(found)
    found = PYTHON.match(path)
    if found is None or found["top"] in NO_PACKAGE:
        return None
    if dist := DIST.match(found["top"]):  # finding out what is installed reads these, too
        return replace(_item(plain(dist["name"]), found["place"], "pypi", dist["version"]), basis=INFERRED)
    if found["rest"] is None:  # a module of one file
        module = MODULE.match(found["top"])
        return _item(plain(module["name"]), found["place"], "pypi") if module else None
    if found["top"].endswith((".dist-info", ".egg-info", ".libs", ".data")):
        return None
    return _item(plain(found["top"]), found["place"], "pypi")


def of_record(data: Mapping[str, str | int | float]) -> Sighting | None:
    """The package of a `package` event: what a sensor read of it beside the code that was opened.

    >>> told = {"import": "yaml", "name": "PyYAML", "version": "6.0", "place": "/l/site-packages", "files": 9, "changed": 1}
    >>> of_record(told).more["record"]
    '1 of 9 files differ'
    """
    top, name, version, place = (data.get(k) for k in ("import", "name", "version", "place"))
    if not all(isinstance(v, str) and v for v in (top, name, version, place)):
        return None
    node = str(place).endswith("/node_modules")
    item = str(top) if node else plain(str(top))
    package = str(name) if node else plain(str(name))
    more = {
        "system": "npm" if node else "pypi",
        "package": package if package != item else "",
        "record": "" if node else _compared(data),
    }
    kind = "framework" if {item, package} & FRAMEWORKS else "library"
    # Its own metadata says so; whether its code was opened, another record shows.
    return seen(
        kind, item, version=str(version), version_basis=SELF_REPORTED, basis=INFERRED, place=str(place), more=more
    )


def _compared(data: Mapping[str, str | int | float]) -> str:
    files, changed = data.get("files"), data.get("changed")
    if not isinstance(files, int) or not isinstance(changed, int):
        return ""
    words = f"{changed} of {files} files differ" if changed else f"{files} files as installed"
    return words if data.get("whole", 1) else f"{words}, others not looked at"


def plain(name: str) -> str:
    """The name of a Python package as its index spells it.

    >>> plain("Langchain_Core"), plain("yaml")
    ('langchain-core', 'pyyaml')
    """
    found = re.sub(r"[-_.]+", "-", name).lower().strip("-")
    return IMPORTS.get(found, found)


def _of_node(found: re.Match[str]) -> Sighting:
    store = PNPM.search(found["place"])
    version = store["version"] if store and store["name"].replace("+", "/") == found["name"] else UNKNOWN
    return _item(found["name"], found["place"], "npm", version)


def _item(name: str, place: str, system: str, version: str = UNKNOWN) -> Sighting:
    kind = "framework" if name in FRAMEWORKS else "library"
    basis = (
        UNKNOWN if version == UNKNOWN else SELF_REPORTED
    )  # the folder says so; nobody compared its files with RECORD
    return seen(kind, name, version=version, version_basis=basis, place=place, more={"system": system})
