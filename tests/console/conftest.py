"""A command runner, a small trace, and a classifier's control socket that answers from a table."""

import json
import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import pytest
from click.testing import CliRunner

from console.cli.main import root
from tests.factories import deploy, event, head, identity, use, window
from wire.records import Tick
from wire.trace import Writer

HOSTILE = "unit:\x1b[2J[bold red]x\u202e.service"


@pytest.fixture
def driftline():
    """Runs the command in this process; the result has exit_code, stdout and stderr."""
    return lambda *arguments, **options: CliRunner().invoke(root, [str(a) for a in arguments], **options)


@pytest.fixture
def trace(tmp_path):
    """A trace with one record of most kinds, of a workload whose name is an attack on the terminal."""
    path = tmp_path / "small.trace"
    with Writer(path) as writer:
        for record in records():
            writer.add(record)
    return path


def records():
    yield head(source="import", scope="import")
    yield identity(workload=HOSTILE)
    yield event(behaviour="exec:/usr/bin/curl<sh", time=1.0, argv="curl\x1b]0;owned\x07")
    for start in range(0, 100, 10):
        uses = use("egress:tcp:a.example.org:443", 3), use("exec:/usr/bin/curl<sh", evidence=("n1/e1/1",))
        yield window(1, *uses, start=float(start), syscalls={0: 5, 1: 7})
        yield Tick("n1", start + 10.0)
    yield deploy(time=50.0, workload=HOSTILE)


@dataclass
class Classifier:
    """What a fake classifier was asked, and what it answers: path → (status, value)."""

    path: str
    answers: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture
def classifier(tmp_path, monkeypatch):
    """A listening control socket; commands find it through the environment."""
    known = Classifier(str(tmp_path / "control.sock"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(None)

        def do_POST(self):
            self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def answer(self, body):
            known.asked.append((self.command, self.path, body))
            status, value = known.answers.get(self.path.partition("?")[0], (404, {"error": "no such thing"}))
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = _Server(known.path, Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("DRIFTLINE_CLASSIFIER_CONTROL", known.path)
    yield known
    server.shutdown()
    server.server_close()
