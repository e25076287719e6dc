"""Agents that were there before the sensor: by what it remembers, or by what their memory still shows."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy  # noqa: F401 - compiled code of a package that this process has mapped

from sensor import adopt
from sensor.observe.agents import Agents
from tests.factories import replica

OPENAI = "/l/site-packages/openai/__init__.py"


class Known:
    """Plays an observer that remembers what one replica opened."""

    def __init__(self):
        self.replicas = {1: SimpleNamespace(replica=replica(1)), 2: SimpleNamespace(replica=replica(2))}

    def opened(self):
        yield self.replicas[1], OPENAI


def test_compiled_code_of_packages_is_found_in_the_memory_of_a_cgroups_processes(tmp_path):
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n999999999\n")
    assert any("/numpy/" in path for path in adopt.mapped(tmp_path))
    assert list(adopt.mapped(tmp_path / "gone")) == [] == list(adopt.mapped(None))


def test_a_restarted_sensor_knows_its_agents_by_what_it_remembers(monkeypatch):
    monkeypatch.setattr(adopt, "mapped", lambda directory: [OPENAI.replace("openai", "jiter")])
    for fresh, expected in ((False, [replica(1)]), (True, [replica(1), replica(2)])):
        agents = Agents(("auto",))
        adopt.agents(agents, Known(), lambda r: Path("/x"), fresh=fresh)
        assert list(agents) == expected


def test_nobodys_memory_is_looked_at_where_code_does_not_decide(monkeypatch):
    def refused(directory):
        raise AssertionError("not asked for")

    monkeypatch.setattr(adopt, "mapped", refused)
    agents = Agents(("all",))
    adopt.agents(agents, Known(), lambda r: Path("/x"), fresh=True)
    assert len(list(agents)) == 2
