"""Events and windows of one workload to its items over time, bounded in every direction.

An end is told only when it is proven: the last process that had the item ended or became another program, or the replica
went. Where that cannot be known an item stays, with the time at which it was last seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from classifier.envelope.state import stored
from classifier.inventory.applayer import KINDS as SAID
from classifier.inventory.content import EDITED, of_file, read_file
from classifier.inventory.coverage import Stands
from classifier.inventory.feed import Feed
from classifier.inventory.items import Holding, StockItem, who
from classifier.inventory.kinds import KINDS, PACKAGES, PROCESS, UNKNOWN
from classifier.inventory.lives import Life
from classifier.inventory.reading import of_event, used
from classifier.inventory.servers import stem
from classifier.inventory.sighting import Sighting
from wire.records import Event, Identity, Replica, Use, Window

LIVES = 128  # replicas of a workload that are known one by one
HOLDINGS = 20_000  # items times replicas
AWAITED = 256  # events whose digest may still come


@stored
@dataclass(slots=True)
class Stock:
    """The inventory of one workload."""

    items: dict[str, StockItem] = field(default_factory=dict)
    lives: dict[Replica, Life] = field(default_factory=dict)
    full: dict[str, int] = field(default_factory=dict)  # kind → sightings for which there was no room
    folded: float = float("-inf")  # seconds; of replicas that ended before, only the union of their spans is kept
    dropped: float = float("-inf")  # seconds; items last seen before may be missing
    awaited: dict[str, str] = field(default_factory=dict)  # id of an event → item
    feed: Feed = field(default_factory=Feed)
    stands: Stands = field(default_factory=Stands)

    # records --------------------------------------------------------------------------------------------------------

    def note(self, event: Event, identity: Identity | None, linger: float) -> None:
        """An event. `linger`: seconds for which an item that is used now and then counts as there."""
        self._settle(event.time, linger)
        life = self._life(event.replica, identity, event.time)
        if life is None:
            return
        pid = _pid(event.data.get("pid"))
        if event.kind == "fork":
            life.fork(_pid(event.data.get("ppid")), pid)
            return
        if event.kind == "digest":
            self._digest(event)
            return
        if event.kind == "coverage":
            self.stands.note(event)
            return
        if event.kind == "content":
            self._content(life, event, linger)
            return
        if event.kind in SAID and not self.feed.take(event):
            return  # it was seen as well, or may be
        sightings = of_event(event)
        if event.kind == "exec":
            sightings = self._became(life, pid, event, sightings)
        elif event.kind == "exit":
            self._left(life, life.leave(pid), event.time)
            self.stands.ended(life.replica, event.time, pid)
        for sighting in sightings:
            self._see(life, sighting, event, pid, linger)

    def observe(self, window: Window, identity: Identity | None, linger: float, patience: float = float("inf")) -> None:
        """A window. `patience`: seconds after which a replica that is active should have told of itself again."""
        self._settle(window.end, linger)
        life = self._life(window.replica, identity, window.start)
        if life is None:
            return
        life.heard(window.start, window.end)
        if window.partial:
            life.blind(window.start, window.end)
        found = used(window.uses)
        for use, sighting in found:
            self._used(life, sighting, use, window, linger)
        if window.uses:
            self.feed.runs(window.replica, window.end, calls=self._asks(window, found), patience=patience)

    def _asks(self, window: Window, found: list[tuple[Use, Sighting]]) -> bool:
        """Whether a window shows talk with a model's endpoint: a known one, or one that the workload has named."""
        if window.replica not in self.feed.last:
            return False
        if any(s.kind == "model" and u.behaviour.startswith("egress:") for u, s in found):
            return True
        hosts = {i.place for i in self.items.values() if i.kind == "model" and i.place}
        return any(u.behaviour.startswith("egress:") and _host(u.behaviour) in hosts for u in window.uses)

    def end(self, replica: Replica, time: float) -> None:
        """The replica's cgroup went."""
        life = self.lives.get(replica)
        if life is None or life.end is not None:
            return
        life.close(time)
        self.feed.ended(replica, time)
        self.stands.ended(replica, time)
        for item in self.items.values():
            item.close(replica, time)

    def blind(self, node: str, start: float, end: float) -> None:
        """Nobody looked at a node."""
        for life in self.lives.values():
            if life.replica.node == node and (life.end is None or life.end > start) and life.start < end:
                life.blind(start, end)

    def adopt(self, other: Stock) -> None:
        """What a replica did before anybody named its owner is the owner's; `other` is not used afterwards."""
        for replica, life in other.lives.items():
            self.lives.setdefault(replica, life)
        for key, item in other.items.items():
            own = self.items.setdefault(key, item) if key in self.items or self._room(item.kind) else None
            if own is None:
                self.full[item.kind] = self.full.get(item.kind, 0) + 1
            elif own is not item:
                own.take(item)
        self.feed.adopt(other.feed)
        self.stands.adopt(other.stands)
        for event, key in other.awaited.items():
            self._await(event, key)
        self.folded, self.dropped = max(self.folded, other.folded), max(self.dropped, other.dropped)
        self._tidy(True)

    # sightings ------------------------------------------------------------------------------------------------------

    def _settle(self, time: float, linger: float) -> None:
        """Calls that were told, and that nobody saw in time, are evidence."""
        for event in self.feed.due(time):
            life = self.lives.get(event.replica)
            for sighting in of_event(event) if life is not None else ():
                self._see(life, sighting, event, 0, linger)

    def _see(self, life: Life, sighting: Sighting, event: Event, pid: int, linger: float) -> None:
        item = self._item(sighting, event.time)
        if item is None:
            return
        item.learn(sighting, event.time, event.time, (event.id,))
        new = life.replica not in item.held
        holding = item.begin(life.replica, event.time, event.time, linger)
        if life.end is None:
            holding.resume(event.time)
        else:  # it comes late
            item.close(life.replica, life.end)
        who(holding, event.data, (event.id,))
        if sighting.lasts == PROCESS and pid and life.end is None:
            life.hold(pid, sighting.key)
        if sighting.kind not in PACKAGES:
            self._await(event.id, sighting.key)
        self._tidy(new)

    def _used(self, life: Life, sighting: Sighting, use: Use, window: Window, linger: float) -> None:
        start = use.first if window.start <= use.first <= window.end else window.start
        item = self._item(sighting, start)
        if item is None:
            return
        known = item.held.get(life.replica)
        if sighting.kind == "mcp" and known is None and self._spelled(life, sighting):
            return
        item.learn(sighting, item.first if known else start, window.end, use.evidence)
        item.count += use.count
        item.bytes_out += use.bytes_out
        item.bytes_in += use.bytes_in
        holding = item.begin(life.replica, max(start, known.start) if known else start, window.end, linger)
        who(holding, use.data, use.evidence)
        if life.end is not None:
            item.close(life.replica, life.end)
        elif _again(holding, use, window):
            holding.resume(window.start)
        self._tidy(known is None)

    def _became(self, life: Life, pid: int, event: Event, sightings: tuple[Sighting, ...]) -> tuple[Sighting, ...]:
        """A process became another program: it drops what it had, unless this is one more step of one server's start."""
        same = self._steps(life, pid, event, sightings) if sightings else set()
        self._left(life, life.leave(pid, same), event.time)
        for key in sorted(same):
            life.hold(pid, key)
            self.items[key].last = max(self.items[key].last, event.time)
        return () if same else sightings

    def _steps(self, life: Life, pid: int, event: Event, sightings: tuple[Sighting, ...]) -> set[str]:
        """Servers of which an exec is one more step, e.g. the program that `npx` has fetched."""
        own = life.pids.get(pid) or life.pids.get(_pid(event.data.get("ppid"))) or frozenset()
        servers = {stem(self.items[k].name): k for k in sorted(own) if k in self.items and self.items[k].kind == "mcp"}
        return {servers[stem(s.name)] for s in sightings if stem(s.name) in servers}

    def _left(self, life: Life, keys: list[str], time: float) -> None:
        for key in keys:
            if key in self.items:
                self.items[key].close(life.replica, time)

    def _spelled(self, life: Life, sighting: Sighting) -> bool:
        """Whether a server is known by another spelling already: a window has no command line."""
        found = [i for i in self.items.values() if i.kind == "mcp" and life.replica in i.held]
        return any(stem(i.name) == stem(sighting.name) for i in found)

    def _digest(self, event: Event) -> None:
        """The digest of a file has the id of the event that named the file, and a `d`."""
        item = self.items.get(self.awaited.pop(event.id.removesuffix("d"), ""))
        for name in ("sha256", "layer"):
            value = event.data.get(name)
            if item is not None and isinstance(value, str):
                item.say(name, value)

    def _content(self, life: Life, event: Event, linger: float) -> None:
        """What stands in a file: of weights it is noted, of a file that steers it is the version."""
        key = self.awaited.get(str(event.data.get("of", "")), "")
        item = self.items.get(key)
        if item is None:
            return
        if item.kind not in EDITED:
            read_file(item, event.data)
            return
        sighting = of_file(item, event.data)
        if sighting is None:
            return
        for other in self._versions(item):
            if other.version != sighting.version:
                other.close(life.replica, event.time)
        self._see(life, sighting, event, 0, linger)

    def _versions(self, item: StockItem) -> list[StockItem]:
        """What was known to stand in the same file."""
        same = (item.kind, item.name, item.place)
        return [i for i in self.items.values() if (i.kind, i.name, i.place) == same and i.version != UNKNOWN]

    def _await(self, event: str, key: str) -> None:
        """An event whose file may be told of later."""
        self.awaited[event] = key
        if len(self.awaited) > AWAITED:
            del self.awaited[next(iter(self.awaited))]

    # bounds ---------------------------------------------------------------------------------------------------------

    def _life(self, replica: Replica, identity: Identity | None, time: float) -> Life | None:
        """The life of a replica; None where too many others run."""
        life = self.lives.get(replica) or self._born(replica, identity, time)
        if life is not None:
            life.revision = (identity.revision if identity is not None else None) or life.revision
            life.start, life.last = min(life.start, time), max(life.last, time)
        return life

    def _born(self, replica: Replica, identity: Identity | None, time: float) -> Life | None:
        if len(self.lives) >= LIVES and all(other.end is None for other in self.lives.values()):
            self.full["replicas"] = self.full.get("replicas", 0) + 1
            return None
        observed = identity is not None and identity.startup_observed
        if identity is not None:
            replica = identity.replica  # an object less
        life = self.lives[replica] = Life(replica, None, time, time, observed)
        life.end = identity.ended if identity is not None else None
        self._tidy(True)
        return life

    def _item(self, sighting: Sighting, time: float) -> StockItem | None:
        """The item of a sighting, new or known; None where there is no room for a new one."""
        item = self.items.get(sighting.key)
        if item is not None:
            return item
        if not self._room(sighting.kind):
            self.full[sighting.kind] = self.full.get(sighting.kind, 0) + 1
            return None
        s = sighting
        item = StockItem(s.kind, s.name, s.version, s.basis, s.version_basis, s.place, s.lasts, time, time)
        self.items[s.key] = item
        return item

    def _room(self, kind: str) -> bool:
        """Whether a kind has room; what ended longest ago makes it."""
        if len(self.items) < KINDS[kind].limit:
            return True
        own = [k for k, i in self.items.items() if i.kind == kind]
        if len(own) < KINDS[kind].limit:
            return True
        gone = min(((self.items[k].gone, k) for k in own if not self.items[k].open), default=None)
        if gone is None:
            return False
        self.dropped = max(self.dropped, gone[0])
        del self.items[gone[1]]
        return True

    def _tidy(self, grown: bool) -> None:
        """Fold the replicas that ended first until there is room."""
        while grown and (len(self.lives) > LIVES or self._holdings() > HOLDINGS):
            ended = [life for life in self.lives.values() if life.end is not None]
            if not ended:
                return
            oldest = min(ended, key=lambda life: (life.last, life.replica))
            del self.lives[oldest.replica]
            self.folded = max(self.folded, oldest.last)
            for item in self.items.values():
                item.fold(oldest.replica, oldest.last)

    def _holdings(self) -> int:
        bound = len(self.lives) * len(self.items)
        return sum(len(i.held) for i in self.items.values()) if bound > HOLDINGS else bound


def _host(egress: str) -> str:
    """`egress:tcp:HOST:PORT` without the rest."""
    return egress.partition(":")[2].partition(":")[2].rpartition(":")[0]


def _pid(value: object) -> int:
    return value if isinstance(value, int) else 0


def _again(holding: Holding, use: Use, window: Window) -> bool:
    """Whether a use may be younger than the end of what used the item before; told once too often is the lesser harm.

    An open in the window of the end is not the one that the item began with, unless it began in that window, too.
    """
    if holding.until is None or window.start >= holding.until:
        return holding.until is not None
    more = use.count > 1 or holding.start < window.start
    return holding.until < window.end and more and not use.behaviour.startswith("exec:")
