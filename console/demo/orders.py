"""Orders to a stage, a line of JSON each, to replicas that begin and end; each is answered with a line.

{"start": APP, "revision": "v1", "number": 1} and {"stop": …} alike are known here; what else there is, a story knows.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from console.demo import ground

Order = Mapping[str, Any]
Begin = Callable[[str, str, Path], "subprocess.Popen[bytes]"]  # app, revision and cgroup → a replica


def obey(cgroup: Path, begin: Begin, more: Callable[[Order], dict[str, Any]]) -> None:
    """Says that it is ready, obeys until the input ends, and then takes every replica with it.

    Args:
        cgroup: Below it each replica gets its own.
        more: Does what a story orders besides, and gives the answer.
    """
    replicas: dict[str, subprocess.Popen[bytes]] = {}
    print(json.dumps({"ready": True}), flush=True)
    try:
        for line in sys.stdin:
            order = json.loads(line)
            app, revision = order.get("start") or order.get("stop"), order.get("revision")
            key = f"{app}/{revision}-{order.get('number')}"
            if "start" in order:
                replicas[key] = begin(app, revision, cgroup / key)
            elif "stop" in order:
                ground.end(replicas.pop(key), cgroup / key)
            print(json.dumps(more(order)), flush=True)
    finally:
        for key in list(replicas):
            ground.end(replicas.pop(key), cgroup / key)
