"""What an agent says inside TLS is nowhere in clear, and opens whole with the key: both programs run as a person runs them."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
import zstandard

from console.cli.control import Control
from console.cli.failure import Failure
from sensor.originals.sealing import new_key
from tests.kernel import lab as labs
from tests.kernel.test_hearing import BEGIN, CLIENTS, END, SECONDS, Client, framework, model, pytestmark  # noqa: F401
from wire import codec, trace
from wire.digests import sha256

ROOT = Path(__file__).parents[2]
PRIVATE, PUBLIC = new_key()
CARD, PASSWORD, FAR = "5500 0000 0000 0004", "hunter2kestrel", "plover-under-the-bridge"
EMAIL = "ann@example.org"
TURN = f"Ticket ZD-1 of {EMAIL}, card {CARD}, password: {PASSWORD}. {'Please look. ' * 300} {FAR}"  # the last: past excerpts
BODY = {"model": "gpt-5-mini", "messages": [{"role": "system", "content": "Desk."}, {"role": "user", "content": TURN}]}
SECRETS = [CARD, PASSWORD, FAR, EMAIL, "sk-very-secret", "cookie-very-secret"]


class Driftline:
    """Sensor and classifier with one configuration; everything that they leave lies in one folder."""

    def __init__(self, lab, folder, *recipients):
        self.lab, self.folder, self.children = lab, folder, []
        sizes = {name: getattr(labs.SMALL, name) for name in ("slots", "processes", "files", "flows")}
        originals = {"dir": str(folder / "originals")} | ({"recipients": list(recipients)} if recipients else {})
        sensor = {"name": lab.name, "scope": str(lab.scope.path), "interval": 0.2, "run_dir": str(folder / "sensor")}
        sensor |= {
            "keep_pinned": False,
            "sizes": sizes,
            "digest": False,
            "capture": {"redaction": "pci", "originals": originals},
        }
        classifier = {"systemd": 0, "trace": str(folder / "run.trace")}
        told = {"node": "lab", "run_dir": str(folder / "run"), "state_dir": str(folder / "state"), "sensor": sensor}
        rule = {"match": f".*{lab.scope.path.name}/(?P<name>[a-z0-9]+)", "workload": "unit:{name}"}
        self.config = folder / "driftline.yaml"
        self.config.write_text(yaml.safe_dump(told | {"classifier": classifier, "identity": {"rules": [rule]}}))

    def command(self, *words):
        return [sys.executable, "-m", "console.cli.main", "--config", str(self.config), *map(str, words)]

    def ask(self, *words):
        return subprocess.run(self.command(*words), cwd=ROOT, capture_output=True, text=True)

    def begin(self):
        for part in ("classifier", "sensor"):
            with open(self.folder / f"{part}.log", "wb") as log:
                self.children.append(subprocess.Popen(self.command(part), cwd=ROOT, stderr=log, stdout=log))
        labs.until(self.sensing, "a sensor that has told its head", seconds=SECONDS)
        return self

    def sensing(self):
        try:
            sensors = Control(str(self.folder / "run/control.sock")).get("health")["sensors"]
        except Failure:  # not begun yet
            return False
        return any(s["accepted"] for s in sensors)

    def end(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
                child.wait(labs.DEADLINE)

    def originals(self, *kinds):
        def ask():
            done = self.ask("original", "list", "--json")
            rows = {row["kind"]: row for row in json.loads(done.stdout)} if done.returncode == 0 else {}
            return rows.keys() >= set(kinds) and rows

        return labs.until(ask, f"originals {kinds}", seconds=SECONDS)


@pytest.fixture
def driftline(lab, tmp_path):
    made = []

    def make(*recipients):
        made.append(Driftline(lab, tmp_path, *recipients))
        return made[-1].begin()

    yield make
    for one in made:
        one.end()


def agent(lab, framework, model, tmp_path_factory):  # noqa: F811
    """Its own folder holds what it says in clear; it is none of driftline's."""
    body = tmp_path_factory.mktemp("agent") / "ask.json"
    body.write_text(json.dumps(BODY))
    port, ca = model
    begin = BEGIN.replace('"Authorization"', '"Cookie": "s=cookie-very-secret", "Authorization"')
    code = begin + CLIENTS["urllib"] + END
    return Client(lab.scope.child("agent"), labs.PYTHON, "-c", code, framework, str(port), ca, body)


