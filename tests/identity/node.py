"""A clean node on this machine: containerd with CRI in a cgroup, mount and network namespace of its own.

Its cgroup is one fresh directory, which the node sees as the whole of cgroup v2; writing to that directory's cgroup.kill
ends everything the node ever started. Images are built from busybox, no registry is asked. Pods that want a network of
their own get one on a bridge, where Debian's containernetworking-plugins are installed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.waiting import DEADLINE

PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "busybox", "unshare")
PACKAGES = "containerd, runc and busybox-static"
IMAGE = "docker.io/driftline/busybox:1"
NONE: Mapping = MappingProxyType({})
START = DEADLINE  # seconds, for a machine that does other things too


@dataclass(frozen=True, slots=True)
class Runtime:
    """What containerd has containers made by."""

    program: str = "runc"
    limits: bool = False  # whether it is given limits to set, which takes cgroup v2 with controllers


RUNC = Runtime()

ENTER = """
[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/system.slice/node
echo $$ > /sys/fs/cgroup/system.slice/node/cgroup.procs
for d in /run/containerd /run/netns /run/runc; do mkdir -p $d; mount -t tmpfs t $d; done
mount -t tmpfs t /var/lib
mount --make-shared /run/netns
exec "$@"
"""

CONFIG = """
version = 2
root = "{base}/root"
state = "/run/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{base}/cri.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "{base}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "{runtime}"
"""

NETWORK = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "type": "bridge",
    "bridge": "pods0",
    "isDefaultGateway": True,
    "ipam": {"type": "host-local", "subnet": "10.85.0.0/16"},
}
PLUGINS = "/usr/lib/cni"

# Where cgroup v2 stands without controllers, the runtime is given no limits to set.
WRAPPER = """#!/bin/sh
case " $* " in *" create "*) {python} -ISE {base}/without.py "$@" ;; esac
exec {runtime} "$@"
"""
WITHOUT = """
import json, sys
file = sys.argv[sys.argv.index("--bundle") + 1] + "/config.json"
with open(file) as f:
    spec = json.load(f)
for key in ("cpu", "memory", "pids", "hugepageLimits", "blockIO", "unified"):
    spec["linux"].get("resources", {}).pop(key, None)
spec["process"].pop("oomScoreAdj", None)
with open(file, "w") as f:
    json.dump(spec, f)
"""


def missing() -> str:
    """What this machine lacks for a node; "" for nothing."""
    if os.geteuid() != 0:
        return "root"
    if hierarchy() is None:
        return "a cgroup v2 mount"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    absent = [program for program in PROGRAMS if not shutil.which(program, path=path)]
    return f"{', '.join(absent)} (Debian packages {PACKAGES})" if absent else ""


def hierarchy() -> Path | None:
    """Where cgroup v2 is mounted."""
    lines = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return next((Path(point) for _, point, kind, *_ in lines if kind == "cgroup2"), None)


class Node:
    """A running node: `cgroup` is its root directory of cgroup v2, `socket` its CRI, `pid` a process in its network."""

    def __init__(self, base: Path, cgroup: Path, pid: int) -> None:
        from cri_api.v1 import api_pb2, api_pb2_grpc
        from grpc import insecure_channel

        self.cgroup, self.socket, self.pid, self.api = cgroup, str(base / "cri.sock"), pid, api_pb2
        self.cri = api_pb2_grpc.RuntimeServiceStub(insecure_channel(f"unix://{self.socket}"))

    def pod(self, name: str, uid: str, labels: dict[str, str], *, own_network: bool = False, privileged: bool = False):
        """Starts a pod in namespace shop; returns its sandbox's id and configuration."""
        api = self.api
        network = api.NamespaceOption(network=api.POD if own_network else api.NODE)
        security = api.LinuxSandboxSecurityContext(namespace_options=network, privileged=privileged)
        linux = api.LinuxPodSandboxConfig(cgroup_parent=f"/kubepods/burstable/pod{uid}", security_context=security)
        kubernetes = {
            "io.kubernetes.pod.name": name,
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.pod.uid": uid,
        }
        metadata = api.PodSandboxMetadata(name=name, uid=uid, namespace="shop")
        config = api.PodSandboxConfig(metadata=metadata, labels=kubernetes | labels, linux=linux)
        return self.cri.RunPodSandbox(api.RunPodSandboxRequest(config=config), timeout=START).pod_sandbox_id, config

    def container(
        self, pod, name: str, *command: str, attempt: int = 0, limits: Mapping = NONE, filtered: bool = False
    ) -> str:
        """Starts a container in a pod; returns its id.

        Args:
            limits: Members of CRI's LinuxContainerResources.
            filtered: Whether it has the runtime's own seccomp filter.
        """
        api, (sandbox, pod_config) = self.api, pod
        above = pod_config.linux.security_context
        config = api.ContainerConfig(
            metadata=api.ContainerMetadata(name=name, attempt=attempt),
            image=api.ImageSpec(image=IMAGE),
            command=command,
            linux=api.LinuxContainerConfig(
                resources=api.LinuxContainerResources(**limits) if limits else None,
                security_context=api.LinuxContainerSecurityContext(
                    namespace_options=above.namespace_options,
                    privileged=above.privileged,
                    seccomp=api.SecurityProfile(profile_type=0 if filtered else 1),  # the runtime's, or none
                ),
            ),
        )
        request = api.CreateContainerRequest(pod_sandbox_id=sandbox, config=config, sandbox_config=pod_config)
        found = self.cri.CreateContainer(request, timeout=START).container_id
        self.cri.StartContainer(api.StartContainerRequest(container_id=found), timeout=START)
        return found

    def remove(self, pod) -> None:
        self.cri.StopPodSandbox(self.api.StopPodSandboxRequest(pod_sandbox_id=pod[0]), timeout=START)
        self.cri.RemovePodSandbox(self.api.RemovePodSandboxRequest(pod_sandbox_id=pod[0]), timeout=START)

    def cgroups(self) -> dict[str, int]:
        """Cgroups of pods that hold processes: path as the node sees it → id, which is the directory's inode."""
        found = {}
        for directory in self.cgroup.glob("kubepods/*/*/*"):
            try:
                if (directory / "cgroup.procs").read_text():
                    found["/" + str(directory.relative_to(self.cgroup))] = directory.stat().st_ino
            except OSError:  # it went while we looked
                continue
        return found


