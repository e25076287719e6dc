"""Listening begins with the first agent and ends with the last; what it tells is whole, bounded and its own. The ear is played."""

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sensor import listening as module
from sensor.ears import Source
from sensor.listening import Listening
from sensor.observe.agents import Agents
from sensor.observe.applayer.told import Teller
from sensor.observe.memory import Memory
from sensor.observe.observer import Observer
from sensor.observe.plaintext.ladder import Coverage, Part
from sensor.observe.plaintext.streams import Connection
from sensor.probes.client import ProbeError
from sensor.probes.tls import LOSSES, Watched
from tests.kernel.lab import until
from tests.observe.applayer.wires import conversation, run

SECOND = 10**9
OPENAI = "/l/site-packages/openai/__init__.py"
LIB = Part("/usr/lib/libssl.so.3", "symbol", "")


class Ear:
    """Plays a capture."""

    def __init__(self, room=True):
        self.wake, self.room, self.watched, self.waiting, self.hinted, self.greeted = 9, room, {}, [], set(), set()
        self.rows, self.lost, self.released, self.last = [], {}, False, []

    def watch(self, cgroup, directory, now):
        self.watched[cgroup] = directory
        return self.room

    def forget(self, cgroup, now):
        del self.watched[cgroup]
        return self.last

    def hints(self, pids, now):
        self.hinted |= pids

    def hello(self, pid):
        self.greeted.add(pid)

    def poll(self, now):
        waiting, self.waiting = self.waiting, []
        return waiting

    def coverage(self):
        return self.rows

    def losses(self):
        return self.lost

    def health(self):
        return {"failed": 1.0}

    def close(self, now):
        return self.last

    def release(self):
        assert not self.released
        self.released = True


class Kernel:
    """Notes who may end the waiting."""

    def __init__(self):
        self.guests = []

    def invite(self, fd):
        self.guests.append(fd)

    def dismiss(self, fd):
        self.guests.remove(fd)


class Setting:
    """An observer with two replicas, and a listening of a played source."""

    def __init__(self, tmp_path, make, wanted=("auto",)):
        memory = Memory(tmp_path / "names", "e1")
        self.observer = Observer(node="n1", epoch="e1", boot=1, to_time=lambda ns: ns / 1e9, memory=memory)
        self.agents, self.kernel, self.now = Agents(wanted), Kernel(), 10 * SECOND
        self.mine, self.other = (self.observer.seats.seat(slot, 1, 70 + slot, f"/lab/{slot}", 0) for slot in (1, 2))
        source = Source("tls", "t", "what is said", make)
        self.listening = Listening(
            source,
            self.agents,
            self.observer,
            self.kernel,
            teller=Teller(node="n1", epoch="e1", mark="t"),
            to_time=lambda ns: ns / 1e9,
            directory=lambda replica: Path("/lab") / str(replica.cgroup),
        )
        self.agents.seated(self.mine.replica)
        self.agents.seated(self.other.replica)

    def poll(self, seconds=1.0):
        self.now += int(seconds * SECOND)
        return list(self.listening.poll(self.now))

    def begin(self):
        """Until the ear is there and watches."""
        self.agents.opened(self.mine.replica, OPENAI)
        out = self.poll()
        until(lambda: self.listening._making is None or self.listening._making.done, "the making", seconds=60)
        return out + self.poll()


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def setting(tmp_path, ear):
    made = Setting(tmp_path, lambda: ear)
    yield made
    made.listening.close(made.now)


def said(pid=5, cgroup=71, **changes):
    """Records of a conversation as a capture gives them."""
    records = run(*conversation("anthropic", stream=True), key=Connection(cgroup, pid, 0x10, 99))
    return [replace(r, **changes) for r in records]


def row(rung="symbol", pid=5, cgroup=71, reason="", parts=(LIB,)):
    return Coverage(pid, cgroup, rung, reason, parts, True)


def test_nothing_is_made_before_there_is_an_agent(tmp_path):
    def make():
        raise AssertionError("nobody asked for it")

    setting = Setting(tmp_path, make)
    assert setting.poll() == []
    assert (setting.listening.state, setting.listening.rest, setting.listening.health()) == (None, 1.0, {})


def test_an_agent_is_watched_and_nobody_else(setting, ear):
    setting.begin()
    assert ear.watched == {71: Path("/lab/71")}
    assert setting.listening.hears(setting.mine.replica) and not setting.listening.hears(setting.other.replica)
    assert setting.kernel.guests == [ear.wake]
    assert (setting.listening.state.state, setting.listening.rest) == ("on", module.REST)
    assert setting.listening.health() == {"tls/workloads": 1.0, "tls/failed": 1.0}


def test_what_is_said_becomes_events_that_know_who_said_it(setting, ear):
    setting.begin()
    setting.observer.processes.lineage.adopt(5, "/usr/bin/python3 x", 0)
    ear.waiting = said()
    events = setting.poll()
    assert [e.kind for e in events] == ["llm", "tool", "tool", "llm", "tool", "tool"] or events[0].kind == "llm"
    data = events[0].data
    assert (events[0].replica, data["pid"], data["image"]) == (setting.mine.replica, 5, "/usr/bin/python3\\x20x")
    assert data["connection"] == "5-16-99"
    tools = [e for e in events if e.kind == "tool"]
    assert setting.mine.tallies[tools[0].behaviour, ""].count == sum(e.behaviour == tools[0].behaviour for e in tools)


def test_who_has_ended_is_still_named(setting, ear):
    setting.begin()
    exec_ = SimpleNamespace(replica=setting.mine.replica, kind="exec", data={"pid": 5, "path": "/a", "lineage": "a<b"})
    setting.listening.see(exec_)
    ear.rows, ear.waiting = [row()], said()
    assert {e.data["lineage"] for e in setting.poll()} == {"a<b"}


