"""From settings to loaded probes: starts the loader once, finds its pins again after a restart, unloads.

A lock per name keeps a second sensor from attaching twice. The plan that the pins were made with lies beside the lock; pins
of another plan, or of none, are replaced.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import secrets
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from sensor.probes import pins
from sensor.probes.catalogue import BY_NAME, RAW
from sensor.settings import SensorSettings

log = logging.getLogger("driftline.sensor")
PYTHON = "/usr/bin/python3"  # the one that the distribution's bcc is built for
ROOT = Path(__file__).resolve().parents[2]
STEP = 10**9  # ns that the clock may have drifted from what it was at the load
TIMEOUT = 120  # seconds for a compile under emulation


class ProbeError(RuntimeError):
    """Probes cannot be loaded; the text says why and what to do."""

    exit_code = 3  # starting again does not help


@dataclass(frozen=True, slots=True)
class Loaded:
    """Probes in the kernel."""

    folder: Path  # of the pins
    epoch: str  # one life of these counters
    probes: dict[str, str]  # name → "on" or why not
    existing: frozenset[int]  # cgroups that had processes before the probes were attached
    fresh: bool  # False: they were there already, and counted while nobody read
    scope: str  # cgroup path, "/" for the machine
    base: Path  # directory of the cgroup v2 root
    offset: int  # ns from CLOCK_BOOTTIME to event time
    hooks: dict[str, str] = field(default_factory=dict)  # name → variant, of probes that have more than one

    def health(self) -> dict[str, float]:
        """Which variant is on, as a metric: 1."""
        return {f"hook/{probe}:{variant}": 1.0 for probe, variant in self.hooks.items()}


class Lock:
    """Held while a sensor of this name runs.

    Raises:
        ProbeError: Another one runs.
    """

    def __init__(self, settings: SensorSettings) -> None:
        settings.run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._path = settings.run_dir / f"{settings.name}.lock"
        self._file = open(self._path, "a", opener=_private)  # noqa: SIM115 - held until the release
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise _taken(settings) from e
        # Pins have one name per machine, whatever folder a sensor keeps its files in.
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.bind(f"\0driftline/sensor/{settings.name}")
        except OSError as e:
            self.release()
            raise _taken(settings) from e

    def release(self, *, remove: bool = False) -> None:
        """Let go; `remove` leaves no file behind either."""
        if remove:
            self._path.unlink(missing_ok=True)  # before the name is free, so nobody's new file goes
        self._socket.close()
        self._file.close()


def _taken(settings: SensorSettings) -> ProbeError:
    return ProbeError(f"a sensor named {settings.name!r} runs already; stop it, or give this one --name")


def ensure(settings: SensorSettings) -> Loaded:
    """Probes as the settings ask for them: those that are pinned if they fit, else fresh ones.

    Raises:
        ProbeError: They cannot be loaded.
    """
    plan, base = _plan(settings)
    kept = _kept(settings, plan, base)
    if kept is not None:
        return kept
    unload(settings)
    existing = _populated(Path(plan["scope_path"]))
    report = _run_loader(settings.name, plan)
    existing |= _populated(Path(plan["scope_path"]))  # what began during the load may have made calls before the attach
    state = {
        "plan": _digest(plan),
        "epoch": secrets.token_hex(6),
        "probes": report["probes"],
        "existing": sorted(existing),
        "offset": _offset(),
        "hooks": report["hooks"],
    }
    _keep(settings, state)
    for name, why in report["raw"].items():
        log.info("probe %s is at the %s: %s", name, BY_NAME[name].place(RAW), why)
    return _loaded(settings, state, plan, base, fresh=True)


def unload(settings: SensorSettings) -> bool:
    """Detaches and unpins what a sensor of this name loaded; whether there was anything."""
    removed = pins.remove(settings.name)
    for file in (_state_file(settings), names_file(settings), names_file(settings).with_suffix(".new")):
        file.unlink(missing_ok=True)
    return removed


def names_file(settings: SensorSettings) -> Path:
    """What the names of rows are kept in; they mean nothing without the rows."""
    return settings.run_dir / f"{settings.name}.names"


def cgroup_root() -> Path:
    """Directory where cgroup v2 is mounted, hybrid layouts included.

    Raises:
        ProbeError: It is mounted nowhere.
    """
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split(" ")
        if kind == "cgroup2":
            return Path(where)
    raise ProbeError("no cgroup v2 hierarchy is mounted; mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")


def _plan(settings: SensorSettings) -> tuple[dict, Path]:
    base = cgroup_root()
    scope = (settings.scope or base).resolve()
    if not scope.is_dir() or not scope.is_relative_to(base):
        raise ProbeError(f"{scope} is no cgroup below {base}; make it first, or leave --scope out")
    sizes = settings.sizes
    return {
        "name": settings.name,
        "scope_cgroup": scope.stat().st_ino,
        "scope_level": len(scope.relative_to(base).parts),
        "scope_path": str(scope),
        "probes": list(settings.probes),
        "hooks": settings.hooks,
        "sizes": {
            "MAX_SLOTS": min(sizes.slots, 16382),
            "CPUS": _cpus(),
            "MAX_PROCESSES": sizes.processes,
            "MAX_FILES": sizes.files,
            "MAX_FLOWS": sizes.flows,
            "FACT_PAGES": sizes.fact_pages,
            "PATH_PAGES": sizes.path_pages,
            "EXEC_PAGES": sizes.exec_pages,
            "PAYLOAD_PAGES": sizes.payload_pages,
            "CAPTURE_PAGES": sizes.capture_pages,
        },
    }, base


def _offset() -> int:
    """Taken once for the life of the counters: two daemons in a row must give one moment one time."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _cpus() -> int:
    """Possible CPUs, which may be more than are on."""
    last = Path("/sys/devices/system/cpu/possible").read_text().strip().rpartition("-")[2]
    return int(last) + 1


