"""Conversations: who with whom, how often, how much both ways, and by what name."""

import itertools
import os
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from sensor.settings import Sizes
from tests.kernel.lab import DEADLINE, PYTHON

UP, DOWN = 10_485_760, 5_242_880
IMAGE = os.path.realpath(PYTHON)
NAME = os.path.basename(IMAGE)

CONNECTS = """
import socket, sys
for _ in range(23):
    c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    c.sendall(b"x" * 1000)
    c.recv(10)
    c.close()
"""
MOVE = """
import socket, sys
family, port, up, down = (int(a) for a in sys.argv[1:])
c = socket.socket(family, socket.SOCK_STREAM)
c.connect(("127.0.0.1" if family == socket.AF_INET else "::1", port))
c.sendall(bytes(up))
c.shutdown(socket.SHUT_WR)
while c.recv(1 << 20):
    pass
"""
DATAGRAMS = """
import socket, sys
family, port, count, connected = (int(a) for a in sys.argv[1:])
to = ("127.0.0.1" if family == socket.AF_INET else "::1", port)
c = socket.socket(family, socket.SOCK_DGRAM)
c.settimeout(60)
if connected:
    c.connect(to)
for _ in range(count):
    c.send(bytes(1200)) if connected else c.sendto(bytes(1200), to)
    assert len(c.recv(2000)) == 600
"""


def near(count, wanted, share=0.02):
    return wanted <= count <= wanted * (1 + share)


