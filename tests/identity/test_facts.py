"""What labels say of a container, through each runtime that has labels."""

import pytest

from sensor.identity import cri, docker
from sensor.identity.facts import agent_of
from sensor.identity.owners import LabelOwners


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        pytest.param({"driftline.io/agent": "true"}, True, id="yes"),
        pytest.param({"driftline.agent": "FALSE"}, False, id="no"),
        pytest.param({"driftline.agent": "maybe"}, None, id="neither"),
        pytest.param({"driftline.agent": 1}, None, id="no-text"),
        pytest.param({}, None, id="nothing"),
        pytest.param(None, None, id="no-labels"),
        pytest.param(["driftline.agent"], None, id="no-mapping"),
    ],
)
def test_a_label_says_who_is_an_agent(labels, said):
    assert agent_of(labels) is said


def test_docker_and_kubernetes_hand_the_label_on():
    told = {"Id": "a", "Name": "/x", "Config": {"Labels": {"driftline.agent": "true"}}}
    assert docker.inspected(told, "a", "docker", "docker").agent is True
    pod = {"namespace": "shop", "name": "cart", "labels": {"driftline.io/agent": "false"}}
    assert cri.facts_of({"name": "main", "pod": pod}, "lab", LabelOwners()).agent is False
