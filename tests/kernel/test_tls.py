"""Real TLS between an agent in a cgroup of its own and a model that is played: what was said comes out, or its loss is counted."""

import contextlib
import datetime
import ipaddress
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import LlmCall, ToolCall
from sensor.observe.plaintext.capture import Capture
from sensor.probes import trial, uprobes
from sensor.probes.symbols import Elf
from sensor.probes.tls import TlsKernel, TlsSettings
from tests.kernel import lab as labs
from tests.observe.applayer import wires

ROOT = Path(__file__).parents[2]
LOADS = Path(__file__).with_name("loads")
BREAKPOINT = 0xCC

pytestmark = pytest.mark.skipif(bool(uprobes.missing()), reason=uprobes.missing() or "uprobes are there")


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def certificate(folder, *more):
    """A CA that signs itself, for localhost and more names; it never leaves the test's folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    day = datetime.timedelta(days=1)
    today = datetime.datetime.now(datetime.UTC)
    names = [*map(x509.DNSName, ("localhost", *more)), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - day)
        .not_valid_after(today + day)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text, secret = folder / "ca.pem", folder / "key.pem"
    text.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return text, secret


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Port and CA of a model that listens on loopback, outside the watched cgroup."""
    ca, key = certificate(tmp_path_factory.mktemp("ca"))
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.kernel.model", ca, key], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    yield int(server.stdout.readline()), ca
    server.kill()
    server.wait()


class Standing:
    """What was waited for, in words of the moment of failing."""

    def __init__(self, capture, pid, rungs):
        self.capture, self.pid, self.rungs = capture, pid, rungs

    def __str__(self):
        return f"{self.pid} to stand on {self.rungs}: {self.capture.coverage()}, {self.capture.failed} failed"


class Watch:
    """A capture of one cgroup, polled by the test."""

    def __init__(self, scope, **settings):
        self.kernel = TlsKernel(scope.path, TlsSettings(**settings))
        self.decoder = Decoder()
        self.capture = Capture(self.kernel, self.decoder, lambda ns: ns / 1e9)
        self.records = []
        assert self.capture.watch(scope.id, scope.path, now())
        self.scope = scope

    def poll(self, seconds=0.0):
        end = time.monotonic() + seconds
        while True:
            self.records += self.capture.poll(now())
            if time.monotonic() >= end:
                return self.records
            time.sleep(0.01)

    def until(self, found, what, seconds=labs.DEADLINE):
        def ask():
            self.poll()
            return found()

        return labs.until(ask, what, seconds=seconds)

    def stands(self, pid, *rungs):
        """Waits until a process stands on one of these rungs."""

        def ask():
            return next((c for c in self.capture.coverage() if c.pid == pid and c.rung in rungs), None)

        return self.until(ask, Standing(self.capture, pid, rungs))

    @property
    def calls(self):
        return [r for r in self.records if isinstance(r, LlmCall)]

    @property
    def lost(self):
        return {k: n for k, n in self.capture.losses()[self.scope.id].lost.items() if n}

    def close(self):
        self.records += self.capture.close(now())
        self.kernel.close()


@pytest.fixture
def watch(lab):
    made = Watch(lab.scope)
    yield made
    made.close()


def asked(folder, *requests):
    file = folder / "requests"
    file.write_text("\n".join(r.hex() for r in requests))
    return file


