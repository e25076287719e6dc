"""Runtimes for tests: Docker's API and CRI, each on a unix socket, answering from a table."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path


@contextmanager
def docker(path: Path, answers: dict[str, object]) -> Iterator[None]:
    """Docker's inspect: container id → document, or (status, bytes)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.split("/")[3], (404, b"{}"))
            status, body = found if isinstance(found, tuple) else (200, json.dumps(found).encode())
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return ""

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


@contextmanager
def cri(path: Path, containers: dict[str, dict], sandboxes: dict[str, dict]) -> Iterator[None]:
    """CRI's two lists: id → keyword arguments of Container and PodSandbox. The tables may change while it runs."""
    import grpc
    from cri_api.v1 import api_pb2 as api
    from cri_api.v1 import api_pb2_grpc

    class Runtime(api_pb2_grpc.RuntimeServiceServicer):
        def ListContainers(self, request, context):
            found = [api.Container(id=i, **v) for i, v in containers.items() if i.startswith(request.filter.id)]
            return api.ListContainersResponse(containers=found)

        def ListPodSandbox(self, request, context):
            found = [api.PodSandbox(id=i, **v) for i, v in sandboxes.items() if i.startswith(request.filter.id)]
            return api.ListPodSandboxResponse(items=found)

    server = grpc.server(futures.ThreadPoolExecutor(1))
    api_pb2_grpc.add_RuntimeServiceServicer_to_server(Runtime(), server)
    server.add_insecure_port(f"unix://{path}")
    server.start()
    try:
        yield
    finally:
        server.stop(None)


def pod(name: str, labels: dict[str, str], namespace: str = "shop") -> dict:
    """Arguments of a PodSandbox."""
    from cri_api.v1 import api_pb2 as api

    return {"metadata": api.PodSandboxMetadata(name=name, namespace=namespace, uid="u1"), "labels": labels}


def container(name: str, sandbox: str, image: str = "shop/cart:2", ref: str = "sha256:beef") -> dict:
    """Arguments of a Container."""
    from cri_api.v1 import api_pb2 as api

    told = {"metadata": api.ContainerMetadata(name=name), "image": api.ImageSpec(image=image), "image_ref": ref}
    return told | {"pod_sandbox_id": sandbox, "labels": {}}
