from __future__ import annotations

import pytest

from sensor.identity import cri
from sensor.identity.cri import Cri, facts_of
from sensor.identity.facts import SourceError
from sensor.identity.owners import LabelOwners
from tests.identity import runtimes

A, P = "a1" * 32, "b2" * 32
POD = {"sandbox": True, "namespace": "shop", "name": "cart-7c9-abcde", "labels": {"pod-template-hash": "7c9"}}
CART = {"name": "cart", "image": "shop/cart:2", "ref": "sha256:beef", "labels": {}, "pod": POD}


def facts(answer):
    return facts_of(answer, "lab", LabelOwners())


def test_container_of_a_deployment_has_its_key_and_revision():
    found = facts(CART)
    assert (found.workload, found.revision) == ("lab/shop/Deployment/cart/cart", "7c9")
    assert (found.pod, found.name, found.image) == ("shop/cart-7c9-abcde", "cart", "shop/cart:2")


def test_image_stands_in_where_labels_carry_no_revision():
    assert facts(CART | {"pod": POD | {"labels": {}}}).revision == "sha256:beef"


def test_sandbox_belongs_to_the_owner_of_its_pod():
    """It had no workload, so each pod that began left one more `unresolved:<cgroup id>` behind (#5)."""
    found = facts(POD)
    assert (found.name, found.workload, found.pod) == ("POD", "lab/shop/Deployment/cart/POD", "shop/cart-7c9-abcde")
    assert found.revision == "7c9"
    assert facts(POD | {"labels": {"driftline.io/agent": "true"}}).agent is None, "the agent is another container"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(CART | {"pod": None}, id="pod-gone"),
        pytest.param(CART | {"pod": POD | {"name": "cart-abcde"}}, id="name-cut"),
        pytest.param(CART | {"pod": {"labels": ["x"], "name": 3}}, id="other-types"),
    ],
)
def test_container_whose_owner_is_not_told_has_no_workload(answer):
    assert facts(answer).workload is None
    assert facts(answer).name == "cart"


def test_hostile_names_stay_one_part_and_bounded():
    found = facts(CART | {"name": "x/y\x1b[31m" + "z" * 5000})
    assert found.workload.count("/") == 4
    assert "\x1b" not in found.workload + found.name
    assert len(found.name) == 512


@pytest.fixture
def client(tmp_path, monkeypatch):
    pytest.importorskip("cri_api")
    monkeypatch.setattr(cri, "PATIENCE", 60.0)  # seconds; the child of a busy machine begins late
    client = Cri(str(tmp_path / "cri.sock"), cluster="lab", owners=LabelOwners(), idle=30)
    yield client
    client.close()


def test_child_asks_a_real_socket(tmp_path, client):
    sandboxes = {P: runtimes.pod("cart-7c9-abcde", {"pod-template-hash": "7c9"})}
    with runtimes.cri(tmp_path / "cri.sock", {A: runtimes.container("cart", P)}, sandboxes):
        assert client.fetch(A).workload == "lab/shop/Deployment/cart/cart"
        assert client.fetch(P).name == "POD"
        assert client.fetch(A[:12]) is None, "a part of an id is another id"
        client._child.kill()
        assert client.fetch(A).pod == "shop/cart-7c9-abcde", "another child takes over"


def test_idle_child_leaves_and_comes_back(tmp_path, client):
    client._idle = 0.3
    with runtimes.cri(tmp_path / "cri.sock", {}, {}):
        assert client.fetch(A) is None
        assert client._child.wait(timeout=60) == 0
        assert client.fetch(A) is None


def test_socket_without_a_server_is_an_error_of_the_source(tmp_path, client):
    with pytest.raises(SourceError, match="UNAVAILABLE"):
        client.fetch(A)


def test_machine_without_grpc_says_what_to_install(client, monkeypatch):
    monkeypatch.setattr(client, "_start", lambda: _child("raise SystemExit(3)"))
    with pytest.raises(SourceError, match=r"install driftline\[cri\]"):
        client.fetch(A)


@pytest.mark.parametrize(
    ("says", "reason"), [("print('{')", "Expecting"), ("print('3')", "no object"), ("print('x' * 2**21)", "1 MiB")]
)
def test_child_that_talks_nonsense_is_replaced(client, monkeypatch, says, reason):
    monkeypatch.setattr(client, "_start", lambda: _child(f"import time; {says}; time.sleep(600)"))
    with pytest.raises(SourceError, match=reason):
        client.fetch(A)
    assert client._child is None


def test_child_that_begins_slowly_is_waited_for(tmp_path, client, monkeypatch):
    """It was ended after each question that it was too late for, so on a machine that is slow for long it never was there (#5)."""
    gate, code = tmp_path / "gate", "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
    code += "print('{}')\nfor line in sys.stdin: print('{}')"
    begun = []
    monkeypatch.setattr(client, "_start", lambda: begun.append(1) or _child(code, str(gate)))
    monkeypatch.setattr(cri, "PATIENCE", 0.05)
    for _ in range(3):
        with pytest.raises(SourceError, match="still begins"):
            client.fetch(A)
    monkeypatch.setattr(cri, "PATIENCE", 60.0)
    gate.touch()
    assert client.fetch(A) is None and len(begun) == 1


def test_child_that_never_begins_is_replaced(client, monkeypatch):
    monkeypatch.setattr(cri, "PATIENCE", 0.05)
    monkeypatch.setattr(cri, "START", 0.0)
    monkeypatch.setattr(client, "_start", lambda: _child("import time; time.sleep(600)"))
    with pytest.raises(SourceError, match="no answer"):
        client.fetch(A)
    assert client._child is None


def _child(code: str, *arguments: str):
    import subprocess
    import sys

    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-uc", code, *arguments], bufsize=0, stdin=pipe, stdout=pipe)
