"""Whatever a workload does, a stock stays small, ends are told only when proven, and order does not matter to what is kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.envelope.state import freeze, thaw
from classifier.inventory.history import history
from classifier.inventory.kinds import KINDS
from classifier.inventory.lives import FORKS, PIDS
from classifier.inventory.moment import changes, shown
from classifier.inventory.stock import AWAITED, HOLDINGS, LIVES, Stock
from tests.factories import event, identity, use, window

DAY = 86400.0
MODEL = "open:model:/models/a/model.safetensors"


def opened(stock: Stock, time: float, path: str, *, number: int = 1, pid: int = 7) -> None:
    kind = "code" if path.endswith(".py") else "model"
    stock.note(event(number, "open", f"open:{kind}:{path}", time=time, path=path, pid=pid, id=f"n1/e1/{time}/{path}"),
               identity(number), DAY)  # fmt: skip


def small(stock: Stock, time: float, kind: str, **data) -> None:
    stock.note(event(1, kind, time=time, **data), identity(), DAY)


def spans(stock: Stock, name: str, now: float = 1000.0):
    found = next(i for i in history(stock, "w", now, DAY).items if i.name == name)
    return [span for h in found.held for span in h.spans]


@pytest.fixture
def stock():
    found = Stock()
    opened(found, 1.0, "/models/a/model.safetensors")
    return found


def test_the_end_of_the_process_is_the_end_of_its_model(stock):
    small(stock, 50.0, "exit", pid=7)
    assert spans(stock, "a") == [(1.0, 50.0)]


def test_a_child_that_was_forked_after_holds_it_until_it_ends_too(stock):
    small(stock, 2.0, "fork", pid=8, ppid=7)
    small(stock, 50.0, "exit", pid=7)
    assert spans(stock, "a") == [(1.0, None)]
    small(stock, 60.0, "exit", pid=8)
    assert spans(stock, "a") == [(1.0, 60.0)]


def test_a_child_that_became_another_program_holds_nothing(stock):
    small(stock, 2.0, "fork", pid=8, ppid=7)
    stock.note(event(1, "exec", "exec:/bin/ls<python", time=3.0, path="/bin/ls", pid=8, ppid=7), identity(), DAY)
    small(stock, 50.0, "exit", pid=7)
    assert spans(stock, "a") == [(1.0, 50.0)]


def test_after_more_forks_than_a_sensor_tells_no_exit_proves_an_end(stock):
    for n in range(FORKS):
        small(stock, 2.0, "fork", pid=1000 + n, ppid=1)
    small(stock, 50.0, "exit", pid=7)
    assert spans(stock, "a") == [(1.0, None)]


def test_the_end_of_the_replica_is_the_end_of_all(stock):
    stock.end(identity().replica, 70.0)
    assert spans(stock, "a") == [(1.0, 70.0)]
    opened(stock, 69.0, "/models/late/model.safetensors")  # it was on its way
    assert spans(stock, "late") == [(69.0, 70.0)]


def test_a_use_after_the_end_means_that_somebody_has_it_again(stock):
    small(stock, 50.0, "exit", pid=7)
    stock.observe(window(1, use(MODEL, data={"path": MODEL[11:]}), start=100.0), identity(), DAY)
    assert spans(stock, "a") == [(1.0, 50.0), (100.0, None)]


def test_a_use_that_may_be_older_than_the_end_keeps_it_only_if_there_were_several(stock):
    small(stock, 5.0, "exit", pid=7)
    stock.observe(window(1, use(MODEL), start=0.0), identity(), DAY)
    assert spans(stock, "a") == [(1.0, 5.0)]
    stock.observe(window(1, use(MODEL, 2), start=0.0), identity(), DAY)
    assert spans(stock, "a")[-1][1] is None


def test_what_is_used_now_and_then_is_there_for_a_day_after():
    stock = Stock()
    peer = use("egress:tcp:api.openai.com:443")
    for start in (0.0, DAY / 2, 3 * DAY):
        stock.observe(window(1, peer, start=start), identity(), DAY)
    assert spans(stock, "api.openai.com:443", 9 * DAY) == [(0.0, 1.5 * DAY + 10), (3 * DAY, 4 * DAY + 10)]


def test_a_digest_finds_the_item_of_its_event(stock):
    stock.note(event(1, "digest", MODEL, id="n1/e1/1.0//models/a/model.safetensorsd", sha256="f" * 64), identity(), DAY)
    assert next(iter(stock.items.values())).more["sha256"] == "f" * 64


def test_a_rollout_is_no_change_and_a_later_item_is_one():
    stock = Stock()
    for number, start in ((1, 0.0), (2, 1000.0)):
        who = identity(number, time=start)
        stock.observe(window(number, start=start), who, DAY)
        stock.note(
            event(number, "open", MODEL, time=start + 20, path=MODEL[11:], pid=number, id=f"e{number}"), who, DAY
        )
        if number == 1:
            stock.end(who.replica, 990.0)
    opened(stock, 2000.0, "/models/b/model.safetensors", number=2, pid=2)
    assert [(c.time, c.change, c.name) for c in changes(history(stock, "w", 3000.0, DAY))] == [(2000.0, "added", "b")]


# bounds -------------------------------------------------------------------------------------------------------------------


def test_a_flood_of_names_fills_one_kind_and_says_so(stock):
    for n in range(KINDS["model"].limit + 50):
        opened(stock, 2.0 + n, f"/models/m{n}/model.safetensors")
    assert len(stock.items) == KINDS["model"].limit and stock.full["model"] == 51
    found = shown(history(stock, "w", 1000.0, DAY), 900.0)
    assert not found["complete"] and "inventory_full" in found["unknown"]
    opened(stock, 500.0, "/app/lib/python3.11/site-packages/x/y.py")
    assert any(i.kind == "library" for i in stock.items.values())  # other kinds have room


def test_what_ended_longest_ago_makes_room_and_the_past_before_is_refused(stock):
    small(stock, 5.0, "exit", pid=7)
    for n in range(KINDS["model"].limit):
        opened(stock, 10.0 + n, f"/models/m{n}/model.safetensors", pid=9)
    found = history(stock, "w", 1000.0, DAY)
    assert found.kept == 5.0 and stock.full == {} and not any(i.name == "a" for i in found.items)


def test_thousands_of_short_replicas_keep_the_union_of_their_spans():
    stock = Stock()
    for n in range(1, 3 * LIVES):
        who = identity(n, time=n * 10.0)
        stock.note(event(n, "open", MODEL, time=n * 10.0, path=MODEL[11:], pid=1, id=f"e{n}"), who, DAY)
        stock.end(who.replica, n * 10.0 + 10)
    assert len(stock.lives) <= LIVES
    found = history(stock, "w", 1e5, DAY)
    assert found.items[0].past == ((10.0, found.folded),) and shown(found, 55.0)["unknown"] == ["replicas_folded"]
    assert [i["name"] for i in shown(found, 55.0)["items"]] == ["a"]


def test_more_living_replicas_than_there_is_room_for_are_counted():
    stock = Stock()
    for n in range(LIVES + 5):
        opened(stock, 1.0, "/models/a/model.safetensors", number=n + 1)
    assert len(stock.lives) == LIVES and stock.full["replicas"] == 5


def test_processes_and_awaited_digests_are_bounded(stock):
    for n in range(PIDS + 100):
        opened(stock, 2.0, f"/app/lib/python3.11/site-packages/p{n}/y.py", pid=1000 + n)
    (life,) = stock.lives.values()
    assert len(life.pids) <= PIDS and life.loose and len(stock.awaited) <= AWAITED


ACTS = st.one_of(
    st.tuples(st.just("open"), st.integers(1, 3), st.sampled_from("abc"), st.integers(1, 4)),
    st.tuples(st.just("fork"), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.just("exit"), st.integers(1, 3), st.just(0), st.integers(1, 4)),
    st.tuples(st.just("window"), st.integers(1, 3), st.sampled_from("abc"), st.integers(1, 3)),
    st.tuples(st.just("end"), st.integers(1, 3), st.just(0), st.just(0)),
    st.tuples(st.just("blind"), st.just(1), st.just(0), st.just(0)),
)


def act(stock: Stock, time: float, what: str, number: int, name, pid: int) -> None:
    who, path = identity(number), f"/models/{name}/model.safetensors"
    if what == "open":
        stock.note(event(number, "open", f"open:model:{path}", time=time, path=path, pid=pid, id=f"e{time}"), who, DAY)
    elif what == "fork":
        stock.note(event(number, "fork", time=time, pid=pid, ppid=name), who, DAY)
    elif what == "exit":
        stock.note(event(number, "exit", time=time, pid=pid), who, DAY)
    elif what == "window":
        stock.observe(
            window(number, use(f"open:model:{path}", pid, data={"path": path}), start=time - 0.5, length=0.5), who, DAY
        )
    elif what == "end":
        stock.end(who.replica, time)
    else:
        stock.blind("n1", time - 1, time)


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTS, max_size=40), st.integers(0, 40))
def test_laws_of_any_story(acts, cut):
    """Spans are ordered and apart, nothing lies in the future, what is open is open in a life that goes on, and a
    snapshot in the middle changes nothing."""
    stock, again = Stock(), Stock()
    for n, one in enumerate(acts):
        act(stock, float(n + 1), *one)
        act(again, float(n + 1), *one)
        if n == cut:
            again = thaw(freeze(again))
    assert freeze(again) == freeze(stock)
    now = len(acts) + 1.0
    found = history(stock, "w", now, DAY)
    over = {r.replica for r in found.runs if r.end is not None}
    for item in found.items:
        for held in item.held:
            ends = [e for _, e in held.spans]
            assert all(e is not None for e in ends[:-1]) and (ends[-1] is not None or held.replica not in over)
            flat = [t for s, e in held.spans for t in (s, now if e is None else e)]
            assert flat == sorted(flat) and flat[-1] <= now
    if found.since is not None:
        assert sum(len(i.held) for i in stock.items.values()) <= HOLDINGS
        shown(found, now)
        changes(found)


def test_a_file_that_a_successor_opens_in_the_window_of_its_predecessors_end_is_still_there():
    """A restart within one window: the file is told once per replica, so only the count of that window shows the second open."""
    path, name = "/app/prompts/system.md", "open:data:/app/prompts/system.md"
    made = Stock()
    made.note(event(1, "open", name, time=1.0, path=path, pid=7), identity(), DAY)
    made.observe(window(1, use(name, data={"path": path}), start=0.0), identity(), DAY)
    made.note(event(1, "exit", time=55.0, pid=7), identity(), DAY)
    made.observe(window(1, use(name, data={"path": path}), start=50.0), identity(), DAY)
    [item] = history(made, "w", 100.0, DAY).items
    assert item.held[0].spans == ((1.0, 55.0), (55.0, None))


def test_a_file_that_was_opened_once_and_whose_process_ended_in_the_same_window_is_gone():
    path, name = "/app/prompts/system.md", "open:data:/app/prompts/system.md"
    made = Stock()
    made.note(event(1, "open", name, time=51.0, path=path, pid=7), identity(), DAY)
    made.note(event(1, "exit", time=55.0, pid=7), identity(), DAY)
    made.observe(window(1, use(name, data={"path": path}), start=50.0), identity(), DAY)
    assert history(made, "w", 100.0, DAY).items[0].held[0].spans == ((51.0, 55.0),)
