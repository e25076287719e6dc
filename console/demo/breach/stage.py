"""Where the breach plays: namespaces of its own, peers, and replicas of one agent in cgroups that it made.

A process of its own, because it changes its namespaces. It obeys lines of JSON on standard input and answers each with one:
{"start": "support-agent", "revision": "v1", "number": 1}, {"stop": …} alike, {"open": true}, {"job": "weekly-export"},
{"inject": true}, {"ask": "state"}. It ends with its standard input, and takes every replica with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from console.demo import ground
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
    replicas: dict[str, subprocess.Popen[bytes]] = {}
    print(json.dumps({"ready": True}), flush=True)
    try:
        for line in sys.stdin:
            print(json.dumps(obey(json.loads(line), here, folder, cgroup, replicas)), flush=True)
    finally:
        for key in list(replicas):
            ground.end(replicas.pop(key), cgroup / key)
    return 0


def obey(order: dict, here: town.Town, folder: Path, cgroup: Path, replicas: dict) -> dict:
    app, revision = order.get("start") or order.get("stop"), order.get("revision")
    key = f"{app}/{revision}-{order.get('number')}"
    if "start" in order:
        command = [sys.executable, "-I", str(ground.APP / "agent.py")]
        replicas[key] = ground.begin(command, image(folder, app, revision), cgroup / key, folder / "agents.log")
    elif "stop" in order:
        ground.end(replicas.pop(key), cgroup / key)
    elif "open" in order:
        here.open = bool(order["open"])
    elif "job" in order:
        here.jobs.append({"job": order["job"]})
    elif "inject" in order:
        here.jobs.append(here.ticket(script.INJECTED))
        return {"ticket": here.jobs[-1]["id"]}
    begun, ended, size = here.taken
    dead = [key for key, process in replicas.items() if process.poll() is not None]
    return {"replicas": sorted(replicas), "dead": dead, "tickets": here.tickets, "reads": here.reads,
            "exports": sum(1 for k in here.stored if k.startswith("exports/weekly")),
            "taken": {"begun": begun, "ended": ended, "bytes": size}}  # fmt: skip


def image(folder: Path, app: str, revision: str) -> Path:
    """The files of a revision."""
    made = folder / f"{app}-{revision}"
    if not made.is_dir():
        made.mkdir()
        for source in APPS.iterdir():
            (made / source.name).write_text(source.read_text().replace('"/app/', f'"{ground.APP}/'))
            (made / source.name).chmod(0o755)
        (made / "settings.json").write_text(json.dumps(REVISIONS[revision]))
        _, begin, certificate = (folder / "model.pem").read_text().rpartition("-----BEGIN CERTIFICATE")
        (made / "ca.pem").write_text(begin + certificate)
    return made


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
