"""A sensor's word for a connection stands for one connection, of one replica; whoever is contradicted is not believed."""

import pytest

from classifier.deploys import dials as module
from classifier.deploys.dials import CLAIMED, EACH, KEPT, Dials, Ends
from classifier.deploys.senders import NEIGHBOUR, REMOTE, Origin, Senders
from tests.factories import event, identity, replica


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def dials(clock):
    return Dials(clock)


def word(number=1, port=40000, **changes):
    data = {"address": "10.0.0.2", "port": port, "to": "10.0.0.1", "to_port": 4318}
    return event(number, kind="dial", behaviour=None, **(data | changes))


def ends(cookie=7, port=40000, peer="10.0.0.2", here="10.0.0.1"):
    return Ends((peer, port), (here, 4318), cookie)


def test_a_connection_is_whose_the_sensor_says(dials):
    assert dials.claim(ends()) is None
    dials.tell(word())
    assert dials.claim(ends(peer="::ffff:10.0.0.2", here="::ffff:10.0.0.1")) == replica(1)
    assert dials.claim(ends()) == replica(1), "and stays"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(ends(port=40001), id="port"),
        pytest.param(ends(peer="10.0.0.3"), id="address"),
        pytest.param(ends(here="10.0.0.9"), id="our-address"),
        pytest.param(ends(cookie=0), id="a-socket-without-a-number"),
    ],
)
def test_another_connection_is_nobodys(dials, other):
    dials.tell(word())
    assert dials.claim(other) is None


def test_a_word_is_for_one_connection(dials):
    dials.tell(word())
    assert dials.claim(ends(cookie=7)) == replica(1)
    assert dials.claim(ends(cookie=8)) is None, "the port is used again, by whom nobody has told"
    dials.tell(word(2))
    assert dials.claim(ends(cookie=8)) == replica(2) and dials.claim(ends(cookie=7)) == replica(1)


def test_of_two_that_say_the_same_of_themselves_none_is_believed(dials, clock):
    dials.tell(word(1))
    dials.tell(word(2))
    assert dials.claim(ends()) is None
    clock.now += KEPT + 1
    dials.tell(word(1))
    assert dials.claim(ends()) == replica(1)


def test_a_word_that_found_no_connection_is_forgotten(dials, clock):
    dials.tell(word())
    clock.now += KEPT + 1
    assert dials.claim(ends()) is None and dials._whose == {} and not dials._told


def test_a_word_told_again_outlives_the_first(dials, clock):
    dials.tell(word())
    dials.claim(ends(cookie=7))
    clock.now += KEPT - 1
    dials.tell(word())
    clock.now += 2
    assert dials.claim(ends(cookie=8)) == replica(1)


def test_one_replica_pushes_out_its_own_words_alone(dials):
    dials.tell(word(1))
    for port in range(EACH + 10):
        dials.tell(word(2, port=port + 1))
    assert dials.claim(ends()) == replica(1) and len(dials._whose) <= EACH + 1


def test_replicas_and_connections_are_bounded(dials, monkeypatch):
    monkeypatch.setattr(module, "REPLICAS", 8)
    for number in range(1, 50):
        dials.tell(word(number, port=number))
    assert len(dials._told) == len(dials._whose) == 8
    for cookie in range(1, CLAIMED + 20):
        dials.tell(word(1, port=cookie % 60_000))
        dials.claim(ends(cookie=cookie, port=cookie % 60_000))
    assert len(dials._claimed) == CLAIMED


@pytest.mark.parametrize(
    "changes",
    [{"address": "no address"}, {"to": 5}, {"port": "x"}, {"to_port": None}, {"address": "10.0.0.2\x00"}],
    ids=["words", "number", "text", "missing", "nul"],
)
def test_what_is_no_word_is_nothing(dials, changes):
    dials.tell(word(**changes))
    assert dials.claim(ends()) is None and not dials._told


def senders(dials, *identities, late=0):
    known = {i.replica.cgroup: [i] for i in identities}
    return Senders(lambda cgroup: known.get(cgroup, []), late=late, dials=dials)


def test_a_neighbour_is_the_workload_of_its_connection(dials):
    origin = Origin(None, NEIGHBOUR, "10.0.0.2", ends())
    asked = senders(dials, identity(2))
    assert asked.neighbour(origin) is None and asked.sender(origin).unknown
    dials.tell(word(2))
    assert asked.neighbour(origin) == identity(2)
    found = asked.sender(origin)
    assert (found.replica, found.name, found.unknown) == (replica(2), identity(2).workload, False)


def test_a_word_of_another_boot_is_not_of_this_machine(dials):
    dials.tell(word(2))
    other = identity(2)
    asked = Senders(lambda cgroup: [other], late=0, dials=dials)
    asked._boots = {4711}
    assert asked.neighbour(Origin(None, NEIGHBOUR, "10.0.0.2", ends())) is None


def test_another_machine_is_never_a_neighbour(dials):
    dials.tell(word(2))
    assert senders(dials, identity(2)).neighbour(Origin(None, REMOTE, "10.0.0.2")) is None