def test_a_flood_of_calls_is_bounded_and_counted(setting, ear, monkeypatch):
    monkeypatch.setattr(module, "EVENTS", 2)
    setting.begin()
    ear.waiting = said() * 5
    events = setting.poll()
    assert sum(e.kind == "llm" for e in events) <= 2
    assert setting.mine.loss["tls_events"] > 0
    assert sum(t.count for t in setting.mine.tallies.values()) > sum(e.kind == "tool" for e in events)


def test_what_a_stranger_says_is_dropped(setting, ear):
    setting.begin()
    ear.waiting = said(cgroup=72)
    assert setting.poll() == []


def test_coverage_is_told_when_it_changes(setting, ear):
    setting.begin()
    ear.rows = [row("searching", parts=())]
    assert setting.poll() == []
    ear.rows = [row()]
    (first,) = setting.poll()
    assert (first.kind, first.data["rung"], first.data["library"]) == ("coverage", "symbol", LIB.path)
    assert first.data["pid"] == 5 and first.behaviour is None
    assert setting.poll() == []
    ear.rows = [row("uncovered", reason="no\x1bsymbols", parts=(Part("/x y", "uncovered", ""),))]
    (second,) = setting.poll()
    assert second.data["reason"] == "no\ufffdsymbols" and second.data["library"] == "/x\\x20y"
    ear.rows = []
    assert setting.poll() == []


def test_coverage_beyond_the_budget_is_told_later(setting, ear):
    setting.begin()
    ear.rows = [row(pid=n) for n in range(1, 101)]
    assert len(setting.poll()) == 64
    setting.mine.drain()
    assert len(setting.poll()) == 36


def test_a_connection_that_cannot_be_read_is_in_the_coverage_of_its_process(setting, ear):
    setting.begin()
    place = said()[0].place
    ear.rows = [row()]
    ear.waiting = [SimpleNamespace(place=place, what="websocket", reason="not read")]
    (event,) = setting.poll()
    assert event.kind == "coverage" and "websocket: not read" in event.data["reason"]


def test_hints_of_agents_are_passed_on_once(setting, ear):
    setting.begin()
    for kind in ("exec", "fork", "tls"):
        setting.listening.see(SimpleNamespace(replica=setting.mine.replica, kind=kind, data={"pid": 5}))
        setting.listening.see(SimpleNamespace(replica=setting.other.replica, kind=kind, data={"pid": 6}))
    setting.poll()
    assert (ear.hinted, ear.greeted) == ({5}, {5})


def test_losses_are_told_once_under_the_names_of_the_source(setting, ear):
    setting.begin()
    ear.lost = {71: Watched(1, 1, dict.fromkeys(LOSSES, 0) | {"ring": 7})}
    setting.listening.tell_losses()
    setting.listening.tell_losses()
    assert dict(setting.mine.loss) == {"tls_ring": 7}
    ear.lost[71].lost["ring"] = 9
    setting.listening.forget(setting.mine.replica, setting.now)
    assert setting.mine.loss["tls_ring"] == 9


def test_an_ended_agent_tells_what_was_under_way(setting, ear):
    setting.begin()
    ear.last = said()
    events = setting.listening.forget(setting.mine.replica, setting.now)
    assert events[0].kind == "llm" and ear.watched == {}
    assert setting.listening.forget(setting.mine.replica, setting.now) == []


def test_a_label_that_denies_ends_it(setting, ear):
    setting.begin()
    setting.agents.named(setting.mine.replica, None, False)
    setting.poll()
    assert ear.watched == {} and not setting.listening.hears(setting.mine.replica)


def test_a_full_table_is_said_of_the_agent(tmp_path):
    setting = Setting(tmp_path, lambda: Ear(room=False))
    (event,) = setting.begin()
    assert (event.kind, event.data["rung"]) == ("coverage", "metadata") and "too many agents" in event.data["reason"]
    assert "pid" not in event.data


def test_what_is_refused_is_said_once_in_log_head_and_coverage(tmp_path, caplog):
    def make():
        raise ProbeError("no uprobes")

    setting = Setting(tmp_path, make)
    (event,) = setting.begin()
    assert (event.data["rung"], event.data["reason"]) == ("metadata", "no uprobes")
    assert setting.poll() == []
    state = setting.listening.state
    assert (state.name, state.state, state.misses) == ("tls", "off", ("what is said: no uprobes",))
    assert len([r for r in caplog.records if "not listened to" in r.message]) == 1
    assert setting.listening.rest == 1.0
    assert setting.listening.close(setting.now) == []


def test_a_fault_while_it_is_made_is_a_refusal(tmp_path):
    def make():
        raise ValueError("ours")

    setting = Setting(tmp_path, make)
    setting.begin()
    assert "fault" in setting.listening.refused


def test_an_end_lets_go_and_begins_nothing_anew(setting, ear):
    setting.begin()
    ear.last = said()
    assert setting.listening.close(setting.now)[0].kind == "llm"
    assert ear.released and setting.kernel.guests == []
    setting.agents.opened(setting.other.replica, OPENAI)
    assert setting.poll() == [] and setting.listening._making is None


def test_an_end_while_it_is_made_gives_it_back(tmp_path, ear):
    go = threading.Event()

    def make():
        go.wait(60)
        return ear

    setting = Setting(tmp_path, make)
    setting.agents.opened(setting.mine.replica, OPENAI)
    setting.poll()
    setting.listening.close(setting.now)
    go.set()
    until(lambda: ear.released, "its release", seconds=60)
