"""Captures: counts equal an independent reader's; every block version is read; damage is told."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from sensor.importers import scap, scap_blocks
from wire import codec
from wire.blocks import TraceError
from wire.records import Event, Head, Identity, Tick, Window
from wire.syscalls import number

DATA = Path(__file__).parents[3] / "shared" / "data" / "scap"
T0 = 1_700_000_000_000_000_000


def shared(name):
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here; it lies beside the checkout")
    return DATA / name


def imported(path, **options):
    found = scap.records(path, **options)
    return list(found), found.summary


@pytest.mark.parametrize(
    ("name", "shown", "hidden", "execs", "connects", "inet", "accepts"),
    [
        pytest.param("curl_google.scap", 1221, 315, 1, 4, 2, 0, id="v1-blocks"),
        pytest.param("single_ipv6_conn.scap", 28, 1700, 0, 3, 1, 1, id="v2-blocks"),
    ],
)
def test_counts_equal_those_of_an_independent_reader(name, shown, hidden, execs, connects, inet, accepts):
    """Counted with sysdig 0.29.3: ``sysdig -r FILE | wc -l`` for what it shows (it hides procinfo events), and
    ``sysdig -r FILE 'evt.dir=< and evt.type=execve'`` (connect, accept) for the kinds."""
    records, summary = imported(shared(name))
    assert summary.by_type["procinfo entry"] == hidden
    assert summary.events - hidden == shown
    assert summary.by_type["execve exit"] == summary.by_kind["exec"] == execs
    assert summary.by_type["connect exit"] == connects
    assert (summary.by_kind["egress"], summary.by_kind["ingress"]) == (inet, accepts)
    assert (summary.unparsed, summary.late, dict(summary.lost)) == (0, 0, {})
    assert sum(sum(r.syscalls.values()) + r.foreign for r in records if isinstance(r, Window)) == summary.calls


def test_what_curl_did():
    """The addresses and the command line as sysdig prints them; calls by ``sysdig -r FILE 'evt.dir=<'``, and exits."""
    records, _ = imported(shared("curl_google.scap"))
    behaviours = {u.behaviour: u for r in records if isinstance(r, Window) for u in r.uses}
    assert "egress:udp:[2001:4860:4860::8888]:53" in behaviours
    assert behaviours["egress:tcp:[2607:f8b0:4004:802::2004]:80"].data["port"] == 80
    (exec_,) = (r for r in records if isinstance(r, Event) and r.kind == "exec")
    assert (exec_.behaviour, exec_.data["argv"], exec_.data["cwd"]) == (
        "exec:curl<bash",
        "curl -6 http://www.google.com",
        "/home/ubuntu",
    )
    (window,) = (r for r in records if isinstance(r, Window))
    assert {n: window.syscalls[number(n)] for n in ("mmap", "mprotect", "clock_gettime", "exit_group", "fstat")} == {
        "mmap": 110, "mprotect": 78, "clock_gettime": 94, "exit_group": 1, "fstat": 49,
    }  # fmt: skip


def block(kind, body):
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 2, -1))
MACHINE = block(0x201, struct.pack("<IQQ", 2, 0, 0) + b"web1".ljust(128, b"\0") + bytes(24))


def event(kind, params, *, tid=7, at=0, block_kind=0x216, comment=b""):
    """One event block of any of its versions."""
    before, version, wide = scap_blocks.EVENTS[block_kind]
    count = struct.pack("<I", len(params)) if version == 2 else b""
    lengths = struct.pack(f"<{len(params)}{'HI'[wide == 4]}", *map(len, params))
    inside = count + lengths + b"".join(params)
    return block(
        block_kind, bytes(before) + struct.pack("<QQIH", T0 + at, tid, 22 + len(inside), kind) + inside + comment
    )


def i64(n):
    return struct.pack("<q", n)


def u32(n):
    return struct.pack("<I", n)


def capture(path, *parts, zipped=False):
    data = SECTION + MACHINE + b"".join(parts)
    path.write_bytes(gzip.compress(data) if zipped else data)
    return path


CGROUPS = b"cpuset=/\0memory=/docker/" + b"ab" * 32 + b"\0"
V4 = b"\x02" + bytes([10, 0, 0, 1]) + struct.pack("<H", 40000) + bytes([93, 184, 216, 34]) + struct.pack("<H", 443)


def exec_event(kind=293, params=31, **options):
    values = [i64(0), b"curl\0", b"-v\0x\0", i64(7), i64(7), i64(3), b"/app\0", *[i64(0)] * 3, *[u32(0)] * 3]
    values += [b"curl\0", CGROUPS, b"A=1\0", u32(0), i64(7), u32(1000), u32(2), *[i64(0)] * 6, u32(33)]
    values += [b"/usr/bin/curl\0", i64(1), u32(1), b"/usr/bin/curl\0"]
    return event(kind, values[:params], **options)


def connect_event(**options):
    return event(23, [i64(-115), V4, i64(5), b""], **options)


@pytest.mark.parametrize("kind", sorted(scap_blocks.EVENTS), ids=hex)
def test_every_block_version_is_read(tmp_path, kind):
    """With and without flags, of both versions, large and not; a comment after the event does not matter."""
    parts = exec_event(block_kind=kind), connect_event(block_kind=kind, comment=b"\1\0\4\0note")
    records, summary = imported(capture(tmp_path / "c.scap", *parts))
    assert (summary.events, summary.unparsed, dict(summary.by_kind)) == (2, 0, {"exec": 1, "egress": 1})
    assert [r.behaviour for r in records if isinstance(r, Event)] == [
        "exec:/usr/bin/curl<-",
        "egress:tcp:93.184.216.34:443",
    ]


@pytest.mark.parametrize(
    ("kind", "params"),
    [(13, 8), (155, 13), (173, 14), (215, 15), (231, 16), (283, 17), (289, 17), (293, 27), (331, 30)],
)
def test_every_age_of_exec_is_read(tmp_path, kind, params):
    _, summary = imported(capture(tmp_path / "c.scap", exec_event(kind, params)))
    assert summary.by_kind["exec"] == 1


def test_a_container_is_named_by_its_cgroup_and_its_json(tmp_path):
    said = b'{"container": {"id": "%s", "name": "cart", "image": "shop/cart:2"}}\0' % (b"ab" * 6)
    records, _ = imported(capture(tmp_path / "c.scap", event(324, [said]), exec_event(), zipped=True))
    (who,) = (r for r in records if isinstance(r, Identity))
    assert (who.container, who.name, who.image, who.workload) == (
        "ab" * 32,
        "cart",
        "shop/cart:2",
        "import/web1/Container/cart/cart",
    )
    assert records[0].node == "web1"
    assert isinstance(records[0], Head)


def test_a_fork_counts_once_and_the_child_calls_nothing(tmp_path):
    def clone(result, tid):
        values = [i64(result), b"sh\0", b"", i64(tid), i64(tid), i64(1), b"/\0", *[i64(0)] * 3, *[u32(0)] * 3]
        return event(223, [*values, b"sh\0", b"", u32(0), u32(0), u32(0), i64(tid), i64(tid)], tid=tid)

    _, summary = imported(capture(tmp_path / "c.scap", clone(9, 7), clone(0, 9)))
    assert (summary.by_kind["fork"], summary.calls) == (1, 1)


def test_unknown_blocks_and_newer_events_are_stepped_over(tmp_path):
    parts = block(0x999, b"future"), event(999, [b"new"]), event(1, [struct.pack("<H", 5), struct.pack("<H", 39)])
    records, summary = imported(capture(tmp_path / "c.scap", *parts))
    assert (summary.events, summary.unparsed, summary.calls) == (2, 1, 1)
    assert next(r for r in records if isinstance(r, Window)).syscalls == {39: 1}


def test_windows_close_on_event_time_and_a_jump_costs_one_tick(tmp_path):
    far = 3600 * 10**9 * 24 * 365
    records, _ = imported(capture(tmp_path / "c.scap", connect_event(), connect_event(at=far)))
    assert [type(r) for r in records].count(Tick) == 3
    windows = [r for r in records if isinstance(r, Window)]
    assert [w.uses[0].first > 0 for w in windows] == [True, False]


def test_dropped_buffers_make_the_window_partial(tmp_path):
    records, summary = imported(capture(tmp_path / "c.scap", connect_event(), event(148, [u32(1)])))
    assert [r.partial for r in records if isinstance(r, Window)] == [True]
    assert summary.lost["capture"] == 1


@pytest.mark.parametrize("zipped", [False, True])
def test_a_cut_capture_gives_everything_before_the_cut(tmp_path, zipped):
    path = capture(tmp_path / "c.scap", *[connect_event(at=i * 10**10) for i in range(50)], zipped=zipped)
    path.write_bytes(path.read_bytes()[: -5 if not zipped else -20])
    reader = scap.records(path)
    with pytest.raises(TraceError, match=r"c\.scap: block \d+ .*rerun with --salvage"):
        for _ in reader:
            pass
    records, summary = imported(path, salvage=True)
    assert (summary.by_kind["egress"] > 0, "rerun" in summary.damage) == (True, True)
    assert isinstance(records[-1], Tick)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"text that is no capture", id="text"),
        pytest.param(struct.pack("<II", 0x0A0D0D0A, 0xFFFFFFF0), id="huge-block"),
        pytest.param(struct.pack("<II", 0x0A0D0D0A, 0), id="block-of-nothing"),
        pytest.param(SECTION.replace(b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"), id="big-endian"),
    ],
)
def test_hostile_files_are_refused_or_empty(tmp_path, data):
    (tmp_path / "c.scap").write_bytes(data)
    try:
        records, _ = imported(tmp_path / "c.scap")
    except TraceError as e:
        assert "c.scap" in str(e)
    else:
        assert len(records) <= 1


def test_records_of_an_import_pass_the_codec():
    records, _ = imported(shared("curl_google.scap"))
    assert [codec.decode(codec.encode(r)) for r in records] == records
    assert records == imported(shared("curl_google.scap"))[0]


def test_process_lists_of_every_version_are_read():
    def entry(version):
        def s(t):
            return struct.pack("<H", len(t)) + t

        body = struct.pack("<QQQ", 5, 5, 1) + (i64(1) if version >= 6 else b"") + (i64(1) if version >= 8 else b"")
        body += s(b"sh") + s(b"-sh") + (s(b"/bin/sh") if version >= 7 else b"") + s(b"a\0") + s(b"/root")
        body += i64(1024) + u32(0) + u32(12) + u32(13) + (bytes(28) if version >= 2 else b"")
        body += (s(b"E=1\0") if version >= 3 else b"") + (bytes(16) + s(CGROUPS) if version >= 4 else b"")
        body += s(b"/") if version >= 5 else b""
        return u32(len(body) + 4 + 9) + body + bytes(9) if version >= 9 else body

    for version in range(1, 10):
        first, second = scap_blocks.processes(version, entry(version) * 2 + b"\0")
        assert (first, first.comm, first.cwd, first.uid) == (second, "sh", "/root", 12)
        assert first.cgroups == (CGROUPS if version >= 4 else b"")


def test_sniff():
    assert scap.sniff(SECTION, "x")
    assert scap.sniff(b"\x1f\x8b\x08", "x.scap")
    assert not scap.sniff(b"\x1f\x8b\x08", "x.tsv.gz")
    assert not scap.sniff(b"", "x.scap")
