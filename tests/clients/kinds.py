"""The clients: what each container runs, what of this machine it needs, and where it should stand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.node import HOST, SERVER

LOADS = Path(__file__).with_name("loads")
PACKAGES = "/opt/packages"  # in a container
LIBRARIES = ("httpx", "aiohttp", "urllib")
FRAMEWORKS = ("lib/site-packages/openai/__init__.py", "node_modules/@anthropic-ai/sdk/index.js")
FLAGS = ("-O1", "-static", "-l:libssl.a", "-l:libcrypto.a", "-lpthread", "-ldl")


@dataclass(frozen=True)
class Client:
    """One kind of client."""

    name: str
    words: str  # for the table
    rung: str  # expected
    argv: tuple[str, ...] = ()
    trees: dict[str, str] = field(default_factory=dict)  # folder in the container → folder here
    environment: dict[str, str] = field(default_factory=dict)
    missing: str = ""  # why it cannot be tried here

    def command(self, port: int, files: list[str]) -> list[str]:
        """What the container runs."""
        asks = [f"/work/{file}" for file in files]
        if self.name.startswith("static"):
            return [*self.argv, SERVER, str(port), HOST, "/work/ca.pem", *asks]
        return [*self.argv, f"https://{HOST}:{port}/v1/chat/completions", "/work/ca.pem", *asks]


def every(folder: Path) -> list[Client]:
    """All clients; those that this machine cannot run say why. Programs are made and copied into `folder`, their /work."""
    for name in ("client.py", "client.js"):
        shutil.copy(LOADS / name, folder)
    for name in FRAMEWORKS:  # empty, but where a real one lies
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("")
    return [*map(_python, LIBRARIES), *_nodes(), _static(folder, stripped=False), _static(folder, stripped=True)]


def _trees(*more: str) -> dict[str, str]:
    """This machine's programs and libraries; nothing of /etc, /root, /home."""
    links = [f"/{name}" for name in ("bin", "lib", "lib64", "sbin") if Path(f"/{name}").is_dir()]
    return {place: place for place in ("/usr", *(p for p in links if not os.path.islink(p)), *more)}


def _python(library: str) -> Client:
    base = () if sys.base_prefix == "/usr" else (sys.base_prefix,)
    trees = _trees(*base) | {PACKAGES: sysconfig.get_path("purelib")}
    argv = (os.path.realpath(sys.executable), "/work/client.py", library)
    found = subprocess.run([sys.executable, "-c", f"import {library}"], capture_output=True).returncode == 0
    environment = {"PYTHONPATH": PACKAGES, "PYTHONDONTWRITEBYTECODE": "1"}
    missing = "" if found else f"{library} is not installed; make setup-test"
    return Client(library, f"Python, {library}", "symbol", argv, trees, environment, missing)


def _nodes() -> list[Client]:
    """Every Node that there is: distributions link it with their libssl, Node's own builds hold theirs."""
    found = {os.path.realpath(p) for n in ("node", "nodejs") if (p := shutil.which(n))}
    found |= set(filter(None, os.environ.get("DRIFTLINE_NODES", "").split(":")))
    if not found:
        return [Client("node", "Node", "symbol", missing="no Node here; apt-get install nodejs")]
    return [_node(path, number) for number, path in enumerate(sorted(found))]


def _node(path: str, number: int) -> Client:
    home = () if path.startswith("/usr/") else (str(Path(path).parents[1]),)
    libraries = ":".join(str(p) for h in home for p in Path(h).glob("lib/*-linux-gnu"))
    environment = {"LD_LIBRARY_PATH": libraries} if libraries else {}
    done = subprocess.run([path, "--version"], capture_output=True, text=True, env=os.environ | environment)
    words = f"Node {done.stdout.strip().lstrip('v')}"
    name = f"node{number or ''}"
    return Client(name, words, "symbol", (path, "/work/client.js"), _trees(*home), environment)


def _static(folder: Path, *, stripped: bool) -> Client:
    name = "static-stripped" if stripped else "static"
    words = f"C, OpenSSL linked in, {'stripped' if stripped else 'with symbols'}"
    made = folder / name
    command = ["gcc", *(["-s"] if stripped else []), "-o", str(made), str(LOADS / "client.c"), *FLAGS]
    done = subprocess.run(command, capture_output=True, text=True)
    missing = "" if done.returncode == 0 else "no static OpenSSL; apt-get install gcc libssl-dev"
    return Client(name, words, "uncovered" if stripped else "symbol", (f"/work/{name}",), {}, {}, missing)
