"""Names: the same act has one name, and no name can look like another or steer a terminal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.observe import names
from wire import fields

ANY = st.text(st.characters())


@given(ANY)
def test_escaped_text_is_printable_and_holds_no_separator(text):
    found = names.escaped(text)
    assert found.isprintable()
    assert not set(found) & set(" <")


@given(ANY, ANY)
def test_two_texts_never_have_one_escaped_form(one, other):
    assert (names.escaped(one) == names.escaped(other)) == (one == other)


def test_signs_that_turn_text_around_are_written_out():
    assert names.escaped("a\u202eb\u200b\u2028") == "a\\x202eb\\x200b\\x2028"


@given(ANY)
def test_a_template_of_a_template_is_itself(text):
    once = names.template(text)
    assert names.template(once) == once


@given(st.binary())
def test_any_bytes_of_a_path_become_a_path(data):
    found = names.path(data)
    assert found.startswith("/")
    assert names.path(data, cut=True) == "…" + found
    assert names.escaped(found).isprintable()


@pytest.mark.parametrize(
    "name, directory, wanted",
    [
        pytest.param(b"/app/export.py", b"tmp\0", "/app/export.py", id="absolute"),
        pytest.param(b"export.py", b"app\0", "/app/export.py", id="relative"),
        pytest.param(b"./export.py", b"app\0srv\0", "/srv/app/export.py", id="here"),
        pytest.param(b"../../export.py", b"app\0srv\0", "/export.py", id="above"),
        pytest.param(b"../../../export.py", b"app\0", "/export.py", id="above-the-root"),
        pytest.param(b"/../x//./export.py", b"", "/x/export.py", id="untidy"),
        pytest.param(b"link/../export.py", b"app\0", "/app/link/../export.py", id="behind-a-link"),
        pytest.param(b"export.py", b"", "/export.py", id="in-the-root"),
        pytest.param(b"/dev/fd/3", b"", "/dev/fd/script", id="descriptor"),
        pytest.param(b"//dev/./fd/3", b"", "/dev/fd/script", id="descriptor-disguised"),
        pytest.param(b"fd/3", b"dev\0", "/dev/fd/script", id="descriptor-relative"),
        pytest.param(b"/proc/self/fd/3", b"", "/dev/fd/script", id="descriptor-of-proc"),
        pytest.param(b"/proc/7/task/8/fd/3", b"", "/dev/fd/script", id="descriptor-of-a-thread"),
        pytest.param(b"/dev/fd/3/bin/export.py", b"", "/dev/fd/*/bin/export.py", id="below-a-descriptor"),
        pytest.param(b"/" + b"a" * 253, b"", "/" + "a" * 253 + "…", id="cut"),
        pytest.param(b"", b"", "/", id="empty"),
    ],
)
def test_a_script_is_where_its_name_leads_without_its_links(name, directory, wanted):
    assert names.script(name, directory) == wanted


def test_a_script_below_a_directory_that_was_cut_says_so():
    assert names.script(b"./a.sh", b"in\0", cut=True) == "…/in/a.sh"
    assert names.script(b"/a.sh", b"in\0", cut=True) == "/a.sh"


@given(st.binary(), st.binary())
def test_any_name_of_a_script_becomes_a_path(name, directory):
    found = names.script(name, directory)
    assert found.startswith("/") and names.escaped(found).isprintable()


@pytest.mark.parametrize(
    "text, wanted",
    [
        pytest.param(b"curl\0bin\0usr\0", ("/usr/bin/curl", False), id="program"),
        pytest.param(b"/app/export.py\0", ("/app/export.py", True), id="script"),
        pytest.param(b"./export.py\0app\0", ("/app/export.py", True), id="relative-script"),
        pytest.param(b"memfd:/app/export.py\0", ("/memfd:/app/export.py", False), id="memfd"),
        pytest.param(b"/\0", ("/", True), id="root"),
        pytest.param(b"", ("/", False), id="empty"),
    ],
)
def test_a_row_of_images_says_whether_it_is_a_script(text, wanted):
    assert names.image(text) == wanted


@given(ANY, ANY)
def test_a_behaviour_is_bounded_and_says_when_it_was_cut(path, caller):
    found = names.exec_of(path, names.base(caller))
    assert len(found) <= fields.LIMIT
    assert len(found) < fields.LIMIT or found.endswith("…") or len(found) == names.LIMIT


@pytest.mark.parametrize(
    "path, wanted",
    [
        pytest.param("/tmp/tmpab12cd34/out.json", "/tmp/tmp*/out.json", id="tempfile"),
        pytest.param("/srv/3fa85f64-5717-4562-b3fc-2c963f66afa6", "/srv/*", id="uuid"),
        pytest.param("/proc/123/status", "/proc/*/status", id="number"),
        pytest.param("/usr/lib/python3.11/json", "/usr/lib/python3.11/json", id="version"),
        pytest.param("/data/shard-00012.bin", "/data/shard-*.bin", id="shard"),
        pytest.param("", "", id="empty"),
    ],
)
def test_variable_parts_become_stars(path, wanted):
    assert names.template(path) == wanted


@pytest.mark.parametrize(
    "raw, wanted",
    [
        (bytes(10) + b"\xff\xff\x7f\0\0\1", "127.0.0.1"),
        (bytes(15) + b"\1", "::1"),
        (bytes(16), "::"),
    ],
)
def test_addresses_have_their_own_form(raw, wanted):
    assert names.address(raw) == wanted


def test_hosts_of_conversations():
    assert names.flow_of(False, 6, names.host("::1", None), 443) == "egress:tcp:[::1]:443"
    assert names.flow_of(False, 17, names.host("1.2.3.4", "a b"), 53) == "egress:udp:a\\x20b:53"
    assert names.flow_of(True, 6, "whoever", 8080) == "ingress:tcp:8080"
    assert re.fullmatch(r"egress:132:x:1", names.flow_of(False, 132, "x", 1))
