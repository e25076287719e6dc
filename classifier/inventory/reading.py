"""Events and uses to sightings: which reader looks at what."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from classifier.classes.facts import LAUNCHER
from classifier.envelope.lineage import base
from classifier.inventory import applayer
from classifier.inventory.assets import of_asset
from classifier.inventory.packages import of_package, of_record
from classifier.inventory.peers import of_identity, of_peer
from classifier.inventory.servers import of_exec
from classifier.inventory.sighting import Sighting
from classifier.inventory.weights import of_weights
from wire.records import Event, Use

PATHS = 1024  # characters of a path that are looked at


def of_event(event: Event) -> tuple[Sighting, ...]:
    """What an event shows."""
    if event.kind in applayer.KINDS:
        return tuple(applayer.of_call(event.kind, event.data))
    if event.kind == "package":
        return _some(of_record(event.data))
    path, argv = event.data.get("path"), event.data.get("argv")
    if event.behaviour is None:  # a further file of a known behaviour
        return _some(_opened(path[:PATHS])) if event.kind == "open" and isinstance(path, str) else ()
    return of_behaviour(event.behaviour, path if isinstance(path, str) else "", argv if isinstance(argv, str) else "")


def of_use(use: Use) -> tuple[Sighting, ...]:
    """What a use of a window shows: the same without a command line and without the process."""
    path = use.data.get("path")
    return _of_name(use.behaviour, path[:PATHS] if isinstance(path, str) else "")


def of_behaviour(behaviour: str, path: str, argv: str) -> tuple[Sighting, ...]:
    """What a behaviour shows; without a path of its own, that in its name stands in."""
    if not argv or not behaviour.startswith("exec:"):
        return _of_name(behaviour, path[:PATHS])
    return _run(behaviour, path, argv)


def _run(behaviour: str, path: str, argv: str) -> tuple[Sighting, ...]:
    rest = behaviour.partition(":")[2]
    program, _, caller = rest.partition("<")
    if LAUNCHER.match(base(caller)):
        return ()  # the workload itself, whatever it is called
    return _some(of_exec((path or program)[:PATHS], argv[: 8 * PATHS]))


@lru_cache(maxsize=4096)  # paths of workloads are long, so no more of them
def _of_name(behaviour: str, path: str) -> tuple[Sighting, ...]:
    """What is told without a command line."""
    kind, _, rest = behaviour.partition(":")
    if kind == "exec":
        return _run(behaviour, path, "")
    if kind == "egress":
        return _some(of_peer(behaviour))
    if kind == "identity":
        return _some(of_identity(behaviour))
    if kind == "open":
        return _some(_opened((path or rest.partition(":")[2])[:PATHS]))
    if kind == "write":  # a model that is written is not loaded; a store is a store
        found = of_asset((path or rest.partition(":")[2])[:PATHS])
        return _some(found) if found is not None and found.kind == "data" else ()
    return ()


def _opened(path: str) -> Sighting | None:
    return next((s for reader in (of_weights, of_package, of_asset) if (s := reader(path)) is not None), None)


def _some(found: Sighting | None) -> tuple[Sighting, ...]:
    return (found,) if found is not None else ()


def used(uses: Iterable[Use]) -> list[tuple[Use, Sighting]]:
    """Every use that shows an item."""
    return [(use, sighting) for use in uses for sighting in of_use(use)]
