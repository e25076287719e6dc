"""Kernel rows become events and windows. Takes arrays and times, returns records; reads no clock and opens no file.

One object per sensor. `take` turns a batch from the rings into events at once; `windows` turns the counters of the shared
arrays into one window per replica, by what they grew since they were last told.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sensor.observe import classes, dns, names, secrets, tls
from sensor.observe.lineage import Lineage
from sensor.observe.memory import Memory
from sensor.observe.replicas import EVIDENCE, Observed, Tally
from sensor.observe.told import Told
from sensor.observe.untold import Exec, Untold
from sensor.probes import abi
from sensor.probes.kernel import Batch, Kernel
from wire.records import Behaviour, CgroupId, Event, Record, Replica, Window
from wire.syscalls import name as syscall_name

SENSITIVE = frozenset(
    "ptrace mount umount2 bpf setns unshare init_module finit_module delete_module kexec_load pivot_root chroot "
    "process_vm_readv process_vm_writev perf_event_open userfaultfd keyctl add_key memfd_create io_uring_setup "
    "setuid setgid setresuid capset reboot swapon open_by_handle_at move_mount fsopen".split()
)


IMAGES = 8192  # process images whose paths are remembered


@dataclass(frozen=True, slots=True)
class Row:
    """What a row of the files or flows table stands for."""

    slot: int
    generation: int
    behaviour: Behaviour | None  # None: depends on names that may still come (flows)
    event: str  # id of the event that showed it first
    data: dict[str, str | int | float]


class Observer:
    """Everything the sensor knows of its replicas.

    Args:
        node, epoch: Go into the ids of events.
        boot: Generation of cgroup ids: differs after a reboot.
        to_time: Nanoseconds of CLOCK_BOOTTIME to seconds since the epoch.
        memory: Keeps what a restart must know.
        redact: Takes what looks like a secret out of command lines.
        on_open: Told of every file that is new to a replica, with its path and the process.
    """

    def __init__(
        self,
        *,
        node: str,
        epoch: str,
        boot: int,
        to_time: Callable[[int], float],
        memory: Memory,
        redact: bool = True,
        on_open: Callable[[Observed, str, int], None] = lambda o, path, pid: None,
    ) -> None:
        self._node, self._epoch, self._boot, self._time, self._memory = node, epoch, boot, to_time, memory
        self._redact, self._on_open = redact, on_open
        self._untold = Untold(memory)
        self.replicas: dict[int, Observed] = {}  # by slot
        self.lineage = Lineage()
        self.images: dict[int, str] = {}  # path by the kernel side's number, oldest first
        self._files: dict[int, Row] = {}
        self._flows: dict[int, Row] = {}
        self._server_names: dict[int, str] = {}  # row of a flow → name of its last ClientHello
        self._actors: dict[int, dict[str, Any]] = {}  # row of a flow that is new in this batch → who began it
        self._last_id = 0
        self.counters: dict[str, int] = {"undecoded": 0, "late": 0}

    # -- events ------------------------------------------------------------------------------------------------------

    def take(self, batch: Batch) -> list[Record]:
        """Events of a batch. New replicas are in `replicas` afterwards."""
        out: list[Record] = []
        self.lineage.settle()
        for row in batch.paths[batch.paths["kind"] == abi.SEAT]:
            self._seat(row)
        for row in _in_order(batch):
            out += self._one(row)
        self._grams(batch.facts)
        return out

    def _seat(self, row: np.void) -> None:
        slot, generation, cgroup = int(row["slot"]), int(row["generation"]), int(row["a"])
        known = self.replicas.get(slot)
        if known is not None and known.generation == generation:
            return  # `unheard` found it before its record was read
        self.seat(slot, generation, cgroup, _path(row), int(row["time"]))

    def seat(self, slot: int, generation: int, cgroup: int, path: str, time: int) -> Observed:
        """A cgroup has taken a slot."""
        self._memory.keep("seat", slot, generation, cgroup, path, time)
        replica = Replica(self._node, CgroupId(cgroup), self._boot)
        self.replicas[slot] = Observed(replica, slot, generation, path, self._time(time))
        return self.replicas[slot]

    def unheard(self, kernel: Kernel, before: int) -> list[tuple[int, int, int, int]]:
        """Slots that were taken before a time (ns, CLOCK_BOOTTIME) and whose record was lost with a full ring.

        Returns:
            Slot, generation, cgroup and when it was taken, as `seat` wants them.
        """
        rows = kernel.slots
        taken = np.flatnonzero((rows["cgroup"] != 0) & (rows["taken"] < before)).tolist()
        missing = [
            s for s in taken if s not in self.replicas or self.replicas[s].generation != int(rows[s]["generation"])
        ]
        return [(s, *(int(rows[s][m]) for m in ("generation", "cgroup", "taken"))) for s in missing]

    def _of(self, row: np.void) -> Observed | None:
        """The replica that a record belongs to; None if its slot has passed on meanwhile."""
        found = self.replicas.get(int(row["slot"]))
        if found is None or found.generation != int(row["generation"]):
            self.counters["late"] += 1
            return None
        return found

    def _event(self, o: Observed, row: np.void, kind: str, behaviour: Behaviour | None, data: dict[str, Any]) -> Event:
        self._last_id = max(int(row["time"]), self._last_id + 1)
        found = {k: v for k, v in data.items() if v not in ("", None)}
        id_ = f"{self._node}/{self._epoch}/{self._last_id}"
        return Event(id_, self._time(int(row["time"])), o.replica, kind, behaviour, found)

    def _one(self, row: np.void) -> Iterator[Record]:
        """One record, while the lineage is what it was when that happened."""
        kind, pid = int(row["kind"]), int(row["pid"])
        if kind == abi.EXEC:
            yield from self._exec(row)
        elif kind == abi.FOUND:
            self.show_image(int(row["image"]), _path(row))
            self.lineage.adopt(pid, _path(row), int(row["b"]))
        elif kind == abi.FORK:
            self.lineage.fork(int(row["b"]), int(row["a"]))
            yield from self._small(row, "fork", {"pid": int(row["a"]), "ppid": int(row["b"])})
        elif kind == abi.EXIT:
            yield from self._small(row, "exit", {"pid": pid} | _status(int(row["a"])))
            self.lineage.exit(pid)
        elif kind == abi.OPEN:
            yield from self._open(row)
        elif kind in (abi.DNS, abi.HELLO):
            yield from self._payload(row)
        elif kind == abi.SYSCALL:
            yield from self._syscall(row)
        elif kind == abi.DIAL:
            yield from self._small(row, "dial", _ends(row))
        elif kind == abi.FLOW:
            self._actors[int(row["a"])] = self._actor(row)  # its event waits for names that come a moment later

    def _small(self, row: np.void, kind: str, data: dict[str, Any]) -> Iterator[Event]:
        o = self._of(row)
        if o is not None and o.may_show(kind):
            yield self._event(o, row, kind, None, data)

    def _exec(self, row: np.void) -> Iterator[Event]:
        o = self._of(row)
        if o is None:
            return
        program, script, pid = _executable(row), _script(row), int(row["pid"])
        path, kept = script or program, self._kept(row)
        self.show_image(int(row["image"]), kept or path)
        self._adopt(row)
        caller = self.lineage.keep(pid, kept) if kept else self.lineage.exec(pid, path, script=bool(script))
        behaviour = names.exec_of(path, caller)
        data = _exec_data(row, path, redact=self._redact) | {"lineage": self.lineage.of(pid)}
        data |= {"interpreter": names.escaped(program) if script else "", "script": names.escaped(kept)}
        event = self._event(o, row, "exec", behaviour, data) if o.may_show("exec") else None
        keep = {k: data[k] for k in ("lineage", "path", "interpreter", "layer") if data.get(k)}
        times = int(row["time"]), pid
        exec_ = Exec(o.slot, o.generation, *times, behaviour, event.id if event else "", keep)
        if self._untold.keep(exec_):
            self._count_exec(o, exec_)
        if event:
            yield event

    def _adopt(self, row: np.void) -> None:
        """Whose fork a killed daemon read, or a full ring lost: the exec names the image that called it, and the parent."""
        caller, parent = self.images.get(int(row["a"]), ""), int(row["b"])
        if caller and self.lineage.path(parent) == caller:
            self.lineage.adopt(int(row["pid"]), caller, parent)

    def _count_exec(self, o: Observed, row: Exec) -> None:
        tally = o.tally(Behaviour(row.behaviour), self._time(row.time))
        tally.count += 1
        tally.data = tally.data or row.data
        if row.event:
            _note(tally, row.event)

    def _kept(self, row: np.void) -> str:
        """The script that env was called for and calls the interpreter of; "" for every other exec."""
        return self.images.get(int(row["a"]), "") if int(row["flags"]) & abi.KEPT_SCRIPT else ""

    def _open(self, row: np.void) -> Iterator[Event]:
        o = self._of(row)
        if o is None:
            return
        path = _path(row)
        self._on_open(o, path, int(row["pid"]))
        behaviour = classes.file_behaviour(path, bool(int(row["flags"]) & abi.IS_WRITE))
        data = self._actor(row) | {"path": names.escaped(path)}
        event = self._event(o, row, _kind_of(behaviour), behaviour, data)
        keep = {k: data[k] for k in ("lineage", "path") if data.get(k)}
        shown = o.is_new(behaviour) and (o.may_show("open") or event.kind == "identity")
        model = "" if behaviour.startswith("write:") else classes.model_file(path)
        other = bool(model) and o.is_new(Behaviour(model)) and not shown and o.may_show("model")
        row_ = Row(o.slot, o.generation, behaviour, event.id if shown or other else "", keep)
        self._remember(self._files, "file", int(row["a"]), row_)
        if shown:
            yield event
        elif other:  # no new behaviour, but another model: llama-7 and llama-8 have one template
            yield replace(event, behaviour=None)

    def _actor(self, row: np.void) -> dict[str, Any]:
        pid, path = int(row["pid"]), self.images.get(int(row["image"]), "")
        lineage = self.lineage.of(pid) if self.lineage.path(pid) or not path else names.base(path)
        image = names.escaped(path or self.lineage.path(pid))
        return {"pid": pid, "uid": int(row["uid"]), "lineage": lineage, "image": image}

    def show_image(self, image: int, path: str) -> None:
        """Where a process image lies; the kernel side names it by number."""
        self.images.pop(image, None)
        self.images[image] = path
        if len(self.images) > IMAGES:
            del self.images[next(iter(self.images))]

    def _remember(self, table: dict[int, Row], kind: str, number: int, row: Row) -> None:
        table[number] = row
        self._memory.keep(kind, number, row.slot, row.generation, row.behaviour, row.event, row.data)

    def _payload(self, row: np.void) -> Iterator[Event]:
        o = self._of(row)
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
            self.counters["undecoded"] += 1
            return
        time = self._time(int(row["time"]))
        known = all(answer.name in o.book.names(a, time) for a in answer.addresses)
        if o.book.learn(answer, time):
            self._memory.keep("dns", o.slot, o.generation, answer.name, list(answer.addresses), answer.ttl, time)
        if not known and o.may_show("dns"):
            shown = {"name": names.escaped(answer.name), "names": " ".join(answer.addresses), "ttl": answer.ttl}
            yield self._event(o, row, "dns", None, self._actor(row) | shown)

    def _hello(self, o: Observed, row: np.void, data: bytes) -> Iterator[Event]:
        name = tls.server_name(data)
        if name is None:
            self.counters["undecoded"] += 1
            return
        number = int(row["a"])
        before = self._server_names.get(number)
        new = before != name
        self._server_names[number] = name
        if new:
            self._memory.keep("sni", number, name)
        if new and before:
            # A window names a conversation by its last server; one that shares its address must not hide behind it.
            for server in (before, name):
                behaviour = names.flow_of(False, 6, names.host("", server), int(row["port"]))
                tally = o.tally(behaviour, self._time(int(row["time"])), str(self._actor(row).get("lineage", "")))
                tally.count = max(1, tally.count)
        if new and o.may_show("tls"):
            where = {"name": name, "address": names.address(bytes(row["peer"])), "port": int(row["port"])}
            yield self._event(o, row, "tls", None, self._actor(row) | where)

    def _grams(self, rows: np.ndarray) -> None:
        grams = rows[rows["kind"] == abi.GRAM]
        for slot in np.unique(grams["slot"]).tolist():
            o = self.replicas.get(slot)
            if o is not None:
                own = grams[(grams["slot"] == slot) & (grams["generation"] == o.generation)]
                o.grams += own["a"].astype(np.int64).tolist()

    def _syscall(self, row: np.void) -> Iterator[Event]:
        name = syscall_name(int(row["a"]))
        o = self._of(row) if name in SENSITIVE else None
        if o is not None:
            behaviour = Behaviour(f"syscall:{name}")
            event = self._event(o, row, "syscall", behaviour, self._actor(row))
            _note(o.tally(behaviour, event.time), event.id)
            yield event

    def flows(self, rows: np.ndarray, table: np.ndarray) -> Iterator[Event]:
        """Events of conversations that are new, from FLOW facts and the rows that they point at."""
        for fact in rows[rows["kind"] == abi.FLOW]:
            number = int(fact["a"])
            o = self._of(fact)
            if o is None or number >= len(table) or not _same_owner(fact, table[number]):
                continue
            yield from self._flow(o, fact, number, table[number])
        self._actors.clear()

    def _flow(self, o: Observed, fact: np.void, number: int, row: np.void) -> Iterator[Event]:
        behaviour, data = self._flow_name(o, number, row, self._time(int(fact["time"])))
        data |= {k: v for k, v in (self._actors.get(number) or self._actor(fact)).items() if k != "uid"}
        identity = None if row["ingress"] else classes.identity_of(str(data["address"]))
        kind = "identity" if identity else "ingress" if row["ingress"] else "egress"
        event = self._event(o, fact, kind, identity or behaviour, data)
        keep = {k: data[k] for k in ("lineage", "image") if data.get(k)}
        self._remember(self._flows, "flow", number, Row(o.slot, o.generation, None, event.id, keep))
        if o.may_show("flow") or identity:
            yield event

    def _flow_name(self, o: Observed, number: int, row: np.void, time: float) -> tuple[Behaviour, dict[str, Any]]:
        address = names.address(bytes(row["peer"]))
        told = o.book.names(address, time)
        name = self._server_names.get(number) or (told[-1] if told else None)
        behaviour = names.flow_of(
            bool(row["ingress"]), int(row["protocol"]), names.host(address, name), int(row["port"])
        )
        data = {"address": address, "port": int(row["port"]), "name": name or ""}
        return behaviour, data | ({"names": " ".join(map(names.escaped, told))} if len(told) > 1 else {})

    def note(self, o: Observed, event: Event) -> None:
        """A behaviour that was seen elsewhere than in the rings: its window counts it, too."""
        if event.behaviour is not None:
            tally = o.tally(event.behaviour, event.time)
            tally.count += 1
            tally.data = tally.data or {k: event.data[k] for k in ("lineage", "image") if event.data.get(k)}
            _note(tally, event.id)

    # -- windows -----------------------------------------------------------------------------------------------------

    def windows(self, kernel: Kernel, told: Told, now: int) -> list[Window]:
        """One window per replica, from what the counters grew since they were last told.

        Args:
            now: ns of CLOCK_BOOTTIME, the end of the windows.
        """
        end = self._time(now)
        slots = [s for s in sorted(self.replicas) if int(kernel.slots[s]["generation"]) == self.replicas[s].generation]
        self._file_uses(kernel.files, told, now)
        self._flow_uses(kernel.flows, told, now)
        self._untold.round(now, lambda slot: int(kernel.slots[slot]["told"]))
        return [self._window(told, self.replicas[s], now, end) for s in slots]

    def _window(self, told: Told, o: Observed, now: int, end: float) -> Window:
        calls, foreign = told.calls(o.slot)
        for reason, lost in told.losses(o.slot, now).items():
            o.loss[reason] += lost
        uses, grams, loss = o.drain()
        start, o.since = o.since, end
        return Window(o.replica, start, end, uses, calls, grams, foreign, loss)

    def _file_uses(self, table: np.ndarray, told: Told, now: int) -> None:
        for number, grown in zip(*(part.tolist() for part in told.files(now)), strict=True):
            row, known = table[number], self._files.get(number)
            o = self._owner(row)
            if o is None:
                continue
            if known is None or known.generation != o.generation or known.slot != o.slot:
                o.loss["names of files"] += 1  # its record was lost: it was used, but nobody can say what it is
                continue
            self._add(o, known.behaviour, known, count=grown, first=self._time(int(row["first"])))

    def _flow_uses(self, table: np.ndarray, told: Told, now: int) -> None:
        for number, grown in zip(*(part.tolist() for part in told.flows(now)), strict=True):
            o = self._owner(table[number])
            if o is not None:
                self._flow_use(o, number, table[number], grown, self._time(now))

    def _flow_use(self, o: Observed, number: int, row: np.void, grown: list[int], end: float) -> None:
        behaviour, data = self._flow_name(o, number, row, end)
        known = self._flows.get(number)
        if known is None or (known.slot, known.generation) != (o.slot, o.generation):
            known = Row(o.slot, o.generation, behaviour, "", {})
        extra = {"address": data["address"], "packets_out": grown[3], "packets_in": grown[4], "opens": grown[0]}
        identity = None if row["ingress"] else classes.identity_of(str(data["address"]))
        first = self._time(int(row["first"]))
        tally = self._add(o, identity or behaviour, known, count=max(1, grown[0]), first=first, extra=extra)
        tally.bytes_out += grown[1]
        tally.bytes_in += grown[2]

    def _owner(self, row: np.void) -> Observed | None:
        o = self.replicas.get(int(row["slot"]))
        return o if o is not None and o.generation == int(row["generation"]) else None

    def _add(
        self,
        o: Observed,
        behaviour: Behaviour,
        row: Row,
        *,
        count: int,
        first: float,
        extra: dict[str, str | int | float] | None = None,
    ) -> Tally:
        first = max(first, o.since)  # a row is older than the window: of this one it tells what grew in it
        tally = o.tally(behaviour, first, str(row.data.get("lineage", "")))
        tally.count += count
        tally.first = min(tally.first, first)
        for key, value in (extra or {}).items():
            numeric = isinstance(value, int) and isinstance(tally.data.get(key), int)
            tally.data[key] = tally.data[key] + value if numeric else value
        tally.data = dict(row.data) | tally.data
        if row.event:
            _note(tally, row.event)
        return tally

    # -- replicas that end, and restarts -----------------------------------------------------------------------------

    def forget(self, slot: int) -> None:
        """A slot was given back."""
        self.replicas.pop(slot, None)
        self._untold.forget(slot)
        for table in (self._files, self._flows):
            for number in [n for n, row in table.items() if row.slot == slot]:
                del table[number]
                self._server_names.pop(number, None)

    def forget_files(self, rows: list[int]) -> None:
        """Rows of the files table were given back; their numbers will mean something else."""
        for number in rows:
            self._files.pop(number, None)

    def forget_flows(self, rows: list[int]) -> None:
        """The same for the flows table."""
        for number in rows:
            self._flows.pop(number, None)
            self._server_names.pop(number, None)

    def recall(self, rows: Iterable[list[Any]], kernel: Kernel) -> None:
        """Takes up what an earlier daemon of this epoch knew."""
        for kind, *values in rows:
            if kind == "seat":
                self._recall_seat(kernel, *values)
            elif kind in ("file", "flow"):
                number, slot, generation, behaviour, event, data = values
                table = self._files if kind == "file" else self._flows
                table[number] = Row(slot, generation, behaviour, event, data)
            elif kind == "sni":
                self._server_names[values[0]] = values[1]
            elif kind == "dns":
                self._recall_answer(*values)
            elif kind in ("exec", "round"):
                self._untold.recall(kind, values, lambda slot: int(kernel.slots[slot]["told"]))
        for row in self._untold.again():
            o = self.replicas.get(row.slot)
            if o is not None and o.generation == row.generation:
                self._count_exec(o, row)

    def _recall_seat(self, kernel: Kernel, slot: int, generation: int, cgroup: int, path: str, time: int) -> None:
        row = kernel.slots[slot] if slot < len(kernel.slots) else None
        if row is not None and int(row["cgroup"]) == cgroup and int(row["generation"]) == generation:
            self.seat(slot, generation, cgroup, path, max(time, int(row["told"])))

    def _recall_answer(
        self, slot: int, generation: int, name: str, addresses: list[str], ttl: float, time: float
    ) -> None:
        o = self.replicas.get(slot)
        if o is not None and o.generation == generation:
            o.book.learn(dns.Answer(name, tuple(addresses), ttl), time)

    def opened(self) -> Iterator[tuple[Observed, str]]:
        """Every file that is remembered, with the replica that opened it."""
        for row in self._files.values():
            o = self.replicas.get(row.slot)
            if o is not None and o.generation == row.generation:
                yield o, str(row.data.get("path", ""))

    def kept(self) -> list[list[Any]]:
        """What of the memory is still true, to begin a new one with."""
        seats = [
            ["seat", o.slot, o.generation, o.replica.cgroup, o.path, 0] for o in self.replicas.values()
        ]  # time 0: the kernel's `told` says from when on
        rows = [
            [kind, n, r.slot, r.generation, r.behaviour, r.event, r.data]
            for kind, table in (("file", self._files), ("flow", self._flows))
            for n, r in table.items()
        ]
        told = [["dns", o.slot, o.generation, *answer] for o in self.replicas.values() for answer in o.book.kept()]
        server_names = (["sni", n, name] for n, name in self._server_names.items())
        return [*seats, *rows, *told, *server_names, *self._untold.kept()]


def _ends(row: np.void) -> dict[str, Any]:
    """Both ends of a connection to a receiver of ours, as the receiver's socket has them; the dialler's first."""
    theirs, ours = (struct.pack("<QQ", int(row[low]), int(row[high])) for low, high in (("image", "a"), ("b", "c")))
    ports = int(row["tid"])
    return {"address": names.address(theirs), "port": ports >> 16, "to": names.address(ours), "to_port": ports & 0xFFFF}


def _in_order(batch: Batch) -> list[np.void]:
    """Records of all rings but seats and trigrams, as they happened: what one means depends on those before it."""
    facts = batch.facts[batch.facts["kind"] != abi.GRAM]
    paths = batch.paths[batch.paths["kind"] != abi.SEAT]
    return sorted((row for part in (facts, paths, batch.execs, batch.payloads) for row in part), key=_moment)


def _moment(row: np.void) -> tuple[int, bool]:
    return int(row["time"]), int(row["kind"]) != abi.FOUND


def _text(path: np.void) -> bytes:
    return bytes(path["text"])[: int(path["length"])]


def _path(row: np.void) -> str:
    """A path that the kernel side could not follow to its root begins with `…`."""
    return names.path(_text(row["path"]), cut=bool(int(row["flags"]) & abi.CUT_PATH))


def _executable(row: np.void) -> str:
    """Path of an exec; an anonymous file is named `memfd:…` as /proc does."""
    path = _path(row)
    return path.removeprefix("/") if int(row["flags"]) & abi.IS_MEMFD else path


def _script(row: np.void) -> str:
    """Path of the script, where the program that runs is its interpreter."""
    name = bytes(row["script"])[: int(row["script_bytes"])].partition(b"\0")[0]
    return names.script(name, _text(row["cwd"]), cut=bool(int(row["flags"]) & abi.CUT_CWD)) if name else ""


def _status(status: int) -> dict[str, int]:
    """Exit code or signal from a status as wait(2) gives it."""
    return {"signal": status & 0x7F} if status & 0x7F else {"code": status >> 8 & 0xFF}


def _same_owner(fact: np.void, row: np.void) -> bool:
    """Whether a row is still the one that a fact points at, and not another replica's by now."""
    return all(int(fact[m]) == int(row[m]) for m in ("slot", "generation", "image"))


