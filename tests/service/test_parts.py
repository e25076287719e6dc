"""Parts of the daemon on their own: what systemd is told, what is given up, what is written, what is counted."""

import io
import json
import os
import socket
import subprocess
import sys
import threading

import pytest
import structlog

from classifier.control import Control
from classifier.core import Core
from classifier.logs import configure_logs
from classifier.metrics import Metrics, counted, resident
from classifier.notify import notify, watchdog_period
from classifier.privileges import PrivilegeError, drop_privileges, held, ids
from classifier.recording import Trace
from classifier.service import Service
from classifier.settings import ClassifierSettings, Retention
from classifier.store.store import Frame, NotNow, Store
from tests.factories import deploy, head
from wire import codec
from wire.records import Tick
from wire.trace import read


@pytest.fixture
def settings(tmp_path):
    return ClassifierSettings(tmp_path, tmp_path / "s.sock", tmp_path / "c.sock", systemd=None)


@pytest.fixture
def store(settings):
    store = Store(settings.database, Retention())
    yield store
    store.close()


def ticks(first, last):
    records = [Tick("n1", float(n)) for n in range(first, last)]
    return [Frame(r, codec.encode(r), "n1", "e", int(r.time)) for r in records]


def quiet():
    return structlog.wrap_logger(None, processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])


def core(settings, store, log=None):
    return Core(settings, store, log or quiet(), lambda: 0.0)


# systemd ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["path", "@driftline-test-notify"], ids=["path", "abstract"])
def test_a_state_arrives_as_one_datagram(tmp_path, address):
    address = str(tmp_path / "n") if address == "path" else f"{address}-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0"))
        assert notify("READY=1", {"NOTIFY_SOCKET": address})
        assert systemd.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/n", "relative"])
def test_without_systemd_nothing_is_told(address):
    assert notify("READY=1", {"NOTIFY_SOCKET": address}) is False


@pytest.mark.parametrize(
    ("environment", "period"),
    [
        pytest.param({}, 0.0, id="none"),
        pytest.param({"WATCHDOG_USEC": "x"}, 0.0, id="nonsense"),
        pytest.param({"WATCHDOG_USEC": "2000000"}, 1.0, id="ours"),
        pytest.param({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "7"}, 1.0, id="named"),
        pytest.param({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "8"}, 0.0, id="meant-for-another"),
    ],
)
def test_the_watchdog_is_fed_twice_per_period_where_there_is_one(environment, period):
    assert watchdog_period(environment, pid=7) == period


# privileges -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("user", "found"), [("0", (0, 0)), ("65520", (65520, 65520)), ("root", (0, 0))])
def test_users_are_known_by_name_and_number(user, found):
    assert ids(user) == found


def test_an_unknown_user_gets_a_remedy():
    with pytest.raises(PrivilegeError, match="useradd --system nobody-here"):
        ids("nobody-here")


