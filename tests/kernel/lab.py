"""A sensor in a cgroup of its own, child cgroups with known loads, and what the sensor said about them."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sensor.agent import Agent
from sensor.probes import choice, client, pins
from sensor.probes.catalogue import BY_NAME, RAW
from sensor.settings import SensorSettings, Sizes
from tests.waiting import DEADLINE, until
from wire import codec
from wire.records import Event, Identity, Record, Use, Window

PYTHON = "/usr/bin/python3"  # a fixed path, so that names of behaviours are known
INTERVAL = float(os.environ.get("DRIFTLINE_TEST_INTERVAL", "0.2"))  # seconds; more where everything is slow
SMALL = Sizes(slots=256, processes=4096, files=4096, flows=2048)

_numbers = itertools.count()
T = TypeVar("T")


class Sink:
    """Keeps what is sent, as it would arrive."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def send(self, record: Record) -> None:
        self.records.append(codec.decode(codec.encode(record)))

    idle = True  # a list keeps everything

    def pump(self, timeout: float = 0.0) -> None:
        pass

    def close(self) -> None:
        pass


class Cgroup:
    """A cgroup of this test. `programs` holds the compiled loads."""

    def __init__(self, path: Path, programs: Path) -> None:
        self.path, self.programs = path, programs
        path.mkdir(exist_ok=True)
        self.id = path.stat().st_ino

    def child(self, name: str | bytes) -> Cgroup:
        return Cgroup(Path(os.fsdecode(os.path.join(os.fsencode(self.path), os.fsencode(name)))), self.programs)

    def start(self, *argv: str | Path | bytes, **options) -> subprocess.Popen:
        return subprocess.Popen([self.programs / "enter", self.path, *argv], **options)

    def run(self, *argv: str | Path | bytes, expect: int = 0, **options) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [self.programs / "enter", self.path, *argv], timeout=DEADLINE, **({"capture_output": True} | options)
        )
        assert done.returncode == expect, (done.returncode, done.stderr)
        return done

    def python(self, code: str, *argv: str, **options) -> subprocess.CompletedProcess:
        return self.run(PYTHON, "-S", "-E", "-c", code, *argv, **options)

    def load(self, *argv: str | Path, **options) -> subprocess.CompletedProcess:
        return self.run(self.programs / "load", *argv, **options)

    def kill(self) -> None:
        kill(self.path)

    def remove(self) -> None:
        remove(self.path)


def kill(cgroup: Path) -> None:
    """Ends every process in a cgroup and below it, and nothing else."""
    for directory in _all(cgroup):
        with contextlib.suppress(OSError):  # a threaded one: it ends with its domain
            (directory / "cgroup.kill").write_text("1")
    until(lambda: "populated 0" in (cgroup / "cgroup.events").read_text(), f"{cgroup} to be empty")


def remove(cgroup: Path) -> None:
    """Ends what runs in a cgroup, and takes it away with all below it."""
    if cgroup.exists():
        kill(cgroup)
        for directory in _all(cgroup):
            until(lambda d=directory: _removed(d), f"{directory} to go")


def _all(cgroup: Path) -> list[Path]:
    """With what is below it, innermost first."""
    return [Path(d) for d, _, _ in os.walk(cgroup, topdown=False)]


def _removed(directory: Path) -> bool:
    try:
        directory.rmdir()
    except OSError:  # a process is still on its way out
        return False
    return True


class Said:
    """What a sensor said of one cgroup."""

    def __init__(self, sink: Sink, cgroup: Cgroup) -> None:
        self._sink, self._cgroup = sink, cgroup

    def records(self, kind: type[T]) -> list[T]:
        found = [r for r in list(self._sink.records) if isinstance(r, kind)]
        return [r for r in found if r.replica.cgroup == self._cgroup.id]

    def windows(self) -> list[Window]:
        return self.records(Window)

    def events(self, kind: str) -> list[Event]:
        return [e for e in self.records(Event) if e.kind == kind]

    def identities(self) -> list[Identity]:
        return self.records(Identity)

    def calls(self) -> Counter[int]:
        return sum((Counter(dict(w.syscalls)) for w in self.windows()), Counter())

    def grams(self) -> set[int]:
        return {g for w in self.windows() for g in w.grams}

    def foreign(self) -> int:
        return sum(w.foreign for w in self.windows())

    def loss(self) -> Counter[str]:
        return sum((Counter(dict(w.loss)) for w in self.windows()), Counter())

    def uses(self, prefix: str = "") -> list[Use]:
        return [u for w in self.windows() for u in w.uses if u.behaviour.startswith(prefix)]

    def counts(self, prefix: str = "") -> Counter[str]:
        return sum((Counter({u.behaviour: u.count}) for u in self.uses(prefix)), Counter())

    def begun(self, prefix: str) -> Counter[str]:
        """The same for conversations: one that goes on is used in each window, but it began once."""
        return sum((Counter({u.behaviour: int(u.data.get("opens", u.count))}) for u in self.uses(prefix)), Counter())

    def bytes(self, behaviour: str, **data: object) -> tuple[int, int]:
        """Bytes out and in of one behaviour, of the uses with this data."""
        own = [u for u in self.uses() if u.behaviour == behaviour and data.items() <= dict(u.data).items()]
        return sum(u.bytes_out for u in own), sum(u.bytes_in for u in own)


