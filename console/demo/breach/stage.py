"""Where the breach plays: namespaces of its own, peers, and replicas of one agent in cgroups that it made.

A process of its own, because it changes its namespaces. It obeys orders (console/demo/orders.py), these besides:
{"open": true}, {"job": "weekly-export"}, {"inject": true}, {"ask": "state"}.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from console.demo import ground, orders
from console.demo.breach import script, town

APPS = Path(__file__).parent / "apps"
FIRST = ["search_accounts", "reply_to_ticket", "put_object"]
REVISIONS = {  # what an image holds besides the code
    "v1": {"model": "acme-large-1", "tools": FIRST},
    "v2": {"model": "acme-large-2", "tools": FIRST},
    "v3": {"model": "acme-large-2", "tools": [*FIRST, "search_articles"]},
}


def main(folder: Path, cgroup: Path) -> int:
    ground.enter(folder, town.ADDRESSES, town.RESOLVER)
    here = town.Town()
    town.serve(here, folder)

    def begin(app: str, revision: str, place: Path) -> subprocess.Popen[bytes]:
        image = ground.image(folder / f"{app}-{revision}", files(revision, folder / "model.pem"))
        return ground.begin([sys.executable, "-I", str(ground.APP / "agent.py")], image, place, folder / "agents.log")

    orders.obey(cgroup, begin, lambda order: obey(order, here))
    return 0


def obey(order: orders.Order, here: town.Town) -> dict[str, Any]:
    if "open" in order:
        here.open = bool(order["open"])
    elif "job" in order:
        here.jobs.append({"job": order["job"]})
    elif "inject" in order:
        here.jobs.append(here.ticket(script.INJECTED))
        return {"ticket": here.jobs[-1]["id"]}
    return {"reads": here.reads, "begun": here.begun, "bytes": here.written}


def files(revision: str, model: Path) -> dict[str, str]:
    """What an image holds, by name; of the model's certificate and key only the certificate."""
    _, begin, certificate = model.read_text().rpartition("-----BEGIN CERTIFICATE")
    made = {source.name: source.read_text() for source in APPS.iterdir() if source.is_file()}
    return made | {"settings.json": json.dumps(REVISIONS[revision]), "ca.pem": begin + certificate}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
