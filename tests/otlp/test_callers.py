"""The kernel says who speaks. What a sender says of itself is noted, and told where it contradicts the kernel."""

from __future__ import annotations

import pytest

from classifier.otlp.callers import conflicts, names_of
from tests.factories import identity
from tests.otlp import golden
from tests.otlp.bodies import span, traces
from tests.otlp.test_conventions import told

UID = "0aa1b2c3-1111-2222-3333-444455556666"
POD = identity(
    path=f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-abc.scope",
    pod="shop/cart-7d9-x2",
    name="cart",
    container="abcdef0123456789" * 4,
)
OTHERS = set().union(
    *map(names_of, ("lab/shop/Deployment/cart/cart", "lab/shop/Deployment/pay/app", "unit:backup.service"))
)


@pytest.mark.parametrize(
    ("claims", "wanted"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param(
            {"k8s.pod.uid": UID, "k8s.pod.name": "cart-7d9-x2", "k8s.namespace.name": "shop"}, (), id="all-true"
        ),
        pytest.param({"k8s.pod.uid": UID.replace("0", "9")}, ("k8s.pod.uid",), id="another-pod"),
        pytest.param({"k8s.pod.name": "pay-1"}, ("k8s.pod.name",), id="another-name"),
        pytest.param({"k8s.namespace.name": "bank"}, ("k8s.namespace.name",), id="another-namespace"),
        pytest.param({"container.id": "abcdef012345"}, (), id="short-container-id"),
        pytest.param({"container.id": "a"}, ("container.id",), id="too-short-to-tell"),
        pytest.param({"container.id": "fe" * 32}, ("container.id",), id="another-container"),
        pytest.param({"k8s.container.name": "sidecar"}, ("k8s.container.name",), id="another-container-name"),
        pytest.param({"service.name": "cart"}, (), id="its-own-name"),
        pytest.param({"service.name": "checkout-frontend"}, (), id="a-name-of-its-own-choice"),
        pytest.param({"service.name": "pay"}, ("service.name",), id="another-workloads-name"),
        pytest.param({"service.name": "backup"}, ("service.name",), id="a-units-name"),
        pytest.param({"service.name": 7, "k8s.pod.uid": ["x"]}, (), id="no-texts"),
    ],
)
def test_only_what_contradicts_the_kernel_is_a_conflict(claims, wanted):
    assert conflicts(claims, POD, lambda: OTHERS) == wanted


def test_where_the_kernel_says_nothing_there_is_no_conflict():
    claims = {"k8s.pod.uid": UID, "k8s.pod.name": "x", "container.id": "fe" * 32}
    assert conflicts(claims, identity(path="/system.slice/cart.service"), set) == ()


def test_a_conflict_stands_in_the_event_and_the_kernels_replica_with_it():
    request = traces(span(attributes=golden.NEW), resource={"service.name": "pay"})
    (found,) = told(request)
    assert (found.data["conflict"], found.data["service"]) == ("service.name", "pay")
    assert found.replica == identity().replica
    assert "conflict" not in told(traces(span(attributes=golden.NEW), resource={"service.name": "cart"}))[0].data