class Sensor:
    """An agent in a thread, observing one cgroup."""

    def __init__(self, scope: Cgroup, settings: SensorSettings) -> None:
        self.scope, self.settings, self.sink = scope, settings, Sink()
        self.agent = Agent(settings, self.sink)
        self._thread = threading.Thread(target=self._loop)
        self._error: BaseException | None = None
        self._cgroups = itertools.count()
        self._thread.start()

    def _loop(self) -> None:
        try:
            self.agent.loop()
        except BaseException as e:
            self._error = e
            raise

    def cgroup(self, name: str | bytes | None = None) -> Cgroup:
        return self.scope.child(name or f"w{next(self._cgroups)}")

    def of(self, cgroup: Cgroup) -> Said:
        return Said(self.sink, cgroup)

    def all_of(self, cgroup: Cgroup) -> Said:
        """What was said of a cgroup in its whole life; removes it."""
        cgroup.remove()
        said = self.of(cgroup)
        until(lambda: self._alive() and any(i.ended for i in said.identities()), f"the end of {cgroup.path.name}")
        return said

    def _alive(self) -> bool:
        assert self._error is None, self._error
        return True

    def stop(self) -> None:
        self.agent.stop()
        self._thread.join(DEADLINE)
        self.agent.close()


def settings(name: str, scope: str | Path, run_dir: str | Path, **changes) -> SensorSettings:
    """Of a sensor under test: windows of a moment, small tables, no digests."""
    values = {"node": "lab", "interval": INTERVAL, "sizes": SMALL, "digest": False}
    return SensorSettings(name=name, scope=Path(scope), run_dir=Path(run_dir), **(values | changes))


class Lab:
    """Makes sensors and cgroups, and clears away what they leave."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.name = f"test-{os.getpid()}-{next(_numbers)}"
        self.folder = folder
        self.scope = Cgroup(client.cgroup_root() / f"driftline-{self.name}", programs)

    def settings(self, **changes) -> SensorSettings:
        own = {"name": self.name, "scope": self.scope.path, "run_dir": self.folder, "keep_pinned": False}
        return settings(**(own | changes))

    @contextmanager
    def sensor(self, **changes) -> Iterator[Sensor]:
        sensor = Sensor(self.scope, self.settings(**changes))
        try:
            yield sensor
        finally:
            sensor.stop()

    def clear(self) -> None:
        """Ends and removes what this lab made; nothing of it may be left."""
        try:
            self.scope.remove()
        finally:
            client.unload(self.settings())
        assert left_in_kernel(self.name) == []


def left_in_kernel(name: str) -> list[str]:
    """Pins of this very name, whole or half done; test-1-1 is not test-1-10."""
    own = pins.folder(name).name
    return [p.name for pattern in (own, f"{own}_loading_*") for p in pins.BPFFS.glob(pattern)]


def programs_of(pid: int) -> set[str]:
    """Ids of the programs that a process holds; others of their name may belong to other sensors of this machine."""
    held = (file.read_text().splitlines() for file in Path(f"/proc/{pid}/fdinfo").iterdir())
    return {line.split()[1] for lines in held for line in lines if line.startswith("prog_id:")}


def is_loaded(program: str) -> bool:
    return subprocess.run(["bpftool", "prog", "show", "id", program], capture_output=True).returncode == 0


def variants() -> list[str]:
    """Of the probe of files, what this kernel takes: the chosen one first."""
    taken, _ = choice.of([BY_NAME["files"]], choice.AUTO)
    return list(dict.fromkeys([taken["files"], RAW]))


def build(into: Path) -> Path:
    """Compiles the loads."""
    here = Path(__file__).with_name("loads")
    for name, flags in (("enter", []), ("load", ["-lpthread"]), ("first", ["-nostdlib", "-static"]), ("ring", [])):
        subprocess.run(["gcc", "-O1", "-o", into / name, here / f"{name}.c", *flags], check=True)
    shutil.copy("/bin/true", into / "tool")
    return into


def missing() -> str:
    """Why the kernel tests cannot run here, "" if they can."""
    if os.geteuid():
        return "needs root"
    if not Path("/sys/kernel/btf/vmlinux").exists():
        return "this kernel has no BTF"
    if shutil.which("gcc") is None:
        return "needs gcc for known loads"
    if subprocess.run([client.PYTHON, "-c", "import bcc"], capture_output=True).returncode:
        return f"{client.PYTHON} has no bcc"
    try:
        client.cgroup_root()
        pins.ensure_bpffs()
    except (client.ProbeError, pins.PinError) as e:
        return str(e)
    return ""


__all__ = [
    "DEADLINE",
    "PYTHON",
    "Cgroup",
    "Lab",
    "Said",
    "Sensor",
    "Sink",
    "build",
    "is_loaded",
    "left_in_kernel",
    "missing",
    "programs_of",
    "until",
    "variants",
]