def told(run, kind):
    """Events of a kind in the trace, which goes on growing."""
    try:
        return [r for r in trace.read(run.folder / "run.trace", salvage=True) if getattr(r, "kind", "") == kind]
    except (OSError, trace.TraceError):  # not begun yet
        return []


def heard(run, client):
    """Asks until the sensor has listened: how soon it begins is its affair."""

    def ask():
        client.ask()
        done = run.ask("inventory", "show", "unit:agent", "--json")
        return done.returncode == 0 and "gpt-5-mini" in done.stdout

    labs.until(ask, "a model in the inventory", seconds=SECONDS)


def texts(path):
    """Everything in a file, unpacked as far as we pack."""
    data = path.read_bytes()
    yield data
    if data.startswith(b"SQLite format 3"):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in db.execute(f'SELECT * FROM "{table}"'):
                yield from map(unpacked, row)
        db.close()
    elif path.suffix == ".trace":
        for record in trace.read(path, salvage=True):
            yield codec.encode(record)


def unpacked(value):
    data = value if isinstance(value, bytes) else str(value).encode()
    return zstandard.ZstdDecompressor().decompressobj().decompress(data) if data[:4] == b"\x28\xb5\x2f\xfd" else data


def in_clear(folder):
    """Secrets in what was left, with where they stand."""
    wanted = re.compile("|".join(map(re.escape, SECRETS)).encode())
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    assert len(files) > 5, files
    found = [(p.name, text) for p in files for text in texts(p)]
    assert {"classifier.db", "run.trace"} <= {name for name, text in found if b"ZD-1" in text}  # we do look inside
    return [(name, m.group()) for name, text in found for m in wanted.finditer(text)]


def test_what_was_said_is_nowhere_in_clear_and_opens_with_the_key(
    lab,
    driftline,
    framework,  # noqa: F811
    model,  # noqa: F811
    tmp_path,
    tmp_path_factory,
):
    run = driftline(PUBLIC)
    client = agent(lab, framework, model, tmp_path_factory)
    client.ready()
    heard(run, client)
    rows = run.originals("user_turn", "system", "answer")
    assert rows["user_turn"]["digest"] == sha256(TURN) and rows["system"]["digest"] == sha256("Desk.")
    assert rows["user_turn"]["workload"] == "unit:agent"
    key = tmp_path_factory.mktemp("key") / "officer.key"
    key.write_text(PRIVATE)
    opened = run.ask("original", "show", sha256(TURN), "--key", key, "--reason", "case 812", "--raw")
    assert (opened.returncode, opened.stdout) == (0, TURN), opened.stderr
    row = json.loads(run.ask("audit", "list", "--kind", "access", "--json").stdout)
    assert [r["workload"] for r in row] == ["unit:agent"]
    client.end()
    run.end()
    calls = told(run, "llm")
    assert any(c.data["user_turn_digest"] == sha256(TURN) for c in calls)
    assert "[card]" in calls[0].data["user_turn"] and "[email]" in calls[0].data["user_turn"]
    assert {c.data["redaction"] for c in calls} == {"pci-1"}
    assert in_clear(tmp_path) == []
    refused = run.ask("original", "show", sha256(TURN), "--key", key, "--reason", "case 812")
    assert refused.returncode == 1 and "no classifier answers" in refused.stderr and CARD not in refused.stdout


def test_without_a_recipient_nothing_is_kept(lab, driftline, framework, model, tmp_path, tmp_path_factory):  # noqa: F811
    run = driftline()
    client = agent(lab, framework, model, tmp_path_factory)
    client.ready()
    heard(run, client)
    client.end()
    run.end()
    assert told(run, "llm") and in_clear(tmp_path) == [] and not (tmp_path / "originals").exists()
    assert "there are no originals" in run.ask("original", "list").stderr
