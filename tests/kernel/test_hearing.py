"""The sensor's daemon listens to agents and to nobody else: real clients, real TLS, events, an inventory that names the model."""

import contextlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from classifier.inventory.view import recorded
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from sensor.identity.rules import load
from sensor.identity.settings import IdentitySettings
from sensor.probes import client, trial, uprobes
from sensor.settings import CaptureSettings
from tests.kernel import lab as labs
from tests.kernel.daemon import sent
from tests.kernel.test_tls import STATIC, certificate, code_at
from tests.observe.applayer import wires
from wire.records import Event, Head

ROOT = Path(__file__).parents[2]
SECONDS = 150  # for a condition: under emulation two compilers take a minute each, one behind the other
MODEL = "gpt-5-mini"

pytestmark = pytest.mark.skipif(bool(uprobes.missing()), reason=uprobes.missing() or "uprobes are there")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Port and CA of a model that listens on loopback, outside the watched cgroup."""
    if why := trial.harm():
        pytest.skip(why)
    ca, key = certificate(tmp_path_factory.mktemp("ca"))
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.kernel.model", ca, key], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    yield int(server.stdout.readline()), ca
    server.kill()
    server.wait()


@contextmanager
def sensor_of(lab, *agents):
    """A sensor whose cgroups are named by a rule, and what listens in it."""
    rules = load([{"match": f".*{lab.scope.path.name}/(?P<name>[a-z0-9]+)", "workload": "unit:{name}"}])
    with lab.sensor(identity=IdentitySettings(rules=rules), capture=CaptureSettings(agents)) as sensor:
        yield sensor


@pytest.fixture
def sensor(lab):
    with sensor_of(lab, "auto") as running:
        yield running


@pytest.fixture
def box(sensor):
    made = sensor.cgroup()
    yield made
    made.remove()


@pytest.fixture
def framework(tmp_path):
    """A folder of packages with one that only agents have."""
    site = tmp_path / "lib/site-packages"
    (site / "openai").mkdir(parents=True)
    (site / "openai/__init__.py").write_text("")
    return site


BEGIN = """
import sys
sys.path[:0] = sys.argv[1:2]
import openai, ssl
port, ca, body = sys.argv[2], sys.argv[3], open(sys.argv[4], "rb").read()
url = f"https://localhost:{port}/v1/chat/completions"
head = {"Content-Type": "application/json", "Authorization": "Bearer sk-very-secret-very-secret"}
context = ssl.create_default_context(cafile=ca)
"""
CLIENTS = {
    "urllib": """
import urllib.request
def ask(): urllib.request.urlopen(urllib.request.Request(url, body, head), context=context).read()
""",
    "httpx": """
import httpx
client = httpx.Client(verify=context, trust_env=False)
def ask(): client.post(url, content=body, headers=head).raise_for_status()
""",
    "aiohttp": """
import aiohttp, asyncio
async def once():
    async with aiohttp.ClientSession() as s, s.post(url, data=body, headers=head, ssl=context) as a: await a.read()
def ask(): asyncio.run(once())
""",
}
END = """
print("ready", flush=True)
while sys.stdin.readline():
    ask()
    print("asked", flush=True)
