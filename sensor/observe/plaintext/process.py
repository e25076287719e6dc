"""One process of a watched workload: the files that it runs, what is attached to it, and when it is looked at again.

Attachments are descriptors of ours; they go when the process no longer maps a file, when it ends, and with us.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sensor.observe.plaintext import ladder
from sensor.observe.plaintext.ladder import Coverage, Part, Rung, Signatures
from sensor.observe.plaintext.libraries import FUNCTIONS, GONE, Library, Mapping, Shelf, fuse_devices, mapped, opened
from sensor.probes.uprobes import attach, release

HOOKS: dict[str, tuple[str, str]] = {  # function → programs at its call and at its return
    "SSL_new": ("", "tls_made"),
    "SSL_free": ("tls_freed", ""),
    "SSL_read": ("tls_enter_plain", "tls_leave_received"),
    "SSL_write": ("tls_enter_plain", "tls_leave_sent"),
    "SSL_read_ex": ("tls_enter_ex", "tls_leave_received"),
    "SSL_write_ex": ("tls_enter_ex", "tls_leave_sent"),
}
assert HOOKS.keys() == FUNCTIONS
SOONEST, LATEST = 50_000_000, 10_000_000_000  # ns between two looks at a process: a quarter of its age, within these


@dataclass(slots=True)
class Attachment:
    """What of one file is watched in one process."""

    events: list[int] = field(default_factory=list)
    by: Rung = "symbol"
    refused: str = ""  # why nothing is attached

    def close(self) -> None:
        release(self.events)
        self.events.clear()


@dataclass(slots=True)
class Process:
    """Found in a watched cgroup."""

    pid: int
    cgroup: int
    started: str  # clock ticks since boot, from /proc; tells it from a later process of its number
    found: int  # ns, CLOCK_BOOTTIME
    due: int = 0  # ns, when it is to be looked at
    libraries: dict[Mapping, Library] = field(default_factory=dict)
    attached: dict[Mapping, Attachment] = field(default_factory=dict)
    unread: dict[Mapping, str] = field(default_factory=dict)
    hello: bool = False
    gone: bool = False

    def look(self, shelf: Shelf, program: Callable[[str], int], signatures: Signatures, now: int) -> list[Mapping]:
        """Attaches to what is new and lets go of what is mapped no more; files that are yet to be searched."""
        self.due = now + min(LATEST, max(SOONEST, (now - self.found) // 4))
        here = {(m.device, m.inode): m for m in mapped(self.pid)}
        self._forget_failures()
        known = {(m.device, m.inode): m for m in (*self.libraries, *self.unread)}
        for gone in known.keys() - here.keys():
            self._leave(known.pop(gone))
        new = [here[k] for k in here.keys() - known.keys()]
        served = fuse_devices(self.pid) if new else set()
        for mapping in new:
            if mapping.device in served:
                self.unread[mapping] = f"{mapping.path} lies on FUSE and is not opened"
            else:
                self._enter(mapping, shelf, program, signatures)
        return [m for m in new if m in self.libraries and self.libraries[m].speaks is None]

    def _forget_failures(self) -> None:
        """What could not be opened or attached to is tried anew: we may have run out of descriptors."""
        for mapping in [*self.unread, *(m for m, a in self.attached.items() if a.refused)]:
            self._leave(mapping)

    def _enter(self, mapping: Mapping, shelf: Shelf, program: Callable[[str], int], signatures: Signatures) -> None:
        try:
            with opened(self.pid, mapping) as file:
                library = self.libraries[mapping] = shelf.look(file, mapping.path)
                self._attach(mapping, library, file.fileno(), program, signatures)
        except OSError as e:
            self.unread[mapping] = f"{mapping.path} cannot be opened: {e.strerror or e}"

    def _attach(
        self, mapping: Mapping, library: Library, file: int, program: Callable[[str], int], signatures: Signatures
    ) -> None:
        found, by = library.functions, "symbol"
        if not library.has_both:
            found, by = signatures.find(library.build_id) if library.build_id else None, "signature"
        if not found:
            return
        made = self.attached[mapping] = Attachment(by=by)
        try:
            for name, offset in sorted(found.items()):
                self._hook(made, name, file, offset, program)
        except OSError as e:  # half of the functions would be half of what was said
            made.close()
            made.refused = e.strerror or str(e)

    def _hook(self, made: Attachment, name: str, file: int, offset: int, program: Callable[[str], int]) -> None:
        """The call before the return: a return that has no call would be counted as lost."""
        for which, at_return in zip(HOOKS[name], (False, True), strict=True):
            if which:
                made.events.append(attach(program(which), file, offset, pid=self.pid, at_return=at_return))

    def _leave(self, mapping: Mapping) -> None:
        self.libraries.pop(mapping, None)
        self.unread.pop(mapping, None)
        attachment = self.attached.pop(mapping, None)
        if attachment is not None:
            attachment.close()

    def parts(self) -> list[Part]:
        none = Attachment()
        found = (
            ladder.part(library, attached=bool(a.events), by=a.by, refused=a.refused)
            for library, a in ((lib, self.attached.get(m, none)) for m, lib in self.libraries.items())
        )
        return [p for p in found if p is not None]

    def coverage(self, *, http: bool) -> Coverage:
        waiting = sum(library.speaks is None for library in self.libraries.values())
        return ladder.stand(
            self.pid,
            self.cgroup,
            self.parts(),
            waiting=waiting,
            unread=self.unread.values(),
            hello=self.hello,
            http=http,
        )

    def close(self) -> None:
        for mapping in list(self.attached):
            self._leave(mapping)


def started(pid: int, proc: Path = Path("/proc")) -> str | None:
    """When a process began; None where it is gone.

    Raises:
        OSError: That cannot be found out now.
    """
    try:
        return (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    except GONE:
        return None
