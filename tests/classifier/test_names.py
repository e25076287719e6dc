"""Names an envelope knows: the tables say what a look at every name would say."""

from hypothesis import given
from hypothesis import strategies as st

from classifier.drift.nearness import HABIT, habitual, nearness
from classifier.drift.sighting import Sighting
from classifier.envelope.envelope import Envelope
from classifier.envelope.lineage import base, plain_lineage
from classifier.policy import Policy
from tests.factories import replica, use
from wire.records import Window, Workload

PARTS = st.sampled_from(["a", "b", "usr", "bin", "x.py", ""])
PATHS = st.lists(PARTS, min_size=1, max_size=5).map(lambda p: "/" + "/".join(p))
HOSTS = st.one_of(
    st.lists(st.sampled_from(["a", "shop", "example", "com", "io"]), min_size=1, max_size=4).map(".".join),
    st.lists(st.sampled_from(["10", "0", "7"]), min_size=4, max_size=4).map(".".join),
    st.just("[fe80::1]"),
)
OWNERS = st.sampled_from(["python3.11", "sh<python3.11", "node", "a<b", ""])
BEHAVIOURS = st.one_of(
    st.builds(lambda p, o: f"exec:{p}<{o}", PATHS, OWNERS),
    st.builds(lambda k, p: f"{k}:data:{p}", st.sampled_from(["open", "write"]), PATHS),
    st.builds(lambda h: f"egress:tcp:{h}:443", HOSTS),
    st.sampled_from(["ingress:tcp:80", "identity:aws", "syscall:mount"]),
)
USES = st.lists(st.builds(lambda b, o: use(b, data={"lineage": o} if o else {}), BEHAVIOURS, OWNERS), max_size=12)


def shared(one: list[str], two: list[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))


def path_of(behaviour: str) -> str:
    kind, _, rest = behaviour.partition(":")
    return rest.partition("<")[0] if kind == "exec" else rest.partition(":")[2]


def near(behaviour: str, known: list[str]) -> float:
    """The same by comparing with every name."""
    kind, _, rest = behaviour.partition(":")
    if kind == "egress":
        peers = [b.split(":")[2].split(".") for b in known if b.startswith("egress:")]
        return max((host(rest.split(":")[1].split("."), p) for p in peers), default=0.0)
    if kind not in ("exec", "open", "write"):
        return 0.0
    mine = path_of(behaviour).split("/")[1:-1]
    others = [path_of(b).split("/")[1:-1] for b in known if b.startswith((kind, "open:", "exec:"))]
    return max((shared(mine, o) / len(mine) if mine else float(not o) for o in others), default=0.0)


def host(one: list[str], two: list[str]) -> float:
    same = shared(one[::-1], two[::-1])
    if one[-1].isdigit():
        return 0.5 if same == 0 and one[:3] == two[:3] else 0.0
    return 0.0 if same < 2 else min(1.0, 0.4 + 0.3 * (same - 1))


def images(e: Envelope) -> set[str]:
    found = {i for item in e.items.values() for trail in item.lineages for i in trail.split("<")}
    for b in e.items:
        if b.startswith("exec:"):
            path, _, parent = b[5:].partition("<")
            found |= {base(path), plain_lineage(parent)}
    return found - {""}


def taught(*windows: list) -> Envelope:
    """An envelope whose names were asked for after the first window, so that they had to be kept up."""
    e = Envelope(Workload("a/b/c/d/e"), Policy())
    for n, uses in enumerate(windows):
        e.learn(Window(replica(1), n * 60.0, n * 60 + 60.0, tuple({u.behaviour: u for u in uses}.values())))
        assert e.names.images.keys() == images(e)
    return e


@given(USES, USES, BEHAVIOURS)
def test_nearness_is_that_to_the_nearest_of_all_names(first, second, new):
    e = taught(first, second)
    s = Sighting(new, "new", 0.0, 0.0, 0.0)
    assert nearness(s, e) == near(new, list(e.items))


@given(USES, USES, PATHS, OWNERS)
def test_habit_counts_programs_of_one_parent_below_one_top_folder(first, second, path, parent):
    e = taught(first, second)
    top = "exec:/" + path.split("/")[1] + "/"
    known = [b for b in e.items if b.startswith(top) and b.endswith("<" + parent)] if path.count("/") > 1 else []
    assert habitual(Sighting(f"exec:{path}<{parent}", "new", 0.0, 0.0, 0.0), e) == (len(known) >= HABIT)


@given(USES, USES)
def test_names_kept_up_are_those_made_anew(first, second):
    e = taught(first, second)
    kept = {n: getattr(e.names, n) for n in e.names.__slots__}
    e._names = None
    assert kept == {n: getattr(e.names, n) for n in e.names.__slots__}


def test_owners_that_are_dropped_for_room_are_forgotten():
    e = taught(*([use("open:data:/x", data={"lineage": f"p{chr(97 + n)}"})] for n in reversed(range(20))))
    assert e.names.images.keys() == images(e)


def test_a_known_behaviour_is_near_and_a_file_is_no_habit():
    e = taught([use("open:data:/x")])
    assert nearness(Sighting("open:data:/y/z", "volume out", 0.0, 0.0, 0.0), e) == 1.0
    assert not habitual(Sighting("open:data:/x", "new", 0.0, 0.0, 0.0), e)


def test_names_of_one_owner_are_near():
    def near_to(new: str, known: str) -> float:
        return nearness(Sighting(new, "new", 0.0, 0.0, 0.0), taught([use(known)]))

    def peer(name: str) -> str:
        return f"egress:tcp:{name}:443"

    assert near_to(peer("a.eu.example.org"), peer("b.eu.example.org")) > near_to(
        peer("a.example.org"), peer("b.example.org")
    )
    assert near_to(peer("a.example.org"), peer("a.example.net")) == 0.0 == near_to(peer("10.0.0.1"), peer("10.9.0.1"))
    assert near_to("open:data:/a/b/c", "open:data:/a/b/d") == 1.0
    assert near_to("open:data:/a/b/c", "open:data:/a/x/d") == 0.5
    assert near_to("open:data:/a/b", "open:data:/z/y") == 0.0
