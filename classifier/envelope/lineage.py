"""Who did it: images by base name, innermost first, without their versions."""

from __future__ import annotations

import re
from functools import lru_cache

from wire.records import Use

VERSION = re.compile(r"(?<=[a-z])[-.]?\d+(\.\d+)*(?=$|<)")


@lru_cache(4096)
def plain_lineage(chain: str) -> str:
    """A lineage without versions, so that an upgraded interpreter is the same owner.

    >>> plain_lineage("curl<sh<python3.11")
    'curl<sh<python'
    """
    return VERSION.sub("", chain)


def lineage_of(use: Use) -> str:
    """Lineage of a use without versions; "" where unknown."""
    chain = use.data.get("lineage")
    return "" if chain is None else plain_lineage(str(chain))


def program_of(use: Use) -> str:
    """The program that did it; "" where unknown."""
    return lineage_of(use).split("<")[0]


def base(path: str) -> str:
    """Base name of an image without its version.

    >>> base("/usr/bin/python3.11")
    'python'
    """
    return plain_lineage(path.rsplit("/", 1)[-1])
