"""The daemon from outside: sensors send, people ask, it says what is wrong, it stops when told."""

import grp
import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from classifier.deploys.signing import Key, sign
from classifier.drift.finding import finding_to_dict
from tests.classifier.story import ATTACK, days, learned, play
from tests.factories import SHOP, event, head, identity, window
from tests.service.daemon import DEADLINE, Daemon, free_address
from wire.records import Deploy, Gap, Tick, Triage
from wire.trace import read

SECRET = b"0123456789abcdef0123456789abcdef"


def story():
    return [*learned(1, 2), *days(40, 50, 1, 2, uses={1: ATTACK})]


def expected(records):
    return json.loads(json.dumps([finding_to_dict(f) for f in play(records).findings()]))


def post(at, body, headers):
    request = urllib.request.Request("http://{}:{}/deploys".format(*at), body, headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read())


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "keys.yaml"
    path.touch(mode=0o600)
    path.write_text("keys: [{name: ci, secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=, workloads: ['lab/*']}]")
    return path


def cloud_event(**changes):
    values = {"specversion": "1.0", "id": "c1", "source": "/ci", "type": "dev.driftline.image"}
    return json.dumps(values | {"data": {"workload": SHOP, "revision": "r2"}} | changes).encode()


def signed(body, *, id="m1", at=None):
    headers = sign(Key("ci", ("*",), SECRET), id=id, time=time.time() if at is None else at, body=body)  # noqa: TID251
    return {"Content-Type": "application/cloudevents+json"} | headers


# frames to findings -----------------------------------------------------------------------------------------------------


def test_what_sensors_send_becomes_findings(daemon):
    d = daemon().start()
    d.send(story())
    status, found = d.get("/findings")
    assert status == 200 and found
    assert found == expected(story())
    assert d.stop() == 0


def test_a_recorded_run_holds_everything_accepted_in_order_also_marks_and_triage(daemon, tmp_path):
    d = daemon(trace_path=tmp_path / "run.trace").start()
    d.send(story())
    d.ask("POST", "/deploys", {"workload": SHOP, "id": "mine", "kind": "prompt", "time": 5.0})
    found = d.get("/findings")[1][0]["id"]
    d.ask("POST", "/triage", {"finding": found, "decision": "dismiss"})
    live = d.get("/findings")[1]
    assert d.stop() == 0
    records = list(read(tmp_path / "run.trace"))
    assert records[:-2] == story()
    assert isinstance(records[-2], Deploy) and isinstance(records[-1], Triage)
    assert live == expected(records)


def test_a_record_that_the_pipeline_cannot_take_stops_nothing(daemon):
    d = daemon().start()
    broken = window(1, start=0.0, syscalls={"no number": 1})
    d.send([head(), broken, Tick("n1", 10.0)])
    assert d.get("/health")[0] == 200
    d.send([Tick("n1", 20.0)])
    assert d.get("/health")[1]["counters"]["records_tick"] == 2


def test_a_loss_that_the_sensor_had_arrives_as_a_gap(daemon, tmp_path):
    from wire.bus import Limits

    d = daemon(trace_path=tmp_path / "run.trace")
    sender = d.sender(limits=Limits(memory=30_000))
    for n in range(2000):
        sender.send(window(1, start=float(n), length=1.0))
    d.start()
    d.send([], sender)
    d.stop()
    gaps = [r for r in read(tmp_path / "run.trace") if isinstance(r, Gap)]
    assert [g.reason for g in gaps] == [f"lost before the classifier: window {sender.dropped['memory full']}"]


# the control socket -----------------------------------------------------------------------------------------------------