@pytest.fixture
def server():
    """A listener outside the scope; `serve(handler)` returns its port."""
    opened = []

    def serve(handler, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        s = socket.socket(family, kind)
        opened.append(s)
        s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        if kind == socket.SOCK_STREAM:
            s.listen(64)
        threading.Thread(target=_quietly, args=(handler, s), daemon=True).start()
        return s.getsockname()[1]

    yield serve
    for s in opened:
        s.close()


def _quietly(handler, listener):
    try:
        while True:
            handler(listener)
    except OSError:  # the test is over
        pass


def answer(listener):
    c, _ = listener.accept()
    with c:
        while c.recv(65536):
            c.send(b"y")


def swallow_and_send(listener):
    c, _ = listener.accept()
    with c:
        while c.recv(1 << 20):
            pass
        c.sendall(bytes(DOWN))


def half_back(listener):
    data, peer = listener.recvfrom(2000)
    listener.sendto(data[: len(data) // 2], peer)


def test_23_connections_are_23_and_none_is_lost(sensor, box, server):
    port = server(answer)
    box.python(CONNECTS, str(port))
    said = sensor.all_of(box)
    assert said.begun("egress:") == {f"egress:tcp:127.0.0.1:{port}": 23}
    assert said.bytes(f"egress:tcp:127.0.0.1:{port}") == (23_000, 23)
    assert not said.loss()
    [event] = said.events("egress")
    assert (event.data["image"], event.data["lineage"]) == (IMAGE, NAME)


def test_a_refused_connection_is_an_attempt_to_talk(sensor, box, server):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))  # and does not listen; nobody else can take the port
        port = s.getsockname()[1]
        box.python("import socket, sys; socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1])))", str(port))
    assert sensor.all_of(box).begun("egress:") == {f"egress:tcp:127.0.0.1:{port}": 1}


SERVER = """
import socket, sys, threading
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(64)
print(s.getsockname()[1], flush=True)
for _ in range(23):
    c, _ = s.accept()
    while c.recv(65536):
        pass
    c.sendall(b"done")
    c.close()
"""


def test_23_accepted_are_23_also_when_handshakes_interleave(sensor, box):
    """Each handshake that another one interrupted was counted twice: once by its listener, once by its own socket."""
    served = box.start(PYTHON, "-S", "-E", "-c", SERVER, stdout=subprocess.PIPE)
    port = int(served.stdout.readline())
    clients = [socket.socket() for _ in range(23)]
    for c in clients:
        c.setblocking(False)
        c.connect_ex(("127.0.0.1", port))
    for c in clients:
        c.setblocking(True)
        c.sendall(b"z" * 500)
        c.shutdown(socket.SHUT_WR)
    assert [c.recv(10) for c in clients] == [b"done"] * 23
    assert served.wait(DEADLINE) == 0
    served.stdout.close()
    said = sensor.all_of(box)
    assert said.begun("ingress:") == {f"ingress:tcp:{port}": 23}
    assert said.bytes(f"ingress:tcp:{port}") == (23 * 4, 23 * 500)
    assert {u.data["image"] for u in said.uses("ingress:")} == {IMAGE}
    assert not said.loss()


def test_more_clients_than_rows_are_counted_in_full(lab):
    """Each client address took a row, so some thousand clients filled the table and windows turned partial."""
    with lab.sensor(sizes=Sizes(slots=64, processes=4096, files=1024, flows=64)) as sensor:
        box = sensor.cgroup()
        served = box.start(PYTHON, "-S", "-E", "-c", SERVER.replace("23", "200"), stdout=subprocess.PIPE)
        port = int(served.stdout.readline())
        for n in range(200):
            with socket.create_connection(("127.0.0.1", port), source_address=(f"127.7.0.{n + 1}", 0)) as client:
                client.sendall(b"z" * 500)
                client.shutdown(socket.SHUT_WR)
                assert client.recv(10) == b"done"
        assert served.wait(DEADLINE) == 0
        served.stdout.close()
        said = sensor.all_of(box)
        assert said.begun("ingress:") == {f"ingress:tcp:{port}": 200}
        assert said.bytes(f"ingress:tcp:{port}") == (200 * 4, 200 * 500)
        assert not said.loss()
        assert len(said.events("ingress")) == 1


def test_both_ends_in_one_cgroup_each_keep_their_own_image(sensor, box, tmp_path):
    """A packet comes in while its sender runs; the listener's side was attributed to that."""
    other = tmp_path / "client-python"
    other.write_bytes(Path(IMAGE).read_bytes())
    other.chmod(0o755)
    served = box.start(PYTHON, "-S", "-E", "-c", SERVER.replace("23", "5"), stdout=subprocess.PIPE)
    port = int(served.stdout.readline())
    code = "import socket, sys\nfor _ in range(5):\n c = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
    code += " c.sendall(bytes(100)); c.shutdown(socket.SHUT_WR); c.recv(9)"
    box.run(str(other), "-S", "-E", "-c", code, str(port), env={"PYTHONHOME": "/usr"})
    assert served.wait(DEADLINE) == 0
    served.stdout.close()
    said = sensor.all_of(box)
    assert {u.data["image"] for u in said.uses("ingress:")} == {IMAGE}
    assert {u.data["image"] for u in said.uses("egress:")} == {str(other)}
    assert said.begun("ingress:") == {f"ingress:tcp:{port}": 5}
    assert said.begun("egress:") == {f"egress:tcp:127.0.0.1:{port}": 5}
    assert said.bytes(f"ingress:tcp:{port}") == (20, 500)
    assert said.bytes(f"egress:tcp:127.0.0.1:{port}") == (500, 20)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def test_bytes_of_a_tcp_conversation_are_its_payload(sensor, box, server, family):
    port = server(swallow_and_send, family)
    box.python(MOVE, str(int(family)), str(port), str(UP), "0")
    said = sensor.all_of(box)
    host = "127.0.0.1" if family == socket.AF_INET else "[::1]"
    assert said.bytes(f"egress:tcp:{host}:{port}") == (UP, DOWN)


SLOW = """
import socket, sys, time
c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for _ in range(400):
    c.send(bytes(1000))
c.shutdown(socket.SHUT_WR)
while c.recv(1 << 20):
    pass
"""


def late(listener):
    """Its buffer is small and fills, so that the sender has to send again."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
    c, _ = listener.accept()
    with c:
        time.sleep(0.5)
        while c.recv(1 << 16):
            pass


def test_what_is_sent_again_counts_once(sensor, box, server):
    """10 MiB over loopback came to 5 % more on a busy machine."""
    port = server(late)
    box.python(SLOW, str(port))
    assert sensor.all_of(box).bytes(f"egress:tcp:127.0.0.1:{port}") == (400_000, 0)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("connected", [0, 1], ids=["unconnected", "connected"])
def test_bytes_of_datagrams_are_exact(sensor, box, server, family, connected):
    """QUIC is such a conversation."""
    port = server(half_back, family, socket.SOCK_DGRAM)
    box.python(DATAGRAMS, str(int(family)), str(port), "500", str(connected))
    said = sensor.all_of(box)
    host = "127.0.0.1" if family == socket.AF_INET else "[::1]"
    assert said.bytes(f"egress:udp:{host}:{port}", image=IMAGE) == (600_000, 300_000)
    assert set(said.counts("egress:")) == {f"egress:udp:{host}:{port}"}
    assert said.begun("egress:") == {f"egress:udp:{host}:{port}": 1}


def test_a_datagram_socket_that_is_only_connected_talks_to_nobody(sensor, box):
    """Resolvers do that to every address of a name, to sort them; each was a new behaviour."""
    box.python("import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 443))")
    said = sensor.all_of(box)
    assert not said.counts("egress:")
    assert not said.events("egress")


def test_a_child_that_writes_on_an_inherited_socket_is_who_writes(sensor, box, server):
    port = server(swallow_and_send)
    code = """
import os, socket, subprocess, sys
c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
c.sendall(b"m" * 1000)
subprocess.run(["/usr/bin/head", "-c", "200000", "/dev/zero"], stdout=c.fileno(), check=True)
c.shutdown(socket.SHUT_WR)
while c.recv(1 << 20):
    pass
"""
    box.python(code, str(port))
    said = sensor.all_of(box)
    name = f"egress:tcp:127.0.0.1:{port}"
    rows = {e.data["image"]: e for e in said.events("egress")}
    assert set(rows) == {IMAGE, "/usr/bin/head"}
    assert rows["/usr/bin/head"].data["lineage"] == f"head<{NAME}"
    assert rows["/usr/bin/head"].behaviour == name
    assert near(said.bytes(name)[0], 201_000)


UDP_SERVER = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
for _ in range(20):
    s.recvfrom(2000)
"""


def test_a_silent_receiver_of_datagrams_is_known(sensor, box):
    served = box.start(PYTHON, "-S", "-E", "-c", UDP_SERVER, stdout=subprocess.PIPE)
    port = int(served.stdout.readline())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
        for _ in range(20):
            c.sendto(bytes(100), ("127.0.0.1", port))
    assert served.wait(DEADLINE) == 0
    served.stdout.close()
    said = sensor.all_of(box)
    assert said.bytes(f"ingress:udp:{port}", image=IMAGE) == (0, 2000)


# -- names ---------------------------------------------------------------------------------------------------------------

NAMED = """
import ctypes, os, socket, subprocess, sys, threading
ctypes.CDLL(None).unshare(0x40000000)
import fcntl, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sH14x8x", b"lo", 0x41))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
answer = bytes.fromhex(sys.argv[1])
resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
resolver.bind(("127.0.0.53", 53))
def resolve():
    while True:
        q, peer = resolver.recvfrom(512)
        resolver.sendto(answer, peer)
threading.Thread(target=resolve, daemon=True).start()
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
c.settimeout(60)
for _ in range(int(sys.argv[3])):
    c.sendto(b"?", ("127.0.0.53", 53))
    c.recv(2000)
web = socket.socket()
web.bind(("127.0.0.77", 8443))
web.listen()
if sys.argv[2] == "connect":
    socket.create_connection(("127.0.0.77", 8443)).sendall(b"hello")
"""


def dns_answer(*names: str, address: str = "127.0.0.77") -> bytes:
    import dns.message
    import dns.rrset

    message = dns.message.make_response(dns.message.make_query(names[0], "A"))
    for name, target in itertools.pairwise(names):
        message.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", target))
    message.answer.append(dns.rrset.from_text(names[-1], 60, "IN", "A", address))
    return message.to_wire()


def test_a_dns_answer_names_the_conversation(sensor, box):
    box.python(NAMED, dns_answer("api.example.org.", "edge.example.net.").hex(), "connect", "1")
    said = sensor.all_of(box)
    assert said.begun("egress:tcp:") == {"egress:tcp:api.example.org:8443": 1}
    [event] = [e for e in said.events("egress") if e.behaviour.startswith("egress:tcp")]
    assert (event.data["name"], event.data["address"]) == ("api.example.org", "127.0.0.77")
    [told] = said.events("dns")
    assert (told.data["name"], told.data["names"]) == ("api.example.org", "127.0.0.77")


def test_hostile_answers_name_nothing_and_harm_nobody(sensor, box, fault):
    whole = dns_answer("api.example.org.")
    hostile = [
        b"\0",
        b"\xff" * 1500,
        whole[:-3],
        whole[:12] + b"\xc0\x0c" * 200,
        dns_answer(r"\000\010\027[31m.example."),
    ]
    for payload in hostile:
        box.python(NAMED, payload.hex(), "none", "3")
    box.python(NAMED, whole.hex(), "connect", "1")
    said = sensor.all_of(box)
    assert said.begun("egress:tcp:") == {"egress:tcp:api.example.org:8443": 1}
    text = "".join(str(v) for e in said.events("dns") for v in e.data.values())
    assert text.isprintable()
    fault(
        lost="0: the true name stands, none of the others",
        told=f"{sensor.agent.observer.counters['undecoded']} undecoded, in the tick",
    )


HELLO = """
import socket, ssl, sys
port = int(sys.argv[1])
for name in sys.argv[2:]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if name.startswith("big."):
        context.set_alpn_protocols(["x" * 200 + str(i) for i in range(12)])
    try:
        context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=name)
    except OSError:
        pass
"""


def refuse_tls(listener):
    c, _ = listener.accept()
    with c:
        c.recv(65536)


@contextmanager
def one_window(lab):
    """A cgroup and what is said of it: no window ends between a connection and the hello that names it."""
    with lab.sensor(interval=3600.0) as sensor:
        box = sensor.cgroup()
        yield box, sensor.of(box)


@pytest.mark.parametrize("name", ["api.example.org", "big.example.org"])
def test_a_tls_hello_names_the_conversation(lab, server, name):
    port = server(refuse_tls)
    with one_window(lab) as (box, said):
        box.python(HELLO, str(port), name)
    assert said.begun("egress:") == {f"egress:tcp:{name}:{port}": 1}
    assert [e.data["name"] for e in said.events("tls")] == [name]


def test_two_servers_behind_one_address_are_two_behaviours(lab, server):
    port = server(refuse_tls)
    with one_window(lab) as (box, said):
        box.python(HELLO, str(port), "first.example.org", "second.example.org", "first.example.org")
    assert set(said.counts("egress:")) == {f"egress:tcp:{n}.example.org:{port}" for n in ("first", "second")}


# -- identity ------------------------------------------------------------------------------------------------------------

METADATA = """
import ctypes, fcntl, os, socket, struct, sys
ctypes.CDLL(None).unshare(0x40000000)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sH14x8x", b"lo", 0x41))
fcntl.ioctl(s, 0x8916, struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton("169.254.169.254")))
m = socket.socket()
m.bind(("169.254.169.254", 80))
m.listen()
open(sys.argv[1]).read()
c = socket.create_connection(("169.254.169.254", 80))
c.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
"""


def test_use_of_an_identity_is_told_as_such(sensor, box, tmp_path):
    token = tmp_path / "run/secrets/kubernetes.io/serviceaccount/token"
    token.parent.mkdir(parents=True)
    token.write_text("secret")
    box.python(METADATA, str(token))
    said = sensor.all_of(box)
    assert [e.behaviour for e in said.events("identity")] == [
        f"identity:token:{token}",
        "identity:metadata:169.254.169.254",
    ]
    assert said.begun("identity:") == {e.behaviour: 1 for e in said.events("identity")}
