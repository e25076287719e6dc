"""What was run, beyond its path: which layer the file lies in, and its digest. Off the hot path, once per replica and exec.

Execs become `digest` events, whose id is that of the exec with a `d` behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from sensor.observe.digest import Digester
from sensor.observe.layers import layer_of
from sensor.observe.once import Once
from wire.records import Event, Replica

LIMIT = 65536  # (replica, behaviour) pairs remembered


class Binaries:
    """`see` takes exec events, `poll` returns what is known of them by now."""

    def __init__(self, cgroup_of: Callable[[Replica], Path | None], *, digest: bool = True) -> None:
        self._cgroup_of = cgroup_of
        self._digester = Digester() if digest else None
        self._seen = Once(LIMIT)
        self._asked: dict[str, Event] = {}
        self.refused = 0  # questions that found the queue full

    def see(self, event: Event) -> None:
        """Asks for the digest of an exec that is new to its replica; the layer is read while the process lives."""
        if self._digester is None or not self._seen.is_new(event.replica, event.behaviour):
            return
        self._seen.add(event.replica, event.behaviour)
        pid, path = int(event.data["pid"]), str(event.data["path"])
        layer = layer_of(pid, path)
        found = replace(event, id=f"{event.id}d", kind="digest", data={"path": path, "layer": layer, "pid": pid})
        if self._digester.ask(found.id, pid, path, self._cgroup_of(event.replica)):
            self._asked[found.id] = found
        else:
            self.refused += 1

    def poll(self) -> Iterator[Event]:
        """Answers since the last time: `sha256`, or `unread` with the reason why there is none."""
        for key, answer in self._digester.poll() if self._digester else ():
            asked = self._asked.pop(str(key), None)
            if asked is not None:
                name = "sha256" if len(answer) == 64 else "unread"
                yield replace(asked, data={**asked.data, name: answer})

    def forget(self, replica: Replica) -> None:
        """A replica has ended."""
        self._seen.forget(replica)

    def close(self) -> None:
        if self._digester is not None:
            self._digester.close()