def asker(scope, model, requests, times=1, *more, pause=0.0):
    port, ca = model
    return scope.start(
        *(labs.PYTHON, "-S", "-E", LOADS / "asker.py", str(port), ca, requests, str(times), str(pause), *more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def go(process):
    process.stdin.write("\n")
    process.stdin.flush()


def answered(watch, process):
    """What the process says at its end, with the capture polled meanwhile."""
    os.set_blocking(process.stdout.fileno(), False)
    said = watch.until(
        lambda: "".join(filter(None, [process.stdout.readline()])).strip(),
        "the asker's answer",
        seconds=10 * labs.DEADLINE,
    )
    watch.poll(0.1)
    return int(said.split()[0]), float(said.split()[1])


def run(watch, model, requests, times=1, pause=0.0):
    process = asker(watch.scope, model, requests, times, pause=pause)
    assert process.stdout.readline() == "ready\n"
    watch.stands(process.pid, "symbol")
    go(process)
    done = answered(watch, process)
    go(process)
    watch.until(lambda: process.poll() is not None, "the asker's end")
    watch.poll(0.1)
    return done


def essence(call):
    """What a call says, without where and when it was seen."""
    told = "api model_asked model_answered streamed system history user_turn tools results answer text finish usage partial"
    calls = [(c.index, c.id, c.name, c.arguments, c.partial) for c in call.calls]
    return [(name, getattr(call, name)) for name in told.split()] + calls


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("api", wires.APIS)
def test_a_python_agents_call_comes_out_as_it_was_said(watch, model, tmp_path, api, stream):
    run(watch, model, asked(tmp_path, wires.ask(api, stream=stream), wires.ask(api, "again.json")))
    sent, received = wires.conversation(api, stream=stream)
    expected = wires.calls(wires.run(sent, received))
    assert [essence(c) for c in watch.calls] == [essence(c) for c in expected]
    assert [r.name for r in watch.records if isinstance(r, ToolCall)]
    assert watch.calls[0].place.connection.cgroup == watch.scope.id
    assert watch.lost == {}
    assert watch.decoder.health.lost == 0


def prompt(size):
    """A request whose body is at least so long."""
    body = (
        wires.fixture("openai-chat", "ask.json").rstrip()[:-1] + b', "metadata": {"note": "' + b"a word " * (size // 7)
    )
    return wires.request("/v1/chat/completions", body + b'"}}')


def test_a_prompt_of_a_mebibyte_is_whole(watch, model, tmp_path):
    request = prompt(1 << 20)
    run(watch, model, asked(tmp_path, request))
    (call,) = watch.calls
    assert call.partial == ()
    assert call.request.end - call.request.start == len(request)
    assert watch.lost == {}


def test_of_ten_thousand_calls_none_is_lost(watch, model, tmp_path):
    """At some hundred calls a second, which is more than one agent makes."""
    done, _ = run(watch, model, asked(tmp_path, wires.ask("openai-chat")), 10_000, pause=0.001)
    assert done == 10_000
    assert watch.lost == {}
    assert len(watch.calls) == 10_000
    assert {c.place.exchange for c in watch.calls} == set(range(10_000))
    assert not any(c.partial for c in watch.calls)
    assert watch.decoder.health.lost == 0


def test_of_ten_thousand_calls_as_fast_as_they_go_each_lost_byte_is_counted(watch, model, tmp_path):
    done, _ = run(watch, model, asked(tmp_path, wires.ask("openai-chat")), 10_000)
    counted = watch.capture.losses()[watch.scope.id]
    assert done == 10_000
    assert watch.decoder.health.lost == counted.lost["ring"]
    assert watch.decoder.health.bytes + watch.decoder.health.lost == counted.bytes
    assert all(c.partial or c.usage.value for c in watch.calls), "what came whole is told whole"


@pytest.fixture
def narrow(lab):
    """A ring of 64 KiB."""
    made = Watch(lab.scope, chunk_pages=16)
    yield made
    made.close()


def test_what_does_not_fit_the_ring_is_counted_to_the_byte_and_named_in_the_record(narrow, model, tmp_path):
    requests = [prompt(300_000), wires.ask("openai-chat"), prompt(200_000)]
    run(narrow, model, asked(tmp_path, *requests))
    counted = narrow.capture.losses()[narrow.scope.id]
    sent = sum(map(len, requests))
    assert counted.lost["ring"] > 0
    assert counted.lost["ring"] == narrow.decoder.health.lost
    assert narrow.decoder.health.lost + narrow.decoder.health.bytes == counted.bytes
    assert counted.bytes > sent
    assert any(c.partial for c in narrow.calls)


@pytest.fixture
def thrifty(lab):
    """A budget of 100 kB a second."""
    made = Watch(lab.scope, budget=100_000)
    yield made
    made.close()


def test_a_workload_pays_no_more_than_its_budget(thrifty, model, tmp_path):
    run(thrifty, model, asked(tmp_path, prompt(500_000), wires.ask("openai-chat")))
    counted = thrifty.capture.losses()[thrifty.scope.id]
    assert counted.lost["budget"] >= 500_000
    assert thrifty.decoder.health.lost == counted.lost["budget"]
    assert thrifty.decoder.health.bytes == counted.bytes - counted.lost["budget"]


def code_at(pid, path, offset):
    """The byte that a process has at an offset of a file that it runs."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, start, _, _, *name = line.split()
        first, last = (int(x, 16) for x in span.split("-"))
        if name == [path] and "x" in rights and 0 <= offset - int(start, 16) < last - first:
            with open(f"/proc/{pid}/mem", "rb") as memory:
                memory.seek(first + offset - int(start, 16))
                return memory.read(1)[0]
    raise AssertionError(f"{pid} does not map {path}")


def places(watch, pid):
    """Where the capture watches a process: pairs of file and offset."""
    libraries = watch.capture._processes[pid].libraries
    return [(m.path, at) for m, lib in libraries.items() for at in lib.functions.values()]


def test_only_the_watched_process_holds_breakpoints_and_forgetting_it_takes_them_out(watch, model, tmp_path):
    requests = asked(tmp_path, wires.ask("openai-chat"))
    mine, other = asker(watch.scope, model, requests), asker(watch.scope.child("other"), model, requests)
    for process in (mine, other):
        assert process.stdout.readline() == "ready\n"
    watch.stands(mine.pid, "symbol")
    where = places(watch, mine.pid)
    assert len(where) == 6
    assert {code_at(mine.pid, *w) for w in where} == {BREAKPOINT}
    assert BREAKPOINT not in {code_at(other.pid, *w) for w in where}
    watch.capture.forget(watch.scope.id, now())
    labs.until(lambda: BREAKPOINT not in {code_at(mine.pid, *w) for w in where}, "the breakpoints to go")
    for process in (mine, other):
        process.kill()
        process.wait()


KILLED = """
import sys, time
from pathlib import Path
from sensor.observe.applayer.decoder import Decoder
from sensor.observe.plaintext.capture import Capture
from sensor.probes.tls import TlsKernel
scope = Path(sys.argv[1])
capture = Capture(TlsKernel(scope), Decoder(), lambda ns: ns / 1e9)
now = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME)
capture.watch(scope.stat().st_ino, scope, now())
while True:
    capture.poll(now())
    if any(c.rung == "symbol" for c in capture.coverage()):
        print("attached", flush=True)
    time.sleep(0.05)
"""


def test_a_killed_capture_leaves_nothing_attached(watch, lab, model, tmp_path):
    mine = asker(lab.scope, model, asked(tmp_path, wires.ask("openai-chat")))
    mine.stdout.readline()
    watch.stands(mine.pid, "symbol")
    where = places(watch, mine.pid)
    watch.capture.forget(lab.scope.id, now())
    capture = subprocess.Popen(
        [sys.executable, "-c", KILLED, lab.scope.path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert capture.stdout.readline() == "attached\n"
    assert {code_at(mine.pid, *w) for w in where} == {BREAKPOINT}
    held = labs.programs_of(capture.pid)
    assert held
    capture.send_signal(signal.SIGKILL)
    capture.wait()
    labs.until(lambda: BREAKPOINT not in {code_at(mine.pid, *w) for w in where}, "the breakpoints to go")
    labs.until(lambda: not any(map(labs.is_loaded, held)), "the programs to go")
    assert labs.left_in_kernel(lab.name) == []
    go(mine)
    assert mine.stdout.readline().split()[0] == "1", "the agent goes on"
    mine.kill()
    mine.wait()


def test_a_process_that_ends_is_let_go(watch, model, tmp_path):
    run(watch, model, asked(tmp_path, wires.ask("openai-chat")))
    watch.until(lambda: watch.capture.coverage() == [], "the capture to let it go")
    labs.until(lambda: not attached(), "its descriptors to be closed")


def attached():
    """Descriptors of this process that keep something attached."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return [link for link in found if "perf_event" in link]


def test_a_forked_worker_is_found_and_captured(watch, model, tmp_path):
    process = asker(watch.scope, model, asked(tmp_path, wires.ask("openai-chat")), 1, "1.0")
    process.stdout.readline()
    watch.stands(process.pid, "symbol")
    go(process)
    answered(watch, process)
    assert len({c.place.connection.pid for c in watch.calls}) == 2
    process.kill()
    process.wait()


NODE = """
const https = require("https"), fs = require("fs");
const [port, ca, file, times] = process.argv.slice(1);
const agent = new https.Agent({keepAlive: true, maxSockets: 1});
const bodies = fs.readFileSync(file, "utf8").trim().split("\\n").map(h => Buffer.from(h, "hex"));
process.stdin.once("data", async () => {
  for (let i = 0; i < +times; i++) for (const body of bodies)
    await new Promise((done, failed) => {
      const r = https.request({host: "localhost", port, ca: fs.readFileSync(ca), agent, method: "POST",
        path: "/v1/chat/completions", headers: {"Content-Length": body.length, Authorization: "Bearer sk-very-secret"}},
        a => { a.resume(); a.on("end", done); });
      r.on("error", failed); r.end(body);
    });
  console.log(bodies.length * times, 0);
});
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node here")
def test_nodes_own_openssl_is_read_by_symbol_and_its_retries_are_not_doubled(watch, model, tmp_path):
    port, ca = model
    body = prompt(1 << 20).partition(b"\r\n\r\n")[2]
    node = watch.scope.start(
        *(shutil.which("node"), "-e", NODE, str(port), ca, asked(tmp_path, body), "3"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    watch.stands(node.pid, "symbol")
    go(node)
    answered(watch, node)
    assert [c.partial for c in watch.calls] == [()] * 3
    assert watch.lost == {}
    assert "sk-very-secret" not in repr(watch.records)
    node.kill()
    node.wait()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_curl_is_captured_and_the_library_that_it_does_not_use_is_named(watch, model, tmp_path):
    port, ca = model
    (tmp_path / "body").write_bytes(wires.fixture("anthropic", "ask.json"))
    url = f"https://localhost:{port}/v1/messages"
    fifo = tmp_path / "body.fifo"
    os.mkfifo(fifo)
    curl = watch.scope.start(
        *(shutil.which("curl"), "-sS", "--http1.1", "--cacert", ca, "-H", "Content-Type: application/json"),
        *("--data-binary", f"@{fifo}", "-o", "/dev/null", url),
    )
    row = watch.stands(curl.pid, "symbol")  # it waits for its body
    fifo.write_bytes((tmp_path / "body").read_bytes())
    watch.until(lambda: watch.calls, "curl's call")
    assert watch.calls[0].api.value == "anthropic"
    assert {p.rung for p in row.parts} <= {"symbol", "uncovered"}
    curl.wait()


STATIC = r"""
#include <openssl/ssl.h>
#include <stdio.h>
int main(void) { SSL_CTX *c = SSL_CTX_new(TLS_client_method()); puts(c ? "ready" : "no"); fflush(stdout); getchar(); return 0; }
"""


@pytest.mark.skipif(not Path("/usr/include/openssl/ssl.h").exists(), reason="no headers of OpenSSL")
@pytest.mark.parametrize("stripped", [True, False], ids=["stripped", "with-symbols"])
def test_static_tls_is_covered_by_its_symbols_and_without_them_loudly_uncovered(watch, tmp_path, caplog, stripped):
    source, made = tmp_path / "static.c", tmp_path / "static"
    source.write_text(STATIC)
    uses = "(void)(SSL_read((void*)0,0,0)+SSL_write((void*)0,0,0));"
    source.write_text(STATIC.replace("return 0;", f"if (getchar() == 'x') {uses} return 0;"))
    flags = ["-s"] if stripped else []
    command = ["gcc", "-o", made, source, *flags, "-l:libssl.a", "-l:libcrypto.a", "-ldl", "-lpthread"]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no static OpenSSL to link with")
    process = watch.scope.start(made, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    row = watch.stands(process.pid, "uncovered" if stripped else "symbol")
    assert str(made) in row.reason if stripped else row.reason == ""
    assert ("is uncovered" in caplog.text) == stripped
    process.kill()
    process.wait()


def test_a_process_without_tls_is_said_to_have_none(watch):
    process = watch.scope.start("/bin/sleep", "60")
    assert watch.stands(process.pid, "none").parts == ()
    watch.capture.hello(process.pid)
    assert "greeted" in watch.stands(process.pid, "metadata").reason
    process.kill()
    process.wait()


ASYNC = """
import asyncio, ssl, sys
port, ca, file, times = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
requests = [bytes.fromhex(line) for line in open(file)]
context = ssl.create_default_context(cafile=ca)
async def talk():
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    for request in requests * times:
        writer.write(request)
        await writer.drain()
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\\r")[0]))
    writer.close()
async def main():
    await asyncio.gather(*(talk() for _ in range(4)))
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
print(4 * times * len(requests), 0, flush=True)
sys.stdin.readline()
"""

THREADS = ASYNC.replace(
    "asyncio.run(main())",
    "t = [threading.Thread(target=asyncio.run, args=(talk(),)) for _ in range(4)]\n"
    "[x.start() for x in t]; [x.join() for x in t]",
).replace("import asyncio", "import asyncio, threading")

AGAIN = """
import os, ssl, sys
print("ready", flush=True)
sys.stdin.readline()
os.execv(sys.executable, [sys.executable, *sys.argv[5:], *sys.argv[1:5], "0"])
"""


def script(scope, model, requests, times, text, *more):
    port, ca = model
    process = scope.start(
        *(labs.PYTHON, "-S", "-E", "-c", text, str(port), ca, requests, str(times), *more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def end(process):
    process.kill()
    process.wait()


@pytest.mark.parametrize("text", [ASYNC, THREADS], ids=["asyncio", "threads"])
def test_connections_over_memory_buffers_at_once_are_kept_apart(watch, model, tmp_path, text):
    request = wires.ask("openai-chat", headers=[("Authorization", "Bearer sk-very-secret")])
    process = script(watch.scope, model, asked(tmp_path, prompt(200_000), request), 5, text)
    watch.stands(process.pid, "symbol")
    go(process)
    answered(watch, process)
    assert len(watch.calls) == 40
    assert {c.partial for c in watch.calls} == {()}
    assert len({c.place.connection for c in watch.calls}) == 4
    assert watch.lost == {}
    assert "sk-very-secret" not in repr(watch.records)
    end(process)


def test_a_process_that_runs_another_program_stays_captured(watch, model, tmp_path):
    requests = asked(tmp_path, wires.ask("openai-chat"))
    process = script(watch.scope, model, requests, 3, AGAIN, "-S", "-E", LOADS / "asker.py")
    watch.stands(process.pid, "symbol")
    go(process)
    assert process.stdout.readline() == "ready\n"
    watch.capture.hint(process.pid, now())
    go(process)
    answered(watch, process)
    assert len(watch.calls) == 3
    end(process)


ON_AND_ON = """
import http.client, select, socket, ssl, sys
port, ca, file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context, asked = ssl.create_default_context(cafile=ca), 0
print("ready", flush=True)
sys.stdin.readline()
with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost") as connection:
    while not asked or not select.select([sys.stdin], [], [], 0.01)[0]:
        connection.sendall(bytes.fromhex(open(file).readline()))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read()
        asked += 1
        if asked == 1:
            print("asked", flush=True)
print(asked, 0, flush=True)
sys.stdin.readline()
sys.stdin.readline()
"""


def test_a_connection_that_was_there_before_is_joined_at_its_next_request(watch, model, tmp_path):
    late = watch.scope.child("late")
    process = script(late, model, asked(tmp_path, wires.ask("openai-chat")), 1, ON_AND_ON)
    go(process)
    assert process.stdout.readline() == "asked\n"
    assert watch.capture.watch(late.id, late.path, now())
    watch.until(lambda: sum(not c.partial for c in watch.calls) > 10, "calls that are whole")
    go(process)
    done, _ = answered(watch, process)
    whole = [c for c in watch.calls if not c.partial]
    assert 10 < len(whole) < done
    (expected,) = wires.calls(
        wires.run(wires.ask("openai-chat"), wires.answer(wires.fixture("openai-chat", "answer.json")))
    )
    assert {(c.model_asked.value, c.usage.value) for c in whole} == {(expected.model_asked.value, expected.usage.value)}
    end(process)


LIES = """
.text
.globl SSL_read, SSL_write, SSL_new
.type SSL_read,@function
.type SSL_write,@function
.type SSL_new,@function
real: movabs $0x1122334455667788, %rax
.set SSL_read, real + 3
.set SSL_write, real + 3
SSL_new: .byte 0x0f, 0x0b, 0x0f, 0xff, 0xff
ret
"""


def test_a_library_with_lying_symbols_hurts_nobody_else(watch, tmp_path):
    """Its places lie within an instruction, behind the end, or are the same: its own process may break, the capture does not."""
    source, made = tmp_path / "lie.s", tmp_path / "libssl-lie.so.3"
    source.write_text(LIES)
    if subprocess.run(["gcc", "-shared", "-o", made, source], capture_output=True).returncode:
        pytest.skip("no assembler here")
    load = f"import ctypes, sys; ctypes.CDLL({str(made)!r}); print('ready', flush=True); sys.stdin.readline()"
    process = watch.scope.start(
        *(labs.PYTHON, "-S", "-E", "-c", load), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    row = watch.stands(process.pid, "symbol", "uncovered")
    assert str(made) in {p.path for p in row.parts}
    assert not row.http
    end(process)


def test_watching_a_return_does_no_harm_to_a_process_whose_calls_are_filtered():
    """Kernels 6.11 to 6.13 killed it; there the capture must refuse, which `trial.harm` finds out by trying."""
    child = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", trial.CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    path = os.fsdecode(child.stdout.readline().strip())
    with open(path, "rb", buffering=0) as file:
        offset = Elf(file).functions(frozenset({"getppid"}))["getppid"]
        event = uprobes.watch_bare(file.fileno(), offset, pid=child.pid, at_return=True)
    assert code_at(child.pid, path, offset) == BREAKPOINT, "else the trial tries nothing"
    said, _ = child.communicate(b"\n")
    os.close(event)
    assert (b"alive" in said) == (trial.harm() == "")


OVERLAY = 'mount -t overlay overlay -o "lowerdir=$1:$2" "$3" && shift 3 && exec "$@"'


def test_a_library_on_an_overlay_is_captured_as_in_a_container(watch, model, tmp_path):
    port, ca = model
    low, lower, merged = (tmp_path / n for n in ("low", "lower", "merged"))
    for folder in (low, lower, merged):
        folder.mkdir()
    shutil.copy(next(Path("/usr/lib").glob("*/libssl.so.3")), low)
    requests = asked(tmp_path, wires.ask("openai-chat"))
    process = watch.scope.start(
        *("/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c", OVERLAY, "sh", low, lower, merged),
        *("/usr/bin/env", f"LD_LIBRARY_PATH={merged}", labs.PYTHON, "-S", "-E", LOADS / "asker.py"),
        *(str(port), ca, requests, "1", "0"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout.readline() != "ready\n":
        pytest.skip("cannot mount an overlay here")
    row = watch.stands(process.pid, "symbol")
    assert str(merged) in row.parts[0].path
    go(process)
    answered(watch, process)
    assert len(watch.calls) == 1
    end(process)


URLLIB = """
import ssl, urllib.request
context = ssl.create_default_context(cafile=ca)
def ask(url, body):
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, context=context).read()
"""
AIOHTTP = """
import aiohttp, asyncio, ssl
context = ssl.create_default_context(cafile=ca)
async def talk(url, body):
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=body, headers={"Content-Type": "application/json"}, ssl=context) as answer:
            await answer.read()
