"""The classifier daemon: receives, journals, acknowledges, feeds, answers.

Two threads matter. One takes frames from the sensors' socket to the journal and the pipeline; it waits for the store when
that cannot write, so the sensors keep what was not accepted. The other runs the event loop with everything that answers:
control socket, receiver of deploy events, metrics, folder, systemd's watchdog, signals.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import structlog
from aiohttp import web

from classifier.arenas import give_back
from classifier.control import Control
from classifier.core import Core, frames_of
from classifier.deploys.folder import Folder
from classifier.deploys.http import Intake
from classifier.deploys.inside import turn_containers_away
from classifier.deploys.senders import Senders
from classifier.deploys.signing import KeysError, load_keys
from classifier.deploys.systemd import Units
from classifier.logs import configure_logs
from classifier.metrics import Metrics
from classifier.notify import notify, watchdog_period
from classifier.otlp.http import Receiver as Telemetry
from classifier.privileges import PrivilegeError, drop_privileges, ids
from classifier.settings import ClassifierSettings
from classifier.store.store import NotNow, Store, StoreError
from wire.receiver import Delivery, Peer, Receiver, listen
from wire.trace import TraceError

RETRY = 0.5  # seconds between attempts to write
POLL = 0.2  # seconds that the bus thread waits for frames
STUCK = 20.0  # seconds without a turn of the bus thread after which the watchdog is not fed
ATTEND_PERIOD = 1.0  # seconds between looks of the attendant
FOLDER_PERIOD = 1.0  # seconds between looks at the folder
TELEMETRY_PERIOD = 1.0  # seconds between looks at calls that wait for their other part
FATAL = (StoreError, PrivilegeError, TraceError, KeysError, OSError)


class Attendant(Protocol):
    """Somebody who looks at the classifier from time to time, such as the writer of an audit trail."""

    def look(self, now: float) -> None: ...
    def note(self, told: Mapping[str, Any], now: float) -> str: ...
    def close(self, now: float) -> None: ...


class Service:
    """One classifier. `run` returns its exit code: 0 stopped, 3 cannot work here.

    Args:
        reload: gives the settings anew on SIGHUP; only keys and logs follow them.
        attend: makes an attendant once the store is open; what it raises ends the service, but for NotNow: then again.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: ClassifierSettings,
        *,
        reload: Callable[[], ClassifierSettings] | None = None,
        attend: Callable[[Core, float], Attendant] | None = None,
        clock: Callable[[], float] = time.time,  # noqa: TID251  the daemon reads the clock
    ):
        self.settings, self._reload, self._clock = settings, reload, clock
        self._log = structlog.get_logger("driftline.classifier")
        self._stopping = threading.Event()
        self._turned = time.monotonic()
        self._runners: list[web.AppRunner] = []
        self._attend = attend
        self._attendant: Attendant | None = None
        self._attending = threading.Lock()  # a look that was cancelled still runs to its end in its thread
        self._code = 0

    def run(self) -> int:
        """Work until SIGTERM or SIGINT."""
        give_back()
        configure_logs()
        try:
            return asyncio.run(self._main())
        except FATAL as e:
            self._log.error("cannot work", reason=str(e))
            return int(getattr(e, "exit_code", 3))

    async def _main(self) -> int:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop.set)
        sockets = self._open()
        drop_privileges(self.settings.user)
        core = await self._core()
        if core is None:
            return 0
        try:
            await self._serve(core, sockets)
        finally:
            await self._end(core)
        return self._code

    # start ----------------------------------------------------------------------------------------------------------

    def _open(self) -> dict[str, Any]:
        """Everything that may need privileges."""
        s = self.settings
        s.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if s.user is not None and os.geteuid() == 0:
            _give(s.state_dir, ids(s.user))
        self._group = grp.getgrnam(s.socket_group).gr_gid if s.socket_group else None
        for folder in {s.socket_path.parent, s.control_path.parent}:
            if not folder.exists():  # a unit's is made by the service manager
                folder.mkdir(mode=0o750, parents=True)
                os.chown(folder, ids(s.user)[0] if s.user else -1, -1 if self._group is None else self._group)
        self._keys = load_keys(s.keys_file)
        uids = tuple({*s.sensor_uids, os.getuid(), *([ids(s.user)[0]] if s.user else ())})
        self._receiver = Receiver(s.socket_path, known=self._known, uids=uids, group=self._group, log=self._peer_said)
        sockets: dict[str, Any] = {"control": listen(s.control_path, group=self._group)}
        for name, address in (("http", s.http_address), ("metrics", s.metrics_address), ("otlp", s.otlp_address)):
            if address is not None:
                sockets[name] = _listen_tcp(address)
        if s.user is not None and os.geteuid() == 0:
            for path in (s.socket_path, s.control_path):
                os.chown(path, ids(s.user)[0], -1)
        return sockets

    async def _core(self) -> Core | None:
        """The store and what it held; waits for room on a full disk. None: stopped meanwhile."""
        while not self._stop.is_set():
            try:
                return await asyncio.to_thread(self._restored)
            except NotNow as e:
                self._log.error("degraded", part="store", reason=str(e))
                notify(f"STATUS=waiting: {e}")
                await _pause(self._stop, RETRY)
        return None

    def _restored(self) -> Core:
        store = Store(self.settings.database, self.settings.retention)
        try:
            return Core(self.settings, store, self._log, time.monotonic)
        except BaseException:
            store.close()
            raise

    async def _serve(self, core: Core, sockets: dict[str, Any]) -> None:
        self._kept = core
        if self._attend is not None:
            try:
                self._attendant = await asyncio.to_thread(self._attend, core, self._clock())
            except NotNow as e:
                core.trouble("audit", str(e))
        self._loop.add_signal_handler(signal.SIGHUP, self._reloaded, core)
        await self._doors(core, sockets)
        self._bus = threading.Thread(target=self._receive, args=(core,), name="bus", daemon=True)
        self._bus.start()
        workers = [asyncio.create_task(w) for w in self._workers(core)]
        notify("READY=1")
        self._log.info("ready", socket=str(self.settings.socket_path), control=str(self.settings.control_path))
        await self._stop.wait()
        notify("STOPPING=1")
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _doors(self, core: Core, sockets: dict[str, Any]) -> None:
        senders = Senders(core.seen, dials=core.dials)
        self._intake = Intake(core, self.settings.http, self._keys, clock=self._clock, whose=senders)
        self._telemetry = Telemetry(core, self.settings.otlp, clock=self._clock, whose=senders)
        self._folder = Folder(self.settings.folder) if self.settings.folder else None
        self._units = Units(core.revision, core.store.noted("units") or {}) if self.settings.systemd else None
        control = Control(core, self._clock, lambda: self._health(core), self._group, self._note)
        refused = {"bus": self._receiver.refused, "http": self._intake.refused, "otlp": self._telemetry.refused}
        told = {"otlp": lambda: self._telemetry.intake.told} if self.settings.otlp_address is not None else {}
        questions = control.application()
        turn_containers_away(questions, senders, core, self._clock)
        await self._site(questions, sockets["control"])
        if "http" in sockets:
            await self._site(self._intake.application(), sockets["http"])
        if "otlp" in sockets:  # its bodies are unpacked by itself, within bounds
            await self._site(self._telemetry.application(), sockets["otlp"], auto_decompress=False)
        if "metrics" in sockets:
            await self._site(_metrics_app(Metrics(core, self._clock, refused, told)), sockets["metrics"])

    async def _site(self, app: web.Application, listener: Any, **more: Any) -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=30.0, **more)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        self._runners.append(runner)

    def _workers(self, core: Core) -> list[Coroutine[Any, Any, None]]:
        found = [self._beat(core)]
        if self._folder is not None:
            found.append(self._every(FOLDER_PERIOD, "folder", core, self._look_at_folder))
        if self.settings.otlp_address is not None:
            found.append(self._every(TELEMETRY_PERIOD, "otlp", core, lambda _: self._telemetry.intake.settle()))
        if self._units is not None and self.settings.systemd:
            found.append(self._every(self.settings.systemd, "systemd", core, self._look_at_units))
        if self._attend is not None:
            found.append(self._every(ATTEND_PERIOD, "audit", core, self._attended))
        return found

    # the bus thread -------------------------------------------------------------------------------------------------

    def _known(self, node: str, epoch: str) -> int:
        return self._kept.store.known(node, epoch)

    def _receive(self, core: Core) -> None:
        while not self._stopping.is_set():
            try:
                self._turned = time.monotonic()
                for delivery in self._receiver.poll(POLL):
                    self._take(core, delivery)
                core.turn()
            except StoreError as e:
                return self._fail(f"store: {e}")
            except Exception:
                self._log.exception("bus")
                self._stopping.wait(RETRY)
        return None

    def _take(self, core: Core, delivery: Delivery) -> None:
        """Try until it is kept: until then its sender hears nothing and is not read."""
        frames = list(frames_of(delivery.frames))
        while not self._stopping.is_set():
            self._turned = time.monotonic()
            try:
                core.accept(frames, lambda: self._receiver.ack(delivery))
            except NotNow:
                self._stopping.wait(RETRY)
            except BaseException:
                self._receiver.drop(delivery)
                raise
            else:
                return

    def _fail(self, why: str) -> None:
        self._log.error("cannot work", reason=why)
        self._code = 3
        self._loop.call_soon_threadsafe(self._stop.set)

    def _peer_said(self, text: str, peer: Peer) -> None:
        self._log.warning("sensor connection", what=text, pid=peer.pid, uid=peer.uid, node=peer.node)

    # workers --------------------------------------------------------------------------------------------------------

    async def _beat(self, core: Core) -> None:
        """Feed the watchdog while the bus thread turns."""
        period = watchdog_period() or 5.0
        while True:
            if time.monotonic() - self._turned < STUCK:
                troubles = "; ".join(f"{part}: {why}" for part, why in core.health.troubles.items())
                notify(f"WATCHDOG=1\nSTATUS={core.health.state}{': ' if troubles else ''}{troubles}")
            await asyncio.sleep(period)

    async def _every(self, seconds: float, part: str, core: Core, look: Callable[[Core], None]) -> None:
        while True:
            try:
                await asyncio.to_thread(look, core)
            except NotNow:
                self._log.info("later", part=part)  # what it saw is still there at the next look
            except Exception:
                self._log.exception("worker failed", part=part)
            await asyncio.sleep(seconds)

    def _look_at_folder(self, core: Core) -> None:
        assert self._folder is not None
        for found in self._folder.scan(self._clock()):
            for event in found.deploys:
                self._log.info("deploy event", source="folder", id=event.id, new=core.enter(event))
            if found.refused:
                core.refuse(self._clock(), "folder", found.refused, found.name)
                self._log.warning("deploy event refused", source="folder", file=found.name, reason=found.refused)
            self._folder.settle(found)
        core.watch("folder", self._folder.trouble)

    def _look_at_units(self, core: Core) -> None:
        assert self._units is not None
        observed = {name.removeprefix("unit:") for name in core.names() if name.startswith("unit:")}
        for event in self._units.look(observed, self._clock()):
            core.enter(event)
        core.remember("units", self._units.state)

    def _attended(self, core: Core) -> None:
        with self._attending:
            if self._attend is None or self._stopping.is_set():
                return
            if self._attendant is None:  # there was no room at the start
                try:
                    self._attendant = self._attend(core, self._clock())
                except FATAL as e:
                    return self._fail(f"audit: {e}")
            self._attendant.look(self._clock())

    def _note(self, told: Mapping[str, Any]) -> str | None:
        """Into the audit trail, where one is kept."""
        with self._attending:
            if self._attend is None:
                return None
            if self._attendant is None or self._stopping.is_set():
                raise NotNow("the audit trail is not open")
            return self._attendant.note(told, self._clock())

    # signals and the end --------------------------------------------------------------------------------------------

    def _reloaded(self, core: Core) -> None:
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            if self._reload is not None:
                self.settings = self._reload()
            self._intake.keys = load_keys(self.settings.keys_file)
        except (KeysError, OSError, ValueError) as e:
            self._log.error("reload failed; what held before still holds", reason=str(e))
        else:
            self._log.info("reloaded", keys=len(self._intake.keys))
        notify("READY=1")

    async def _end(self, core: Core) -> None:
        self._stopping.set()
        for runner in self._runners:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(runner.cleanup(), 1.0)
        if hasattr(self, "_telemetry"):
            await asyncio.to_thread(self._telemetry.intake.settle, all_of_it=True)
        bus = getattr(self, "_bus", None)
        if bus is not None:
            await asyncio.to_thread(bus.join, 2.0)
        self._receiver.close()
        if self._attendant is not None:
            await asyncio.to_thread(self._dismiss, self._attendant)
        await asyncio.to_thread(core.close, within=self.settings.stop_within / 3)
        self._log.info("stopped")

    def _dismiss(self, attendant: Attendant) -> None:
        with self._attending:
            try:
                attendant.close(self._clock())
            except Exception:
                self._log.exception("worker failed", part="audit")

    def _health(self, core: Core) -> dict[str, Any]:
        peers = list(self._receiver.peers.values())
        spots = [self._units.blind_spot] if self._units is not None and self._units.blind_spot else []
        return {
            "state": core.health.state,
            "troubles": dict(core.health.troubles),
            "blind_spots": spots,
            "lag": self._clock() - core.last_tick if core.last_tick else None,  # seconds
            "sensors": [{"node": p.node, "pid": p.pid, "uid": p.uid, "accepted": p.last} for p in peers],
            "otlp": self._telemetry.told if self.settings.otlp_address is not None else None,
            "counters": core.counters() | ({"folder_stuck": self._folder.stuck} if self._folder is not None else {}),
        }


def _give(path: Any, owner: tuple[int, int]) -> None:
    for place in (path, *path.iterdir()):
        os.chown(place, *owner, follow_symlinks=False)


def _listen_tcp(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    return socket.create_server(address, family=family, backlog=64)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _metrics_app(metrics: Metrics) -> web.Application:
    async def page(_: web.Request) -> web.Response:
        body = await asyncio.to_thread(metrics.page)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.add_routes([web.get("/metrics", page)])
    return app
