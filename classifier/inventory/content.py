"""Events of what stands in a file: heads and digests of weights beside the item, versions of files that steer an agent."""

from __future__ import annotations

import re
from collections.abc import Mapping

from classifier.inventory.items import StockItem
from classifier.inventory.kinds import VERIFIED
from classifier.inventory.sighting import Sighting, seen

EDITED = ("skill", "prompt")  # kinds whose version is what stands in the file
HEAD = (
    "named architecture parameters tensors dtype quantisation context license size_label release quantised_by base_model"
    " size unread"
)
SHARD = re.compile(r"[-_.]?\d{3,6}[-_]of[-_]\d{3,6}(?=\.[a-z]+$)", re.IGNORECASE)
DIGEST = re.compile(r"[0-9a-f]{64}")

Data = Mapping[str, str | int | float]


def read_file(item: StockItem, data: Data) -> None:
    """What a file of weights says of itself, and its digest; of a model in several files, those of the one that was read."""
    shard = SHARD.search(str(data.get("path", "")))
    for name in HEAD.split():
        if (value := data.get(name)) not in (None, ""):
            item.say(f"shard_{name}" if shard and name in ("parameters", "tensors", "size") else name, str(value))
    digest = str(data.get("sha256", ""))
    if DIGEST.fullmatch(digest):
        name = "shard_sha256" if shard else "sha256"
        if (before := item.more.get(name, digest)) != digest:
            item.say(f"{name}_before", before)
        item.say(name, digest)


def of_file(item: StockItem, data: Data) -> Sighting | None:
    """The version of a file that steers; None where it was not read."""
    digest = str(data.get("sha256", ""))
    if not DIGEST.fullmatch(digest):
        item.say("unread", str(data.get("unread", "")))
        return None
    return seen(
        item.kind, item.name, version=f"sha256:{digest[:16]}", version_basis=VERIFIED, basis=item.basis, place=item.place,
        lasts=item.lasts, more={"sha256": digest, "size": str(data.get("size", ""))},
    )  # fmt: skip
