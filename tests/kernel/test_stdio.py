"""Real clients and servers of MCP in a cgroup of their own: what they said over pipes comes out once, or its loss is counted."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sensor.identity.rules import load
from sensor.identity.settings import IdentitySettings
from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import McpCall
from sensor.observe.stdio.capture import Capture
from sensor.probes import stdio_hook
from sensor.probes.maps import Map
from sensor.probes.stdio import StdioKernel, StdioSettings
from sensor.settings import CaptureSettings
from tests.kernel import lab as labs
from wire.records import Head

ROOT = Path(__file__).parents[2]
LOADS = Path(__file__).with_name("loads")
END = 60.0  # seconds, generous: the machine may be busy


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Watch:
    """A capture of one cgroup, polled by the test."""

    def __init__(self, scope, **settings):
        self.kernel = StdioKernel(scope.path, StdioSettings(**settings))
        self.decoder = Decoder()
        self.capture = Capture(self.kernel, self.decoder, lambda ns: ns / 1e9)
        self.records = []
        assert self.capture.watch(scope.id, scope.path, now())
        self.scope = scope

    def poll(self):
        self.records += self.capture.poll(now())
        return self.records

    def until(self, found, what):
        def ask():
            self.poll()
            return found()

        return labs.until(ask, what, seconds=END)

    def run(self, *argv, **options):
        """A program's standard output, with the capture polled while it runs and until all that it said was read."""
        process = self.scope.start(*argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        os.set_blocking(process.stdout.fileno(), False)
        said = bytearray()

        def ended():
            said.extend(process.stdout.read() or b"")
            return process.poll() is not None

        self.until(ended, f"{argv} to end")
        said.extend(process.stdout.read() or b"")
        assert process.returncode == options.get("expect", 0), process.stderr.read().decode()[-2000:]
        self.settle()
        return bytes(said)

    def settle(self):
        """Reads what waits; what was doubted then is told at the next look."""
        for _ in range(3):
            self.until(lambda: not self.kernel.blocked, "the ring to be read")

    def python(self, text, *argv, **options):
        return self.run(labs.PYTHON, "-S", "-E", "-c", text, *map(str, argv), **options)

    @property
    def calls(self):
        return [r for r in self.records if isinstance(r, McpCall)]

    @property
    def tools(self):
        return [c for c in self.calls if c.method == "tools/call"]

    @property
    def counted(self):
        return self.capture.losses()[self.scope.id]

    @property
    def lost(self):
        return {k: n for k, n in self.counted.lost.items() if n}

    def close(self):
        self.records += self.capture.close(now())
        self.kernel.close()


@pytest.fixture
def watch(lab):
    made = Watch(lab.scope)
    yield made
    made.close()


# -- the package that agents use -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode,generation", [("legacy", "initialize"), ("2026-07-28", "meta"), ("auto", "meta")])
def test_the_mcp_package_is_read_in_both_generations_each_call_once(watch, mode, generation):
    """Its server moves its descriptors away from 0 and 1 before it reads."""
    pytest.importorskip("mcp")
    watch.run(sys.executable, LOADS / "mcp_client.py", LOADS / "mcp_server.py", mode, "20", "90000")
    assert [(c.tool, c.failed, c.partial) for c in watch.tools] == [
        ("look", False, ()),
        ("look", False, ()),
        ("fail", True, ()),
    ]
    assert {(c.server.value.name, c.server.value.version) for c in watch.tools} == {("tickets", "0.9.1")}
    assert {(c.generation.value, c.by, c.place.role) for c in watch.tools} == {(generation, "sent", "client")}
    assert watch.tools[1].result.length > 90_000
    assert json.loads(watch.tools[0].arguments.redacted) == {"id": "ZD-0", "size": 20}
    (listed,) = [c for c in watch.calls if c.method == "tools/list" and c.tools]
    assert [t.name for t in listed.tools] == ["look", "fail"]
    assert watch.lost == {}
    assert watch.decoder.health.lost == 0


SERVER = """
const lines = require("readline").createInterface({input: process.stdin});
console.error("a word on standard error");
lines.on("line", line => {
  const {id, method, params} = JSON.parse(line);
  const result = method === "initialize"
    ? {protocolVersion: "2025-06-18", capabilities: {}, serverInfo: {name: "files", version: "2"}}
    : {content: [{type: "text", text: "x".repeat(params?.arguments?.size ?? 0)}]};
  if (id !== undefined) process.stdout.write(JSON.stringify({jsonrpc: "2.0", id, result}) + "\\n");
});
"""
CLIENT = """
const {spawn} = require("child_process"), server = spawn(process.execPath, ["-e", process.argv[1]]);
const waiting = new Map(), lines = require("readline").createInterface({input: server.stdout});
lines.on("line", line => { const m = JSON.parse(line); waiting.get(m.id)(m); });
let last = 0;
const ask = (method, params) => new Promise(done => {
  const id = last++;
  waiting.set(id, done);
  server.stdin.write(JSON.stringify({jsonrpc: "2.0", id, method, params}) + "\\n");
});
(async () => {
  await ask("initialize", {protocolVersion: "2025-06-18", capabilities: {}});
  for (const size of process.argv.slice(2))
    await ask("tools/call", {name: "look", arguments: {size: +size, text: "y".repeat(+size)}});
  server.stdin.end();
})();
"""


@pytest.mark.skipif(not shutil.which("node"), reason="no node here")
def test_a_node_client_speaks_to_its_server_over_socketpairs(watch):
    watch.run(shutil.which("node"), "-e", CLIENT, SERVER, "10", "300000", "5")
    assert [(c.tool, c.partial, c.result.length) for c in watch.tools] == [
        ("look", (), 10),
        ("look", (), 300_000),
        ("look", (), 5),
    ]
    assert {c.server.value.name for c in watch.tools} == {"files"}
    assert len({c.place.connection for c in watch.calls}) == 1
    assert watch.lost == {}


# -- peers by hand ---------------------------------------------------------------------------------------------------

COMMON = """
import json, os, socket, subprocess, sys, threading, time
def line(**message): return json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\\n"
def ask(n, size=0): return line(id=n, method="tools/call", params={"name": "look", "arguments": {"n": n, "text": "a" * size}})
def tell(n, size=0): return line(id=n, result={"content": [{"type": "text", "text": "b" * size}]})
def read_line(fd):
    data = b""
    while not data.endswith(b"\\n"):
        piece = os.read(fd, 65536)
        if not piece: return data
        data += piece
    return data
def serve(fd, out, times, size=0, first=0):
    for n in range(first, first + times):
        read_line(fd)
        os.write(out, tell(n, size)) if size < 60000 else write(out, tell(n, size))
def write(fd, data):
    data = memoryview(data)
    while data: data = data[os.write(fd, data[:1 << 20]):]
def pipes(): return [*os.pipe(), *os.pipe()]
def fork(act):
    child = os.fork()
    if child == 0:
        try: act()
        finally: os._exit(0)
    return child
"""
TALK = """
to_server, asks, tells, to_client = pipes()
server = fork(lambda: serve(to_server, to_client, 3))
for n in range(3):
    os.write(asks, ask(n))
    read_line(tells)
os.close(asks)
os.waitpid(server, 0)
"""

NAMED = """
to_server, asks, tells, to_client = pipes()
def act():
    read_line(to_server)
    os.write(to_client, line(id=0, result={"protocolVersion": "2025-06-18", "serverInfo": {"name": "files", "version": "1"}}))
    serve(to_server, to_client, 2, first=1)
server = fork(act)
os.write(asks, line(id=0, method="initialize", params={"protocolVersion": "2025-06-18"})); read_line(tells)
for n in (1, 2):
    os.write(asks, ask(n)); read_line(tells)
os.waitpid(server, 0)
"""


def ids(calls):
    return [c.id for c in calls]


def test_peers_by_hand_over_pipes(watch):
    watch.python(COMMON + TALK)
    assert [(c.id, c.tool, c.partial) for c in watch.tools] == [(str(n), "look", ()) for n in range(3)]
    client, server = {(c.place.connection.pid, c.place.connection.peer) for c in watch.tools}.pop()
    assert client > 1 and server not in (0, 1, client)


def test_times_of_a_call_go_forward(watch):
    """A write may return after its reader has answered; a read never does."""
    watch.python(COMMON + TALK.replace("3", "300"))
    assert len(watch.tools) == 300
    assert all(c.request.ended <= c.response.began for c in watch.tools)
    assert [c.request.began for c in watch.tools] == sorted(c.request.began for c in watch.tools)


@pytest.mark.parametrize("how", ["recv", "recvmsg", "recv_into", "read", "readv", "peeked"])
def test_one_socketpair_whatever_call_reads_it(watch, how):
    read = {
        "recv": "lambda s: s.recv(50)",
        "recvmsg": "lambda s: s.recvmsg(50)[0]",
        "recv_into": "lambda s: bytes(memoryview(b := bytearray(50))[:s.recvmsg_into([bytearray(0), b])[0]])",
        "read": "lambda s: os.read(s.fileno(), 50)",
        "readv": "lambda s: (lambda a, b, n: bytes(a + b)[:n])(*(x := (bytearray(7), bytearray(90))), os.readv(s.fileno(), x))",
        "peeked": "lambda s: (s.recv(50, socket.MSG_PEEK), s.recv(50))[1]",
    }[how]
    watch.python(
        COMMON
        + f"""
ours, theirs = socket.socketpair()
read = {read}
def lines(s):
    data = b""
    while not data.endswith(b"\\n"): data += read(s)
def serve():
    for n in range(3):
        lines(theirs)
        theirs.sendall(tell(n, 200))
server = fork(serve)
for n in range(3):
    ours.sendall(ask(n, 100))
    lines(ours)
os.waitpid(server, 0)
"""
    )
    assert [(c.id, c.partial, c.result.length) for c in watch.tools] == [(str(n), (), 200) for n in range(3)]
    assert watch.lost == {}


def test_lines_that_come_byte_by_byte_are_whole(watch):
    watch.python(
        COMMON
        + """
to_server, asks, tells, to_client = pipes()
def serve():
    for n in range(20):
        data = b""
        while not data.endswith(b"\\n"): data += os.read(to_server, 1)
        for byte in tell(n, 500): os.write(to_client, bytes([byte]))
server = fork(serve)
for n in range(20):
    for byte in ask(n, 500): os.write(asks, bytes([byte]))
    read_line(tells)
os.waitpid(server, 0)
"""
    )
    assert [(c.id, c.partial) for c in watch.tools] == [(str(n), ()) for n in range(20)]
    assert watch.lost == {}


def test_a_burst_of_ten_megabytes_is_whole(watch):
    """64 messages of 160 kB, as fast as they go, more than a pipe holds at a time."""
    watch.python(
        COMMON
        + """
to_server, asks, tells, to_client = pipes()
server = fork(lambda: serve(to_server, to_client, 64))
for n in range(64):
    write(asks, ask(n, 160000))
    read_line(tells)
os.waitpid(server, 0)
"""
    )
    assert ids(watch.tools) == [str(n) for n in range(64)]
    assert {c.partial for c in watch.tools} == {()}
    assert sum(c.arguments.length for c in watch.tools) > 10_000_000
    assert watch.lost == {}


@pytest.fixture
def narrow(lab):
    """A ring of 64 KiB."""
    made = Watch(lab.scope, chunk_pages=16)
    yield made
    made.close()


@pytest.fixture
def thrifty(lab):
    """A budget of 100 kB."""
    made = Watch(lab.scope, budget=100_000)
    yield made
    made.close()


BURST = """
to_server, asks, tells, to_client = pipes()
server = fork(lambda: serve(to_server, to_client, 8))
os.write(asks, ask(0)); read_line(tells)
sys.stdin.readline()
for n in range(1, 8):
    write(asks, ask(n, 300000))
    read_line(tells)
os.waitpid(server, 0)
"""


@pytest.mark.parametrize("which,why", [("narrow", "ring"), ("thrifty", "budget")])
def test_what_is_not_copied_is_counted_to_the_byte_and_told(request, which, why):
    watch = request.getfixturevalue(which)
    process = watch.scope.start(labs.PYTHON, "-S", "-E", "-c", COMMON + BURST, stdin=subprocess.PIPE)
    watch.until(lambda: watch.tools, "the first call")
    process.stdin.write(b"go\n")
    process.stdin.flush()
    watch.until(lambda: process.poll() == 0, "the end")
    watch.settle()
    health, counted = watch.decoder.health, watch.counted
    assert watch.lost.keys() == {why}
    assert health.lost == counted.lost[why] > 300_000
    assert health.bytes + health.lost == counted.bytes
    assert ids(watch.tools)[0] == "0"
    assert health.failed == 0


def test_what_is_spliced_on_is_counted(watch):
    watch.python(
        COMMON
        + """
to_server, asks, tells, to_client = pipes()
os.write(asks, ask(1)); read_line(to_server)
os.write(asks, ask(2)); os.splice(to_server, to_client, 65536)
for n in (3, 4): os.write(asks, ask(n)); read_line(to_server)
"""
    )
    assert watch.lost == {"spliced": watch.decoder.health.lost}
    watch.records += watch.capture.forget(watch.scope.id, now())
    assert ids(watch.tools) == ["1", "4"], "the line behind a gap may be half of one"


def test_other_streams_are_left_alone_and_it_is_said_of_those_that_looked_like_it(watch):
    watch.python(
        COMMON
        + """
fd, out = os.pipe()
for _ in range(100): os.write(out, b"x" + os.urandom(4000)); os.read(fd, 65536)
junk, out = os.pipe()
for _ in range(100): os.write(out, b"{\\0" + os.urandom(4000)); os.read(junk, 65536)
logs, out = os.pipe()
for n in range(300): os.write(out, b'{"level": "info"}\\n'); os.read(logs, 65536); time.sleep(0.001)
os.write(out, ask(1)); os.read(logs, 65536)
a, b = socket.socketpair()
for _ in range(300): a.sendall(b"{ not json \\n"); b.recv(65536); time.sleep(0.001)
"""
    )
    assert watch.calls == []
    reasons = {(c.transport, c.reason) for c in watch.capture.conversations()}
    assert ("pipe", "left alone: its bytes are no text") in reasons
    assert ("pipe", "left alone: no JSON-RPC in its first 65 lines") in reasons
    assert ("socketpair", "left alone: no JSON-RPC in its first 65 lines") in reasons
    assert watch.counted.passed > 30_000
    assert watch.lost == {}


def test_files_named_pipes_and_sockets_with_names_are_not_read(watch, tmp_path):
    watch.python(
        COMMON
        + """
import tempfile
folder = sys.argv[1]
os.mkfifo(folder + "/fifo")
fifo = os.open(folder + "/fifo", os.O_RDWR)
os.write(fifo, ask(1)); os.read(fifo, 999)
with open(folder + "/file", "wb") as file: file.write(ask(2))
os.read(os.open(folder + "/file", os.O_RDONLY), 999)
listener = socket.socket(socket.AF_UNIX); listener.bind(folder + "/socket"); listener.listen()
ours = socket.socket(socket.AF_UNIX); ours.connect(folder + "/socket"); theirs, _ = listener.accept()
ours.sendall(ask(3)); theirs.recv(999); theirs.sendall(tell(3)); ours.recv(999)
tcp = socket.create_server(("127.0.0.1", 0)); ours = socket.create_connection(tcp.getsockname()); theirs, _ = tcp.accept()
ours.sendall(ask(4)); theirs.recv(999)
for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    ours, theirs = socket.socketpair(type=kind)
    ours.send(ask(5)); theirs.recv(10, socket.MSG_TRUNC)
""",
        tmp_path,
    )
    assert (watch.counted.bytes, watch.calls) == (0, [])


def test_a_descriptor_that_is_reused_or_moved_does_not_mix_two_conversations(watch):
    """The second server's pipes get the very numbers of the first's; its descriptors are then moved twice."""
    watch.python(
        COMMON
        + """
seen = set()
for round in range(2):
    to_server, asks, tells, to_client = pipes()
    seen.add((to_server, asks))
    def act():
        moved = os.dup(to_server); os.close(to_server); os.dup2(moved, 0)
        serve(0, to_client, 1); os.dup2(0, 77); serve(77, to_client, 1, first=1)
    server = fork(act)
    for n in range(2):
        os.write(asks, ask(n, round)); read_line(tells)
    for fd in (to_server, asks, tells, to_client): os.close(fd)
    os.waitpid(server, 0)
assert len(seen) == 1
"""
    )
    assert [(c.id, c.partial) for c in watch.tools] == [("0", ()), ("1", ()), ("0", ()), ("1", ())]
    assert len({c.place.connection for c in watch.tools}) == 2


def test_forked_writers_are_one_client(watch):
    watch.python(
        COMMON
        + """
to_server, asks, tells, to_client = pipes()
server = fork(lambda: serve(to_server, to_client, 5))
for n in range(5):
    os.waitpid(fork(lambda: os.write(asks, ask(n))), 0)
    read_line(tells)
os.waitpid(server, 0)
"""
    )
    assert [(c.id, c.partial) for c in watch.tools] == [(str(n), ()) for n in range(5)]
    assert len({c.place.connection for c in watch.tools}) == 1


def test_a_server_killed_in_the_middle_of_a_line_leaves_a_call_without_an_answer(watch):
    watch.python(
        COMMON
        + """
to_server, asks, tells, to_client = pipes()
def act():
    serve(to_server, to_client, 1)
    read_line(to_server)
    os.write(to_client, tell(1)[:25]); os.kill(os.getpid(), 9)
server = fork(act)
os.close(to_client)
for n in range(2):
    os.write(asks, ask(n)); read_line(tells)
os.waitpid(server, 0)
"""
    )
    watch.until(lambda: len(watch.tools) == 2, "the end of the conversation")
    assert [(c.id, c.partial) for c in watch.tools] == [("0", ()), ("1", ("answer: the connection ended before it",))]
    watch.until(lambda: watch.capture.conversations() == [], "no conversation to be left")


def test_lengths_that_lie_and_addresses_that_are_none_break_nothing(watch):
    watch.python(
        COMMON
        + """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
to_server, asks, tells, to_client = pipes()
buffer = ctypes.create_string_buffer(65536)
os.write(asks, ask(1))
libc.syscall(0, to_server, buffer, ctypes.c_size_t(2**63))           # read with a count beyond all
os.write(asks, ask(2))
libc.syscall(19, to_server, ctypes.c_void_p(0xdeadbeef), ctypes.c_size_t(3))
vector = (ctypes.c_size_t * 4)(ctypes.addressof(buffer), 0, ctypes.addressof(buffer), 65536)
libc.syscall(19, to_server, vector, ctypes.c_size_t(2))
libc.syscall(0, 99999, buffer, ctypes.c_size_t(9)); libc.syscall(0, ctypes.c_size_t(2**40), buffer, ctypes.c_size_t(9))
libc.syscall(47, to_server, ctypes.c_void_p(1), ctypes.c_size_t(0))
for size in (0, 1): os.write(asks, b"{"[:size]); libc.syscall(0, to_server, buffer, ctypes.c_size_t(size))
os.write(asks, b"\\n" + ask(3)); os.read(to_server, 65536)
"""
    )
    watch.records += watch.capture.forget(watch.scope.id, now())
    assert sorted(ids(watch.tools)) == ["1", "2", "3"]
    assert watch.decoder.health.failed == 0


def test_a_writer_that_changes_its_buffer_while_another_reads_hurts_only_itself(watch):
    """The kernel side copies what the reader holds at the return of its read; whatever that is, nothing breaks."""
    watch.python(
        COMMON
        + """
to_server, asks, tells, to_client = pipes()
buffer = bytearray(8192)
def scribble():
    while True: buffer[:100] = os.urandom(100)
threading.Thread(target=scribble, daemon=True).start()
for n in range(200):
    os.write(asks, ask(n)); os.readv(to_server, [buffer])
os._exit(0)
"""
    )
    assert watch.decoder.health.failed == 0


def test_processes_outside_the_watched_workload_are_not_read(watch):
    watch.scope.child("other").run(labs.PYTHON, "-S", "-E", "-c", COMMON + TALK)
    watch.poll()
    assert (watch.counted.bytes, watch.calls) == (0, [])


def test_a_workload_that_is_forgotten_is_read_no_more_and_the_last_one_takes_the_program_out(watch):
    watch.python(COMMON + TALK)
    assert len(watch.tools) == 3
    other = watch.scope.child("other")
    assert watch.capture.watch(other.id, other.path, now())
    watch.capture.forget(watch.scope.id, now())
    assert watch.kernel.attached
    watch.run(labs.PYTHON, "-S", "-E", "-c", COMMON + TALK)
    assert len(watch.tools) == 3
    watch.capture.forget(other.id, now())
    assert not watch.kernel.attached
    assert watch.capture.losses() == {}


JOINED = """
to_server, asks, tells, to_client = pipes()
server = fork(lambda: serve(to_server, to_client, 3))
os.write(asks, ask(0)); read_line(tells)
print("up", flush=True)
sys.stdin.readline()
for n in (1, 2):
    os.write(asks, ask(n)); read_line(tells)
sys.stdin.readline()
"""


def test_a_conversation_that_was_there_before_is_joined(watch):
    late = watch.scope.child("late")
    process = late.start(
        *(labs.PYTHON, "-S", "-E", "-c", COMMON + JOINED), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "up\n"
    assert watch.capture.watch(late.id, late.path, now())
    process.stdin.write("\n")
    process.stdin.flush()
    watch.until(lambda: len(watch.tools) == 2, "two calls")
    assert [(c.id, c.partial) for c in watch.tools] == [("1", ()), ("2", ())]
    process.kill()
    process.wait()


def entries(folder):
    """Slots for which the sensor's own program calls the one that reads pipes."""
    table = Map(folder / "exit_more")
    try:
        return [slot for slot in range(table.entries) if table.get(struct.pack("<I", slot)) is not None]
    finally:
        table.close()


def test_in_a_sensor_only_the_slots_of_agents_are_called_for(lab):
    with lab.sensor(hooks="raw") as sensor:
        folder = sensor.agent.loaded.folder
        box, other = sensor.cgroup("box"), sensor.cgroup("other")
        for cgroup in (box, other):
            cgroup.run("/bin/true")
        kernel = StdioKernel(lab.scope.path, host=folder)
        capture = Capture(kernel, Decoder(), lambda ns: ns / 1e9)
        assert not capture.watch(2**40, Path("/nowhere"), now()), "a cgroup without a slot"
        assert capture.watch(box.id, box.path, now())
        assert entries(folder) == [sensor.agent.kernel.seat_of(box.id)]
        for cgroup in (box, other):
            cgroup.run(labs.PYTHON, "-S", "-E", "-c", COMMON + TALK)
        records = capture.poll(now())
        assert [r.id for r in records if isinstance(r, McpCall)] == ["0", "1", "2"]
        stdio_hook.clear(folder)
        assert entries(folder) == [], "what a killed sensor left is cleared"
        capture.close(now())
        capture.release()
        assert entries(folder) == []


KILLED = """
import sys, time
from pathlib import Path
from sensor.probes.maps import Map
from sensor.probes.stdio import StdioKernel
scope = Path(sys.argv[1])
kernel = StdioKernel(scope)
kernel.watch(scope.stat().st_ino)
print("attached", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not shutil.which("bpftool"), reason="no bpftool here")
def test_a_killed_capture_leaves_nothing_in_the_kernel(lab):
    capture = subprocess.Popen(
        [sys.executable, "-c", KILLED, lab.scope.path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert capture.stdout.readline() == "attached\n"
    held = labs.programs_of(capture.pid)
    assert held
    capture.send_signal(signal.SIGKILL)
    capture.wait()
    labs.until(lambda: not any(map(labs.is_loaded, held)), "the program to go", seconds=END)
    assert labs.left_in_kernel(lab.name) == []


# -- in the sensor ---------------------------------------------------------------------------------------------------


def test_the_sensor_tells_an_agents_calls_as_events_that_name_both_processes(lab):
    rules = load([{"match": f".*{lab.scope.path.name}/(?P<name>[a-z0-9]+)", "workload": "unit:{name}"}])
    listening = {"identity": IdentitySettings(rules=rules), "capture": CaptureSettings(("unit:desk",))}
    with lab.sensor(**listening) as sensor:
        box = sensor.cgroup("desk")
        source = sensor.agent.hearing.sources[-1]
        process = box.start(
            *(labs.PYTHON, "-S", "-E", "-c", COMMON + "sys.stdin.readline()" + NAMED), stdin=subprocess.PIPE, text=True
        )
        labs.until(
            lambda: source.ear is not None and box.id in source.ear.losses(), "the pipes to be read", seconds=END
        )
        process.stdin.write("\n")
        process.stdin.flush()
        said = sensor.of(box)
        labs.until(lambda: len(said.events("mcp")) >= 3, "three events", seconds=END)
        labs.until(lambda: process.poll() == 0, "the client's end", seconds=END)
        first, *calls = said.events("mcp")
    assert first.data["method"] == "initialize"
    assert [e.behaviour for e in calls] == ["mcp:files/look"] * 2
    for event in calls:
        data = event.data
        assert (data["source"], data["transport"], data["by"], data["pid"]) == ("stdio", "stdio", "sent", process.pid)
        assert data["peer"] not in (0, 1, process.pid)
        assert data["basis"] == "verified"
        assert "partial" not in data
    assert {e.data["connection"] for e in calls} == {first.data["connection"]}
    states = {p.name: p.state for h in sensor.sink.records if isinstance(h, Head) for p in h.probes}
    assert states["stdio"] == "on"
