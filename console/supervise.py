"""Two programs as children of one: started in order, restarted when they end, stopped together in under five seconds.

A child that ends with 2 or 3 says that starting it again cannot help (a wrong setting, a machine that lacks what the
configuration asks for), so everything stops with that code.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

FINAL = (2, 3)
FIRST_DELAY = 0.5  # seconds before the first restart; doubled until LAST_DELAY
LAST_DELAY = 30.0
HEALTHY = 60.0  # seconds alive after which a delay starts small again
GRACE = 3.5  # seconds between the friendly and the final signal, so that a stop takes under five
POLL = 0.1  # seconds between looks at the children
UNUSED_UID = 65520  # neither Debian nor systemd gives it to anybody


class PrivilegeError(RuntimeError):
    """The classifier's privileges cannot be dropped here."""

    exit_code = 3


@dataclass
class Child:
    """One program, how often it ended, and when it may start again."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0  # monotonic seconds
    delay: float = FIRST_DELAY
    due: float = 0.0  # monotonic seconds
    restarts: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)


def unprivileged(command: Sequence[str], user: tuple[int, int]) -> list[str]:
    """The command as another user, without a single capability and no way to regain one.

    Raises:
        PrivilegeError: util-linux's setpriv is missing.
    """
    uid, gid = user
    return [
        _setpriv(),
        f"--reuid={uid}",
        f"--regid={gid}",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--pdeathsig=TERM",  # a supervisor that is killed leaves no orphan
        "--",
        *command,
    ]


def bound(command: Sequence[str]) -> list[str]:
    """The command, ended by the kernel when its supervisor is killed."""
    return [_setpriv(), "--pdeathsig=TERM", "--", *command]


def _setpriv() -> str:
    found = shutil.which("setpriv", path=f"{os.environ.get('PATH', '')}:/usr/bin:/bin")
    if found is None:
        raise PrivilegeError('no setpriv here to drop privileges with; install "util-linux"')
    return found


def user_ids(name: str | None) -> tuple[int, int]:
    """User and group number for the classifier.

    >>> user_ids("nobody")[0] > 0
    True
    """
    if name and name.isdigit():
        return int(name), int(name)
    try:
        entry = pwd.getpwnam(name or "driftline")
    except KeyError:
        if name:
            raise PrivilegeError(f'no user {name} here; create it with "useradd --system {name}"') from None
        return UNUSED_UID, UNUSED_UID
    return entry.pw_uid, entry.pw_gid


class Supervisor:
    """Runs children until a signal or a final exit code. `say` takes one line for the log."""

    def __init__(self, children: Sequence[Child], say: Callable[[str], None]) -> None:
        self.children = list(children)
        self.say = say
        self._stop = 0  # number of the signal that asked for the end

    def run(self) -> int:
        """Run until stopped; the exit code of the whole."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        code = 0
        try:
            for child in self.children:
                self._start(child)
            notify("READY=1")
            code = self._watch()
        finally:
            notify("STOPPING=1")
            self._stop_all()
        return code

    def _on_stop(self, number: int, _frame: object) -> None:
        self._stop = number

    def _on_reload(self, number: int, _frame: object) -> None:
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.send_signal(number)

    def _start(self, child: Child) -> None:
        # A child's readiness is not ours, so it must not speak to systemd in our name.
        environment = {
            k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
        }
        child.started = time.monotonic()
        # A session of its own: Ctrl-C on a terminal reaches us alone, and we stop the children in order.
        child.process = subprocess.Popen(
            child.command, env=environment | dict(child.environment), stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.say(f"{child.name} started, process {child.process.pid}")

    def _watch(self) -> int:
        while not self._stop:
            for child in self.children:
                code = self._ended(child)
                if code in FINAL:
                    self.say(f"{child.name} ended with {code}, which a restart does not mend")
                    return code
            notify("WATCHDOG=1")
            time.sleep(POLL)
        return 0

    def _ended(self, child: Child) -> int | None:
        """The exit code of a child that has just ended; starts it again when its delay is over."""
        now = time.monotonic()
        if child.process is None:
            if now >= child.due:
                child.restarts += 1
                self._start(child)
            return None
        code = child.process.poll()
        if code is None or code in FINAL:
            return code
        child.delay = FIRST_DELAY if now - child.started > HEALTHY else child.delay
        child.process, child.due = None, now + child.delay
        self.say(f"{child.name} ended with {code}; again in {child.delay:g} s")
        child.delay = min(child.delay * 2, LAST_DELAY)
        return code

    def _stop_all(self) -> None:
        """First child first, so that what it still sends finds its receiver; then whoever is left, finally."""
        deadline = time.monotonic() + GRACE
        for position, child in enumerate(self.children):
            if child.process is None or child.process.poll() is not None:
                continue
            child.process.terminate()
            left = len(self.children) - position
            self._wait(child, (deadline - time.monotonic()) / left)
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                self.say(f"{child.name} did not stop in time and is killed")
                child.process.kill()
                child.process.wait()

    def _wait(self, child: Child, seconds: float) -> None:
        assert child.process is not None
        try:
            child.process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            self.say(f"{child.name} takes longer than {seconds:.1f} s to stop")


def notify(state: str) -> None:
    """Tell systemd, where it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        try:
            s.sendto(state.encode(), target)
        except OSError:  # nobody listens any more; the service manager's own timeouts act
            return
