"""Which replicas are agents: by the code that they opened, and by what a person says. Never by whom they talk to.

Only agents are listened to, so everything else pays nothing for it. What a person says goes first: `none` in the settings, then a
label of the container or pod, then patterns of workloads' names; what was opened counts where the settings say `auto`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache

from wire.frameworks import TALKING
from wire.records import Replica, Workload

AUTO, ALL, NONE = "auto", "all", "none"
PYTHON = re.compile(r"/(?:site|dist)-packages/([^/]+)(?:/|$)")
NODE = re.compile(r"/node_modules/((?:@[^/]+/)?[^/]+)(?=/)")
VERSION = re.compile(r"-\d[^/]*\.(?:dist|egg)-info$")
MODULE = re.compile(r"\.(?:py|pyc|so)$")
TOGETHER = frozenset(("jiter",))  # compiled parts of these clients: the only ones that memory maps still show


class Agents:
    """The agents among the replicas.

    >>> agents, replica = Agents(("auto",)), Replica("n1", 7)
    >>> agents.seated(replica)
    >>> agents.opened(replica, "/app/lib/python3.12/site-packages/openai/_client.py")
    >>> replica in agents
    True
    """

    def __init__(self, wanted: tuple[str, ...] = (AUTO,)) -> None:
        self.by_code, self._all = AUTO in wanted, ALL in wanted
        self._patterns = tuple(w for w in wanted if w not in (AUTO, ALL, NONE))
        self.on = bool(self.by_code or self._all or self._patterns)  # False: nobody is one, whatever a label says
        self._by_code: dict[Replica, str] = {}  # → what it opened
        self._by_name: dict[Replica, str] = {}  # → the pattern that its workload fits
        self._label: dict[Replica, bool] = {}
        self._seated: set[Replica] = set()
        self.changes = 0  # grows when someone may have become an agent, or ceased to be one

    def __contains__(self, replica: Replica) -> bool:
        return bool(self.why(replica))

    def __iter__(self) -> Iterator[Replica]:
        return (replica for replica in sorted(self._seated) if replica in self)

    def why(self, replica: Replica) -> str:
        """Why a replica counts as an agent; "" where it does not."""
        if not self.on or replica not in self._seated or self._label.get(replica) is False:
            return ""
        if replica in self._label:
            return "its label"
        by_all = "all are" if self._all else ""
        return self._by_name.get(replica, "") or self._by_code.get(replica, "") or by_all

    def seated(self, replica: Replica) -> None:
        """A replica has come."""
        self._seated.add(replica)
        self.changes += 1

    def opened(self, replica: Replica, path: str) -> None:
        """It opened a file."""
        if self.by_code and replica not in self._by_code and (package := talking(path)):
            self._by_code[replica] = f"it opened code of {package}"
            self.changes += 1

    def named(self, replica: Replica, workload: Workload | None, label: bool | None) -> None:
        """Somebody has said whose it is; `label`: what a label says, None where there is none."""
        before = self.why(replica)
        if label is not None:
            self._label[replica] = label
        pattern = next((p for p in self._patterns if workload and fnmatchcase(workload, p)), None)
        if pattern is not None:
            self._by_name[replica] = f"its workload fits {pattern!r}"
        self.changes += before != self.why(replica)

    def forget(self, replica: Replica) -> None:
        """It has ended."""
        self._seated.discard(replica)
        for known in (self._by_code, self._by_name, self._label):
            known.pop(replica, None)
        self.changes += 1


def talking(path: str) -> str:
    """The package of `TALKING` that a file belongs to; "" for other files.

    >>> talking("/v/lib/python3.11/site-packages/google_genai-1.2.dist-info/METADATA")
    'google-genai'
    >>> talking("/app/node_modules/@anthropic-ai/sdk/index.mjs"), talking("/usr/lib/python3/dist-packages/yaml/loader.py")
    ('@anthropic-ai/sdk', '')
    """
    if "-packages/" not in path and "/node_modules/" not in path:
        return ""
    found = NODE.findall(path) or PYTHON.findall(path)
    return _known(found[-1]) if found else ""


@lru_cache(4096)
def _known(name: str) -> str:
    plain = name
    if not name.startswith("@"):
        plain = re.sub(r"[-_.]+", "-", MODULE.sub("", VERSION.sub("", name))).lower()
    return plain if plain in TALKING or plain in TOGETHER else ""
