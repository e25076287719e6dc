"""Who speaks from a network namespace of its own is known by the kernel's word, and nobody else speaks in its name."""

import json
import shutil
import subprocess

import pytest

from sensor.identity.rules import load
from sensor.identity.settings import IdentitySettings
from tests.kernel import lab as labs
from tests.kernel.netns import Network
from tests.service.daemon import Daemon
from wire.bus import Sender

PORT = 4318
POST = """
import http.client, json, socket, sys
where, source, body = sys.argv[1], (sys.argv[2], int(sys.argv[3])) if sys.argv[2] else None, sys.argv[4].encode()
line = http.client.HTTPConnection(where, 4318, timeout=60, source_address=source)
print("ready", flush=True)
while sys.stdin.readline():
    try:
        line.request("POST", "/v1/traces", body, {"Content-Type": "application/json"})
        answer = line.getresponse()
        answer.read()
        print(json.dumps([answer.status, line.sock.getsockname()[:2] if line.sock else None]), flush=True)
    except OSError as e:
        line.close()
        print(json.dumps([0, str(e)]), flush=True)
"""


LIE = """
import socket, time
server = socket.create_server(("", 4318))
client = socket.create_connection(("10.231.0.1", 4318), 60, ("10.231.0.2", 40007))
server.accept()
print("connected", flush=True)
time.sleep(600)
"""


def span(model):
    """A model call as an exporter tells it."""
    import time

    now = time.time_ns()
    rows = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model, "gen_ai.provider.name": "openai"}
    attributes = [{"key": k, "value": {"stringValue": v}} for k, v in rows.items()]
    one = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "chat", "kind": 3, "attributes": attributes}
    one |= {"startTimeUnixNano": str(now - 10**9), "endTimeUnixNano": str(now)}
    return json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": [one]}]}]})