def test_questions_are_answered_as_json(daemon):
    d = daemon().start()
    d.send([*story(), event(1, id="n1/e1/70", time=49.0, argv="curl")])
    finding = d.get("/findings")[1][0]
    assert d.get(f"/findings/{finding['id']}") == (200, finding)
    assert d.get(f"/findings/{finding['id']}/versions")[1][-1]["version"] == finding["version"]
    assert d.get("/findings?label=risky_drift")[1] == [finding]
    assert d.get("/findings?label=expected_evolution")[1] == []
    assert [w["workload"] for w in d.get("/workloads")[1]] == [SHOP]
    assert d.get(f"/envelopes/{SHOP.replace('/', '%2F')}")[1]["workload"] == SHOP
    assert d.get("/events/n1%2Fe1%2F70")[1]["data"] == {"argv": "curl"}
    assert d.get("/deploys") == (200, [])


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "error"),
    [
        pytest.param("GET", "/findings/none", None, 404, "no finding none", id="no-such-finding"),
        pytest.param("GET", "/envelopes/none", None, 404, "no workload none", id="no-such-workload"),
        pytest.param("GET", "/events/none", None, 404, "no event none", id="no-such-event"),
        pytest.param("GET", "/elsewhere", None, 404, "Not Found", id="no-such-question"),
        pytest.param("POST", "/deploys", {}, 400, "workload is missing", id="no-workload"),
        pytest.param("POST", "/deploys", [], 400, "is an object", id="no-object"),
        pytest.param("POST", "/deploys", {"workload": "w", "kind": "magic"}, 400, "kind is one of", id="unknown-kind"),
        pytest.param("POST", "/deploys", {"workload": "w", "x": 1}, 400, "unknown field 'x'", id="unknown-field"),
        pytest.param("POST", "/deploys", {"workload": "w", "time": 1e300}, 400, "time is seconds", id="time"),
        pytest.param("POST", "/triage", {"finding": "f", "decision": "accept"}, 404, "no finding f", id="triage-none"),
        pytest.param("POST", "/triage", {"finding": "f", "decision": "burn"}, 400, "decision is one of", id="decision"),
        pytest.param("POST", "/triage", 5, 400, "is an object", id="triage-no-object"),
    ],
)
def test_a_question_that_cannot_be_answered_gets_a_reason(shared, method, url, body, status, error):
    answered, value = shared.ask(method, url, body)
    assert answered == status and error in value["error"]


@pytest.fixture(scope="module")
def shared(passable):
    d = Daemon(passable()).start()
    yield d
    d.stop()


def test_a_mark_is_believed_once(shared):
    body = {
        "workload": SHOP,
        "kind": "model",
        "revision": "r2",
        "scope": ["egress:tcp:*:443"],
        "actor": "ann",
        "id": "x",
    }
    first, second = (shared.ask("POST", "/deploys", body)[1] for _ in range(2))
    assert (first["trust"], first["source"], first["duplicate"]) == ("local", "cli", False)
    assert second["duplicate"] is True
    assert [(d["id"], d["actor"], d["scope"]) for d in shared.get("/deploys")[1]] == [
        ("x", "ann", ["egress:tcp:*:443"])
    ]


def test_only_root_and_our_own_user_may_ask(shared):
    control = shared.folder / "control.sock"
    assert stat.S_IMODE(control.stat().st_mode) == 0o600
    os.chmod(control, 0o666)  # even then
    assert "(403, {'error': 'not allowed to ask this classifier'" in as_stranger(shared, groups=[])
    os.chmod(control, 0o600)


def test_members_of_the_sockets_group_may_ask_and_others_still_not(daemon, passable):
    d = daemon(passable(), socket_group="games").start()
    gid = grp.getgrnam("games").gr_gid
    control = (d.folder / "control.sock").stat()
    assert (stat.S_IMODE(control.st_mode), control.st_gid) == (0o660, gid)
    os.chmod(d.folder / "control.sock", 0o666)
    assert "(200, [])" in as_stranger(d, groups=[gid])
    assert "(403, {'error': 'not allowed" in as_stranger(d, groups=[])


