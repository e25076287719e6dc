"""Known loads to what the sensor said of them: one table of facts, which every kernel must answer alike.

python -m tests.vm.facts OUT.json
"""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sensor.observe.names import template
from tests.kernel.lab import Cgroup, Lab, Said, Sensor, build
from tests.kernel.test_network import CONNECTS, DATAGRAMS, HELLO, NAMED, answer, dns_answer, half_back, refuse_tls
from wire.syscalls import number

SMALL_MOVE = """
import socket, sys
c = socket.socket(socket.AF_INET6)
c.connect(("::1", int(sys.argv[1])))
c.sendall(bytes(300_000))
c.shutdown(socket.SHUT_WR)
while c.recv(1 << 16):
    pass
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """One known load, and what a sensor must say of it."""

    probe: str
    load: str
    wanted: object  # as JSON holds it
    seen: object

    @property
    def same(self) -> bool:
        return self.wanted == self.seen


class Loads:
    """Each method makes one load in a cgroup of its own and says what was seen and what should have been."""

    def __init__(self, sensor: Sensor, folder: Path) -> None:
        self.sensor, self.folder = sensor, folder

    def _said(self, act: Callable[[Cgroup], object]) -> Said:
        box = self.sensor.cgroup()
        act(box)
        return self.sensor.all_of(box)

    def _file(self, name: str) -> Path:
        file = self.folder / name
        file.write_text("x")
        return file

    def calls(self) -> tuple[object, object]:
        return self._said(lambda box: box.load("parents", "1000")).calls()[number("getppid")], 2000

    def first_call(self) -> tuple[object, object]:
        """A program of three calls: everything from its first instruction on, and nothing else."""
        said = self._said(lambda box: box.run(box.programs / "first"))
        return [said.calls()[number(n)] for n in ("execve", "exit")], [1, 1]

    def chain(self) -> tuple[object, object]:
        said = self._said(lambda box: box.run("/bin/sh", "-c", "/bin/ls / >/dev/null; exec /bin/cat /dev/null"))
        shell = os.path.realpath("/bin/sh")
        callers = [("ls", os.path.basename(shell)), ("cat", os.path.basename(shell))]
        wanted = [f"exec:{shell}<-", *(f"exec:/usr/bin/{name}<{caller}" for name, caller in callers)]
        return [e.behaviour for e in said.events("exec")], wanted

    def argv(self) -> tuple[object, object]:
        said = self._said(lambda box: box.run("/bin/echo", "b" * 2000))
        [event] = said.events("exec")
        return [len(event.data["argv"]), event.data["cut"], event.data["tty"]], [511, 1, 0]

    def memfd(self) -> tuple[object, object]:
        said = self._said(lambda box: box.load("memfd", "/bin/true"))
        return [e.data["path"] for e in said.events("exec") if e.data.get("layer") == "memfd"], [
            "memfd:hidden\\x20tool"
        ]

    def exits(self) -> tuple[object, object]:
        said = self._said(lambda box: box.run("/bin/sh", "-c", "(exit 7); sh -c 'kill -9 $$'; true"))
        exits = [e.data for e in said.events("exit")]
        return [sorted({e[key] for e in exits if e.get(key)}) for key in ("code", "signal")], [[7], [9]]

    def storm(self) -> tuple[object, object]:
        said = self._said(lambda box: box.run("/bin/sh", "-c", "for i in $(seq 100); do /bin/true; done"))
        caller = os.path.basename(os.path.realpath("/bin/sh"))
        return said.counts("exec:")[f"exec:/usr/bin/true<{caller}"], 100

    def opens(self) -> tuple[object, object]:
        file = self._file("notes.txt")
        said = self._said(lambda box: box.load("opens", "10000", file))
        return said.counts()[f"open:data:{template(str(file))}"], 10_000

    def ways(self) -> tuple[object, object]:
        names = ("by-openat2", "by-open", "by-openat")
        [self._file(name) for name in names]
        said = self._said(lambda box: box.load("ways", self.folder))
        mine = [e for e in said.events("open") if "/by-" in e.data["path"]]
        seen = {e.data["path"].rpartition("/")[2]: e.behaviour.partition(":")[0] for e in mine}
        return seen, {"by-openat2": "open", "by-creat": "write", "by-open": "open", "by-openat": "write"}

    def connects(self) -> tuple[object, object]:
        port = serve(answer)
        said = self._said(lambda box: box.python(CONNECTS, str(port)))
        name = f"egress:tcp:127.0.0.1:{port}"
        return [said.begun("egress:")[name], *said.bytes(name)], [23, 23_000, 23]

    def stream6(self) -> tuple[object, object]:
        port = serve(send_back, socket.AF_INET6)
        said = self._said(lambda box: box.python(SMALL_MOVE, str(port)))
        name = f"egress:tcp:[::1]:{port}"
        return [said.begun("egress:")[name], *said.bytes(name)], [1, 300_000, 150_000]

    def datagrams(self) -> tuple[object, object]:
        port = serve(half_back, kind=socket.SOCK_DGRAM)
        said = self._said(lambda box: box.python(DATAGRAMS, str(int(socket.AF_INET)), str(port), "50", "0"))
        return list(said.bytes(f"egress:udp:127.0.0.1:{port}")), [60_000, 30_000]

    def dns(self) -> tuple[object, object]:
        reply = dns_answer("api.example.org.", "edge.example.net.").hex()
        said = self._said(lambda box: box.python(NAMED, reply, "connect", "1"))
        return dict(said.begun("egress:tcp:")), {"egress:tcp:api.example.org:8443": 1}

    def hello(self) -> tuple[object, object]:
        port = serve(refuse_tls)
        said = self._said(lambda box: box.python(HELLO, str(port), "api.example.org"))
        return [e.data["name"] for e in said.events("tls")], ["api.example.org"]


ROWS: tuple[tuple[str, str, Callable[[Loads], tuple[object, object]]], ...] = (
    ("syscalls", "1,000 calls of getppid in each of two threads", Loads.calls),
    ("syscalls", "a static program: its own execve and exit", Loads.first_call),
    ("process", "sh, then ls, then exec cat: who called whom", Loads.chain),
    ("process", "argv of 2,005 bytes: length, cut, tty", Loads.argv),
    ("process", "a program from a memfd", Loads.memfd),
    ("process", "exit code 7, signal 9", Loads.exits),
    ("process", "100 processes one after the other", Loads.storm),
    ("files", "10,000 opens of one file", Loads.opens),
    ("files", "openat2, creat, open, openat and their intent", Loads.ways),
    ("network", "23 TCP connections: count, bytes out, bytes in", Loads.connects),
    ("network", "300,000 bytes out and 150,000 in over IPv6", Loads.stream6),
    ("network", "50 UDP datagrams there and back: bytes", Loads.datagrams),
    ("network", "a DNS answer names the connection", Loads.dns),
    ("network", "the name in a TLS ClientHello", Loads.hello),
)


def send_back(listener: socket.socket) -> None:
    c, _ = listener.accept()
    with c:
        while c.recv(1 << 16):
            pass
        c.sendall(bytes(150_000))


def serve(handler: Callable, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> int:
    """A listener outside the observed cgroups; it ends with this program."""
    s = socket.socket(family, kind)
    s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    if kind == socket.SOCK_STREAM:
        s.listen(64)
    threading.Thread(target=_forever, args=(handler, s), daemon=True).start()
    return s.getsockname()[1]


def _forever(handler: Callable, listener: socket.socket) -> None:
    while True:
        handler(listener)


def collect(folder: Path) -> dict:
    """Every row on the running kernel, with one sensor in a cgroup of its own."""
    programs = folder / "programs"
    programs.mkdir()
    lab = Lab(folder, build(programs))
    try:
        with lab.sensor() as sensor:
            loads = Loads(sensor, folder)
            facts = [_fact(row, loads) for row in ROWS]
            probes = dict(sensor.agent.loaded.probes)
    finally:
        lab.clear()
    return {"kernel": platform.release(), "probes": probes, "facts": [asdict(f) for f in facts]}


def _fact(row: tuple[str, str, Callable[[Loads], tuple[object, object]]], loads: Loads) -> Fact:
    probe, load, measure = row
    try:
        seen, wanted = measure(loads)
    except Exception as e:  # one row that fails must not hide the others; it is red in the table
        seen, wanted = f"{type(e).__name__}: {e}"[:200], None
    return Fact(probe, load, wanted, seen)


def main(out: str) -> None:
    with tempfile.TemporaryDirectory(prefix="driftline-facts-") as folder:
        answer = collect(Path(folder))
    Path(out).write_text(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
