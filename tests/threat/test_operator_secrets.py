"""What an operator keeps secret is in no log, trace, database or list of processes, whatever goes wrong around it."""

from __future__ import annotations

import base64
import json
import signal
from pathlib import Path

import click
import pytest

from classifier.deploys.signing import Key, KeysError, load_keys, sign
from console.cli.main import root
from console.cli.manual import commands
from guard.audit import keys as audit_keys
from guard.audit.keys import AuditKeyError
from tests.service.daemon import free_address
from tests.service.test_service import cloud_event, post
from wire import trace

SECRET = b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TEXT = base64.b64encode(SECRET).decode()
WORDS = (SECRET, TEXT.encode(), TEXT.rstrip("=").encode(), SECRET.hex().encode())
BROKEN = {
    "colon": f"keys:\n  - name: ci\n    secret: whsec_{TEXT}: x\n",
    "bracket": f"keys: [{{name: ci, secret: {TEXT}",
    "quote": f'keys:\n  - name: ci\n    secret: "whsec_{TEXT}\n    workloads: ["*"]\n',
    "tag": f"keys: !!python/x {TEXT}\n",
    "alias": f"keys:\n - *{TEXT}\n",
    "list": f"keys:\n - name: ci\n   secret: [{TEXT}]\n   workloads: ['*']\n",
    "other-key": f"keys:\n - name: ci\n   secret_file: {TEXT}\n   workloads: ['*']\n",
    "unknown-key": f"keys:\n - name: ci\n   password: {TEXT}\n",
    "short": f"keys:\n - {{name: ci, secret: {TEXT[:12]}, workloads: ['*']}}\n",
    "no-base64": f"keys:\n - {{name: ci, secret: '{TEXT}!', workloads: ['*']}}\n",
}


def keys(folder, text=None):
    path = folder / "keys.yaml"
    path.touch(mode=0o600)
    path.write_text(text or json.dumps({"keys": [{"name": "ci", "secret": TEXT, "workloads": ["lab/*"]}]}))
    return path


def leaked(data):
    return [word for word in WORDS if word in data]


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_of_keys_is_refused_without_its_words(tmp_path, text):
    """YAML quotes the text around an error, and a reload wrote that into the log (#5)."""
    with pytest.raises(KeysError) as caught:
        load_keys(keys(tmp_path, text))
    assert TEXT[:8] not in str(caught.value)
    assert caught.value.__cause__ is None or TEXT[:8] not in str(caught.value.__cause__)


def test_a_classifier_keeps_its_keys_to_itself(daemon, tmp_path):
    """Events of good, bad and replayed signatures, broken keys at a reload; then log, state, trace and process are searched."""
    at, recorded = free_address(), tmp_path / "recorded.trace"
    one = daemon(http_address=at, keys_file=keys(tmp_path), trace_path=recorded).start()
    body, now = cloud_event(), 1e9
    media = {"Content-Type": "application/cloudevents+json"}
    for moment in (_now(), now):
        post(at, body, media | sign(Key("ci", ("*",), SECRET), id="m1", time=moment, body=body))
    post(at, body, media)
    for text in BROKEN.values():
        said = one.log.count("reload failed")
        keys(tmp_path, text)
        one.process.send_signal(signal.SIGHUP)
        one.until(lambda said=said: one.log.count("reload failed") > said)
    process = Path(f"/proc/{one.process.pid}")
    assert leaked((process / "cmdline").read_bytes() + (process / "environ").read_bytes()) == []
    answers = json.dumps([one.get(f"/{what}")[1] for what in ("health", "deploys", "findings")]).encode()
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(60) == 0
    state = b"".join(p.read_bytes() for p in (one.folder / "state").rglob("*") if p.is_file())
    records = repr(list(trace.read(recorded))).encode()
    assert b"signed" in records and len(state) > 1000  # there was something to look through
    assert leaked(one.log.encode() + state + records + answers) == []


def _now():
    import time

    return time.time()  # noqa: TID251  the daemon compares it with its own


@pytest.mark.parametrize("text", ["x" * 64, f"-----BEGIN PRIVATE KEY-----\n{TEXT}\n"], ids=["words", "half-a-key"])
def test_a_private_key_that_cannot_be_read_is_not_quoted(tmp_path, text):
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(AuditKeyError) as caught:
        audit_keys.load(path)
    assert text[-20:].strip() not in str(caught.value)


def options():
    for path, command in commands(root, "driftline"):
        if isinstance(command, click.Command):
            yield from ((path, p) for p in command.params)


def test_no_command_takes_a_secret_by_its_words():
    """Arguments stand in `ps`: keys are named by their files."""
    named = [(path, p) for path, p in options() if {"secret", "token", "password", "key"} & set(str(p.name).split("_"))]
    assert named
    by_words = {path for path, p in named if not isinstance(p.type, click.Path) and not p.is_flag}
    assert by_words <= {"driftline audit verify"}  # its key is the public one
