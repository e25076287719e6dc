"""Real processes in real cgroups at the other end of real sockets."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from classifier.deploys.senders import LOCAL, REMOTE, Ends, Origin, Senders, boot, cgroup_behind, cgroup_of, place_of
from classifier.deploys.signing import Key, sign
from tests.factories import SHOP
from tests.observe.capability import need
from tests.service.daemon import DEADLINE, free_address
from wire.records import Head, Identity, Replica, Tick

SECRET = b"0123456789abcdef0123456789abcdef"
KEY = Key("ci", ("*",), SECRET)
ROOTS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
TALK = """
import os, socket, sys
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
kind, where, close = sys.argv[2], sys.argv[3], sys.argv[4]
s = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET6 if ":" in where.rpartition(":")[0] else socket.AF_INET)
s.connect(where if kind == "unix" else (where.rpartition(":")[0], int(where.rpartition(":")[2])))
s.sendall(sys.stdin.buffer.read())
if close == "close":
    s.close()
    sys.exit()
sys.stdout.buffer.write(s.recv(65536))
"""


@pytest.fixture
def cgroup():
    root = next((r for r in ROOTS if (r / "cgroup.procs").exists()), None)
    need(root is not None and os.geteuid() == 0, "root and cgroup v2")
    made = root / f"driftline-test-senders-{os.getpid()}"
    made.mkdir()
    yield made
    end = time.monotonic() + DEADLINE
    while (made / "cgroup.procs").read_text().strip() and time.monotonic() < end:
        time.sleep(0.02)
    made.rmdir()


def talker(cgroup, kind, where, *, close=False):
    """A process of the cgroup that connects, sends its input and prints the answer."""
    command = [sys.executable, "-c", TALK, str(cgroup), kind, where, "close" if close else "wait"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def identity(cgroup, workload=SHOP, container="c0ffee", generation=0):
    replica = Replica("n1", cgroup.stat().st_ino, generation)
    return Identity(1.0, replica, f"/{cgroup.name}", workload, None, "rule", container=container)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_cgroup_behind_a_connection_is_the_one_that_made_it(cgroup, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as door:
        process = talker(cgroup, "tcp", f"{address}:{door.getsockname()[1]}")
        process.stdin.close()
        with door.accept()[0] as connection:
            ends = Ends(connection.getpeername()[:2], connection.getsockname()[:2])
            assert cgroup_of(ends) == cgroup.stat().st_ino
            senders = Senders({cgroup.stat().st_ino: [identity(cgroup)]}.get, late=0)
            assert senders.sender(senders.origin(ends)).name == SHOP
        process.wait(DEADLINE)


def test_who_closes_at_once_is_unknown_and_not_a_stranger(cgroup):
    with socket.create_server(("127.0.0.1", 0)) as door:
        process = talker(cgroup, "tcp", f"127.0.0.1:{door.getsockname()[1]}", close=True)
        process.communicate(b"x")
        with door.accept()[0] as connection:
            senders = Senders(lambda cgroup: [], late=0)
            origin = senders.origin(Ends(connection.getpeername(), connection.getsockname()))
            # Its half-closed socket lives on for some time, with its cgroup; then nobody knows whose it was.
            assert origin.place == LOCAL and origin.cgroup in (cgroup.stat().st_ino, None)
    assert Senders(lambda cgroup: [], late=0).sender(Origin(None, LOCAL, "127.0.0.1")).unknown


def test_a_listener_on_the_port_is_not_taken_for_the_sender():
    with socket.create_server(("0.0.0.0", 0)) as other:
        assert cgroup_of(Ends(("192.0.2.77", other.getsockname()[1]), ("192.0.2.78", 8080))) is None


@pytest.mark.parametrize(
    ("address", "place"),
    [("127.0.0.9", LOCAL), ("::1", LOCAL), ("::ffff:127.0.0.1", LOCAL), ("198.51.100.7", REMOTE)],
)
def test_where_an_address_lies(address, place):
    assert place_of(address) == place


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="makes a network namespace")
def test_an_address_behind_a_veth_of_this_machine_is_a_neighbour():
    """In a namespace of its own, so nothing of this machine's network is touched."""
    program = (
        "from classifier.deploys.senders import Senders, Ends; s = Senders(lambda c: [], late=0);"
        "o = s.origin(Ends(('10.99.0.2', 4711), ('10.99.0.1', 80))); print(o.place, s.sender(o))"
    )
    steps = "ip link add ve0 type veth peer name ve1 && ip addr add 10.99.0.1/24 dev ve0"
    steps += " && ip link set ve0 up && ip link set ve1 up"
    shell = ["unshare", "--net", "sh", "-c", f'{steps} && exec "$0" -c "$1"', sys.executable, program]
    done = subprocess.run(shell, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.startswith("neighbour ") and "unknown=True" in done.stdout, done.stderr


def test_a_cgroup_that_is_named_a_moment_later_is_waited_for(cgroup):
    found = iter([[], [], [identity(cgroup)]])
    assert Senders(lambda _: next(found), late=DEADLINE).sender(Origin(7, LOCAL)).name == SHOP
    assert Senders(lambda _: [], late=0.1).sender(Origin(7, LOCAL)).name == ""


def test_the_same_number_on_another_boot_is_another_cgroup(cgroup):
    of = Senders(lambda _: [identity(cgroup, generation=boot()), identity(cgroup, "x", generation=4711)], late=0)
    assert of.sender(Origin(7, LOCAL)).name == SHOP
    assert Senders(lambda _: [identity(cgroup, generation=4711)], late=0).sender(Origin(7, LOCAL)).name == ""
    assert of.sender(Origin(1, LOCAL)).name == "", "the root cgroup is nobody's workload"


@pytest.mark.parametrize("container", ["c0ffee", ""])
def test_of_unix_sockets_only_a_container_is_turned_away(cgroup, tmp_path, container):
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "s"))
        door.listen()
        process = talker(cgroup, "unix", str(tmp_path / "s"))
        process.stdin.close()
        with door.accept()[0] as connection:
            assert cgroup_behind(connection) == cgroup.stat().st_ino
            found = Senders(lambda _: [identity(cgroup, container=container)]).container(connection)
            assert (found is not None) == bool(container)
        process.wait(DEADLINE)


