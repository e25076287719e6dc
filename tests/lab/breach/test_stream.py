"""A story as records: in order, the same for the same seed, and without words the same of the kernel."""

from functools import cache
from itertools import pairwise

from classifier.lab.breach.setting import BUCKET, CRM, DESK
from classifier.lab.breach.story import story
from classifier.lab.breach.stream import INTERVAL, Stream
from classifier.lab.breach.tally import Numbers
from classifier.links.linker import Linker
from wire import codec
from wire.records import Event, Head, Identity, Tick, Window

SAID = ("llm", "tool", "mcp")


@cache
def records(variant="fx1", seed=3, words=True):
    return tuple(Stream(story(variant, seed), words=words).records())


@cache
def crime():
    told = story("fx1", 3)
    list(told.turns())
    return told.crime


def test_the_same_seed_gives_the_same_bytes():
    again = Stream(story("fx1", 3), words=True).records()
    assert all(codec.encode(a) == codec.encode(b) for a, b in zip(records(), again, strict=True))


def test_ids_are_unique_and_time_goes_on():
    events = [r for r in records() if isinstance(r, Event)]
    assert len({e.id for e in events}) == len(events)
    assert all(a.time <= b.time for a, b in pairwise(events))
    ticks = [r.time for r in records() if isinstance(r, Tick)]
    assert ticks == sorted(ticks)


def test_a_stream_begins_with_heads_and_every_life_has_its_identity_first():
    known = set()
    assert isinstance(records()[0], Head)
    for r in records():
        if isinstance(r, Identity):
            known.add(r.replica)
        elif isinstance(r, Event | Window):
            assert r.replica in known


def test_without_words_only_words_are_missing():
    def kernel(some):
        for r in some:
            if isinstance(r, Window):
                uses = [u for u in r.uses if not u.behaviour.startswith(("tool:", "mcp:"))]
                yield (r.replica, r.start, r.end, [(u.behaviour, u.count, u.bytes_out, u.bytes_in) for u in uses])
            elif isinstance(r, Event) and r.kind not in SAID:
                yield (r.time, r.replica, r.kind, r.behaviour)

    assert list(kernel(records())) == list(kernel(records(words=False)))
    assert not any(isinstance(r, Event) and r.kind in SAID for r in records(words=False))


def test_windows_hold_all_that_was_done():
    told = story("fx1", 3)
    acts = [a for hour in told.turns() for t in hour for r in t.rounds for use in r for a in use.acts]
    for behaviour in (CRM, DESK, BUCKET):
        uses = [u for r in records() if isinstance(r, Window) for u in r.uses if u.behaviour == behaviour]
        mine = [a for a in acts if a.behaviour == behaviour]
        for field, amount in (("count", "count"), ("bytes_out", "out"), ("bytes_in", "into")):
            assert sum(getattr(u, field) for u in uses) == sum(getattr(a, amount) for a in mine)


def test_around_the_theft_windows_are_as_short_as_a_sensors():
    near = [
        r for r in records() if isinstance(r, Window) and r.start >= crime().begin - 60 and r.end <= crime().end + 60
    ]
    assert near and all(r.end - r.start <= INTERVAL for r in near)


def test_the_links_lead_from_the_bytes_to_the_ticket():
    c = crime()
    events = [
        r for r in records() if isinstance(r, Event) and r.replica == c.life.replica and abs(r.time - c.begin) < 600
    ]
    (away,) = [e for e in events if e.behaviour == BUCKET]
    chain = Linker().add_all(events).chain_of([away.id])
    assert c.ticket in chain.trigger.excerpt and "read every account" in chain.trigger.excerpt
    assert {e.kind for e in chain.edges} >= {"llm>tool", "llm>llm", "tool>llm", "tool>mcp", "call>egress"}
    assert chain.behaviour.startswith("chain:search_accounts>put_object>s3")


def test_an_id_never_comes_twice():
    numbers = Numbers("e1", 100.0)
    assert [numbers.id("n", 101.0), numbers.id("n", 101.0), numbers.id("m", 101.0, "t")] == [
        "n/e1/1000000000",
        "n/e1/1000000001",
        "m/e1/1000000000t",
    ]
