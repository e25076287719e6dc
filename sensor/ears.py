"""Ways to listen to what agents say, each made when the first agent is there: imports, a compile, memory.

The kernel's part is made in a thread, for compiling takes a second in which the rings must be read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sensor.probes.client import ProbeError
from wire.redact import Policy, Sealed

log = logging.getLogger("driftline.sensor")

DESCRIPTORS = 1 << 16  # ten for each process that is attached to
NICE = -10
HELD = 96 << 20  # bytes of conversations that are under way, of the 512 MiB that the unit allows
HELD_OF_PIPES = 32 << 20
NOT_ON_PIPES = (
    "reads by io_uring and by 32-bit calls",
    "MCP over named pipes and sockets with names",
    "a conversation whose readers are in no watched cgroup",
)


class Ear(Protocol):
    """Reads what the processes of watched workloads say; see `sensor/observe/plaintext/capture.py`."""

    @property
    def wake(self) -> int: ...

    def watch(self, cgroup: int, directory: Path, now: int) -> bool: ...

    def forget(self, cgroup: int, now: int) -> list[Any]: ...

    def hints(self, pids: set[int], now: int) -> None: ...

    def hello(self, pid: int) -> None: ...

    def poll(self, now: int) -> list[Any]: ...

    def coverage(self) -> list[Any]: ...

    def losses(self) -> dict[int, Any]: ...

    def health(self) -> dict[str, float]: ...

    def close(self, now: int) -> list[Any]: ...

    def release(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """One way to listen."""

    name: str  # as in events, "tls" or "stdio"
    mark: str  # of the ids of its events
    misses: str  # what is not seen where it cannot be had
    make: Callable[[], Ear]  # raises ProbeError
    blind: tuple[str, ...] = ()  # what is not seen where it can be had


ONE = threading.Lock()  # a compiler takes 135 MB for two seconds, so one at a time


class Making:
    """The kernel's part, while a thread makes it."""

    def __init__(self, make: Callable[[], Ear]) -> None:
        self.done, self.refused = False, ""
        self.ear: Ear | None = None
        self._abandoned, self._lock = False, threading.Lock()
        threading.Thread(target=self._run, args=(make,), name="listening", daemon=True).start()

    def _run(self, make: Callable[[], Ear]) -> None:
        prepare()
        ear, refused = None, ""
        try:
            with ONE:
                ear = make()
        except (ProbeError, OSError) as e:  # the scope may have gone meanwhile
            refused = str(e)
        except Exception:
            log.exception("listening to agents failed")
            refused = "a fault of this sensor; see its log"
        with self._lock:
            if self._abandoned and ear is not None:
                ear.release()
            else:
                self.ear, self.refused, self.done = ear, refused, True

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._abandoned = True
            if self.ear is not None:
                self.ear.release()
                self.ear = None


def prepare() -> None:
    """From now on prompts are in memory: no core of this process is written. And attaching takes descriptors."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def rise() -> None:
    """Puts the thread that reads before others of the machine, where it may: behind ten processes of agents that write a megabyte
    each, a ring of half a second is full before its reader has its turn. The unit has this from `Nice`, without the capability."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(os.getpriority(os.PRIO_PROCESS, 0), NICE))


def tls(scope: Path, to_time: Callable[[int], float], policy: Policy, sealed: Sealed | None) -> Source:
    """Plaintext of TLS, redacted by `policy`; `sealed` gets every whole text before."""

    def make() -> Ear:
        from sensor.observe.applayer.decoder import Decoder  # with its parsers of HTTP/2, brotli and zstd
        from sensor.observe.applayer.limits import Limits
        from sensor.observe.plaintext.capture import Capture
        from sensor.probes.tls import TlsKernel

        return Capture(TlsKernel(scope), Decoder(Limits(total=HELD), policy, sealed), to_time)

    return Source("tls", "t", "model and tool calls inside TLS", make)


def stdio(scope: Path, to_time: Callable[[int], float], pins: Path, policy: Policy, sealed: Sealed | None) -> Source:
    """MCP over pipes and socketpairs; `pins` are those of the sensor's own probes, the rest is as for TLS."""

    def make() -> Ear:
        from sensor.observe.applayer.decoder import Decoder
        from sensor.observe.applayer.limits import Limits
        from sensor.observe.stdio.capture import Capture
        from sensor.probes.stdio import StdioKernel

        return Capture(StdioKernel(scope, host=pins), Decoder(Limits(total=HELD_OF_PIPES), policy, sealed), to_time)

    return Source("stdio", "s", "MCP over pipes and socketpairs", make, NOT_ON_PIPES)
