from __future__ import annotations

import itertools
import json
import socket
import threading
from types import SimpleNamespace

import pytest

from sensor.identity import docker
from sensor.identity.docker import Api, docker_state, inspected, podman_state
from sensor.identity.facts import SourceError
from tests.identity import runtimes

A, B = "a1" * 32, "b2" * 32
COMPOSE = {"com.docker.compose.project": "shop", "com.docker.compose.service": "cart"}


def document(name="/web", labels=None, **changes):
    return {
        "Id": A,
        "Name": name,
        "Image": "sha256:beef",
        "Config": {"Image": "shop/cart:2", "Labels": labels},
    } | changes


WORKLOADS = [
    pytest.param(document("/shop-cart-1", COMPOSE), "docker/shop/Compose/cart/cart", id="compose-replica"),
    pytest.param(document("/shop_cart_2", COMPOSE), "docker/shop/Compose/cart/cart", id="compose-v1-replica"),
    pytest.param(document("/mine", COMPOSE), "docker/shop/Compose/cart/mine", id="compose-own-name"),
    pytest.param(
        document("/web.1.x", {"com.docker.swarm.service.name": "web"}),
        "docker/-/Swarm/web/web",
        id="swarm-without-stack",
    ),
    pytest.param(document("/web"), "docker/default/Container/web/web", id="plain"),
    pytest.param(document("/a/b\n"), "docker/default/Container/a\\x2fb\\x0a/a\\x2fb\\x0a", id="hostile-name"),
    pytest.param(document(""), None, id="no-name"),
    pytest.param(document("/x", ["no", "mapping"]), "docker/default/Container/x/x", id="labels-of-another-type"),
]


@pytest.mark.parametrize(("told", "workload"), WORKLOADS)
def test_workload_is_what_labels_or_name_say(told, workload):
    found = inspected(told, A, "docker", "docker")
    assert found.workload == workload
    assert (found.image, found.revision) == ("shop/cart:2", "sha256:beef")


def test_api_answers_of_a_container(tmp_path):
    with runtimes.docker(tmp_path / "s", {A: document(), B: document()}):
        api = Api(str(tmp_path / "s"), source="docker", realm="docker@1000")
        assert api.fetch(A).workload == "docker@1000/default/Container/web/web"
        assert api.fetch("c3" * 32) is None
        assert api.fetch("../../info") is None
        assert api.fetch(B) is None, "an answer about another container"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((500, b"{}"), id="error"),
        pytest.param((200, b"not json"), id="no-json"),
        pytest.param((200, b"[" * 100_000), id="nested-too-deep"),
        pytest.param((200, b" " * (docker.LONGEST + 1)), id="too-long"),
    ],
)
def test_answer_that_cannot_be_used_is_an_error_of_the_source(tmp_path, answer):
    with runtimes.docker(tmp_path / "s", {A: answer}), pytest.raises(SourceError, match=str(tmp_path)):
        Api(str(tmp_path / "s"), source="docker", realm="docker").fetch(A)


def test_peer_that_says_nothing_is_left_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(docker, "PATIENCE", 0.1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(SourceError):
            Api(str(tmp_path / "s"), source="docker", realm="docker").fetch(A)


def test_peer_that_drips_is_left_soon(tmp_path, monkeypatch):
    looks = itertools.count(step=docker.PATIENCE / 4)  # a clock that moves when it is looked at
    monkeypatch.setattr(docker, "time", SimpleNamespace(monotonic=lambda: next(looks)))
    done = threading.Event()

    def drip(server):
        peer, _ = server.accept()
        peer.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        with peer:
            while not done.wait(0.02):
                try:
                    peer.send(b" ")
                except OSError:
                    return

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        with pytest.raises(SourceError, match="beyond"):
            Api(str(tmp_path / "s"), source="docker", realm="docker").fetch(A)
        done.set()


def test_state_files_speak_where_no_socket_does(tmp_path):
    (tmp_path / "containers" / A).mkdir(parents=True)
    file = tmp_path / "containers" / A / "config.v2.json"
    file.write_text(json.dumps({"ID": A, "Name": "/shop-cart-1", "Config": {"Labels": COMPOSE}}))
    assert docker_state(str(tmp_path), A).workload == "docker/shop/Compose/cart/cart"
    file.write_text("{")
    assert docker_state(str(tmp_path), A) is None
    file.unlink()
    file.symlink_to("/etc/passwd")
    assert docker_state(str(tmp_path), A) is None


def test_podmans_storage_tells_name_and_image(tmp_path):
    (tmp_path / "overlay-containers").mkdir()
    stored = {"id": A, "names": ["web"], "image": "beef", "metadata": json.dumps({"image-name": "shop/cart:2"})}
    (tmp_path / "overlay-containers" / "containers.json").write_text(json.dumps([{"id": B}, 3, stored]))
    found = podman_state(str(tmp_path), A)
    assert (found.workload, found.image) == ("podman/default/Container/web/web", "shop/cart:2")
    assert podman_state(str(tmp_path), "c3" * 32) is None
