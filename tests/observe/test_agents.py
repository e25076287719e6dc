"""An agent is known by its code or by what a person says, and never by whom it talks to."""

import pytest

from sensor.observe.agents import Agents, talking
from tests.factories import replica

OPENAI = "/app/.venv/lib/python3.12/site-packages/openai/__init__.py"


@pytest.mark.parametrize(
    ("path", "package"),
    [
        pytest.param(OPENAI, "openai", id="code"),
        pytest.param("/l/site-packages/llama_index/core/x.pyc", "llama-index", id="spelled-as-a-module"),
        pytest.param("/l/dist-packages/anthropic-0.40.0.dist-info/METADATA", "anthropic", id="dist-info"),
        pytest.param("/a/node_modules/x/node_modules/@modelcontextprotocol/sdk/a.js", "@modelcontextprotocol/sdk", id="node"),
        pytest.param("/l/site-packages/jiter/jiter.cpython-311-x86_64-linux-gnu.so", "jiter", id="its-compiled-part"),
        pytest.param("/l/site-packages/torch/__init__.py", "", id="loads-weights"),
        pytest.param("/l/site-packages/openai_like/__init__.py", "", id="another-name"),
        pytest.param("/home/openai/anthropic/notes.txt", "", id="only-a-folder"),
        pytest.param("/a/node_modules/left-pad/index.js", "", id="other-node"),
    ],
)  # fmt: skip
def test_code_of_frameworks_that_talk_is_told_from_other_code(path, package):
    assert talking(path) == package


def agents(*wanted):
    made = Agents(wanted)
    made.seated(replica(1))
    made.seated(replica(2))
    return made


def test_by_default_who_opens_a_framework_is_an_agent_and_nobody_else():
    found = agents("auto")
    found.opened(replica(1), OPENAI)
    assert list(found) == [replica(1)]
    assert found.why(replica(1)) == "it opened code of openai"


def test_nobody_is_one_where_the_settings_say_none():
    found = agents("none")
    found.opened(replica(1), OPENAI)
    found.named(replica(2), "unit:a", True)
    assert list(found) == [] and not found.on


def test_all_are_where_the_settings_say_so_but_for_whom_a_label_denies_it():
    found = agents("all")
    found.named(replica(2), None, False)
    assert list(found) == [replica(1)]


def test_patterns_choose_by_the_workloads_name_alone():
    found = agents("lab/shop/*")
    found.opened(replica(1), OPENAI)
    found.named(replica(2), "lab/shop/Deployment/cart/cart", None)
    assert list(found) == [replica(2)]


def test_a_label_makes_one_and_takes_one_back():
    found = agents("auto")
    found.opened(replica(1), OPENAI)
    found.named(replica(1), "unit:a", False)
    found.named(replica(2), "unit:b", True)
    assert list(found) == [replica(2)]
    assert found.why(replica(2)) == "its label"


def test_who_asks_is_told_when_to_look_again():
    found = agents("auto")
    before = found.changes
    found.opened(replica(1), "/etc/hosts")
    found.named(replica(1), "unit:a", None)
    assert found.changes == before
    found.opened(replica(1), OPENAI)
    found.opened(replica(1), OPENAI)
    assert found.changes == before + 1


def test_an_ended_replica_is_forgotten():
    found = agents("auto", "unit:*")
    found.opened(replica(1), OPENAI)
    found.named(replica(1), "unit:a", True)
    found.forget(replica(1))
    found.seated(replica(1))
    assert replica(1) not in found
