"""CDL-SHIL's count vectors to windows: four replicas of a server, quiet at first, then one exploit on each."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifier.lab.real.table import DataError

SAMPLE = 0.1  # seconds of a vector
KEY = re.compile(r"(.+)\|(\w+)\|(train|test)$")


@dataclass(frozen=True, slots=True)
class Cut:
    """How samples become windows, in samples."""

    length: int = 10
    step: int = 1

    @property
    def seconds(self) -> float:
        return self.length * SAMPLE


SLIDING = Cut()  # the published comparison's: 1 s, every 0.1 s
DAEMON = Cut(100, 100)  # the daemon's: 10 s, one after the other


@dataclass(frozen=True, slots=True)
class Pod:
    """One replica: samples of its quiet part and of its test, and when the exploit began and ended there."""

    server: str  # CVE of the exploit
    name: str
    impact: str
    train: np.ndarray
    test: np.ndarray
    begin: int  # sample
    end: int

    def quiet(self, cut: Cut) -> np.ndarray:
        """Windows of the training part."""
        return cut_up(self.train, cut)

    def tested(self, cut: Cut) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windows of the test; which lie before the exploit, and which overlap it."""
        found = cut_up(self.test, cut)
        first = np.arange(len(found)) * cut.step
        last = first + cut.length - 1
        return found, last < self.begin, (last >= self.begin) & (first <= self.end)


def cut_up(samples: np.ndarray, cut: Cut) -> np.ndarray:
    """Sums over windows. What follows one after the other ends with what is left, as a replica's last window does."""
    total = np.vstack([np.zeros((1, samples.shape[1]), np.int64), np.cumsum(samples, axis=0, dtype=np.int64)])
    whole = (total[cut.length :] - total[: -cut.length])[:: cut.step]
    rest = len(samples) % cut.length
    return np.vstack([whole, total[-1:] - total[-1 - rest]]) if cut.step == cut.length and rest else whole


def read(folder: Path) -> dict[str, list[Pod]]:
    """Pods by server.

    Raises:
        DataError: A file is missing, damaged or does not fit the other.
    """
    try:
        meta = json.loads((folder / "meta.json").read_text())
        with np.load(folder / "freqvec.npz", allow_pickle=False) as file:
            arrays = {k: file[k] for k in file.files}
        return _pods(arrays, meta["timing"], _impacts(meta.get("category", "")), folder)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as e:
        if isinstance(e, DataError):
            raise
        raise DataError(
            f"{folder}: freqvec.npz and meta.json cannot be read ({e}); restore both from the source"
        ) from e


def _pods(arrays: dict, timing: dict, impacts: dict[str, str], folder: Path) -> dict[str, list[Pod]]:
    pods: dict[str, list[Pod]] = {}
    for key in sorted(arrays):
        found = KEY.match(key)
        if not found or found[3] != "train" or f"{found[1]}|{found[2]}|test" not in arrays:
            continue
        server, name = found[1], found[2]
        begin, _, end = (int(t) for t in timing[f"{server}/{name}"])
        test = arrays[f"{server}|{name}|test"]
        pod = Pod(server, name, impacts.get(server, "unknown"), arrays[key], test, begin, max(begin, end))
        pods.setdefault(server, []).append(pod)
    if not pods:
        raise DataError(f"{folder}: freqvec.npz has no pair SERVER|POD|train and SERVER|POD|test; restore it")
    return pods


def _impacts(text: str) -> dict[str, str]:
    """Lines ``Return a shell, CVE-2012-1823`` to CVE → impact."""
    lines = (line.rpartition(",") for line in text.splitlines())
    return {cve.strip(): impact.strip().lower() for impact, _, cve in lines if impact}
