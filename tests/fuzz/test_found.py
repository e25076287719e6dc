"""Faults that fuzzing found, each with a small input that showed it (#5)."""

from __future__ import annotations

import json
import os
from base64 import b64encode

import msgpack
import pytest

from classifier.deploys.signing import KeysError
from classifier.envelope.state import StateError, freeze, thaw
from classifier.pipeline import FORMAT, Pipeline
from classifier.policy import Policy
from classifier.tracks.keys import private_key
from guard.audit.keys import AuditKeyError, pem, public
from sensor.identity.cri import facts_of
from sensor.identity.names import clean
from sensor.identity.owners import LabelOwners
from sensor.identity.systemd import Units
from sensor.observe import packages
from sensor.observe.applayer.records import LlmCall
from sensor.observe.memory import Memory
from sensor.originals.shelf import FILE, Reading, Shelf, ShelfError
from tests.fuzz import bodies
from tests.fuzz.bodies import Call, in_chunks, request, served
from tests.guard.audit import trail
from tests.observe.applayer.wires import answer, ask, fixture, run
from tests.observe.stdio.pipes import TO_SERVER, Pipes, lines


def test_arguments_nested_deep_blind_no_connection():
    """A model's answer with a hundred levels in a tool's arguments ended the reading of its connection: all that followed
    was unseen."""
    deep = "1"
    for _ in range(150):
        deep = f'{{"a":{deep}}}'
    body = fixture("openai-chat", "answer.json").decode()
    call = json.loads(body)
    call["choices"][0]["message"]["tool_calls"] = [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": deep}}
    ]
    told = run(ask("openai-chat") + ask("openai-chat"), answer(json.dumps(call).encode()) + answer(body.encode()))
    first, second = [r for r in told if isinstance(r, LlmCall)]
    assert [c.name for c in first.calls] == ["f"]
    assert second.partial == ()


@pytest.mark.parametrize("text", ["\ud83d", "a\udfff", "\udc80", "\udcffb"], ids=ascii)
def test_half_a_character_is_a_name(text):
    """JSON of a runtime may hold a lone surrogate: its container had no identity, and a stack trace stood in the log."""
    assert clean(text).isprintable()
    clean(text).encode()


@pytest.mark.parametrize(
    "answer",
    [
        {"sandbox": True, "labels": {"app": True}, "name": "x-1"},
        {"pod": ["x"]},
        {"name": "c", "pod": {"labels": {"a": 1}}},
    ],
    ids=["label-of-another-type", "pod-of-another-type", "number"],
)
def test_an_answer_of_other_types_is_an_answer(answer):
    assert facts_of(answer, "lab", LabelOwners()).name in ("POD", "c", "")


@pytest.fixture
def site(tmp_path):
    """A folder of packages that a workload made; returns its descriptor and the RECORD of a package."""
    (tmp_path / "x-1.dist-info").mkdir()
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield tmp_path, fd, tmp_path / "x-1.dist-info/RECORD"
    os.close(fd)


def test_a_record_with_a_field_that_no_package_has_hides_nothing_before_it(site):
    """One field of 140,000 characters ended the reading with a stack trace, and the changed file was not told."""
    place, fd, record = site
    (place / "x.py").write_text("changed")
    record.write_text("x.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n" + "y" * 140_000 + "\n")
    assert packages.compared(fd, "x-1.dist-info") == (1, 1, False)


def test_a_record_that_names_one_large_file_often_costs_a_bounded_time(site, monkeypatch):
    """8,192 times 8 MiB were hashed: minutes of the sensor's CPU for one open, of every package that a workload makes up."""
    place, fd, record = site
    monkeypatch.setattr(packages, "HASHED", 10 << 10)
    record.write_text("x.bin,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,4096\n" * 100)
    (place / "x.bin").write_bytes(bytes(4096))
    later = record.stat().st_mtime_ns + 10**10
    os.utime(place / "x.bin", ns=(later, later))
    assert packages.compared(fd, "x-1.dist-info") == (3, 3, False)


@pytest.mark.parametrize(
    "data",
    [
        freeze([FORMAT]),
        freeze([FORMAT, 7]),
        b"\xc7\x01\x03\x90",  # an object of no class
        b"\xc7\x02\x01\x93\x01",  # a tuple that is cut
    ],
    ids=["short", "number", "object-of-nothing", "cut"],
)
def test_a_damaged_snapshot_is_refused_as_one(data):
    """The classifier replays its journal then; before, it ended with a stack trace at each start."""
    with pytest.raises(StateError):
        Pipeline.restore(Policy(), data)


