"""The process that speaks CRI: container ids on standard input, one JSON line for each on standard output, and one before all: {}.

A process of its own, because grpcio costs 26 MiB resident, half of what the whole sensor may take. It leaves when
nobody has asked for a while, or when its parent closes the pipe. `python -m sensor.identity.cri_child SOCKET IDLE`
"""

from __future__ import annotations

import json
import os
import select
import sys

TIMEOUT = 2.0  # seconds per call


def main() -> int:
    """Answers until idle; 3: no gRPC here (the extra `cri` is not installed)."""
    try:
        client = Client(sys.argv[1])
    except ImportError:
        return 3
    _say({})
    rest = b""
    while select.select([0], [], [], float(sys.argv[2]))[0]:
        data = os.read(0, 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            _say(client.answer(line.decode()))
    return 0


def _say(answer: dict) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class Client:
    """CRI of one socket."""

    def __init__(self, socket: str) -> None:
        import grpc
        from cri_api.v1 import api_pb2, api_pb2_grpc

        self._api, self._error = api_pb2, grpc.RpcError
        options = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 4 << 20))
        self._runtime = api_pb2_grpc.RuntimeServiceStub(grpc.insecure_channel(f"unix://{socket}", options))

    def answer(self, container: str) -> dict:
        """What CRI knows of a container or sandbox; {} where it has none (yet)."""
        try:
            return self._container(container) or self._sandbox(container) or {}
        except self._error as e:
            return {"error": f"{e.code().name}: {e.details()}"[:512]}

    def _container(self, wanted: str) -> dict | None:
        filter = self._api.ContainerFilter(id=wanted)
        found = self._runtime.ListContainers(self._api.ListContainersRequest(filter=filter), timeout=TIMEOUT)
        for c in found.containers:
            if c.id == wanted:
                told = {"name": c.metadata.name, "image": c.image.user_specified_image or c.image.image}
                return told | {"ref": c.image_ref, "labels": _known(c.labels), "pod": self._sandbox(c.pod_sandbox_id)}
        return None

    def _sandbox(self, wanted: str) -> dict | None:
        filter = self._api.PodSandboxFilter(id=wanted)
        found = self._runtime.ListPodSandbox(self._api.ListPodSandboxRequest(filter=filter), timeout=TIMEOUT)
        for s in found.items:
            if s.id == wanted:
                told = {"namespace": s.metadata.namespace, "name": s.metadata.name, "uid": s.metadata.uid}
                return {"sandbox": True, "labels": _known(s.labels)} | told
        return None


def _known(labels: dict[str, str]) -> dict[str, str]:
    """Labels as plain strings, bounded."""
    return {key[:512]: value[:512] for key, value in sorted(labels.items())[:256]}


if __name__ == "__main__":
    sys.exit(main())