def ask(url, body):
    asyncio.run(talk(url, body))
"""
HTTPX = """
import httpx, ssl
context = ssl.create_default_context(cafile=ca)
def ask(url, body):
    httpx.Client(verify=context).post(url, content=body, headers={"Content-Type": "application/json"}).read()
"""
CLIENT = """
import sys
port, ca, file = sys.argv[1:4]
{}
print("ready", flush=True)
sys.stdin.readline()
for line in open(file):
    ask(f"https://localhost:{{port}}/v1/chat/completions", bytes.fromhex(line))
print(1, 0, flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("module,text", [("urllib", URLLIB), ("aiohttp", AIOHTTP), ("httpx", HTTPX)])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_the_clients_that_agents_use_are_read(watch, model, tmp_path, module, text, stream):
    pytest.importorskip(module)
    port, ca = model
    small, large = (r.partition(b"\r\n\r\n")[2] for r in (wires.ask("openai-chat", stream=stream), prompt(1 << 20)))
    process = watch.scope.start(
        *(
            sys.executable,
            "-c",
            CLIENT.format(text),
            str(port),
            ca,
            asked(tmp_path, small, large),
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    watch.stands(process.pid, "symbol")
    go(process)
    answered(watch, process)
    assert [(c.streamed, c.partial, bool(c.usage.value)) for c in watch.calls][1:] == [(False, (), True)]
    assert (watch.calls[0].streamed, watch.calls[0].partial) == (stream, ())
    assert watch.calls[0].calls[0].name
    end(process)


def test_out_of_descriptors_a_process_is_uncovered_until_there_are_some(watch, model, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    process = asker(watch.scope, model, asked(tmp_path, wires.ask("openai-chat")))
    process.stdout.readline()
    taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(64)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1] + 1, hard))
    try:
        for fd in taken[-4:]:
            os.close(fd)
        row = watch.stands(process.pid, "uncovered")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken[:-4]:
            os.close(fd)
    assert "Too many open files" in row.reason
    watch.stands(process.pid, "symbol")
    end(process)