"""
NODE = """
require(process.argv[1]);
const https = require("https"), fs = require("fs");
const [, , port, ca, file] = process.argv;
const body = fs.readFileSync(file);
console.log("ready");
process.stdin.on("data", () => {
  const r = https.request({host: "localhost", port, ca: fs.readFileSync(ca), method: "POST", agent: false,
    path: "/v1/chat/completions", headers: {"Content-Length": body.length}});
  r.on("response", a => { a.resume(); a.on("end", () => console.log("asked")); });
  r.end(body);
});
"""


class Client:
    """An agent that asks once for each line that it is given."""

    def __init__(self, box, *argv):
        self.process = box.start(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def ready(self):
        assert self.process.stdout.readline() == "ready\n"

    def ask(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "asked\n"

    def end(self):
        self.process.kill()
        self.process.wait()


def python(box, framework, model, tmp_path, name="urllib", interpreter=labs.PYTHON):
    body = tmp_path / "ask.json"
    body.write_bytes(wires.fixture("openai-chat", "ask.json"))
    port, ca = model
    return Client(box, interpreter, "-c", BEGIN + CLIENTS[name] + END, framework, str(port), ca, body)


def stands(said, pid, *rungs):
    """Waits until the sensor has said that a process stands on one of these rungs."""

    def ask():
        rows = [e for e in said.events("coverage") if e.data.get("pid") == pid]
        return rows[-1] if rows and rows[-1].data["rung"] in rungs else None

    return labs.until(ask, f"{pid} on {rungs}", seconds=SECONDS)


def told(said, kind, count=1):
    return labs.until(lambda: len(e := said.events(kind)) >= count and e, f"{count} events {kind}", seconds=SECONDS)


def inventory(sensor, workload):
    pipeline = Pipeline(Policy())
    for record in list(sensor.sink.records):
        pipeline.feed(record)
    found = recorded(pipeline.known(), workload)
    assert found is not None
    return {(i.kind, i.name): i for i in found.items}, pipeline


def has(module):
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0


@pytest.mark.parametrize("name", CLIENTS)
def test_a_python_agent_is_heard_and_its_model_and_tools_are_in_the_inventory(
    sensor, box, framework, model, tmp_path, name
):
    if not has(name if name != "urllib" else "ssl"):
        pytest.skip(f"no {name} here")
    agent = python(box, framework, model, tmp_path, name, labs.PYTHON if name == "urllib" else sys.executable)
    agent.ready()
    said = sensor.of(box)
    covered = stands(said, agent.pid, "symbol")
    assert "libssl" in covered.data["library"] or "python" in covered.data["library"]
    agent.ask()
    call = told(said, "llm")[0]
    assert (call.data["model_asked"], call.data["source"], call.data["basis"]) == (MODEL, "tls", "verified")
    assert call.data["pid"] == agent.pid and "python" in call.data["image"]
    tool = told(said, "tool")[0]
    assert tool.data["llm"] == call.id and tool.behaviour == f"tool:{tool.data['name']}"
    labs.until(lambda: said.counts("tool:"), "a window that counts the tool", seconds=SECONDS)
    assert "sk-very-secret" not in repr(sensor.sink.records)
    agent.end()
    items, pipeline = inventory(sensor, f"unit:{box.path.name}")
    assert ("model", call.data["model_answered"]) in items
    assert ("tool", tool.data["name"]) in items
    assert items["prompt", "system prompt"].basis
    assert pipeline.envelope(f"unit:{box.path.name}").items[tool.behaviour]


MCP_SERVER = """
import http.server, json, ssl, sys
class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        result = {"content": [{"type": "text", "text": "it is closed"}]}
        if asked["method"] == "initialize":
            result = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "desk", "version": "2"}}
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        self.send_response(200)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", len(body)), ("Mcp-Session-Id", "s3cret")):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:3])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
MCP_CLIENT = """
import json, urllib.request
def post(id, method, params, **more):
    data = json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode()
    asked = urllib.request.Request(f"https://localhost:{port}/mcp", data, {"Content-Type": "application/json", **more})
    with urllib.request.urlopen(asked, context=context) as answer:
        answer.read()
        return answer.headers["Mcp-Session-Id"]
def ask():
    session = post(1, "initialize", {"protocolVersion": "2025-06-18", "clientInfo": {"name": "a", "version": "1"}})
    post(2, "tools/call", {"name": "close", "arguments": {"id": "ZD-1"}}, **{"Mcp-Session-Id": session})
"""


