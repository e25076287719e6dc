"""A guest's request is answered whatever stands in it, and what was compiled names each of its maps."""

import json

import pytest

from tests.observe.capability import need
from tests.vm import compiler
from tests.vm.compile import map_uses, version_code

PROGRAM = """
BPF_ARRAY(first, u64, 4);
BPF_HASH(second, u32, u32, 16);
int count(void *ctx) {
    u32 key = 1;
    u64 *seen = first.lookup(&key);
    if (seen && second.lookup(&key))
        *seen += STEP;
    return 0;
}
"""


@pytest.mark.parametrize(
    "line", [pytest.param(b"half a li", id="cut"), pytest.param(b"[]", id="no-table"), pytest.param(b"{}", id="no-id")]
)
def test_what_is_no_request_is_answered_and_nobodys(line):
    answer = json.loads(compiler.answer(line))
    assert answer["id"] is None and "not a request" in answer["error"]


@pytest.mark.parametrize(
    "release, code",
    [("6.1.0-56-cloud-amd64", 0x060100), ("6.12.117+deb12-cloud-amd64", 0x060C75), ("6.12.300", 0x060CFF)],
)
def test_a_version_is_what_the_kernels_headers_make_of_it(release, code):
    assert version_code(release) == code


def test_an_instruction_of_two_words_is_passed_over_whole():
    number_that_looks_like_one = bytes([0x18, 1, 0, 0]) + bytes(4) + bytes([0x18, 0x11, 0, 0]) + bytes(4)
    assert map_uses(number_that_looks_like_one) == []


@pytest.mark.kernel
def test_what_was_compiled_has_its_maps_and_says_where_they_are_used():
    from tests.kernel.lab import missing

    need(not missing(), missing())
    request = {"id": "1", "text": PROGRAM, "flags": ["-DSTEP=3"], "release": "6.12.117+deb12"}
    answer = json.loads(compiler.answer(json.dumps(request).encode()))
    assert answer.get("error") is None
    sizes = {m["name"]: (m["key"], m["leaf"], m["entries"]) for m in answer["maps"]}
    assert sizes == {"first": (4, 8, 4), "second": (4, 4, 16)}
    names = [answer["maps"][number]["name"] for _, number in answer["functions"]["count"]["maps"]]
    assert names == ["first", "second"]


@pytest.mark.kernel
def test_what_does_not_compile_is_an_error_in_words():
    from tests.kernel.lab import missing

    need(not missing(), missing())
    request = {"id": "1", "text": "int broken(", "flags": [], "release": "6.12.1"}
    assert "compile" in json.loads(compiler.answer(json.dumps(request).encode()))["error"]
