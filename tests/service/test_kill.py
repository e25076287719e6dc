"""`kill -9` in the middle of traffic, again and again: the findings are those of a run without any."""

import json
import random
import time
from pathlib import Path

import pytest

from classifier.drift.finding import finding_to_dict
from tests.classifier.story import ATTACK, NEW_PEER, TOOL, born, days, learned, play, rollout
from tests.factories import event
from wire.bus import Limits
from wire.records import Tick
from wire.trace import TraceError, read


def story():
    """Agents learn, roll out and are attacked, with evidence between the windows."""
    yield from learned(1, 2)
    yield rollout(40.0)
    yield from (born(n, revision="r2", time=40.5) for n in (3, 4))
    news = NEW_PEER, TOOL
    for record in days(41, 130, 3, 4, uses={3: news, 4: (*news, *ATTACK)}):
        yield record
        if isinstance(record, Tick):
            yield from (
                event(3, id=f"n1/e1/{int(record.time)}-{n}", time=record.time, argv="x" * 200) for n in range(10)
            )


def parts(path):
    """Every record of a trace's parts, in order; a killed part is read to its end."""
    for part in sorted(
        path.parent.glob(f"{path.name}*"), key=lambda p: int(p.suffix[1:]) if p.suffix != ".trace" else 1
    ):
        try:
            yield from read(part)
        except TraceError:  # killed before its end block
            continue


def interrupted(d, records, chances, kills):
    """Send everything; at each kill a random number of frames is on its way, and none, some or all of them are kept."""
    sender, waiting = d.sender(limits=Limits(memory=1 << 20)), list(records)
    step = len(waiting) // (kills + 1)
    for _ in range(kills):
        d.start()
        sender._next = 0.0  # no wait before it connects: the kill is to come in the middle
        slowly, at_once = chances.randrange(1, step // 2), step // 2
        for record in waiting[:slowly]:
            sender.send(record)
            sender.pump(0.0005)
        for record in waiting[slowly : slowly + at_once]:
            sender.send(record)
        del waiting[: slowly + at_once]
        sender.pump()
        time.sleep(chances.uniform(0.0, 0.004))
        d.kill()
    d.start()
    d.send(waiting, sender)
    assert not sender.dropped


@pytest.mark.parametrize("seed", [6])
def test_twenty_kills_change_neither_findings_nor_trace_nor_evidence(daemon, tmp_path, seed):
    trace = tmp_path / "run.trace"
    d = daemon(retention={"snapshot_frames": 150}, trace_path=trace)
    records = list(story())
    interrupted(d, records, random.Random(seed), kills=20)
    wanted = [finding_to_dict(f) for f in play(records).findings()]
    status, found = d.get("/findings")
    assert status == 200 and found == json.loads(json.dumps(wanted)) and found
    assert d.get("/events/n1/e1/120-3")[1]["data"] == {"argv": "x" * 200}
    versions = d.get(f"/findings/{found[-1]['id']}/versions")[1]
    assert versions[-1]["version"] == found[-1]["version"]
    assert d.stop() == 0
    assert list(parts(trace)) == records


def test_a_clean_restart_continues_and_its_trace_replays_to_the_same_bytes(daemon, tmp_path):
    d = daemon(trace_path=tmp_path / "run.trace")
    records = list(story())
    for part in (records[:500], records[500:]):
        d.start()
        d.send(part)
        found = d.get("/findings")[1]
        assert d.stop() == 0
    replayed = play(parts(Path(tmp_path / "run.trace")))
    assert found == json.loads(json.dumps([finding_to_dict(f) for f in replayed.findings()]))
