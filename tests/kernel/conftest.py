"""Each test has a child cgroup of a cgroup that only this run made; a module shares one sensor where it can."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel import lab as labs
from tests.observe.capability import possible


def shared(fixture_name: str, config: pytest.Config) -> str:
    """Under emulation a load takes half a minute, so all modules share one sensor there."""
    return "session" if os.environ.get("DRIFTLINE_TEST_ONE_SENSOR") == "1" else "module"


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kernel)


@pytest.fixture(scope="session")
def programs(tmp_path_factory) -> Path:
    possible(labs.missing())
    return labs.build(tmp_path_factory.mktemp("programs"))


@pytest.fixture
def lab(tmp_path, programs) -> Iterator[labs.Lab]:
    made = labs.Lab(tmp_path, programs)
    yield made
    made.clear()


@pytest.fixture(scope=shared)
def module_lab(tmp_path_factory, programs) -> Iterator[labs.Lab]:
    made = labs.Lab(tmp_path_factory.mktemp("run"), programs)
    yield made
    made.clear()


@pytest.fixture(scope=shared)
def sensor(module_lab) -> Iterator[labs.Sensor]:
    """One sensor for a module. Removing its cgroups is the test's or, at the end, the lab's."""
    with module_lab.sensor() as running:
        assert set(running.agent.loaded.probes.values()) == {"on"}, running.agent.loaded.probes
        yield running


@pytest.fixture
def box(sensor) -> Iterator[labs.Cgroup]:
    """A fresh cgroup that the module's sensor observes."""
    made = sensor.cgroup()
    yield made
    made.remove()
