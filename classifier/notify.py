"""What systemd is told (sd_notify(3)): one datagram to the socket in NOTIFY_SOCKET, nothing where there is none."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


def notify(state: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send a state such as ``READY=1``; whether somebody took it.

    >>> notify("READY=1", {})
    False
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # abstract namespace
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        try:
            sender.sendto(state.encode(), address)
        except OSError:  # systemd went, or is busy; the next beat comes
            return False
    return True


def watchdog_period(environment: Mapping[str, str] = os.environ, pid: int | None = None) -> float:
    """Seconds between two beats, half of what systemd waits; 0.0 where it waits for none.

    >>> watchdog_period({"WATCHDOG_USEC": "30000000"})
    15.0
    """
    usec, meant = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not usec.isdigit() or (meant and meant != str(os.getpid() if pid is None else pid)):
        return 0.0
    return int(usec) / 2e6
