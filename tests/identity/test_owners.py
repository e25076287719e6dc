from __future__ import annotations

import pytest

from sensor.identity.facts import Pod
from sensor.identity.owners import LabelOwners

CASES = [
    pytest.param(
        "cart-v2-7c9f8d6b5-abcde",
        {"pod-template-hash": "7c9f8d6b5"},
        ("Deployment", "cart-v2", "7c9f8d6b5"),
        id="deployment",
    ),
    pytest.param(
        "cart-7c9-abcde",
        {"rollouts-pod-template-hash": "7c9"},
        ("Rollout", "cart", "7c9"),
        id="argo-rollout",
    ),
    pytest.param(
        "db-0",
        {"statefulset.kubernetes.io/pod-name": "db-0", "controller-revision-hash": "db-6c9d5b"},
        ("StatefulSet", "db", "6c9d5b"),
        id="statefulset",
    ),
    pytest.param(
        "db-12", {"apps.kubernetes.io/pod-index": "12"}, ("StatefulSet", "db", None), id="statefulset-by-index"
    ),
    pytest.param("log-x7k2p", {"controller-revision-hash": "5f6d"}, ("DaemonSet", "log", "5f6d"), id="daemonset"),
    pytest.param("sum-abcde", {"job-name": "sum"}, ("Job", "sum", None), id="job"),
    pytest.param("sum-0-abcde", {"batch.kubernetes.io/job-name": "sum"}, ("Job", "sum", None), id="indexed-job"),
    pytest.param("n-28391040-abcde", {"job-name": "n-28391040"}, ("CronJob", "n", None), id="cronjob"),
    pytest.param("debug", {}, ("Pod", "debug", None), id="bare-pod"),
]


@pytest.mark.parametrize(("name", "labels", "expected"), CASES)
def test_owner_is_read_from_labels_and_name(name, labels, expected):
    owner = LabelOwners().owner(Pod("shop", name, labels))
    assert (owner.kind, owner.name, owner.revision) == expected


def test_cronjob_is_said_to_be_inferred():
    assert LabelOwners().owner(Pod("shop", "x", {"job-name": "n-28391040"})).basis.startswith("inferred")


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        pytest.param("cart-other-abcde", {"pod-template-hash": "7c9"}, id="hash-not-in-name"),
        pytest.param("cart-7c9", {"pod-template-hash": "7c9"}, id="no-suffix"),
        pytest.param("-7c9-abcde", {"pod-template-hash": "7c9"}, id="no-name"),
        pytest.param("db", {"apps.kubernetes.io/pod-index": "0"}, id="no-ordinal"),
    ],
)
def test_owner_that_the_name_does_not_spell_is_not_guessed(name, labels):
    assert LabelOwners().owner(Pod("shop", name, labels)) is None