@contextmanager
def started(programs: Mapping[str, Path] = NONE, runtime: Runtime = RUNC) -> Iterator[Node]:
    """A node that has its image, with `programs` in /bin; nothing of it is left afterwards, whatever happens."""
    base = Path(tempfile.mkdtemp(prefix="dl-"))  # short: a socket's path has at most 107 bytes
    cgroup = hierarchy() / f"driftline-{base.name}"
    cgroup.mkdir()
    process = None
    try:
        with open(base / "log", "wb") as log:
            process = _start(base, cgroup, log, programs, runtime)
            if runtime.limits:
                _control(cgroup, process)
            _wait_for(base, process)
        yield Node(base, cgroup, process.pid)
    finally:
        _end(cgroup)
        if process is not None:
            process.wait(START)
        shutil.rmtree(base, ignore_errors=True)


def _start(base: Path, cgroup: Path, log, programs: Mapping[str, Path], runtime: Runtime) -> subprocess.Popen:
    """In a process namespace too, so that the kernel reaps whatever the node leaves."""
    (base / "config.toml").write_text(
        CONFIG.format(base=base, image=IMAGE, plugins=PLUGINS, runtime=_runtime(base, runtime))
    )
    (base / "cni").mkdir()
    (base / "cni/pods.conf").write_text(json.dumps(NETWORK | {"ipam": NETWORK["ipam"] | {"dataDir": f"{base}/ipam"}}))
    _image(base / "image.tar", {"busybox": _busybox()} | dict(programs))
    inner = ["bash", "-ec", ENTER, "enter", "containerd", "--config", f"{base}/config.toml"]
    outer = f'echo $$ > {cgroup}/cgroup.procs; exec unshare -C -m -n -p -f --mount-proc --propagation private "$@"'
    command = ["bash", "-ec", outer, "outer", *inner]
    return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def _runtime(base: Path, runtime: Runtime) -> str:
    """Path of the program that containerd is to call."""
    found = shutil.which(runtime.program, path=f"{os.environ['PATH']}:/usr/sbin")
    if runtime.limits:
        return found
    (base / "without.py").write_text(WITHOUT)
    (base / "runtime").write_text(WRAPPER.format(python=sys.executable, base=base, runtime=found))
    (base / "runtime").chmod(0o755)
    return f"{base}/runtime"


def _control(cgroup: Path, process: subprocess.Popen) -> None:
    """Controllers for what is below a cgroup, which then may hold no process itself: not the one either that waits for the node."""
    home, until = cgroup / "system.slice/node/cgroup.procs", time.monotonic() + START
    while not (home.exists() and home.read_text()) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
    home.write_text(str(process.pid))
    (cgroup / "cgroup.subtree_control").write_text("+cpu +memory +pids")


def _wait_for(base: Path, process: subprocess.Popen) -> None:
    """Until containerd takes the image. Raises RuntimeError with its log."""
    until = time.monotonic() + START
    command = ["ctr", "-a", f"{base}/cri.sock", "-n", "k8s.io", "images", "import", f"{base}/image.tar"]
    while time.monotonic() < until and process.poll() is None:
        if (base / "cri.sock").exists() and subprocess.run(command, capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"containerd did not start: {(base / 'log').read_text()[-2000:]}")


def _busybox() -> Path:
    return Path(os.path.realpath(shutil.which("busybox")))


def _image(file: Path, programs: Mapping[str, Path]) -> None:
    """An image of static programs, in Docker's archive format; it also serves as the pause image."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name, program in programs.items():
            tar.add(program, f"bin/{name}")
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64",
        "os": "linux",
        "config": {"Entrypoint": ["/bin/busybox", "sleep", "3600"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    parts = {"config.json": json.dumps(config), "manifest.json": json.dumps(manifest), "layer.tar": layer.getvalue()}
    with tarfile.open(file, "w") as tar:
        for name, data in parts.items():
            member = tarfile.TarInfo(name)
            data = data.encode() if isinstance(data, str) else data
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def _end(cgroup: Path) -> None:
    """Kills what runs in our cgroup, and removes it."""
    (cgroup / "cgroup.kill").write_text("1")
    until = time.monotonic() + START
    while "populated 0" not in (cgroup / "cgroup.events").read_text() and time.monotonic() < until:
        time.sleep(0.02)
    for directory in sorted((d for d in cgroup.rglob("*") if d.is_dir()), key=lambda d: len(d.parts), reverse=True):
        directory.rmdir()
    cgroup.rmdir()
