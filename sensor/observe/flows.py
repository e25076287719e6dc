"""Conversations to events of those that are new, under the names that DNS and TLS gave their peers, and their counters to uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sensor.observe import classes, dns, facts, names, tls
from sensor.observe.memory import Memory
from sensor.observe.processes import Processes
from sensor.observe.replicas import Observed
from sensor.observe.rows import Row, Rows, grown
from sensor.observe.seats import Seats
from sensor.observe.told import Told
from sensor.probes import abi
from wire.records import Behaviour, Event


class Flows:
    """Conversations of all replicas."""

    def __init__(self, seats: Seats, processes: Processes, memory: Memory) -> None:
        self._seats, self._processes, self._memory = seats, processes, memory
        self._rows = Rows("flow", memory)
        self._server_names: dict[int, str] = {}  # row → name of its last ClientHello
        self._actors: dict[int, dict[str, Any]] = {}  # row that is new in this batch → who began it
        self.undecoded = 0  # answers and greetings

    def begun(self, row: np.void) -> None:
        """A record of a row that is new; its event waits for names that come a moment later."""
        self._actors[int(row["a"])] = self._processes.actor(row)

    # -- names -------------------------------------------------------------------------------------------------------

    def payload(self, row: np.void) -> Iterator[Event]:
        """An answer of DNS, or the greeting of a TLS client."""
        o = self._seats.of(row)
        if o is None:
            return
        data = bytes(row["data"])[: int(row["length"])]
        if int(row["kind"]) == abi.DNS:
            yield from self._answer(o, row, data)
        else:
            yield from self._hello(o, row, data)

    def _answer(self, o: Observed, row: np.void, data: bytes) -> Iterator[Event]:
        answer = dns.parse(data)
        if answer is None:
            self.undecoded += 1
            return
        time = self._seats.time(int(row["time"]))
        known = all(answer.name in o.book.names(a, time) for a in answer.addresses)
        if o.book.learn(answer, time):
            self._memory.keep("dns", o.slot, o.generation, answer.name, list(answer.addresses), answer.ttl, time)
        if not known and o.may_show("dns"):
            shown = {"name": names.escaped(answer.name), "names": " ".join(answer.addresses), "ttl": answer.ttl}
            yield self._seats.event(o, row, "dns", None, self._processes.actor(row) | shown)

    def _hello(self, o: Observed, row: np.void, data: bytes) -> Iterator[Event]:
        name = tls.server_name(data)
        if name is None:
            self.undecoded += 1
            return
        number = int(row["a"])
        before = self._server_names.get(number)
        if before == name:
            return
        self._server_names[number] = name
        self._memory.keep("sni", number, name)
        actor = self._processes.actor(row)
        if before:
            # A window names a conversation by its last server; one that shares its address must not hide behind it.
            for server in (before, name):
                behaviour = names.flow_of(False, 6, names.host("", server), int(row["port"]))
                tally = o.tally(behaviour, self._seats.time(int(row["time"])), str(actor["lineage"]))
                tally.count = max(1, tally.count)
        if o.may_show("tls"):
            where = {"name": name, "address": names.address(bytes(row["peer"])), "port": int(row["port"])}
            yield self._seats.event(o, row, "tls", None, actor | where)

    def _named(self, o: Observed, number: int, row: np.void, time: float) -> tuple[Behaviour, dict[str, Any]]:
        """What a row is called at a time, and the event's data that say so."""
        address = names.address(bytes(row["peer"]))
        told = o.book.names(address, time)
        name = self._server_names.get(number) or (told[-1] if told else None)
        where, ingress = names.host(address, name), bool(row["ingress"])
        behaviour = names.flow_of(ingress, int(row["protocol"]), where, int(row["port"]))
        data = {"address": address, "port": int(row["port"]), "name": name or ""}
        return behaviour, data | ({"names": " ".join(map(names.escaped, told))} if len(told) > 1 else {})

    # -- events and uses ---------------------------------------------------------------------------------------------

    def events(self, batch: np.ndarray, table: np.ndarray) -> Iterator[Event]:
        """Of conversations that are new, from FLOW facts and the rows that they point at."""
        for fact in batch[batch["kind"] == abi.FLOW]:
            number = int(fact["a"])
            o = self._seats.of(fact)
            if o is None or number >= len(table) or not facts.same_owner(fact, table[number]):
                continue
            yield from self._event(o, fact, number, table[number])
        self._actors.clear()

    def _event(self, o: Observed, fact: np.void, number: int, row: np.void) -> Iterator[Event]:
        behaviour, data = self._named(o, number, row, self._seats.time(int(fact["time"])))
        actor = self._actors.get(number) or self._processes.actor(fact)
        data |= {k: v for k, v in actor.items() if k != "uid"}
        identity = _identity(row, data)
        kind = "identity" if identity else "ingress" if row["ingress"] else "egress"
        event = self._seats.event(o, fact, kind, identity or behaviour, data)
        keep = {k: data[k] for k in ("lineage", "image") if data.get(k)}
        self._rows.keep(number, Row(o.slot, o.generation, None, event.id, keep))
        if o.may_show("flow") or identity:
            yield event

    def use(self, table: np.ndarray, told: Told, now: int) -> None:
        """Puts what the counters grew into the windows that end now (ns of CLOCK_BOOTTIME)."""
        end = self._seats.time(now)
        for number, grew in zip(*(part.tolist() for part in told.flows(now)), strict=True):
            row = table[number]
            o = self._seats.holder(int(row["slot"]), int(row["generation"]))
            if o is not None:
                self._use(o, number, row, grew, end)

    def _use(self, o: Observed, number: int, row: np.void, grew: list[int], end: float) -> None:
        behaviour, data = self._named(o, number, row, end)
        known = self._rows.get(number, o) or Row(o.slot, o.generation, behaviour, "", {})
        extra = {"address": data["address"], "packets_out": grew[3], "packets_in": grew[4], "opens": grew[0]}
        first = self._seats.time(int(row["first"]))
        behaviour = _identity(row, data) or behaviour
        tally = grown(o, behaviour, known, count=max(1, grew[0]), first=first, extra=extra)
        tally.bytes_out += grew[1]
        tally.bytes_in += grew[2]

    # -- rows that go, and restarts ----------------------------------------------------------------------------------

    def forget(self, numbers: list[int]) -> None:
        """Rows were given back; their numbers will mean something else."""
        self._rows.forget(numbers)
        for number in numbers:
            self._server_names.pop(number, None)

    def forget_slot(self, slot: int) -> None:
        """A slot was given back."""
        self.forget(self._rows.of_slot(slot))

    def recall(self, kind: str, values: list[Any]) -> None:
        """A row of a memory: "flow", "sni" or "dns"."""
        if kind == "flow":
            self._rows.recall(*values)
        elif kind == "sni":
            number, name = values
            self._server_names[number] = name
        else:
            slot, generation, name, addresses, ttl, time = values
            o = self._seats.holder(slot, generation)
            if o is not None:
                o.book.learn(dns.Answer(name, tuple(addresses), ttl), time)

    def kept(self) -> list[list[Any]]:
        """Rows to begin a new memory with."""
        replicas = self._seats.replicas.values()
        told = [["dns", o.slot, o.generation, *answer] for o in replicas for answer in o.book.kept()]
        return [*self._rows.kept(), *told, *(["sni", n, name] for n, name in self._server_names.items())]


def _identity(row: np.void, data: dict[str, Any]) -> Behaviour | None:
    """What is fetched from a peer that tells machines who they are."""
    return None if row["ingress"] else classes.identity_of(str(data["address"]))