def test_mcp_over_http_is_heard_over_connections_that_share_a_session(sensor, box, framework, model, tmp_path):
    ca = model[1]
    server = subprocess.Popen(
        [sys.executable, "-c", MCP_SERVER, ca, ca.with_name("key.pem")], stdout=subprocess.PIPE, text=True
    )
    port, said = server.stdout.readline().strip(), sensor.of(box)
    agent = Client(box, labs.PYTHON, "-c", BEGIN + MCP_CLIENT + END, framework, port, ca, _body(tmp_path))
    agent.ready()
    stands(said, agent.pid, "symbol")
    agent.ask()
    call = next(e for e in told(said, "mcp", 2) if e.data["method"] == "tools/call")
    assert call.behaviour == "mcp:desk/close"
    assert call.data["arguments"] == '{"id":"ZD-1"}' and call.data["result"] == "it is closed"
    assert (call.data["transport"], call.data["source"], call.data["server"]) == ("http", "tls", "desk")
    labs.until(lambda: said.counts("mcp:"), "a window that counts it", seconds=SECONDS)
    assert "s3cret" not in repr(sensor.sink.records)
    agent.end()
    server.kill()
    server.wait()
    assert ("mcp", "desk") in inventory(sensor, f"unit:{box.path.name}")[0]


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node here")
def test_a_node_agent_is_heard(sensor, box, model, tmp_path):
    package = tmp_path / "node_modules/@anthropic-ai/sdk"
    package.mkdir(parents=True)
    (package / "index.js").write_text("")
    body = tmp_path / "ask.json"
    body.write_bytes(wires.fixture("openai-chat", "ask.json"))
    port, ca = model
    agent = Client(box, shutil.which("node"), "-e", NODE, package / "index.js", str(port), ca, body)
    agent.ready()
    stands(sensor.of(box), agent.pid, "symbol")
    agent.ask()
    assert told(sensor.of(box), "llm")[0].data["model_asked"] == MODEL
    agent.end()


def test_a_stripped_static_program_of_an_agent_is_said_to_be_uncovered(sensor, box, framework, tmp_path):
    source, made = tmp_path / "static.c", tmp_path / "static"
    source.write_text(STATIC)
    if subprocess.run(
        ["gcc", "-s", "-o", made, source, "-l:libssl.a", "-l:libcrypto.a", "-ldl", "-lpthread"], capture_output=True
    ).returncode:
        pytest.skip("no static OpenSSL to link with")
    code = f"import sys; sys.path.insert(0, {str(framework)!r}); import openai, os; os.execv({str(made)!r}, ['static'])"
    agent = Client(box, labs.PYTHON, "-c", code)
    agent.ready()
    row = stands(sensor.of(box), agent.pid, "uncovered")
    assert str(made) in row.data["reason"] and row.data["library"] == str(made)
    agent.end()


def breakpoints(pid):
    """Breakpoints at the entries of the TLS functions of a process, by the libraries that it maps."""
    from sensor.observe.plaintext.libraries import FUNCTIONS, mapped
    from sensor.probes.symbols import Elf

    found = []
    for mapping in mapped(pid):
        if "libssl" in mapping.path:
            with open(mapping.path, "rb", buffering=0) as file:
                places = Elf(file).functions(FUNCTIONS)
            found += [code_at(pid, mapping.path, at) for at in places.values()]
    assert found
    return [byte for byte in found if byte == 0xCC]


def test_who_is_no_agent_pays_nothing(sensor, box, framework, model, tmp_path):
    """The same program with the same library, but without the framework: no breakpoint, no event; nothing is even loaded."""
    empty = tmp_path / "plain/site-packages/ordinary"
    empty.mkdir(parents=True)
    (empty.parent / "openai.py").write_text("")  # a module of this name elsewhere is no framework
    other = sensor.cgroup()
    plain = Client(
        other,
        *(labs.PYTHON, "-c", BEGIN.replace("openai, ", "") + CLIENTS["urllib"] + END, empty.parent),
        *(str(model[0]), model[1], _body(tmp_path)),
    )
    plain.ready()
    plain.ask()
    labs.until(lambda: sensor.of(other).windows(), "a window", seconds=SECONDS)
    assert [source.ear for source in sensor.agent.hearing.sources if source.ear] == []
    agent = python(box, framework, model, tmp_path)
    agent.ready()
    stands(sensor.of(box), agent.pid, "symbol")
    plain.ask()
    agent.ask()
    told(sensor.of(box), "llm")
    assert len(breakpoints(agent.pid)) == 6
    assert breakpoints(plain.pid) == []
    assert not [e for e in sensor.of(other).records(Event) if e.kind in ("llm", "tool", "mcp", "coverage")]
    plain.end()
    agent.end()
    other.remove()


