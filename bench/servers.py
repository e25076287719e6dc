"""redis and nginx of this run, each in a cgroup that we made on a free port of loopback, and the commands of their clients."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.stage import Stage

PAGE = b"x" * 1024
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ root {www}; }} }} }}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """One that listens."""

    port: int
    cgroup: Path


def redis_client(port: int, calls: int, what: str = "set") -> tuple[object, ...]:
    return "redis-benchmark", "-p", port, "-t", what, "-c", 10, "-n", calls, "-q"


def nginx_client(port: int, calls: int) -> tuple[object, ...]:
    return "ab", "-q", "-n", calls, "-c", 10, f"http://127.0.0.1:{port}/page"


@contextmanager
def redis(stage: Stage, cgroup: Path) -> Iterator[Server]:
    port = _free_port()
    place = ("--port", port, "--bind", "127.0.0.1", "--dir", stage.folder)
    with _served(stage, cgroup, port, "redis-server", *place, "--save", "", "--appendonly", "no") as server:
        yield server


@contextmanager
def nginx(stage: Stage, cgroup: Path) -> Iterator[Server]:
    port, www = _free_port(), stage.folder / "www"
    own = stage.folder / f"nginx-{port}"
    for path in (stage.folder, www, own):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)  # nginx's worker is another user
    (www / "page").write_bytes(PAGE)
    config: Path = own / "nginx.conf"
    config.write_text(NGINX.format(folder=own, www=www, port=port))
    with _served(stage, cgroup, port, "nginx", "-c", config) as server:
        yield server


@contextmanager
def _served(stage: Stage, cgroup: Path, port: int, *argv: object) -> Iterator[Server]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = stage.work(cgroup, "run", *argv, **quiet)
    try:
        _listening(port)
        yield Server(port, cgroup)
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _listening(port: int) -> None:
    for _ in range(200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")
