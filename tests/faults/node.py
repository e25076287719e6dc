"""A sensor with its spool as a process of its own, which a test can kill.

python -m tests.faults.node NAME SCOPE RUN_DIR SOCKET
"""

from __future__ import annotations

import sys
from pathlib import Path

from sensor.agent import Agent
from sensor.delivery import Delivery
from sensor.identity import rules
from sensor.identity.settings import IdentitySettings
from sensor.stopping import Stop
from tests.kernel.lab import settings

OWNER = "lab/shop/Deployment/cart/cart"


def main(name: str, scope: str, run_dir: str, socket: str) -> None:
    named = rules.load([{"match": f"/{Path(scope).name}/work", "workload": OWNER}])
    identity = IdentitySettings(rules=named, cri_sockets=(), docker_sockets=(), podman_sockets=())
    chosen = settings(name, scope, run_dir, socket=Path(socket), identity=identity, keep_pinned=True)
    sink = Delivery(chosen.address, chosen.spool, node=chosen.node)
    Agent(chosen, sink, stop=Stop().listen()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