def _exec_data(row: np.void, path: str, *, redact: bool) -> dict[str, Any]:
    flags = int(row["flags"])
    raw = bytes(row["argv"])[: int(row["argv_bytes"])].rstrip(b"\0").split(b"\0")
    argv = [a.decode("utf-8", "backslashreplace") for a in raw]
    if redact:
        argv = secrets.redacted(argv, cut=bool(flags & abi.CUT_ARGV))
    return {
        "path": names.escaped(path),
        "argv": " ".join(secrets.readable(names.escaped(a)) for a in argv),
        "cut": int(bool(flags & abi.CUT_ARGV)),
        "cwd": names.escaped(names.path(_text(row["cwd"]), cut=bool(flags & abi.CUT_CWD))),
        "pid": int(row["pid"]),
        "ppid": int(row["b"]),
        "uid": int(row["uid"]),
        "tty": int(bool(flags & abi.HAS_TTY)),
        "layer": "memfd" if flags & abi.IS_MEMFD else "",
    }


def _kind_of(behaviour: Behaviour) -> str:
    return "identity" if behaviour.startswith("identity:") else "open"


def _note(tally: Tally, event: str) -> None:
    if len(tally.evidence) < EVIDENCE and event not in tally.evidence:
        tally.evidence.append(event)


SOCKET = struct.Struct("<QIIIHBBB3xI16s8x")  # struct talk of bpf/network.c