def _kept(settings: SensorSettings, plan: dict, base: Path) -> Loaded | None:
    try:
        state = json.loads(_state_file(settings).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if not isinstance(state, dict) or not pins.exists(settings.name) or state.get("plan") != _digest(plan):
        return None
    if abs(step := _offset() - state.get("offset", 0)) > STEP:
        log.warning(
            "the clock was set by %+.0f s since the probes were loaded; times of events follow it from here", step / 1e9
        )
        state["offset"] = _offset()
        _keep(settings, state)
    return _loaded(settings, state, plan, base, fresh=False)


def _loaded(settings: SensorSettings, state: dict, plan: dict, base: Path, *, fresh: bool) -> Loaded:
    scope = "/" + str(Path(plan["scope_path"]).relative_to(base))
    return Loaded(
        pins.folder(settings.name),
        state["epoch"],
        state["probes"],
        frozenset(state["existing"]),
        fresh,
        "/" if scope == "/." else scope,
        base,
        state["offset"],
        state["hooks"],
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _keep(settings: SensorSettings, state: dict) -> None:
    """Whole or not at all: a daemon that is killed meanwhile must find its pins again."""
    draft = _state_file(settings).with_suffix(".new")
    with open(draft, "w", opener=_private) as file:
        json.dump(state, file)
    draft.replace(_state_file(settings))


def _state_file(settings: SensorSettings) -> Path:
    return settings.run_dir / f"{settings.name}.json"


def _digest(plan: dict) -> str:
    sources = b"".join(p.read_bytes() for p in sorted((ROOT / "bpf").glob("*.[ch]")))
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode() + sources + boot).hexdigest()


def _populated(scope: Path) -> set[int]:
    """Ids of the cgroups below a directory that hold processes now."""
    found = set()
    for directory, _, files in os.walk(scope):
        try:
            if "cgroup.procs" in files and (Path(directory) / "cgroup.procs").read_text():
                found.add(os.stat(directory).st_ino)
        except OSError:  # it is gone, or a threaded cgroup, whose processes its domain lists
            continue
    return found


def _run_loader(name: str, plan: dict) -> dict:
    command = [PYTHON, "-m", "sensor.probes.loader"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(plan),
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=TIMEOUT,
            env=_environment(),
        )
        report = (
            json.loads(done.stdout.splitlines()[-1]) if done.stdout else {"error": _tail(done.stderr, done.returncode)}
        )
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as e:
        report = {"error": str(e)}
    if "error" in report:
        pins.remove(name)  # also what a killed loader left half done
        raise ProbeError(report["error"])
    return report


def _environment() -> dict[str, str]:
    """Nothing of our virtual environment: the loader's packages are the distribution's."""
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR")}
    return keep | {"PYTHONDONTWRITEBYTECODE": "1"}


def _tail(text: str, code: int) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return f"the loader ended with {code}: {lines[-1] if lines else 'no output'}"