def _body(tmp_path):
    body = tmp_path / "body.json"
    body.write_bytes(wires.fixture("openai-chat", "ask.json"))
    return body


def test_a_pattern_of_a_workloads_name_makes_an_agent_of_what_opens_no_framework(lab, model, tmp_path):
    with sensor_of(lab, "unit:support*") as sensor:
        chosen, other = sensor.cgroup("support1"), sensor.cgroup("billing")
        code = BEGIN.replace("openai, ", "") + CLIENTS["urllib"] + END
        clients = [
            Client(c, labs.PYTHON, "-c", code, "/nowhere", str(model[0]), model[1], _body(tmp_path))
            for c in (chosen, other)
        ]
        for asker in clients:
            asker.ready()
        stands(sensor.of(chosen), clients[0].pid, "symbol")
        for asker in clients:
            asker.ask()
        told(sensor.of(chosen), "llm")
        assert breakpoints(clients[1].pid) == []
        for asker in clients:
            asker.end()


def test_a_closed_sensor_leaves_no_breakpoint_and_no_descriptor(lab, framework, model, tmp_path):
    with sensor_of(lab, "auto") as sensor:
        box = sensor.cgroup()
        agent = python(box, framework, model, tmp_path)
        agent.ready()
        stands(sensor.of(box), agent.pid, "symbol")
    labs.until(lambda: breakpoints(agent.pid) == [] and attachments() == [], "the places to be left", seconds=SECONDS)
    agent.ask()
    agent.end()


def attachments():
    """Descriptors of this process that keep something attached."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return [name for name in found if "perf_event" in name]


def test_a_killed_sensor_leaves_no_breakpoint_and_unloading_nothing_in_the_kernel(lab, framework, model, tmp_path):
    out = tmp_path / "sent"
    command = [sys.executable, "-m", "tests.kernel.daemon", lab.name, lab.scope.path, lab.folder, out, "keep"]
    daemon = subprocess.Popen(command, cwd=ROOT)
    labs.until(lambda: [r for r in sent(out) if isinstance(r, Head)], "the head of its stream", seconds=SECONDS)
    agent = python(lab.scope.child("agent"), framework, model, tmp_path)
    agent.ready()

    def covered():
        return [r for r in sent(out) if isinstance(r, Event) and r.kind == "coverage" and r.data["rung"] == "symbol"]

    labs.until(covered, "its coverage", seconds=SECONDS)
    assert len(breakpoints(agent.pid)) == 6
    daemon.kill()
    daemon.wait()
    labs.until(lambda: breakpoints(agent.pid) == [], "the breakpoints to go", seconds=SECONDS)
    agent.ask()
    agent.end()
    client.unload(lab.settings())
    assert labs.left_in_kernel(lab.name) == []


def test_an_agent_that_was_there_before_is_known_by_what_a_restarted_sensor_remembers(lab, framework, model, tmp_path):
    with lab.sensor(keep_pinned=True) as first:
        box = first.cgroup()
        agent = python(box, framework, model, tmp_path)
        agent.ready()
        stands(first.of(box), agent.pid, "symbol")
    with lab.sensor() as second:
        stands(second.of(box), agent.pid, "symbol")
        agent.ask()
        told(second.of(box), "llm")
        agent.end()


def test_a_kernel_that_refuses_is_a_blind_spot_and_the_agents_coverage_says_so(lab, framework, tmp_path, monkeypatch):
    monkeypatch.setattr(uprobes, "missing", lambda: "no uprobes for this test")
    with sensor_of(lab, "auto") as sensor:
        box = sensor.cgroup()
        code = f"import sys; sys.path.insert(0, {str(framework)!r}); import openai; print('ready', flush=True); input()"
        agent = Client(box, labs.PYTHON, "-c", code)
        agent.ready()
        row = told(sensor.of(box), "coverage")[0]
        assert row.data["rung"] == "metadata" and "no uprobes for this test" in row.data["reason"]
        head = [r for r in sensor.sink.records if isinstance(r, Head)][-1]
        spot = next(p for p in head.probes if p.name == "tls")
        assert spot.state == "off" and "no uprobes for this test" in spot.misses[0]
        agent.end()