def as_stranger(d, groups):
    """The findings as a user without rights gets them."""
    code = (
        "import os, sys; sys.path.insert(0, os.getcwd());"
        "from tests.service.daemon import *; d = Daemon(Path(sys.argv[1])); os.setgroups(eval(sys.argv[2]));"
        "os.setgid(65533); os.setuid(65533); print(d.get('/findings'))"
    )
    command = [sys.executable, "-c", code, d.folder, repr(groups)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


# deploy events ----------------------------------------------------------------------------------------------------------


def test_a_signed_event_is_believed_once_and_a_forged_one_becomes_a_finding(daemon, keys):
    at = free_address()
    d = daemon(keys_file=keys, http_address=at).start()
    d.send(learned(1, 2))
    body = cloud_event()
    assert post(at, body, signed(body))[1]["duplicate"] is False
    assert post(at, body, signed(body, id="again"))[1]["duplicate"] is True
    forged = cloud_event(id="f1")
    assert post(at, forged, {"Content-Type": "application/cloudevents+json"}) == (401, {"error": "unsigned"})
    assert post(at, forged, signed(body)) == (401, {"error": "bad signature"})
    assert post(at, body, signed(body, at=1e9)) == (401, {"error": "replayed"})
    rows = d.get("/deploys")[1]
    assert sorted((r["trust"], r["refused"]) for r in rows) == [
        ("none", "bad signature"),
        ("none", "replayed"),
        ("none", "unsigned"),
        ("signed", ""),
    ]
    d.send([Tick("n1", time.time() + 60)])  # noqa: TID251
    assert any(dev["why"] == "forgery" for f in d.get("/findings")[1] for dev in f["deviations"])


def test_a_body_beyond_the_limit_is_not_read(daemon, keys):
    at = free_address()
    daemon(keys_file=keys, http_address=at).start()
    body = cloud_event(data={"workload": SHOP, "actor": "x" * (65 << 10)})
    assert post(at, body, signed(body)) == (413, {"error": "too large"})


def test_a_dropped_file_is_taken_once_and_moved(daemon, tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir(mode=0o755)
    (folder / "a.json").write_text(json.dumps({"workload": SHOP, "kind": "tools"}))
    (folder / "b.json").write_text("{")
    for name in ("a.json", "b.json"):
        os.utime(folder / name, (1, 1))
    d = daemon(folder=folder).start()
    d.until(lambda: (folder / "refused/b.json.reason").exists())
    assert [(r["source"], r["kind"], r["trust"]) for r in d.get("/deploys")[1]] == [("folder", "tools", "local")]
    assert (folder / "done/a.json").exists() and "no JSON" in (folder / "refused/b.json.reason").read_text()


# what goes wrong --------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny(small_disk):
    """A file system of four megabytes, nearly full."""
    where = small_disk("state", 4)
    (where / "filler").write_bytes(b"x" * (3 << 20))
    return where


def test_a_full_disk_is_reported_nothing_accepted_is_lost_and_it_recovers_by_itself(tiny, daemon, fault):
    d = daemon().start()
    sender = d.sender()
    for record in [head(), *(window(1, "open:data:" + "x" * 5000, start=float(n), length=1.0) for n in range(400))]:
        sender.send(record)
    d.until(lambda: not sender.pump(0.05) and d.get("/health")[1]["state"] == "degraded")
    assert d.get("/health")[1]["troubles"]["store"] in ("disk full", "disk failing")
    accepted = sender.sent
    assert 0 < accepted < 401
    mark = {"workload": "w", "scope": ["x" * 500] * 256}
    assert 503 in [d.ask("POST", "/deploys", mark)[0] for _ in range(8)]
    d.kill()
    d.start()
    assert d.get("/health")[1]["counters"]["records_window"] >= accepted - 1
    (tiny / "filler").unlink()
    assert sender.pump(DEADLINE) and sender.sent == 401 and not sender.dropped
    d.until(lambda: d.get("/health")[1]["state"] == "ok")
    assert d.get("/health")[1]["counters"]["records_window"] == 400
    assert d.stop() == 0
    fault(
        lost=f"0 of 401 frames ({accepted} accepted before, the sensor kept the rest)",
        told="`degraded` in health, log, metrics; 503",
    )


def test_it_starts_on_a_full_disk_and_stops_there_too(tiny, daemon, fault):
    d = daemon()
    (tiny / "filler").write_bytes(b"x" * ((4 << 20) - 4096))
    d.start(wait=False)
    d.until(lambda: "degraded" in d.log)
    (tiny / "filler").unlink()
    d.until(d.answers)
    (tiny / "filler").write_bytes(b"x" * 1000)
    assert d.stop() == 0
    fault(lost="0", told="`degraded` in the log, status for systemd")


def test_a_journal_at_its_limit_makes_room_with_a_snapshot(daemon):
    d = daemon(retention={"max_bytes": 1 << 20}).start()
    sender = d.sender()
    sender.send(identity())
    for n in range(250):
        sender.send(window(1, "open:data:" + "x" * 5000, start=float(n), length=1.0))
    assert sender.pump(DEADLINE) and sender.sent == 251
    assert d.get("/health")[1]["counters"]["records_window"] == 250


def test_a_lock_held_by_somebody_passes(daemon, fault):
    d = daemon().start()
    d.send([head()])
    raw = sqlite3.connect(d.folder / "state/classifier.db", isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    sender = d.sender()
    sender.send(Tick("n1", 1.0))
    d.until(lambda: not sender.pump(0.05) and "database locked" in d.log)
    raw.execute("ROLLBACK")
    raw.close()
    assert sender.pump(DEADLINE)
    d.until(lambda: d.get("/health")[1]["state"] == "ok")
    fault(
        lost="0 frames: the sensor hears nothing until it is kept", told="`degraded` in health and log: database locked"
    )


@pytest.mark.parametrize(
    ("harm", "answer"),
    [
        pytest.param(lambda db: sqlite3.connect(db).execute("PRAGMA user_version = 99"), "please update", id="newer"),
        pytest.param(lambda db: db.write_bytes(b"junk" * 5000), "move the file away", id="damaged"),
    ],
)
def test_a_database_that_cannot_be_used_gets_an_answer_and_exit_code_3(daemon, harm, answer, fault):
    d = daemon().start()
    assert d.stop() == 0
    harm(d.folder / "state/classifier.db")
    d.start(wait=False)
    assert d.process.wait(DEADLINE) == 3
    assert answer in d.log and "Traceback" not in d.log
    fault(lost="0: the file stays", told=f'exit code 3, "{answer}"')


def test_a_snapshot_of_another_version_is_put_aside_and_said(daemon, fault):
    d = daemon().start()
    d.send(story())
    assert d.stop() == 0
    with sqlite3.connect(d.folder / "state/classifier.db") as raw:
        raw.execute("UPDATE snapshot SET state = x'00'")
    d.start()
    assert "put aside" in d.get("/health")[1]["troubles"]["snapshot"]
    assert d.get("/findings")[1] == []
    fault(lost="what the snapshot stood for; it stays for a look", told="`degraded` in health and log: put aside")


def test_the_folder_of_its_sockets_is_made_where_nobody_did(daemon, tmp_path):
    daemon(socket_path=tmp_path / "not" / "there" / "classifier.sock").start()
    assert (tmp_path / "not" / "there").stat().st_mode & 0o777 == 0o750


def test_a_second_classifier_does_not_take_the_sockets_of_the_first(daemon):
    first = daemon().start()
    second = daemon()
    second.start(wait=False)
    assert second.process.wait(DEADLINE) == 3
    assert "another process listens here" in second.log and first.get("/health")[0] == 200


# systemd, signals, privileges -------------------------------------------------------------------------------------------


def test_systemd_is_told_ready_alive_reloading_and_stopping(daemon, tmp_path, keys):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(DEADLINE)
        d = daemon(keys_file=keys)
        d.environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        d.start()
        told = [systemd.recv(4096).decode() for _ in range(6)]
        assert "READY=1" in told and told.count("WATCHDOG=1\nSTATUS=ok") >= 2
        d.process.send_signal(signal.SIGHUP)
        while "RELOADING=1" not in (line := systemd.recv(4096).decode()):
            pass
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", line)
        while systemd.recv(4096) != b"READY=1":
            pass
        assert d.stop() == 0
        while systemd.recv(4096) != b"STOPPING=1":
            pass


def test_a_reload_takes_new_keys_and_keeps_the_old_ones_if_they_are_no_good(daemon, keys):
    at = free_address()
    d = daemon(keys_file=keys, http_address=at).start()
    body = cloud_event()
    good = keys.read_text()
    keys.write_text("nonsense")
    d.process.send_signal(signal.SIGHUP)
    d.until(lambda: "reload failed" in d.log)
    assert post(at, body, signed(body))[0] == 200
    keys.write_text(good.replace("lab/*", "other/*"))
    d.process.send_signal(signal.SIGHUP)
    d.until(lambda: "reloaded" in d.log)
    assert post(at, body, signed(body)) == (403, {"error": "key not for this workload"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_it_stops_in_the_middle_of_traffic(daemon, number):
    d = daemon().start()
    sender = d.sender()
    for n in range(5000):
        sender.send(Tick("n1", float(n)))
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(d.folder / "control.sock"))
        sender.pump(0.05)
        d.process.send_signal(number)
        assert d.process.wait(DEADLINE) == 0
    assert "Traceback" not in d.log


def test_it_drops_to_its_user_with_nothing_left_and_still_works(daemon, passable):
    d = daemon(passable(), user="65520").start()
    d.send(story())
    for thread in Path(f"/proc/{d.process.pid}/task").iterdir():
        status = dict(line.split(":\t", 1) for line in (thread / "status").read_text().splitlines() if ":\t" in line)
        assert status["Uid"].split() == status["Gid"].split() == ["65520"] * 4
        assert status["Groups"].strip() == "" and status["NoNewPrivs"] == "1"
        assert {int(status[c], 16) for c in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {0}
    assert d.get("/findings")[1] == expected(story())
    assert d.stop() == 0
    assert d.start().get("/findings")[1] == expected(story())


def test_metrics_say_what_came_what_was_lost_and_how_it_is(daemon):
    at = free_address()
    d = daemon(metrics_address=at).start()
    d.send([*story(), window(1, start=50.0, length=1.0, loss={"ring": 3})])
    with urllib.request.urlopen("http://{}:{}/metrics".format(*at), timeout=DEADLINE) as answer:
        page = answer.read().decode()
    for line in (
        'driftline_frames_total{kind="window"} 101.0',
        'driftline_lost_total{reason="ring"} 3.0',
        'driftline_findings{label="risky_drift"} 1.0',
        "driftline_degraded 0.0",
    ):
        assert line in page
    assert re.search(r"driftline_resident_bytes \d\.\d+e\+0[78]", page) and "driftline_lag_seconds" in page
    assert re.search(r'driftline_store\{what="journal"\} \d+', page)


def test_logs_are_one_json_object_a_line(daemon):
    d = daemon().start()
    d.stop()
    rows = [json.loads(line) for line in d.log.splitlines()]
    assert {"ready", "stopped"} <= {row["event"] for row in rows}
    assert all({"level", "timestamp"} <= set(row) for row in rows)
