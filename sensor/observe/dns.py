"""What a workload was told by its own resolver: addresses with their names, per replica, as long as they are valid.

The sensor asks nobody. A lying answer names only the workload that was lied to.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype

ADDRESS = (dns.rdatatype.A, dns.rdatatype.AAAA)
GRACE = 3600.0  # seconds past its TTL that a name still explains a connection: sockets outlive answers
LONGEST = 86400.0  # no TTL counts for more
ADDRESSES = 4096  # per replica
NAMES = 8  # per address


@dataclass(frozen=True, slots=True)
class Answer:
    """One DNS answer: the name that was asked, and where it leads."""

    name: str
    addresses: tuple[str, ...]
    ttl: float  # seconds, the shortest of the records


def parse(payload: bytes) -> Answer | None:
    """The answer in a UDP payload; None where it is damaged, negative, or about something else."""
    try:
        message = dns.message.from_wire(payload, ignore_trailing=True, raise_on_truncation=False)
        if not message.question:
            return None
        rows = [r for r in message.answer if r.rdclass == dns.rdataclass.IN and r.rdtype in ADDRESS]  # others' A differ
        addresses = tuple(sorted({item.address for row in rows for item in row}))
        name = message.question[0].name.to_text(omit_final_dot=True).lower()
    except (dns.exception.DNSException, ValueError, IndexError, KeyError, UnicodeError):
        return None  # hostile or cut; the caller counts it
    return Answer(name, addresses, float(min(row.ttl for row in rows))) if addresses else None


class NameBook:
    """Names of the addresses that one replica was told; bounded, the least recently told go first."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()  # address → name → valid until
        self.dropped = 0

    def learn(self, answer: Answer, time: float) -> bool:
        """Whether it says clearly more than was known: a name of an address, or that it is valid for long."""
        until, more = time + min(answer.ttl, LONGEST) + GRACE, False
        for address in answer.addresses:
            names = self._known.setdefault(address, OrderedDict())
            self._known.move_to_end(address)
            more |= until - names.get(answer.name, 0.0) > GRACE / 4
            names[answer.name] = until
            names.move_to_end(answer.name)
            if len(names) > NAMES:
                names.popitem(last=False)
        while len(self._known) > ADDRESSES:
            self._known.popitem(last=False)
            self.dropped += 1
        return more

    def kept(self) -> list[tuple[str, list[str], float, float]]:
        """Name, addresses, TTL and time of answers that would teach the same."""
        rows = ((name, a, until) for a, names in self._known.items() for name, until in names.items())
        return [(name, [address], 0.0, until - GRACE) for name, address, until in rows]

    def names(self, address: str, time: float) -> list[str]:
        """Valid names of an address, the most recently told last."""
        return [n for n, until in self._known.get(address, {}).items() if until >= time]