def test_a_snapshot_nested_too_deep_is_refused_as_one():
    deep = freeze(1)
    for _ in range(3000):
        deep = b"\x91" + deep
    with pytest.raises(StateError):
        thaw(deep)


def test_pieces_of_a_lane_in_the_wrong_order_end_no_capture():
    """Two processes that read one pipe at once: the later piece came first, and its lines ended behind what was held."""
    pipes = Pipes()
    for offset, text in ((1000, b"a"), (0, b"\n" * 2000), (500, b"x\ny\nz\n")):
        pipes.feed(pipes.chunk(TO_SERVER, text, offset=offset))
    for lane, line in lines("initialize"):
        pipes.read(lane, line, born=9)
    assert len(pipes.streams.links) <= 1


def test_a_memory_with_a_table_of_lists_is_no_memory(tmp_path):
    """A list as a key is an error of types, not of msgpack, and the sensor did not start."""
    (tmp_path / "n").write_bytes(msgpack.packb("e") + b"\x81\x91\x01\x01")
    assert list(Memory(tmp_path / "n", "e").recall()) == []


def test_a_unit_file_with_a_nul_in_its_command_has_a_revision(tmp_path):
    """No container of that unit got an owner: a path with a NUL is refused by Python itself."""
    place = tmp_path / "etc/systemd/system"
    place.mkdir(parents=True)
    (place / "a.service").write_bytes(b"[Service]\nExecStart=/bin/\0sh\n")
    assert Units(str(tmp_path)).revision("a.service").startswith("sha256:")


def test_a_public_key_of_a_kind_that_nobody_knows_is_refused():
    """One wrong character in its kind, and `audit verify --key` ended with a stack trace."""
    with pytest.raises(AuditKeyError, match="no Ed25519 public key"):
        public(pem(trail.PUBLIC).replace("MCowBQYDK2VwAyEA", "MCowBQYDKmVwAyEA"))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_private_key_of_a_wrong_length_is_refused(tmp_path, length):
    """The library calls that a fault of its own, and whoever named such a file got a stack trace."""
    told = bytes([0x04, length + 2, 0x04, length, *range(length)])
    der = bytes([0x30, len(told) + 10]) + bytes.fromhex("020100300506032b6570") + told
    path = tmp_path / "key"
    path.write_text(f"-----BEGIN PRIVATE KEY-----\n{b64encode(der).decode()}\n-----END PRIVATE KEY-----\n")
    path.chmod(0o600)
    with pytest.raises(KeysError, match="openssl genpkey"):
        private_key(path)


def test_a_damaged_file_of_originals_whose_words_are_no_text_is_refused(tmp_path):
    """SQLite quotes the file in its error, and Python could not read the quotation."""
    Shelf(tmp_path, max_bytes=1 << 20).close()
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole.replace(b"originals_last", b"\xffriginals_last", 1))
    with pytest.raises(ShelfError, match="check the place"):
        Reading(tmp_path).listed()


SERVERS = {
    "deploy-events": (bodies.intake, Call("/deploys", b"{}", bodies.STRUCTURED)),
    "control": (bodies.control, Call("/triage", b"{}", {})),
    "otlp-http": (bodies.receiver, Call("/v1/traces", b"{}", {"content-type": "application/json"})),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_sender_who_leaves_or_lies_about_chunks_costs_no_stack_trace(name):
    """Each such request left forty lines in the log, twenty times a second, of whoever reaches the port."""
    make, call = SERVERS[name]
    server = served(name, make)
    chunks = in_chunks(call)
    assert server.ask(chunks.replace(b"\r\n2\r\n", b"\r\nzz\r\n"), whole=True) == 400
    server.ask(chunks[:-3], whole=False)
    server.ask(request(call)[:-1], whole=False)
    assert server.ask(request(call), whole=True) in (400, 401, 200)


@pytest.mark.parametrize("path", ["triage", "pins"])
def test_a_note_with_half_a_character_is_refused(path):
    body = json.dumps(bodies.ORDERS[path] | {"note": "\ud83d"}).encode()
    assert served("control", bodies.control).ask(request(Call(f"/{path}", body, {})), whole=True) == 400
