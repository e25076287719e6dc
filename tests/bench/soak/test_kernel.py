"""What the kernel says of processes and networks is read as it is written."""

import os

import pytest

from bench.soak.kernel import accounted, network, payload, table


def test_the_account_of_a_process_has_its_calls():
    before = accounted(os.getpid())
    with open("/dev/zero", "rb", buffering=0) as zeros:
        for _ in range(23):
            zeros.read(1)
    after = accounted(os.getpid())
    assert after["syscr"] - before["syscr"] >= 23
    assert {"syscr", "syscw", "rchar", "wchar"} <= after.keys()


def test_every_counter_of_a_network_is_there():
    found = network(os.getpid())
    assert found["segments_in"] >= 0 and found["octets_in"] >= 0
    assert all(isinstance(value, int) for value in found.values())


@pytest.mark.parametrize("lines", [[], ["Tcp: InSegs"], ["Tcp:", "Tcp:"]], ids=["none", "cut-short", "empty"])
def test_a_table_without_values_holds_none(lines):
    assert table(lines) == {}


def test_payload_is_what_headers_leave_of_the_octets():
    """One connection with 1,000 bytes: SYN, SYN and ACK, ACK, data, ACK, two FINs with their ACKs."""
    octets = 2 * 60 + 7 * 52 + 1000
    assert payload({"octets_in": octets, "segments_in": 9, "active": 1, "passive": 1}) == 1000
