"""Texts are sealed at once, kept under their workload's name, bounded, and never stand in the way of the sensor."""

import gc
from types import SimpleNamespace

import pytest

from sensor.originals import keeper as module
from sensor.originals.keeper import HELD, PATIENCE, SECOND, TEXTS, Keeper, Nothing, of
from sensor.originals.sealing import new_key, opener, sealer
from sensor.originals.shelf import Reading, ShelfError
from sensor.settings import OriginalsSettings
from tests.factories import identity
from tests.kernel.lab import until
from tests.observe.applayer.wires import conversation, run
from wire.digests import sha256

PRIVATE, PUBLIC = new_key()
OPEN = opener(PRIVATE)
T = 1000 * SECOND


def place(cgroup=1):
    return SimpleNamespace(connection=SimpleNamespace(cgroup=cgroup))


@pytest.fixture
def keep(tmp_path):
    """Makes a keeper; all of them end with the test."""
    made = []

    def make(seal=None, **settings):
        chosen = OriginalsSettings((PUBLIC,), folder=tmp_path / "kept", **settings)
        made.append(Keeper(chosen, seal or sealer([PUBLIC]), node="n1", to_time=lambda ns: ns / SECOND, now=T))
        return made[-1]

    yield make
    for one in made:
        one.close(T)


def kept(tmp_path):
    try:
        reading = Reading(tmp_path / "kept")
    except ShelfError:  # not made yet
        return []
    try:
        return [(r["workload"], r["kind"], OPEN(reading.sealed(r["digest"], r["workload"]))) for r in reading.listed()]
    finally:
        reading.close()


def gone(tmp_path):
    reading = Reading(tmp_path / "kept")
    try:
        return reading.gone()
    finally:
        reading.close()


def test_without_a_recipient_there_is_nothing_and_nothing_is_loaded():
    off = of(OriginalsSettings(), node="n1", to_time=float, now=0)
    assert isinstance(off, Nothing) and off.sealed is None and off.health() == {}
    off.identified(identity(workload="unit:a"))
    off.poll(1)
    off.close(2)


def test_a_text_is_kept_under_its_workload_and_its_digest(keep, tmp_path):
    keeper = keep()
    keeper.identified(identity(workload="unit:a"))
    keeper.sealed("user_turn", place(), b"a secret")
    keeper.poll(T + SECOND)
    until(lambda: kept(tmp_path) == [("unit:a", "user_turn", b"a secret")], "the text")
    reading = Reading(tmp_path / "kept")
    row = reading.listed()[0]
    reading.close()
    assert (row["digest"], row["length"], row["first"], row["node"]) == (sha256("a secret"), 8, T / SECOND, "n1")
    until(
        lambda: keeper.health() == {"originals/kept": 1.0, "originals/lost": 0.0, "originals/waiting_bytes": 0.0},
        "health",
    )


def test_no_text_stays_in_clear_where_it_waits(keep):
    keeper = keep()
    keeper.sealed("answer", place(), b"never to be " + b"found again 1234567")
    gc.collect()
    held = [repr(w) + repr(w.sealed) for w in keeper._waiting]
    assert held and not any("found again" in text for text in held) and "found again" not in repr(keeper)


def test_a_text_waits_for_its_name_and_no_longer_than_patience(keep, tmp_path):
    keeper = keep()
    keeper.sealed("answer", place(1), b"early")
    keeper.sealed("answer", place(2), b"of nobody")
    keeper.poll(T + SECOND)
    assert keeper.health()["originals/waiting_bytes"] > 0
    keeper.identified(identity(workload="unit:a"))
    keeper.poll(T + PATIENCE)
    until(lambda: len(kept(tmp_path)) == 2, "both")
    assert sorted(kept(tmp_path)) == [("unit:a", "answer", b"early"), ("unresolved:2", "answer", b"of nobody")]


def test_only_workloads_that_are_wanted_are_kept(keep, tmp_path):
    keeper = keep(workloads=("unit:support*",))
    keeper.identified(identity(1, workload="unit:billing"))
    for cgroup, text in ((1, b"not wanted"), (2, b"wanted"), (3, b"later not wanted"), (4, b"of nobody")):
        keeper.sealed("answer", place(cgroup), text)
    keeper.identified(identity(2, workload="unit:support-1"))
    keeper.identified(identity(3, workload="unit:billing"))
    keeper.poll(T + PATIENCE)
    until(lambda: kept(tmp_path), "the wanted one")
    keeper.close(T)
    assert kept(tmp_path) == [("unit:support-1", "answer", b"wanted")] and gone(tmp_path) == {"without a name": 1}


