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
from sensor.settings import SensorSettings
from sensor.stopping import Stop
from tests.kernel.lab import SMALL

OWNER = "lab/shop/Deployment/cart/cart"


def main(name: str, scope: str, run_dir: str, socket: str) -> None:
    named = rules.load([{"match": f"/{Path(scope).name}/work", "workload": OWNER}])
    settings = SensorSettings(
        name=name,
        node="lab",
        scope=Path(scope),
        run_dir=Path(run_dir),
        socket=Path(socket),
        interval=0.2,
        sizes=SMALL,
        identity=IdentitySettings(rules=named, cri_sockets=(), docker_sockets=(), podman_sockets=()),
        keep_pinned=True,
        digest=False,
    )
    sink = Delivery(settings.address, settings.spool, node=settings.node)
    Agent(settings, sink, stop=Stop().listen()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
