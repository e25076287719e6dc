"""`driftline sensor`. Loads nothing that the sensor itself does not need: its memory is bounded."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Any

import click

from console.cli.configured import SECONDS, settings
from console.cli.privilege import need_root

if TYPE_CHECKING:
    from sensor.settings import SensorSettings
    from sensor.stopping import Stop

log = logging.getLogger("driftline.sensor")


@click.command()
@click.option("--scope", metavar="CGROUP", help="Observe only this cgroup and what is below it.")
@click.option("--interval", type=SECONDS, help="Seconds between windows.")
@click.option("--socket", type=click.Path(), help="Socket of the classifier.")
@click.option("--name", help="Name of this instance.")
@click.option("--unload", is_flag=True, help="Take this instance's programs and maps out of the kernel, then exit.")
@click.pass_context
def sensor(ctx: click.Context, unload: bool, **wanted: Any) -> None:
    """Observe workloads in the kernel and send what they do to the classifier.

    \b
    Example:
      driftline sensor --scope /system.slice/agent.service --interval 5
    """
    need_root("taking programs out of the kernel" if unload else "observing the kernel")
    chosen = settings(ctx).sensor(**wanted)
    if unload:
        take_out(chosen)
        return
    from console.cli.service import log_to_stderr
    from sensor.stopping import Stop

    log_to_stderr()
    stop = Stop().listen()
    signal.signal(signal.SIGHUP, stop.reload)
    while run_once(chosen, stop):
        stop.again = False  # before the file is read: who asks from now on may have changed it meanwhile
        chosen = _reread(ctx, wanted, chosen)


def take_out(chosen: SensorSettings) -> None:
    """Unload, unless a sensor of this name runs: it would see nothing from then on."""
    from sensor.probes import client

    lock = client.Lock(chosen)
    try:
        client.unload(chosen)
    except BaseException:
        lock.release()
        raise
    lock.release(remove=True)


def run_once(chosen: SensorSettings, stop: Stop) -> bool:
    """Run until a signal; whether to begin anew: for the signal that asks for a reload, or for lost sight.

    A reload begins a new agent over the same pins: the kernel counts on meanwhile, so nothing is missed.
    """
    from console.cli.service import Beat, Beating
    from console.supervise import notify
    from sensor.agent import Agent
    from sensor.delivery import Delivery
    from sensor.probes.client import ProbeError
    from sensor.sight import Blind

    sink = Beating(Delivery(chosen.address, chosen.spool, node=chosen.node), Beat())
    try:
        agent = Agent(chosen, sink, stop=stop)
    except ProbeError:
        if stop.ended:  # whoever stops all processes of a unit or a terminal stops the loader too
            return False
        raise
    notify("READY=1")
    try:
        agent.run()
    except Blind as e:
        log.warning("%s", e)
        return not stop.ended
    notify("STOPPING=1" if stop.ended else "RELOADING=1")
    return not stop.ended


def _reread(ctx: click.Context, wanted: dict[str, Any], before: SensorSettings) -> SensorSettings:
    """The settings anew; those from before where the file cannot be used now."""
    from console.configuration.values import SettingsError

    try:
        return settings(ctx).sensor(**wanted)
    except SettingsError as e:
        log.error("reload: %s; the settings from before stay", e)
        return before