def test_what_is_said_again_is_sealed_once_a_minute(keep):
    sealed = []
    keeper = keep(seal=lambda text: sealed.append(text) or b"s")
    for now in (T, T + 30 * SECOND, T + 61 * SECOND):
        keeper.poll(now)
        keeper.sealed("system", place(), b"the same")
    assert len(sealed) == 2


def test_one_replica_cannot_have_it_all(keep, tmp_path):
    keeper = keep(seal=lambda text: b"s" * 10)
    for number in range(TEXTS + 5):
        keeper.sealed("answer", place(1), b"%d" % number)
    keeper.sealed("answer", place(2), b"of another")
    assert len(keeper._waiting) == TEXTS + 1 and keeper.lost == {"too many": 5}


def test_memory_is_bounded_and_what_finds_none_is_counted_in_the_file(keep, tmp_path):
    keeper = keep(seal=lambda text: text)
    for number in range(5):
        keeper.sealed("answer", place(), bytes([number]) * (HELD // 4))
    assert keeper.lost == {"memory": 1} and keeper.health()["originals/waiting_bytes"] <= HELD
    keeper.close(T)
    assert gone(tmp_path)["memory"] == 1


def test_a_disk_that_refuses_costs_texts_and_not_the_sensor(keep, tmp_path, caplog):
    (tmp_path / "kept").write_text("a file where the folder should be")
    keeper = keep()
    keeper.identified(identity(workload="unit:a"))
    for now, text in ((T, b"first"), (T + 61 * SECOND, b"second")):
        keeper.sealed("answer", place(), text)
        keeper.poll(now + SECOND)
    until(lambda: keeper.health()["originals/lost"] == 2, "both losses")
    assert [r.message for r in caplog.records if "lost" in r.message][1:] == [] and "first" not in caplog.text
    (tmp_path / "kept").unlink()
    keeper.sealed("answer", place(), b"first")  # said again, it is sealed again
    keeper.poll(T + 62 * SECOND)
    keeper.sealed("answer", place(), b"first")
    keeper.poll(T + 63 * SECOND)
    until(lambda: kept(tmp_path), "the text")
    assert gone(tmp_path) == {"disk": 2}


def test_a_fault_while_sealing_reaches_nobody_and_says_nothing_of_the_text(keep, caplog):
    def broken(text):
        raise ValueError(f"cannot seal {text!r}")

    keeper = keep(seal=broken)
    keeper.sealed("answer", place(), b"a secret")
    keeper.sealed("answer", None, b"a secret")
    assert keeper.lost == {"failed": 2} and "a secret" not in caplog.text


def test_what_is_past_its_days_goes_without_new_texts(keep, tmp_path):
    keeper = keep(days=1.0)
    keeper.identified(identity(workload="unit:a"))
    keeper.sealed("answer", place(), b"old")
    keeper.poll(T)
    until(lambda: kept(tmp_path), "the text")
    keeper.poll(T + 86_401 * SECOND)
    until(lambda: not kept(tmp_path), "its end")


def test_names_of_replicas_are_bounded(keep):
    keeper = keep()
    for cgroup in range(module.NAMES + 10):
        keeper.identified(identity(cgroup, workload=f"unit:{cgroup}"))
    assert len(keeper._names) == module.NAMES


def test_every_text_of_a_conversation_comes_with_the_digest_that_its_event_has():
    """The system prompt too, and the answer, whose events tell digests alone."""
    from sensor.observe.applayer.decoder import Decoder
    from sensor.observe.applayer.told import Context, Teller
    from wire.records import Replica

    seen = {}
    decoder = Decoder(sealed=lambda kind, place, text: seen.setdefault(kind, []).append(text))
    records = run(*conversation("openai-chat", stream=True), decoder=decoder)
    teller = Teller(node="n1", epoch="e", mark="t")
    events = [e for r in records for e in teller.events(r, context=Context(Replica("n1", 1), "tls"))]
    llm = next(e for e in events if e.kind == "llm")
    digests = {kind: [sha256(text) for text in texts] for kind, texts in seen.items()}
    assert llm.data["system_digest"] in digests["system"]
    assert llm.data["user_turn_digest"] in digests["user_turn"]
    assert b"4111 1111 1111 1111" in seen["user_turn"][0]
    assert {e.data["redaction"] for e in events} == {"default-1"}
    for event in events:
        if event.kind == "tool":
            assert event.data["arguments_digest"] in digests["arguments"]
        elif "answer_digest" in event.data:
            assert event.data["answer_digest"] in digests["answer"]
    assert not any(b"Authorization" in text or b"Bearer" in text for texts in seen.values() for text in texts)
