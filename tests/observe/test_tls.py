"""The server name of a ClientHello."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.observe.tls import server_name


def hello(name, alpn=()):
    """A real client's first record."""
    context = ssl.create_default_context()
    if alpn:
        context.set_alpn_protocols(alpn)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(into, out, server_hostname=name).do_handshake()
    return out.read()


WHOLE = hello("api.example.org")


@pytest.mark.parametrize("alpn", [(), ["x" * 200 + str(i) for i in range(12)]], ids=["usual", "large"])
def test_a_real_hello_names_its_server(alpn):
    assert server_name(hello("API.example.org", alpn)) == "api.example.org"


def test_a_hello_without_a_name_has_none():
    context = ssl.create_default_context()
    context.check_hostname = False
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(into, out).do_handshake()
    assert server_name(out.read()) is None


@pytest.mark.parametrize("length", range(0, len(WHOLE), 7))
def test_a_cut_hello_names_the_server_or_nothing(length):
    assert server_name(WHOLE[:length]) in (None, "api.example.org")


@given(st.binary(max_size=600))
def test_any_bytes_are_survived(data):
    server_name(data)
    server_name(WHOLE[:9] + data)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_damaged_hello_gives_a_plain_name_or_none(at, value):
    damaged = bytearray(WHOLE)
    damaged[at] = value
    found = server_name(bytes(damaged))
    assert found is None or (found.isascii() and found.isprintable() and " " not in found)