def test_nothing_that_the_classifier_imports_starts_a_thread():
    """numpy came in with a constant; its threads kept the right to new privileges, which prctl takes from one thread."""
    code = (
        "import os, console.cli.classifier, console.settings, classifier.service; print(os.listdir('/proc/self/task'))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.count("'") == 2, said


@pytest.mark.skipif(os.getuid() != 0, reason="only root has something to drop")
def test_what_was_dropped_does_not_come_back():
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        told = _dropped()
        os.write(writer, json.dumps(told).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert json.loads(os.read(reader, 4096)) == {"ids": [65520] * 6, "held": 0, "root again": False, "groups": []}
    os.close(reader)
    os.close(writer)


def _dropped():
    drop_privileges("65520")
    try:
        os.setresuid(0, 0, 0)
        again = True
    except PermissionError:
        again = False
    return {"ids": [*os.getresuid(), *os.getresgid()], "held": held(), "root again": again, "groups": os.getgroups()}


def test_a_service_whose_user_does_not_exist_ends_with_an_answer(settings, capsys):
    from dataclasses import replace

    assert Service(replace(settings, user="nobody-here")).run() == 3
    assert "useradd --system nobody-here" in capsys.readouterr().err


# logs -------------------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "is_json"), [(io.StringIO(), True), (Terminal(), False)], ids=["file", "terminal"])
def test_logs_are_json_for_machines_and_lines_for_people(stream, is_json):
    configure_logs(stream)
    structlog.get_logger().info("ready", path="/x")
    text = stream.getvalue()
    assert text.startswith("{") is is_json and "ready" in text
    structlog.reset_defaults()


# the core ---------------------------------------------------------------------------------------------------------------


def test_frames_are_acknowledged_after_they_are_kept_and_before_they_are_fed(settings, store):
    it, seen = core(settings, store), []
    it.accept(ticks(1, 4), lambda: seen.append((store.known("n1", "e"), it.records["tick"])))
    assert seen == [(3, 0)] and it.records["tick"] == 3


def test_nothing_is_acknowledged_or_fed_that_was_not_kept(settings, store):
    said = []
    log = structlog.wrap_logger(None, processors=[lambda _, level, e: said.append((level, e["event"])) or _drop()])
    it = core(settings, store, log)
    store.database.limit(1)
    for _ in range(3):
        with pytest.raises(NotNow):
            it.accept(
                [Frame(head(kernel="x" * 500_000), b"x" * 500_000, "n1", "e", 1)], lambda: said.append("acknowledged")
            )
    assert said == [("error", "degraded")]  # once, not once per attempt
    assert it.health.state == "degraded" and not it.records
    store.database.limit(64 << 20)
    it.accept(ticks(1, 3))
    assert it.health.state == "ok" and said[-1] == ("info", "works again")


def _drop():
    raise structlog.DropEvent


def test_an_event_of_our_own_enters_once(settings, store):
    it = core(settings, store)
    assert [it.enter(deploy(id="d")) for _ in range(2)] == [True, False]
    assert [it.enter(deploy(id="d", refused="unsigned")) for _ in range(2)] == [True, True]


def test_two_threads_that_mark_the_same_change_make_one(settings, store):
    it, new = core(settings, store), []
    threads = [threading.Thread(target=lambda: new.append(it.enter(deploy(id="d")))) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(new) == [False] * 7 + [True]


# recording --------------------------------------------------------------------------------------------------------------


def test_a_trace_that_cannot_be_written_is_said_and_stops_nothing(settings, store, tmp_path):
    from dataclasses import replace

    it = core(replace(settings, trace_path=tmp_path / "none" / "t.trace"), store)
    it.accept(ticks(1, 3))
    assert "trace" in it.health.troubles and it.records["tick"] == 2


def test_parts_of_a_trace_neither_overlap_nor_leave_a_hole(store, tmp_path):
    path, accepted = tmp_path / "t.trace", store.accept(ticks(1, 21))
    lives = [(0, 5, True), (0, 9, False), (0, 0, False), (3, 14, True), (14, 20, False)]
    for fed, until, flush in lives:
        part = Trace(path, store, fed)
        for one in accepted[fed:until]:
            part.add(one)
        if flush:
            part.flush()  # then it is killed
        else:
            part.close()
    parts = sorted(tmp_path.glob("t.trace*"), key=lambda p: int(p.suffix[1:]) if p.suffix != ".trace" else 1)
    times = [r.time for p in parts for r in _salvaged(p)]
    assert times == [float(n) for n in range(1, 21)]


def _salvaged(path):
    from wire.trace import TraceError

    reader = read(path)
    while True:
        try:
            yield next(reader)
        except (StopIteration, TraceError):
            return


# metrics ----------------------------------------------------------------------------------------------------------------


def test_metrics_count_refusals_by_door_and_reason(settings, store):
    page = Metrics(core(settings, store), lambda: 0.0, {"http": {"bad signature": 2}, "bus": {}}).page().decode()
    assert 'driftline_http_refused_total{reason="bad signature"} 2.0' in page


def test_a_store_that_is_busy_costs_only_its_own_rows(settings, store, monkeypatch):
    it = core(settings, store)

    def busy():
        raise NotNow("database locked")

    monkeypatch.setattr(store, "sizes", busy)
    page = Metrics(it, lambda: 0.0, {}).page().decode()
    assert "driftline_resident_bytes" in page and "driftline_store" not in page


def test_a_counter_has_one_row_per_label_in_order():
    assert [s.labels["k"] for s in counted("a", "b", "k", {"y": 1, "x": 2}).samples] == ["x", "y"]
    assert resident() > 1 << 20


def test_a_connection_that_is_no_unix_socket_is_not_served(settings, store):
    class Request:
        transport = None

    assert Control(core(settings, store), lambda: 0.0, dict)._asking(Request()) is None
