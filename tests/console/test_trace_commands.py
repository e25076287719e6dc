"""Traces on the command line: the same bytes twice, damage said and survived, records shown without harm."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from console.cli.records import kind_of, line_of, time_of
from console.cli.replaying import Replayed, replayed
from tests.console.conftest import HOSTILE, records
from tests.console.nobody import NOBODY
from tests.factories import deploy, event, head, identity, use, window
from wire.records import Gap, Tick, Triage
from wire.trace import Writer, read

DAY = 86_400.0


@pytest.fixture(scope="session")
def drifted(tmp_path_factory):
    """Three weeks of a quiet workload, then a process and a peer that nobody announced."""
    path = tmp_path_factory.mktemp("traces") / "drifted.trace"
    with Writer(path) as writer:
        for record in [head(interval=600.0), *(identity(n) for n in (1, 2)), *quiet_days(21), *bad_hour(21 * DAY)]:
            writer.add(record)
    return path


def quiet_days(days):
    for start in range(0, int(days * DAY), 7200):
        for replica in (1, 2):
            uses = (
                use("egress:tcp:a.example.org:443", 5, bytes_out=9000, bytes_in=9000),
                use("exec:/usr/bin/python3<init"),
            )
            yield window(replica, *uses, start=float(start), length=600.0, syscalls={0: 5, 1: 7})
        yield Tick("n1", start + 600.0)


def bad_hour(begin):
    yield event(1, "exec", "exec:/tmp/x<sh", time=begin + 1, id="n1/e1/1", lineage="x<sh")
    yield event(1, "egress", "egress:tcp:203.0.113.9:4444", time=begin + 2, id="n1/e1/2", lineage="x<sh")
    data = {"lineage": "x<sh"}
    uses = (
        use("exec:/tmp/x<sh", evidence=("n1/e1/1",), data=data),
        use("egress:tcp:203.0.113.9:4444", evidence=("n1/e1/2",), data=data, bytes_out=10**7),
    )
    for step in range(8):
        yield window(1, *(uses if step == 0 else ()), start=begin + step * 600, length=600.0)
        yield Tick("n1", begin + (step + 1) * 600)


def sha(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "console.cli.main", *map(str, arguments)],
        capture_output=True,
        timeout=60,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return hashlib.sha256(done.stdout).hexdigest(), done.stdout


def test_a_replay_gives_the_same_bytes_on_every_run_and_in_every_locale(drifted):
    first, output = sha("trace", "replay", drifted, "--json", PYTHONHASHSEED="1", LC_ALL="C", PYTHONUTF8="0")
    second, _ = sha("trace", "replay", drifted, "--json", PYTHONHASHSEED="2", LC_ALL="C.UTF-8", TZ="Asia/Tokyo")
    assert first == second
    assert output.endswith(b"]\n") and not output.endswith(b"\n\n")
    assert "risky_drift" in {f["label"] for f in json.loads(output)}


def test_a_replay_needs_no_root(drifted, tmp_path):
    drifted.parent.chmod(0o755)
    readable = f"/dev/shm/driftline-test-{os.getpid()}.trace"
    try:
        with open(readable, "wb") as copy:
            copy.write(drifted.read_bytes())
        command = [sys.executable, "-m", "console.cli.main", "trace", "replay", readable, "--json"]
        done = subprocess.run(command, capture_output=True, timeout=60, **NOBODY)
        assert done.returncode == 0, done.stderr
    finally:
        os.unlink(readable)


def test_a_replay_until_a_time_knows_nothing_of_what_follows(drifted, driftline):
    assert json.loads(driftline("trace", "replay", drifted, "--json", "--until", 21 * DAY).stdout) == []


def test_a_replay_prints_a_table_for_people(drifted, driftline):
    result = driftline("trace", "replay", drifted)
    assert result.exit_code == 0 and "risky_drift" in result.stdout and "lab/shop/Deployment/cart/cart" in result.stdout


def test_a_policy_file_changes_thresholds_and_is_strict(drifted, driftline, tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("learn_days: 40\nconverged_days: 40\n")
    assert driftline("trace", "replay", drifted, "--policy", file).exit_code == 0
    file.write_text("lern_days: 40\n")
    result = driftline("trace", "replay", drifted, "--policy", file)
    assert "did you mean learn_days?" in str(result.exception)


def test_a_damaged_trace_is_refused_and_salvaged(drifted, tmp_path):
    whole = drifted.read_bytes()
    middle = len(whole) // 2
    damaged = tmp_path / "damaged.trace"
    damaged.write_bytes(whole[:middle] + b"\xff" * 8 + whole[middle + 8 :])
    command = [sys.executable, "-m", "console.cli.main", "trace"]
    refused = subprocess.run([*command, "replay", damaged], capture_output=True, text=True)
    assert refused.returncode == 1 and "Hint: rerun with --salvage" in refused.stderr
    salvaged = subprocess.run([*command, "replay", damaged, "--salvage", "--json"], capture_output=True, text=True)
    assert salvaged.returncode == 0 and salvaged.stderr.startswith("Note: ") and json.loads(salvaged.stdout) is not None
    verified = subprocess.run([*command, "verify", damaged, drifted, "--json"], capture_output=True, text=True)
    assert verified.returncode == 1 and "cut or damaged" in verified.stderr
    assert [r["complete"] for r in json.loads(verified.stdout)] == [False, True]


@pytest.mark.parametrize("content", [b"", b"nothing", b"DRIFTTR\n", b"\x00" * 4096, b"DRIFTTR\n" + b"\xff" * 64])
@pytest.mark.parametrize("verb", ["replay", "show", "verify"])
def test_what_is_no_trace_is_1_in_words(content, verb, tmp_path):
    (tmp_path / "x.trace").write_bytes(content)
    command = [sys.executable, "-m", "console.cli.main", "trace", verb, tmp_path / "x.trace"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith("Error: "), "Traceback" in done.stderr) == (1, True, False)


def test_records_are_shown_one_a_line_and_printable(trace, driftline):
    lines = driftline("trace", "show", trace).stdout.splitlines()
    assert len(lines) == len(list(records())) and all(map(str.isprintable, lines))


def test_kinds_and_a_limit_narrow_what_is_shown(trace, driftline):
    shown = json.loads(driftline("trace", "show", trace, "--json", "--kind", "window", "--limit", 3).stdout)
    assert [r["record"] for r in shown] == ["window"] * 3
    assert json.loads(driftline("trace", "show", trace, "--json", "--kind", "gap").stdout) == []
    assert driftline("trace", "show", trace, "--kind", "windw").exit_code == 2


@pytest.mark.parametrize(
    "record",
    [
        head(),
        identity(),
        event(),
        window(),
        deploy(refused="forged"),
        Gap("n1", 0, 1, "x"),
        Tick("n1", 1),
        Triage(1, "f", "risky", "ann"),
    ],
    ids=kind_of,
)
def test_every_kind_of_record_has_a_line_and_a_time(record):
    assert kind_of(record) in line_of(record)
    assert time_of(record) >= 0


def test_a_trace_answers_what_the_classifier_would(drifted, driftline):
    listed = json.loads(driftline("workload", "list", "--trace", drifted, "--json").stdout)
    assert [w["workload"] for w in listed] == ["lab/shop/Deployment/cart/cart"]
    envelope = json.loads(driftline("envelope", "show", listed[0]["workload"], "--trace", drifted, "--json").stdout)
    assert "egress:tcp:a.example.org:443" in {b["behaviour"] for b in envelope["behaviours"]}
    found = json.loads(driftline("finding", "list", "--trace", drifted, "--json").stdout)
    shown = driftline("finding", "show", found[0]["id"], "--trace", drifted).stdout
    assert "Signals" in shown and "n1/e1/" in shown
    assert driftline("finding", "show", "none", "--trace", drifted).exit_code == 1
    assert driftline("finding", "list", "--policy", "default").exit_code == 2


def test_replaying_is_the_pipeline_and_nothing_else(trace):
    found = Replayed(read(trace))
    assert [w["workload"] for w in found.get("workloads")] == [HOSTILE]
    assert found.get("events", "n1/e1/1")["kind"] == "exec"
    assert replayed(read(trace), until=-1.0).workloads() == []
