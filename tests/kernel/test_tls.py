"""Real TLS between an agent in a cgroup of its own and a model that is played: what was said comes out, or its loss is counted."""

import datetime
import ipaddress
import os
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
from sensor.probes import uprobes
from sensor.probes.tls import TlsKernel, TlsSettings
from tests.kernel import lab as labs
from tests.observe.applayer import wires

ROOT = Path(__file__).parents[2]
LOADS = Path(__file__).with_name("loads")
BREAKPOINT = 0xCC

pytestmark = pytest.mark.skipif(bool(uprobes.missing()), reason=uprobes.missing() or "uprobes are there")


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def certificate(folder):
    """A CA that signs itself, for localhost only; it never leaves the test's folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    day = datetime.timedelta(days=1)
    today = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
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

    def until(self, found, what):
        def ask():
            self.poll()
            return found()

        return labs.until(ask, what)

    def stands(self, pid, *rungs):
        """Waits until a process stands on one of these rungs."""

        def ask():
            return next((c for c in self.capture.coverage() if c.pid == pid and c.rung in rungs), None)

        return self.until(ask, f"rung {rungs} of {pid}; it is {self.capture.coverage()}")

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


def asker(scope, model, requests, times=1, *more):
    port, ca = model
    return scope.start(
        *(labs.PYTHON, "-S", "-E", LOADS / "asker.py", str(port), ca, requests, str(times), *more),
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
    said = watch.until(lambda: "".join(filter(None, [process.stdout.readline()])).strip(), "the asker's answer")
    watch.poll(0.1)
    return int(said.split()[0]), float(said.split()[1])


def run(watch, model, requests, times=1):
    process = asker(watch.scope, model, requests, times)
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
