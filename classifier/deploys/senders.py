"""Who is at the other end of a connection: its cgroup as the kernel says, and the replica that a sensor observes there.

| the other end | how it is found | what it is worth |
|---|---|---|
| a socket of this network namespace | sock_diag by both addresses, which gives its cgroup | believed, unless observed |
| one that was closed meanwhile | its address is ours and sock_diag no longer knows whose it was | nothing: "sender unknown" |
| a container behind a veth or bridge of this machine | the sensor saw it connect (`dials.py`) | believed, unless observed |
| one of which no sensor has told | the route to its address | nothing: "sender unknown" |
| another machine | its address is behind a gateway or a network card | what its signature is worth |
| a unix socket | SO_PEERPIDFD, else SO_PEERCRED and /proc | refused only if a container |

A socket belongs to the cgroup that made it, wherever its process moves afterwards and whoever inherits it.
"""

from __future__ import annotations

import array
import fcntl
import ipaddress
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from classifier.deploys.dials import Dials, Ends, bare
from wire.receiver import credentials
from wire.records import Identity, Replica

SOCK_DIAG_BY_FAMILY = 20
NETLINK_SOCK_DIAG = 4
NLMSG_ERROR = 2
INET_DIAG_CGROUP_ID = 21
HEADER, REQUEST, ANSWER, ATTRIBUTE = struct.Struct("=IHHII"), "=BBBBI", 72, struct.Struct("=HH")
ANY_STATE, NO_COOKIE = 0xFFFFFFFF, b"\xff" * 8
RTN_LOCAL = 2
LOCAL_LINKS = frozenset(("veth", "bridge", "macvlan", "ipvlan", "macvtap", "ipvtap", "netkit", "openvswitch"))
SO_PEERPIDFD = 77
PIDFD_GET_INFO, PIDFD_INFO, INFO_CGROUP = (
    0xC040FF0B,
    "=QQ48x",
    1 << 2,
)  # Linux 6.13: mask, cgroup id, what we do not ask
CGROUPS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
ROOT_CGROUP = 1  # nobody's workload
LATE = 0.5  # seconds that a sensor may need to name a cgroup that has just begun
STEP = 0.05

