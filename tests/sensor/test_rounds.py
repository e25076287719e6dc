"""A sensor that is killed anywhere between sending a round and noting that it arrived tells nothing twice and loses nothing."""

from __future__ import annotations

import random

import numpy as np

from sensor.delivery import Delivery
from sensor.observe.told import Told
from sensor.probes import abi
from sensor.rounds import Rounds
from wire.receiver import Receiver
from wire.records import Replica, Tick, Window
from wire.spool import Queued

SLOTS, ROWS = 3, 4


class Kernel:
    """Counters that outlive every sensor."""

    def __init__(self):
        self.slots, self.calls = np.zeros(SLOTS, abi.SLOT), np.zeros((SLOTS, 2), abi.CALLS_ROW)
        self.files, self.flows = np.zeros(ROWS, abi.FILE_USE), np.zeros(ROWS, abi.FLOW_ROW)
        self.files["used"] = self.flows["used"] = 1
        self.ring_ops, self.slots["rings"][1] = np.zeros((SLOTS, 2), abi.RING_ROW), 1
        self._told, self._ring_ops_told = {}, {}

    def calls_told(self, slot):
        return self._told.get(slot, np.zeros(abi.CALLS + 1, np.uint64))

    def tell_calls(self, slot, counts):
        self._told[slot] = counts.copy()

    def ring_ops_told(self, slot):
        return self._ring_ops_told.get(slot, np.zeros(abi.RING_OPS, np.uint64))

    def tell_ring_ops(self, slot, counts):
        self._ring_ops_told[slot] = counts.copy()

    def grow(self, by):
        self.ring_ops["count"][1, by % 2, 18] += by
        self.files["count"][1] += by
        self.flows["bytes_out"][2] += by
        self.calls["count"][1, 0, 5] += by
        self.slots["lost"][1][2] += by


class Classifier:
    """Keeps frames by their numbers, as the journal does."""

    def __init__(self, path):
        self.last, self.sums = {}, np.zeros(5, np.int64)
        self._receiver = Receiver(path, known=lambda node, epoch: self.last.get((node, epoch), 0))

    def turn(self):
        for delivery in self._receiver.poll(0.001):
            for f in delivery.frames:
                assert f.number > self.last.get((f.node, f.epoch), 0)
                self.last[f.node, f.epoch] = f.number
                if isinstance(f.record, Window):
                    w = f.record
                    self.sums += [*(w.syscalls.get(n, 0) for n in (1, 2, 5, 18)), w.loss.get("x", 0)]
            self._receiver.ack(delivery)


class Sensor:
    """What the agent does with its counters, without its probes."""

    def __init__(self, kernel, folder, address):
        self.sink = Delivery(address, folder, node="n1")
        self.told = Told(kernel)
        if self.sink.told:
            self.told.resume(self.sink.told)

    def round(self, now):
        self.sink.begin_round()
        _, files = self.told.files()
        _, flows = self.told.flows()
        calls, _ = self.told.calls(1)
        lost = self.told.losses(1, now)
        told = {1: int(files.sum()), 2: int(flows.sum()), 5: calls.get(5, 0)} | self.told.ring_ops(1)
        self.sink.send(Window(Replica("n1", 7), now - 1.0, float(now), syscalls=told, loss={"x": sum(lost.values())}))
        self.sink.send(Tick("n1", float(now)))
        self.sink.end_round(self.told.state())

    def note(self):
        self.told.commit()
        self.sink.settled()


def exchange(sensor, classifier, turns):
    for _ in range(turns):
        sensor.sink.pump()
        classifier.turn()
        if sensor.sink.idle:
            return True
    return sensor.sink.idle


def kill(sensor):
    """As kill -9: its connection ends, nothing is spooled or noted."""
    sensor.sink._sender._disconnect("killed")


def test_two_hundred_kills_at_any_point_count_everything_once(tmp_path):
    chance, kernel = random.Random(7), Kernel()
    classifier = Classifier(tmp_path / "s")
    grown, kills = 0, {"unsent": 0, "under way": 0, "delivered": 0, "half noted": 0}
    sensor = Sensor(kernel, tmp_path / "spool", tmp_path / "s")
    for now in range(1, 401):
        by = chance.randint(1, 9)
        kernel.grow(by)
        grown += by
        sensor.round(now)
        if now % 2:  # 200 rounds end with a kill
            where = ("unsent", "under way", "delivered", "half noted")[now // 2 % 4]
            kills[where] += 1
            if where == "under way":
                exchange(sensor, classifier, chance.randint(1, 4))
            elif where != "unsent":
                assert exchange(sensor, classifier, 2000)
            if where == "half noted":
                kernel.files["told"][:] = sensor.told._files
            kill(sensor)
            classifier.turn()
            sensor = Sensor(kernel, tmp_path / "spool", tmp_path / "s")
            sensor.sink._sender._next = 0.0
        else:
            sensor.sink._sender._next = 0.0
            assert exchange(sensor, classifier, 2000)
            sensor.note()
    assert sum(kills.values()) == 200
    assert classifier.sums.tolist() == [grown] * 5


def test_a_row_that_is_anothers_by_now_keeps_its_own_count(tmp_path):
    kernel = Kernel()
    kernel.grow(5)
    told = Told(kernel)
    told.files(), told.flows(), told.calls(1), told.ring_ops(1), told.losses(1, 1)
    state = told.state()
    kernel.files["first"][1] = kernel.flows["first"][2] = 99
    kernel.slots["generation"][1] = 2
    again = Told(kernel)
    again.resume(state)
    assert again.files()[1].tolist() == [5] and again.flows()[1].sum() == 5 and again.calls(1)[0] == {5: 5}
    assert again.ring_ops(1) == {18: 5}


def test_a_damaged_file_is_no_round(tmp_path):
    for junk in (b"", b"\x92", b"\xc0", b"\x92\x91\x01\x02", b"\x93\x01\x02\x03"):
        (tmp_path / "round").write_bytes(junk)
        assert (Rounds(tmp_path / "round").frames, Rounds(tmp_path / "round").state) == ([], None)


def test_rounds_that_pile_up_are_given_up_and_not_kept_by_half(tmp_path, monkeypatch):
    monkeypatch.setattr("sensor.rounds.LARGEST", 100)
    rounds = Rounds(tmp_path / "round")
    rounds.add(Queued("e", 1, b"x" * 60))
    rounds.keep([1])
    assert Rounds(tmp_path / "round").state == (1,)
    rounds.add(Queued("e", 2, b"x" * 60))
    rounds.keep([2])
    assert not (tmp_path / "round").exists()


def test_a_sensor_without_the_probes_of_files_and_network_keeps_its_rounds():
    """Its tables of files and peers have no rows; each of its windows ended it with a ValueError (#5)."""
    kernel = Kernel()
    kernel.files, kernel.flows = kernel.files[:0], kernel.flows[:0]
    told = Told(kernel)
    kernel.calls["count"][1, 0, 5] = 3
    assert told.calls(1)[0] == {5: 3}
    state = told.state()
    again = Told(kernel)
    again.resume(state)
    assert again.calls(1)[0] == {}
