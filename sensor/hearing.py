"""Everything of the sensor that concerns agents, as its loop sees it: who is one, and what each source hears of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from sensor.ears import Source
from sensor.listening import Listening
from sensor.observe.agents import Agents
from sensor.observe.applayer.told import Teller
from sensor.observe.observer import Observer
from sensor.observe.replicas import Observed
from sensor.probes.kernel import Kernel
from wire.records import Event, Identity, ProbeState, Replica

LIBRARY = re.compile(r"/lib(?:ssl|python)[^/]*\.so|\.abi3\.so$")  # opened, it may bring TLS


class Hearing:
    """The agents, and one `Listening` for each source."""

    def __init__(
        self,
        agents: Agents,
        sources: Sequence[Source],
        observer: Observer,
        kernel: Kernel,
        *,
        node: str,
        epoch: str,
        to_time: Callable[[int], float],
        directory: Callable[[Replica], Path | None],
    ) -> None:
        self.agents = agents
        self.sources = [
            Listening(
                source,
                agents,
                observer,
                kernel,
                teller=Teller(node=node, epoch=epoch, mark=source.mark),
                to_time=to_time,
                directory=directory,
            )
            for source in sources
        ]

    @property
    def rest(self) -> float:
        """Seconds that the loop may wait."""
        return min((s.rest for s in self.sources), default=1.0)

    @property
    def states(self) -> tuple[ProbeState, ...]:
        """For the head of the stream, as far as it is known."""
        return tuple(state for s in self.sources if (state := s.state) is not None)

    def opened(self, o: Observed, path: str, pid: int) -> None:
        """A file that is new to a replica: code of an agent, or a library that brings TLS."""
        self.agents.opened(o.replica, path)
        if LIBRARY.search(path):
            for source in self.sources:
                source.hint(o.replica, pid)

    def identified(self, identity: Identity, label: bool | None) -> None:
        """Whose a replica is, and what a label says of it."""
        self.agents.named(identity.replica, identity.workload, label)

    def see(self, event: Event) -> None:
        """A fact of the kernel."""
        for source in self.sources:
            source.see(event)

    def poll(self, now: int) -> Iterator[Event]:
        """What was said since the last time."""
        return chain.from_iterable(source.poll(now) for source in self.sources)

    def tell_losses(self) -> None:
        """Puts what was lost into the windows that are about to be made."""
        for source in self.sources:
            source.tell_losses()

    def ended(self, replica: Replica, now: int) -> Iterator[Event]:
        """A replica is no more; what it said last."""
        self.agents.forget(replica)
        return chain.from_iterable([source.forget(replica, now) for source in self.sources])

    def forget(self, replica: Replica) -> None:
        """Of an ended one, what came late."""
        self.agents.forget(replica)

    def health(self) -> dict[str, float]:
        """Numbers for metrics."""
        return {name: value for source in self.sources for name, value in source.health().items()}

    def close(self, now: int) -> Iterator[Event]:
        """Lets go of everything; what was under way."""
        return chain.from_iterable([source.close(now) for source in self.sources])