LOCAL, NEIGHBOUR, REMOTE = "local", "neighbour", "remote"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from, noted when it begins: the socket may be gone at its end."""

    cgroup: int | None = None  # None: no socket of ours, or one that is gone
    place: str = REMOTE
    address: str = ""
    ends: Ends | None = None  # where the sensor may tell whose it is


@dataclass(frozen=True, slots=True)
class Sender:
    """Who that is."""

    replica: Replica | None = None
    name: str = ""  # its workload, or "address:…" where nobody can tell; "" for nobody that matters
    unknown: bool = False  # it is of this machine and cannot be told from a workload


NOBODY = Sender()


class Senders:
    """Looks for the replica at the other end.

    Args:
        seen: the identities of a cgroup id that sensors observe, of any node and boot.
        late: seconds to wait for the identity of a cgroup that nobody knows.
        dials: what sensors tell of connections from other network namespaces.
    """

    def __init__(self, seen: Callable[[int], Iterable[Identity]], *, late: float = LATE, dials: Dials | None = None):
        self._all, self._late, self._boots = seen, late, {0, boot()}
        self._dials = dials or Dials(time.monotonic)

    def origin(self, ends: Ends) -> Origin:
        """To be asked as early as there is a connection."""
        cgroup = cgroup_of(ends)
        if cgroup is not None:
            return Origin(cgroup, LOCAL, ends.peer[0])
        place = place_of(ends.peer[0])
        # Our own address is also what a masqueraded connection of a container comes from.
        local = place == LOCAL and not ipaddress.ip_address(bare(ends.peer[0])).is_loopback
        return Origin(None, place, ends.peer[0], ends if place == NEIGHBOUR or local else None)

    def neighbour(self, origin: Origin) -> Identity | None:
        """What a sensor knows of a container behind a veth or bridge, as far as it has told by now. Does not wait."""
        replica = self._dials.claim(origin.ends) if origin.ends is not None else None
        if replica is None:
            return None
        return next((i for i in self._known(replica.cgroup) if i.replica == replica), None)

    def sender(self, origin: Origin) -> Sender:
        """Whoever is there. Waits a moment for a cgroup that a sensor may be about to name."""
        if origin.place == REMOTE and origin.cgroup is None:
            return NOBODY
        identity = self.identity(origin)
        if origin.cgroup is None and identity is None:
            return Sender(name=f"address:{origin.address}", unknown=True)
        return NOBODY if identity is None else Sender(identity.replica, identity.workload or identity.path)

    def identity(self, origin: Origin) -> Identity | None:
        """What a sensor knows of whoever is there; None for another machine, and where nobody observes. Waits as `sender`."""
        if origin.ends is not None:
            return self._waited(lambda: self.neighbour(origin))
        cgroup = origin.cgroup
        return None if cgroup is None else self._waited(lambda: self._seen(cgroup))

    def _known(self, cgroup: int) -> list[Identity]:
        """Those of this boot, so of this machine; where our sandbox hides which boot this is, all."""
        known = self._all(cgroup) if cgroup != ROOT_CGROUP else ()
        return [i for i in known if None in self._boots or i.replica.generation in self._boots]

    def _seen(self, cgroup: int) -> Identity | None:
        return max(self._known(cgroup), key=lambda i: i.time, default=None)

    def _waited(self, ask: Callable[[], Identity | None]) -> Identity | None:
        end = time.monotonic() + self._late
        while (found := ask()) is None and time.monotonic() < end:
            time.sleep(STEP)
        return found

    def container(self, connection: socket.socket) -> Identity | None:
        """The observed container at the other end of a unix socket. A login shell may be observed too and may ask."""
        cgroup = cgroup_behind(connection)
        identity = self._seen(cgroup) if cgroup is not None else None
        return identity if identity is not None and identity.container else None


def boot() -> int | None:
    """The generation that a sensor gives the cgroups of this boot; None where that is hidden."""
    try:
        return int(Path("/proc/sys/kernel/random/boot_id").read_text()[:8], 16)
    except (OSError, ValueError):
        return None


def nowhere(ends: Ends) -> Origin:
    """For a receiver that cannot ask the kernel."""
    return Origin(None, REMOTE, ends.peer[0])


# TCP ------------------------------------------------------------------------------------------------------------------


def cgroup_of(ends: Ends) -> int | None:
    """The cgroup that made the socket at the other end, if that is a live one of our network namespace.

    Raises:
        OSError: The kernel cannot be asked.
    """
    peer, here = ipaddress.ip_address(bare(ends.peer[0])), ipaddress.ip_address(bare(ends.here[0]))
    family = socket.AF_INET if peer.version == 4 else socket.AF_INET6
    identity = (
        struct.pack(">HH", ends.peer[1], ends.here[1]) + peer.packed.ljust(16, b"\0") + here.packed.ljust(16, b"\0")
    )
    body = (
        struct.pack(REQUEST, family, socket.IPPROTO_TCP, 0, 0, ANY_STATE) + identity + struct.pack("=I", 0) + NO_COOKIE
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1.0)
        kernel.sendto(HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, 1, 1, 0) + body, (0, 0))
        return _cgroup_in(kernel.recv(1 << 14), ends.peer[1], ends.here[1])


def _cgroup_in(answer: bytes, sport: int, dport: int) -> int | None:
    kind = HEADER.unpack_from(answer)[1]
    if kind == NLMSG_ERROR or len(answer) < HEADER.size + ANSWER:
        return None
    if struct.unpack_from(">HH", answer, HEADER.size + 4) != (sport, dport):
        return None  # where no such connection is, the kernel answers with a socket that listens on the port
    at = HEADER.size + ANSWER
    while at + ATTRIBUTE.size <= len(answer):
        length, name = ATTRIBUTE.unpack_from(answer, at)
        if name == INET_DIAG_CGROUP_ID and length >= ATTRIBUTE.size + 8:
            return struct.unpack_from("=Q", answer, at + ATTRIBUTE.size)[0]
        at += max(ATTRIBUTE.size, (length + 3) & ~3)
    return None  # a closed connection that waits for its last packets has no owner any more


def place_of(address: str) -> str:
    """Whether an address is ours, a container's on this machine, or elsewhere, as packets to it would go.

    Raises:
        OSError: The kernel cannot be asked.
    """
    plain = bare(address)
    if ipaddress.ip_address(plain).is_loopback:
        return LOCAL
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    with IPRoute() as kernel:
        try:
            route = kernel.route("get", dst=plain)[0]
        except NetlinkError:  # no route back: nobody of ours, and no answer will reach it
            return REMOTE
        if route["type"] == RTN_LOCAL:
            return LOCAL
        if route.get("gateway"):
            return REMOTE
        link = next(iter(kernel.get_links(route.get("oif"))), None)
    kind = link.get(("linkinfo", "kind")) if link is not None else None
    return NEIGHBOUR if kind in LOCAL_LINKS else REMOTE


# unix sockets ---------------------------------------------------------------------------------------------------------


def cgroup_behind(connection: socket.socket) -> int | None:
    """The cgroup of the process that connected; None where this kernel or our sandbox does not say."""
    return _by_handle(connection) or _by_number(credentials(connection)[0])


def _by_handle(connection: socket.socket) -> int | None:
    try:
        handle = connection.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
    except OSError:  # before Linux 6.5, or the process is gone
        return None
    try:
        told = array.array("B", struct.pack(PIDFD_INFO, INFO_CGROUP, 0))
        fcntl.ioctl(handle, PIDFD_GET_INFO, told)
    except OSError:  # before Linux 6.13
        return None
    finally:
        os.close(handle)
    mask, cgroup = struct.unpack(PIDFD_INFO, told)
    return cgroup if mask & INFO_CGROUP else None


def _by_number(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        path = next(line[3:] for line in lines if line.startswith("0::"))
        root = next(root for root in CGROUPS if (root / "cgroup.procs").exists())
        return (root / path.strip("/")).stat().st_ino
    except (OSError, StopIteration):  # hidden from us, gone, or no cgroup v2
        return None