# the daemon -------------------------------------------------------------------------------------------------------------


def request(body, path="/deploys", headers=()):
    lines = [f"POST {path} HTTP/1.1", "host: x", f"content-length: {len(body)}", *(f"{k}: {v}" for k, v in headers)]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode() + body


def signed():
    body = json.dumps(
        {"specversion": "1.0", "id": "c1", "source": "/ci", "type": "dev.driftline.image", "data": {"workload": SHOP}}
    ).encode()
    now = time.time()  # noqa: TID251  the daemon compares it with its own
    headers = sign(KEY, id="m1", time=now, body=body) | {"content-type": "application/cloudevents+json"}
    return request(body, headers=headers.items())


def keys(folder, **more):
    import base64

    path = folder / "keys.yaml"
    path.write_text(
        json.dumps({"keys": [{"name": "ci", "secret": base64.b64encode(SECRET).decode(), "workloads": ["*"]} | more]})
    )
    path.chmod(0o600)
    return path


def observed(cgroup, **told):
    return [Head(1.0, "n1", "6.1", "e1", "/", 10.0), identity(cgroup, **told), Tick("n1", 2.0)]


@pytest.mark.parametrize(
    ("told", "lent", "wanted", "refused"),
    [
        pytest.param(True, {}, b" 401 ", ["sent by a workload"], id="observed"),
        pytest.param(False, {}, b" 200 ", [""], id="not-observed"),
        pytest.param(True, {"senders": [SHOP]}, b" 200 ", [""], id="observed-and-allowed"),
    ],
)
def test_a_workload_that_stole_a_key_announces_nothing(cgroup, daemon, tmp_path, told, lent, wanted, refused):
    """Row D104: the signature is right, the process that sends it is observed."""
    at = free_address()
    one = daemon(http_address=at, keys_file=keys(tmp_path, **lent)).start()
    one.send(observed(cgroup) if told else observed(cgroup)[:1])
    answer, _ = talker(cgroup, "tcp", "{}:{}".format(*at)).communicate(signed(), timeout=DEADLINE)
    assert wanted in answer.splitlines()[0], answer
    deploys = one.get("/deploys")[1]
    assert [d["refused"] for d in deploys] == refused
    forged = [f for f in one.get("/findings")[1] if "deploy_event_forgery" in json.dumps(f)]
    assert bool(forged) == bool(refused[0])
    assert [d["sender"] and d["sender"]["cgroup"] for d in deploys] == [cgroup.stat().st_ino if refused[0] else None]


def test_a_workload_that_does_not_wait_for_the_answer_announces_nothing_either(cgroup, daemon, tmp_path):
    at = free_address()
    one = daemon(http_address=at, keys_file=keys(tmp_path)).start()
    one.send(observed(cgroup))
    talker(cgroup, "tcp", "{}:{}".format(*at), close=True).communicate(signed(), timeout=DEADLINE)
    time.sleep(1.5)  # for what must not come: a shorter rest could only hide it, not fail
    assert not [d for d in one.get("/deploys")[1] if not d["refused"]]


@pytest.mark.parametrize(("container", "wanted"), [("c0ffee", b" 403 "), ("", b" 200 ")])
def test_the_control_socket_takes_no_order_from_inside_a_container(cgroup, daemon, tmp_path, container, wanted):
    one = daemon().start()
    one.send(observed(cgroup, container=container))
    order = request(json.dumps({"workload": SHOP, "revision": "r2"}).encode())
    answer, _ = talker(cgroup, "unix", str(tmp_path / "control.sock")).communicate(order, timeout=DEADLINE)
    assert wanted in answer.splitlines()[0], answer
    assert [(d["trust"], d["refused"]) for d in one.get("/deploys")[1]] == (
        [("none", "sent by a workload")] if container else [("local", "")]
    )