class Speaker:
    """A process of a cgroup in a network namespace, with one connection."""

    def __init__(self, box, netns, model, *, to=Network.ADDRESS, source=("", 0)):
        command = netns.inside(labs.PYTHON, "-c", POST, to, source[0], str(source[1]), span(model))
        self.process = box.start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def ask(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def until(self, *statuses):
        """As exporters do, what is to be tried again is; and what a busy sensor told too late, too."""

        def answered():
            status, _ = self.ask()
            return status if status in statuses else None

        return labs.until(answered, f"one of {statuses}")

    def end(self):
        self.process.kill()
        self.process.wait()


class Told:
    """Hands what the sensor says to a classifier, as `sensor.delivery` does, and keeps it for the test."""

    def __init__(self, path):
        self.sender, self.records = Sender(path, node="lab"), []

    def send(self, record):
        self.records.append(record)
        self.sender.send(record)

    def pump(self, timeout=0.0):
        self.sender.pump(timeout)

    @property
    def idle(self):
        return self.sender.idle

    def close(self):
        self.sender.close()


@pytest.fixture
def network(programs):
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        pytest.skip("no ip or nsenter here")
    made = Network()
    yield made
    made.remove()


@pytest.fixture
def listens(request):
    """Where the classifier listens."""
    return getattr(request, "param", "0.0.0.0")


@pytest.fixture
def classifier(network, listens, tmp_path):
    """A real classifier, whose network is the node's."""
    daemon = Daemon(tmp_path, {"otlp_address": (listens, PORT)})
    daemon.prefix = network.node.inside()
    yield daemon.start()
    daemon.kill()


@pytest.fixture
def sensor(lab, network, classifier, monkeypatch):
    monkeypatch.setattr(labs, "Sink", lambda: Told(classifier.socket))
    rules = load([{"match": f".*{lab.scope.path.name}/(?P<name>[a-z0-9]+)", "workload": "unit:{name}"}])
    with lab.sensor(identity=IdentitySettings(rules=rules), doors=(PORT,), doors_in=network.node.path) as running:
        assert running.agent.loaded.probes["network"] == "on"
        yield running


def models(classifier, workload):
    status, found = classifier.get(f"/inventory/{workload}")
    return {i["name"] for i in found["items"] if i["kind"] == "model"} if status == 200 else set()


@pytest.mark.parametrize(
    ("listens", "to"), [("0.0.0.0", Network.ADDRESS), ("::", "fd99::1")], indirect=["listens"], ids=["v4", "v6"]
)
def test_a_container_with_a_network_of_its_own_is_heard_as_itself(sensor, classifier, network, to):
    speakers = {}
    for number, name in ((2, "cart"), (3, "search")):
        box = sensor.cgroup(f"{name}{'4' if '.' in to else '6'}")
        speakers[box.path.name] = Speaker(box, network.container(number), f"model-{name}", to=to)
    for speaker in speakers.values():
        speaker.until(200)
    for name in speakers:
        wanted = {f"model-{name[:-1]}"}
        labs.until(lambda n=name, w=wanted: models(classifier, f"unit:{n}") == w, f"the model of {name} and no other")
    for speaker in speakers.values():
        speaker.until(200)  # the same connection needs no second word
        speaker.end()


def test_a_container_is_heard_through_an_address_that_the_node_rewrites(sensor, classifier, network):
    """As a Service's is."""
    rule = "-t nat -A PREROUTING -d 10.96.0.7 -p tcp --dport 4318 -j DNAT --to-destination 10.231.0.1:4318".split()
    done = subprocess.run(network.node.inside("iptables", *rule), capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no address translation here: {done.stderr.strip()[:200]}")
    box, where = sensor.cgroup("cart"), network.container(2)
    where.ip("route", "add", "default", "via", Network.ADDRESS)
    speaker = Speaker(box, where, "model-cart", to="10.96.0.7")
    speaker.until(200)
    labs.until(lambda: models(classifier, "unit:cart") == {"model-cart"}, "its model")
    speaker.end()


def test_who_is_not_observed_is_refused(sensor, classifier, network, lab):
    outside = labs.Cgroup(lab.scope.path.with_name(f"{lab.scope.path.name}-out"), lab.scope.programs)
    try:
        stranger = Speaker(outside, network.container(2), "strange")
        assert stranger.until(200, 403) == 403  # 503 before
        stranger.end()
    finally:
        outside.remove()


def test_a_neighbour_cannot_speak_in_anothers_name_with_its_address_and_port(sensor, classifier, network):
    """It gives itself the other's address in its own namespace, and a receiver of its own: the kernel has no word for it."""
    victim, thief = sensor.cgroup("victim"), sensor.cgroup("thief")
    honest, robber = network.container(2), network.container(3)
    robber.ip("addr", "add", f"{Network.ADDRESS}/32", "dev", "lo")
    robber.ip("addr", "add", "10.231.0.2/32", "dev", "lo")
    liar = thief.start(*robber.inside(labs.PYTHON, "-c", LIE), stdout=subprocess.PIPE, text=True)
    assert liar.stdout.readline() == "connected\n"
    speaker = Speaker(victim, honest, "model-victim", source=("10.231.0.2", 40007))
    speaker.until(200)
    labs.until(lambda: models(classifier, "unit:victim") == {"model-victim"}, "its model")
    assert {e.replica.cgroup for e in dials(sensor)} == {victim.id} and models(classifier, "unit:thief") == set()
    for process in (liar, speaker.process):
        process.kill()
        process.wait()


def dials(sensor):
    return [r for r in list(sensor.sink.records) if getattr(r, "kind", "") == "dial"]


def test_only_connections_to_our_doors_are_told(sensor, network):
    box, where = sensor.cgroup("plain"), network.container(2)
    code = "import socket; s=socket.create_server(('127.0.0.1', 0)); c=socket.create_connection(s.getsockname())"
    box.run(*where.inside(labs.PYTHON, "-c", code))
    said = sensor.of(box)
    labs.until(lambda: said.counts("egress:"), "the connection in a window")
    assert dials(sensor) == []
