"""Where the next chunk begins, in bytes behind a gap."""

import pytest

from sensor.observe.applayer import chunks1
from sensor.observe.applayer.chunks1 import NextChunk

LATER = b"5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("lost", "rest"),
    [
        pytest.param(b"", LATER, id="at-once"),
        pytest.param(b"ost half\r\n", LATER, id="behind-half-a-chunk"),
        pytest.param(b"text\r\nfff\r\nmore\r\n", LATER, id="what-only-looks-like-a-head"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100], ids="by {}".format)
def test_the_next_chunk_is_found_in_whatever_pieces_it_comes(lost, rest, size):
    seek, data = NextChunk(), lost + rest
    for at in range(0, len(data), size):
        found = seek.find(data[at : at + size])
        if found is not None:
            break
    assert found and rest.startswith(found[: len(rest)]) and found + data[at + size :] == rest


def test_what_is_not_found_in_time_is_lost(monkeypatch):
    monkeypatch.setattr(chunks1, "REJOIN", 100)
    seek = NextChunk()
    assert seek.find(b"x" * 100) is None and not seek.is_lost
    assert seek.find(b"x") is None and seek.is_lost


def test_heads_that_wait_are_bounded():
    seek = NextChunk()
    seek.find(b"\r\nffffff\r\n" * 1000)
    assert len(seek._heads) == chunks1.MOST_HEADS
