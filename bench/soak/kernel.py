"""What the kernel itself counts: calls of processes in /proc/PID/io, traffic of a network namespace in /proc/PID/net."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

IP_AND_TCP = 52  # bytes of a segment's headers: 20 of IP, 20 of TCP, 12 of its time stamps
OF_SYN = 8  # more of them in a SYN, with or without ACK


def accounted(pid: int) -> dict[str, int]:
    """Of a process, its threads, and its children that it has waited for."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}


def network(pid: int) -> dict[str, int]:
    """Counters of the network namespace of a process: the interface's, TCP's, IP's."""
    net = Path(f"/proc/{pid}/net")
    found = table((net / "snmp").read_text().splitlines()) | table((net / "netstat").read_text().splitlines())
    lo = (
        next(x for x in (net / "dev").read_text().splitlines() if x.strip().startswith("lo:")).partition(":")[2].split()
    )
    chosen = {
        "active": "Tcp.ActiveOpens",
        "passive": "Tcp.PassiveOpens",
        "segments_in": "Tcp.InSegs",
        "segments_out": "Tcp.OutSegs",
        "again": "Tcp.RetransSegs",
        "resets": "Tcp.OutRsts",
        "octets_in": "IpExt.InOctets",
        "octets_out": "IpExt.OutOctets",
    }
    lo_counts = {"lo_bytes": int(lo[0]), "lo_packets": int(lo[1]), "lo_drops": int(lo[3]) + int(lo[11])}
    return {name: found.get(key, 0) for name, key in chosen.items()} | lo_counts


def table(lines: Iterable[str]) -> dict[str, int]:
    """Pairs of lines, names above values, as in /proc/net/snmp.

    >>> table(["Tcp: InSegs OutSegs", "Tcp: 3 4"])
    {'Tcp.InSegs': 3, 'Tcp.OutSegs': 4}
    """
    lines = list(lines)
    found = {}
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        kind, _, names = names.partition(":")
        pairs = zip(names.split(), values.partition(":")[2].split(), strict=False)
        found |= {f"{kind}.{name}": int(value) for name, value in pairs}
    return found


def payload(counters: dict[str, int]) -> int:
    """Bytes of TCP payload that went through the namespace, from the octets that IP received and the segments they came in.

    One interface, nothing but TCP with time stamps, no segment sent again: then headers have one length.
    """
    syns = counters["active"] + counters["passive"]
    return counters["octets_in"] - counters["segments_in"] * IP_AND_TCP - syns * OF_SYN
