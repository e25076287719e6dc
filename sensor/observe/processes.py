"""What each process of the replicas is: the image that it runs, and the images that it came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor.observe import facts, names
from sensor.observe.lineage import Lineage
from sensor.probes import abi

IMAGES = 8192  # process images whose paths are remembered


class Processes:
    """Takes records in the order in which they happened."""

    def __init__(self) -> None:
        self.lineage = Lineage()
        self.images: dict[int, str] = {}  # path by the kernel side's number, oldest first

    def show_image(self, image: int, path: str) -> None:
        """Where a process image lies; the kernel side names it by number."""
        self.images.pop(image, None)
        self.images[image] = path
        if len(self.images) > IMAGES:
            del self.images[next(iter(self.images))]

    def found(self, row: np.void) -> None:
        """A process that came in from outside, or began before us."""
        path = facts.path(row)
        self.show_image(int(row["image"]), path)
        self.lineage.adopt(int(row["pid"]), path, int(row["b"]))

    def run(self, row: np.void, path: str, *, script: bool, kept: str) -> str:
        """An exec; returns the base name of the image that called it.

        Args:
            path: What runs: a program, or a script.
            kept: As `kept_script` says.
        """
        pid = int(row["pid"])
        self.show_image(int(row["image"]), kept or path)
        self._adopt(row)
        return self.lineage.keep(pid, kept) if kept else self.lineage.exec(pid, path, script=script)

    def _adopt(self, row: np.void) -> None:
        """Whose fork a killed daemon read, or a full ring lost: the exec names the image that called it, and the parent."""
        caller, parent = self.images.get(int(row["a"]), ""), int(row["b"])
        if caller and self.lineage.path(parent) == caller:
            self.lineage.adopt(int(row["pid"]), caller, parent)

    def kept_script(self, row: np.void) -> str:
        """The script that env was called for and calls the interpreter of; "" for every other exec."""
        return self.images.get(int(row["a"]), "") if int(row["flags"]) & abi.KEPT_SCRIPT else ""

    def actor(self, row: np.void) -> dict[str, Any]:
        """Who did what a record tells."""
        pid, path = int(row["pid"]), self.images.get(int(row["image"]), "")
        lineage = self.lineage.of(pid) if self.lineage.path(pid) or not path else names.base(path)
        image = names.escaped(path or self.lineage.path(pid))
        return {"pid": pid, "uid": int(row["uid"]), "lineage": lineage, "image": image}
