"""Real processes to an inventory: what the kernel's view of opens and execs is enough for, and what it is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from classifier.inventory.history import History
from classifier.inventory.moment import changes
from classifier.inventory.view import recorded
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from tests.kernel.lab import PYTHON, until
from wire.records import Event, Identity, Record, Tick, Window, Workload

COMMIT, BLOB = "c" * 40, "d" * 64
AGENT = """
import os, sys
root = sys.argv[1]
sys.path.insert(0, root + "/lib/site-packages")
import langchain
open(root + "/lib/site-packages/langchain-0.2.3.dist-info/METADATA").close()
open(root + "/hub/models--org--name/blobs/" + "e" * 40).close()
open(root + "/hub/models--org--name/snapshots/" + "c" * 40 + "/model.safetensors").close()
open(root + "/app/CLAUDE.md").close()
waits, ends = os.pipe()
worker = os.fork()
if not worker:
    os.close(ends)
    open(root + "/models/worker-model/model.safetensors").close()
    os.read(waits, 1)
    os._exit(0)
server = os.fork()
if not server:
    os.execv(root + "/bin/mcp-demo", ["mcp-demo", "--stdio"])
os.waitpid(server, 0)
os.close(ends)
os.waitpid(worker, 0)
"""


@pytest.fixture
def home(tmp_path):
    def file(name: str, text: str = "x") -> Path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    file("lib/site-packages/langchain/__init__.py", "")
    file("lib/site-packages/langchain-0.2.3.dist-info/METADATA")
    file(f"hub/models--org--name/blobs/{'e' * 40}")  # its settings, which are read first
    file(f"hub/models--org--name/blobs/{BLOB}")
    link = tmp_path / f"hub/models--org--name/snapshots/{COMMIT}/model.safetensors"
    link.parent.mkdir(parents=True)
    link.symlink_to(f"../../blobs/{BLOB}")  # as the hub's cache does
    file("models/worker-model/model.safetensors")
    file("app/CLAUDE.md")
    file("bin/mcp-demo", "#!/bin/sh\nexit 0\n").chmod(0o755)
    return tmp_path


def history(said) -> History:
    """The inventory of one cgroup, as if its owner had been named from the beginning."""
    records: list[Record] = sorted(
        said.records(Event) + said.records(Window), key=lambda r: r.end if isinstance(r, Window) else r.time
    )
    born = said.identities()[0]
    owner = Identity(born.time, born.replica, born.path, Workload("agent"), "r1", "rule")
    pipeline = Pipeline(Policy())
    for record in [
        owner,
        *records,
        Tick(born.replica.node, records[-1].end if isinstance(records[-1], Window) else records[-1].time),
    ]:
        pipeline.feed(record)
    found = recorded(pipeline.known(), "agent")
    assert found is not None
    return found


def test_an_agents_start_is_in_the_inventory(sensor, box, home):
    box.python(AGENT, str(home))
    found = history(sensor.all_of(box))
    by_name = {(i.kind, i.name): i for i in found.items}
    langchain = by_name["framework", "langchain"]
    assert (langchain.version, langchain.basis) == ("0.2.3", "verified")
    # The kernel opens the blob behind the link: content and repository are known, the revision is not.
    hub = by_name["model", "org/name"]
    assert (hub.version, hub.more["blob"], hub.basis) == ("unknown", f"sha256:{BLOB}", "inferred")
    assert by_name["skill", "CLAUDE.md"].basis == "verified" and by_name["mcp", "mcp-demo"].more["transport"] == "stdio"


def test_the_model_of_a_worker_ends_with_it_and_so_does_a_server(sensor, box, home):
    box.python(AGENT, str(home))
    said = sensor.all_of(box)
    found = history(said)
    spans = {i.name: i.held[0].spans[-1] for i in found.items}
    [opened] = [e for e in said.events("open") if "worker-model" in e.data["path"]]
    [ended] = [e for e in said.events("exit") if e.data["pid"] == opened.data["pid"]]
    assert spans["worker-model"] == (opened.time, ended.time)
    assert spans["mcp-demo"][1] is not None and spans["mcp-demo"][1] < spans["worker-model"][1]
    assert spans["org/name"][1] is None or spans["org/name"][1] > spans["worker-model"][1]
    assert isinstance(changes(found), list)


def test_versions_are_read_from_the_process_that_opened_the_code(lab, home):
    """One package of a process is as its RECORD says, in another a file was patched after it was installed."""
    site = home / "lib/site-packages"
    for name, text in (("good", "one"), ("patched", "two")):
        (site / name).mkdir()
        (site / name / "__init__.py").write_text(text + " = 1")
        dist = site / f"{name}-1.5.dist-info"
        dist.mkdir()
        size = 7 if name == "good" else 3
        (dist / "RECORD").write_text(f"{name}/__init__.py,sha256=x,{size}\n")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import good, patched; sys.stdin.read()"
    with lab.sensor(digest=True) as sensor:
        box = sensor.cgroup()
        process = box.start(PYTHON, "-S", "-E", "-c", code, str(site), stdin=subprocess.PIPE)
        until(lambda: len(sensor.of(box).events("package")) >= 2, "both packages")
        process.communicate()
        found = {i.name: i for i in history(sensor.all_of(box)).items}
    assert {n: (i.version, i.basis, i.more["record"]) for n, i in found.items() if n in ("good", "patched")} == {
        "good": ("1.5", "verified", "1 files as installed"),
        "patched": ("1.5", "verified", "1 of 1 files differ"),
    }
