"""`kill -9` in the middle of traffic, again and again: the trail has every row once, in order, and verifies."""

import random

import pytest

from classifier.pipeline import Pipeline
from classifier.policy import DAY, Policy
from guard.audit.bundle import bundle
from guard.audit.keys import load
from guard.audit.ledger import Ledger
from guard.audit.sources import Replayed
from guard.audit.verify import verify
from guard.audit.writer import Writer
from tests.factories import deploy, head
from tests.guard.audit.trail import KEY
from tests.service import daemon as daemons
from tests.service.daemon import Daemon
from tests.service.test_kill import interrupted, story
from wire.records import Gap, Tick

ATTENDED = daemons.PROGRAM.replace(
    "sys.exit(Service(ClassifierSettings(policy=Policy().scaled(DAY), **told)).run())",
    """
from guard.audit.attendant import Attendant, AuditSettings
folder = told["state_dir"] / "audit"
kept = AuditSettings(folder, folder / "key.pem", silence=1e12, answer=1e12)
attend = lambda core, now: Attendant(core, kept, now)
sys.exit(Service(ClassifierSettings(policy=Policy().scaled(DAY), **told), attend=attend).run())
""",
)


@pytest.fixture
def daemon(tmp_path, monkeypatch):
    assert "Attendant" in ATTENDED
    monkeypatch.setattr(daemons, "PROGRAM", ATTENDED)
    made = Daemon(tmp_path, {"retention": {"snapshot_frames": 150}})
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def eventful():
    """The story with what else belongs into a trail."""
    yield head()
    for record in story():
        yield record
        if isinstance(record, Tick) and record.time == 60.0:
            yield Gap("n1", 55.0, 60.0, "ring full")
            yield deploy(id="bad", time=60.0, refused="bad signature")


def keys_of(ledger):
    return [ledger.row(seq).value["key"] for seq in range(1, ledger.size + 1)]


def replayed(folder, records):
    """The rows of the same stream without any kill."""
    ledger, source = Ledger(folder, writer=True), Replayed(Pipeline(Policy().scaled(DAY)))
    writer = Writer(ledger, KEY, source, mode="replay")
    for record in records:
        source.take(record)
        if source.waiting:
            writer.turn(source.now)
    found = keys_of(ledger)
    ledger.close()
    return found


def test_ten_kills_neither_lose_nor_double_a_row(daemon, tmp_path):
    records = list(eventful())
    interrupted(daemon, records, random.Random(4), kills=10)
    folder = tmp_path / "state/audit"
    assert daemon.stop() == 0
    ledger, key = Ledger(folder), load(folder / "key.pem")
    wanted = replayed(tmp_path / "replayed", records)
    found = keys_of(ledger)
    # A burst's records are kept before its findings, so kinds may stand one after the other; within a kind order holds.
    for kind in ("finding/", "record/"):
        assert [k for k in found if k.startswith(kind)] == [k for k in wanted if k.startswith(kind)] != []
    assert len(found) == len(wanted)
    data = bundle(ledger, key.public_key(), range(1, ledger.size + 1), signer=key)
    ledger.close()
    assert verify(data, key.public_key()).good


def test_a_trail_that_another_program_writes_stops_the_classifier_with_its_reason(daemon, tmp_path):
    ledger = Ledger(tmp_path / "state/audit", writer=True)
    daemon.start(wait=False)
    assert daemon.process.wait(60) == 3
    assert "another program writes this trail" in daemon.log
    ledger.close()


def test_a_key_that_others_can_read_stops_the_classifier(daemon, tmp_path):
    daemon.start()
    assert daemon.stop() == 0
    key = tmp_path / "state/audit/key.pem"
    if not key.exists():
        key.write_text("x")
    key.chmod(0o644)
    daemon.start(wait=False)
    assert daemon.process.wait(60) == 3 and "chmod 0600" in daemon.log
