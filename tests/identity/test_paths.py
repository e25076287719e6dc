"""Paths as they are on real machines, and paths made to mislead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.identity.paths import Place, of_process, parse

A, B = "a1" * 32, "b2" * 32
UID = "0f7a3c8e-1d2b-4c5d-8e9f-001122334455"
SLICED = UID.replace("-", "_")
POD = {"pod_uid": UID, "qos": "burstable"}
KUBE = "/kubepods.slice/kubepods-burstable.slice"
KIND = f"/docker/{A}/kubelet/kubepods/burstable/pod{UID}/{B}"
SESSION = "/user.slice/user-1000.slice/user@1000.service"

PATHS = [
    pytest.param(f"/kubepods/burstable/pod{UID}/{A}", {"container": A} | POD, id="kubernetes-cgroupfs"),
    pytest.param(f"/kubepods/pod{UID}/{A}", {"container": A, "qos": "guaranteed"}, id="kubernetes-cgroupfs-guaranteed"),
    pytest.param(
        f"/kubepods/besteffort/pod{'c' * 32}/crio-{A}",
        {"container": A, "runtime": "crio", "pod_uid": "c" * 32, "qos": "besteffort"},
        id="crio-cgroupfs-static-pod",
    ),
    pytest.param(
        f"{KUBE}/kubepods-burstable-pod{SLICED}.slice/cri-containerd-{A}.scope",
        {"container": A, "runtime": "containerd"} | POD,
        id="kubernetes-systemd-containerd",
    ),
    pytest.param(
        f"{KUBE}/kubepods-burstable-pod{SLICED}.slice/crio-{A}.scope/container",
        {"container": A, "runtime": "crio"} | POD,
        id="kubernetes-systemd-crio-below",
    ),
    pytest.param(
        f"/kubepods.slice/kubepods-pod{SLICED}.slice/docker-{A}.scope",
        {"container": A, "runtime": "docker", "qos": "guaranteed"},
        id="kubernetes-systemd-docker",
    ),
    pytest.param(
        f"/system.slice/containerd.service/kubepods-burstable-pod{SLICED}.slice:cri-containerd:{A}",
        {"container": A, "runtime": "containerd"} | POD,
        id="containerd-with-the-kubelets-driver-mixed-up",
    ),
    pytest.param(f"/kubelet/kubepods/burstable/pod{UID}/{A}", {"container": A} | POD, id="kind-inside-its-node"),
    pytest.param(
        f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
        f"kubelet-kubepods-burstable-pod{SLICED}.slice/cri-containerd-{A}.scope",
        {"container": A, "runtime": "containerd"} | POD,
        id="kind-systemd-inside-its-node",
    ),
    pytest.param(f"/docker/{A}", {"container": A, "runtime": "docker"}, id="docker-cgroupfs"),
    pytest.param(f"/system.slice/docker-{A}.scope", {"container": A, "slice": "system.slice"}, id="docker-systemd"),
    pytest.param(f"/system.slice/nerdctl-{A}.scope", {"container": A, "runtime": "containerd"}, id="nerdctl-systemd"),
    pytest.param(f"/default/{A}", {"container": A, "namespace": "default"}, id="nerdctl-cgroupfs"),
    pytest.param("/default/shell", {"kind": "task", "container": "shell", "namespace": "default"}, id="ctr"),
    pytest.param(f"/machine.slice/libpod-{A}.scope/container", {"container": A, "runtime": "podman"}, id="podman"),
    pytest.param(f"/libpod_parent/libpod-{A}", {"container": A, "runtime": "podman"}, id="podman-cgroupfs"),
    pytest.param(f"/libpod_parent/{B}/libpod-{A}", {"container": A, "pod_uid": B}, id="podman-cgroupfs-pod"),
    pytest.param(
        f"/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope/container",
        {"container": A, "pod_uid": B},
        id="podman-pod",
    ),
    pytest.param(f"{SESSION}/user.slice/libpod-{A}.scope", {"container": A, "user": 1000}, id="podman-of-a-user"),
    pytest.param(f"{SESSION}/app.slice/chat.service", {"unit": "chat.service", "user": 1000}, id="unit-of-a-user"),
    pytest.param(SESSION, {"kind": "unit", "unit": "user@1000.service", "user": 1000}, id="user-manager"),
    pytest.param("/lxc.payload.web/system.slice/cron.service", {"container": "web", "runtime": "lxc"}, id="lxd"),
    pytest.param("/lxc/100/ns/init.scope", {"container": "100", "runtime": "lxc"}, id="lxc-proxmox"),
    pytest.param("/system.slice/cart.service", {"kind": "unit", "unit": "cart.service"}, id="unit"),
    pytest.param("/system.slice/cart.service/a/b.scope", {"unit": "cart.service"}, id="unit-with-cgroups-below"),
    pytest.param(
        "/system.slice/system-agent.slice/agent@blue.service",
        {"unit": "agent@blue.service", "slice": "system-agent.slice"},
        id="unit-instance",
    ),
    pytest.param("/system.slice/docker.service", {"kind": "unit", "unit": "docker.service"}, id="the-runtime-itself"),
    pytest.param("/user.slice/user-0.slice/session-3.scope", {"kind": "scope", "slice": "user-0.slice"}, id="session"),
    pytest.param("/init.scope", {"kind": "scope", "unit": "init.scope"}, id="init"),
    pytest.param("/system.slice", {"kind": "slice", "slice": "system.slice"}, id="slice"),
    pytest.param(f"/kubepods/pod{UID}", {"kind": "pod", "container": ""}, id="pod-without-container"),
    pytest.param(
        f"{KUBE}/kubepods-burstable-pod{SLICED}.slice/crio-conmon-{A}.scope",
        {"kind": "runtime", "container": ""},
        id="crio-conmon-is-no-container",
    ),
    pytest.param(f"/machine.slice/libpod-conmon-{A}.scope", {"kind": "runtime", "container": ""}, id="podman-conmon"),
    pytest.param("/lxc.monitor.web", {"kind": "runtime", "container": ""}, id="lxc-monitor"),
]


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_path_names_its_owner(path, expected):
    place = parse(path)
    kind = {"kind": "container"} if expected.get("container") and "kind" not in expected else {}
    expected = kind | expected
    assert {key: getattr(place, key) for key in expected} == expected
    assert path.startswith(place.base)


HOSTILE = [
    pytest.param(f"/docker/{A}/docker/{B}", {"container": A}, id="nested-like-docker"),
    pytest.param(f"/docker/{A}/docker-{B}.scope", {"container": A}, id="nested-like-a-scope"),
    pytest.param(f"/kubepods/pod{UID}/{A}/{B}", {"container": A}, id="nested-bare-id"),
    pytest.param(KIND, {"container": A, "pod_uid": ""}, id="nested-like-a-kind-node"),
    pytest.param(f"/system.slice/x.service/docker/{B}", {"unit": "x.service", "container": ""}, id="unit-as-docker"),
    pytest.param("/system.slice/x.service/user@0.service/y.service", {"unit": "x.service"}, id="unit-as-manager"),
    pytest.param(f"/default/shell/docker/{B}", {"container": "shell"}, id="ctr-as-docker"),
    pytest.param(f"/lab/{'x' * 255}/docker/{B}", {"kind": "task", "namespace": "lab"}, id="unknown-as-docker"),
    pytest.param(f"/lab/docker-{B}.scope", {"kind": "task", "runtime": "containerd"}, id="scope-below-an-unknown"),
    pytest.param(f"{SESSION}/user@0.service/x.service", {"user": 1000, "unit": "user@0.service"}, id="user-as-root"),
    pytest.param(f"{SESSION}/kubepods/pod{UID}/{B}", {"container": B, "user": 1000}, id="user-as-pod-stays-a-user"),
    pytest.param(f"/docker/{A}{'/x' * 5000}", {"container": A}, id="too-long-after-the-container"),
    pytest.param(f"/docker/x{A}", {"kind": "other", "container": ""}, id="id-inside-a-name"),
    pytest.param(f"/docker/{A[:-1]}", {"kind": "other", "container": ""}, id="id-too-short"),
    pytest.param(f"/docker/{A}\n", {"container": ""}, id="id-with-a-newline"),
    pytest.param(f"/pod{UID}/{A}", {"pod_uid": ""}, id="pod-outside-kubepods"),
    pytest.param(f"/../../docker/{A}", {"kind": "other"}, id="outside-the-namespace"),
    pytest.param(f"/docker/../docker/{A}", {"kind": "other"}, id="dots-within"),
    pytest.param("", {"kind": "other"}, id="empty"),
    pytest.param("/", {"kind": "other"}, id="root"),
    pytest.param("docker", {"kind": "other"}, id="relative"),
]


@pytest.mark.parametrize(("path", "expected"), HOSTILE)
def test_hostile_path_is_never_somebody_elses(path, expected):
    place = parse(path)
    assert {key: getattr(place, key) for key in expected} == expected
    assert place.container != B or place.user is not None


def test_pods_of_a_nested_node_are_seen_where_the_settings_name_the_node():
    assert parse(KIND, ("/docker/*",)).container == B
    assert parse(f"/docker/{A}/init.scope/x", (f"/docker/{A}",)).unit == "init.scope"
    assert parse(f"/docker/{A}", ("/docker/*",)).container == A
    assert parse(KIND, ("/podman/*",)).container == A


@given(st.text(st.sampled_from("/.ab\x00\n@-:"), max_size=60))
def test_any_text_is_read_without_error(text):
    assert isinstance(parse(text), Place)


@given(st.lists(st.text(max_size=20), max_size=6))
def test_nothing_below_a_container_changes_its_owner(below):
    parts = [part.replace("/", "") for part in below]
    path = "/".join([f"/system.slice/docker-{A}.scope", *(p for p in parts if p not in ("", ".", ".."))])
    assert parse(path).container == A


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("0::/system.slice/a.service\n", "/system.slice/a.service", id="v2"),
        pytest.param(
            "3:cpu:/x\n1:name=systemd:/system.slice/a.service\n0::/\n", "/system.slice/a.service", id="hybrid"
        ),
        pytest.param("1:name=systemd:/a.scope\n0::/b.scope\n", "/b.scope", id="hybrid-with-v2-used"),
        pytest.param(f"0::/docker/{A} (deleted)\n", f"/docker/{A}", id="removed"),
        pytest.param("2:cpu:/x\n", "/", id="v1-only"),
        pytest.param("0::/a:b:c\n", "/a:b:c", id="colons"),
        pytest.param("", "/", id="empty"),
    ],
)
def test_path_of_a_process_is_read_from_its_cgroup_file(text, path):
    assert of_process(text) == path
