"""Nothing is run, asked or fetched for what a container does: shown by the sensor's own system calls, and by the source."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.lab import DEADLINE, until
from tests.kernel.test_restart import Daemon
from tests.threat.conftest import script
from wire.records import Head

ROOT = Path(__file__).parents[2]
# The lab is a bench for developers that no daemon imports; it sends its own work to processes of its own.
PARTS = ("wire", "sensor", "classifier", "guard")
LOOKED_AT = sorted(p for part in PARTS for p in (ROOT / part).rglob("*.py") if "lab" not in p.parts)
# Who may start a program, and which; none takes its name from a workload.
STARTS = {
    "sensor/adopt.py": "ourselves, to list the sockets of a network namespace",
    "sensor/doctor.py": "bpftool, asked by a person",
    "sensor/identity/cri.py": "our own child that speaks CRI",
    "sensor/probes/client.py": "our own loader, under the system's Python",
    "sensor/probes/handover.py": "our own loaders",
    "sensor/probes/pins.py": "mount, of a bpffs",
    "sensor/probes/trial.py": "ourselves, to try a uprobe on",
    "classifier/deploys/systemd.py": "systemctl and dpkg-query, from /usr/bin",
}
# Who may open a socket, and to where.
SOCKETS = {
    "wire/bus.py": "the classifier's, by path",
    "wire/receiver.py": "listens by path",
    "sensor/identity/docker.py": "a runtime's, by path",
    "sensor/probes/client.py": "a pair, for the loader",
    "sensor/probes/handover.py": "a pair, for the loaders",
    "sensor/probes/stdio_loader.py": "the loader's end of it",
    "sensor/probes/tls_loader.py": "the loader's end of it",
    "classifier/service.py": "listens where it is told to",
    "classifier/deploys/senders.py": "netlink, of this kernel",
    "classifier/notify.py": "systemd's, by path",
}
RUNS_DATA = {"pickle", "marshal", "shelve", "dill", "code", "runpy"}
FETCHES = {"urllib.request", "requests", "httpx", "ftplib", "smtplib", "xmlrpc", "dns.resolver", "dns.query"}
CALLS = {"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
ASKS = {f"socket.{name}" for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "getfqdn")} | {
    "aiohttp.ClientSession"
}


def users_of(wanted):
    """Modules in which some node of the syntax is what is asked for."""
    return {str(p.relative_to(ROOT)) for p in LOOKED_AT if any(map(wanted, ast.walk(ast.parse(p.read_text()))))}


def imports(modules):
    def wanted(node):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        return any(name == m or name.startswith(m + ".") for name in names for m in modules)

    return wanted


def called(node):
    """`a.b.c()` as "a.b.c"."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def in_a_shell(node):
    return isinstance(node, ast.keyword) and node.arg == "shell"


def test_nothing_that_is_read_is_run():
    assert users_of(imports(RUNS_DATA)) == set()
    assert users_of(in_a_shell) == set()
    assert users_of(lambda node: called(node) in CALLS) == set()


def test_no_name_is_resolved_and_nothing_is_fetched():
    assert users_of(imports(FETCHES)) == set()
    assert users_of(lambda node: called(node) in ASKS) == set()


def test_programs_are_started_by_few_and_none_by_the_name_a_workload_gave():
    assert users_of(imports({"subprocess", "multiprocessing", "pty"})) == STARTS.keys()
    assert users_of(lambda node: re.match(r"os\.(exec|spawn|posix_spawn|fork)", called(node))) == set()


def test_sockets_are_opened_by_few():
    opens = {"socket.socket", "socket.create_connection", "socket.create_server", "socket.socketpair", "socket.fromfd"}
    assert users_of(lambda node: called(node) in opens) == SOCKETS.keys()


# by its own system calls ------------------------------------------------------------------------------------------------


@pytest.fixture
def traced(lab, tmp_path):
    """A sensor whose programs and connections strace writes down."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    made = Traced(lab, tmp_path / "sent", tmp_path / "calls")
    yield made
    made.end()


class Traced(Daemon):
    def __init__(self, lab, out, calls):
        super().__init__(lab, out)
        self.calls = calls

    def begin(self):
        watched = ["strace", "-f", "-qq", "-o", self.calls, "-e", "trace=execve,execveat,connect,sendto,sendmsg,bind"]
        command = [sys.executable, "-m", "tests.kernel.daemon", self.lab.name, self.lab.scope.path, self.lab.folder]
        self._running = subprocess.Popen(
            [*watched, *command, self.out, "no"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        until(lambda: self._alive() and self.records(Head), "the head of its stream", seconds=4 * DEADLINE)

    def end(self):
        """strace passes a signal on to nobody: the sensor is its child."""
        if self._running is not None and self._running.poll() is None:
            for pid in Path(f"/proc/{self._running.pid}/task/{self._running.pid}/children").read_text().split():
                subprocess.run(["kill", "-TERM", pid], check=False)
            self._running.wait(4 * DEADLINE)
        if self._running is not None:
            self._running.stderr.close()


@pytest.mark.kernel
def test_a_container_makes_the_sensor_run_ask_and_fetch_nothing(traced, lab, contained):
    """Programs, libraries, names, answers and hellos of a hostile container are looked at, and nobody is asked about them."""
    traced.begin()
    first = lab.scope.child("first")
    contained(first, "/usr/bin/true")
    until(lambda: traced.of(first).windows(), "the first window")
    begun = len(traced.calls.read_text().splitlines())
    hostile = lab.scope.child("hostile")
    contained(hostile, *script("storm.py", 400), timeout=600)
    until(lambda: traced.of(hostile).uses(), "what the container did")
    after = traced.calls.read_text().splitlines()[begun:]
    assert [line for line in after if "execve" in line] == []
    assert [line for line in after if "AF_INET" in line] == []
