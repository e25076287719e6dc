"""A cgroup path becomes a place: which container, pod or unit a process belongs to, by the path alone.

A workload may make cgroups below its own and name them as it likes, so a path is walked from the root and the
outermost container or unit wins. Only directories that a runtime, a kubelet or systemd makes are walked through; the
first unknown one ends the walk. Layouts: kubernetes (cgroupfs and systemd driver), docker, podman, CRI-O, containerd,
LXC, systemd.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

LONGEST = 4096  # characters of a path that are looked at; what decides stands at its beginning
ID = "[0-9a-f]{64}"
RUNTIMES = {
    "cri-containerd": "containerd",
    "containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "crio",
    "docker": "docker",
    "libpod": "podman",
}


@dataclass(frozen=True, slots=True)
class Place:
    """What a cgroup path says of its owner. `base` is the owner's own cgroup; whatever lies below belongs to it."""

    kind: (
        str  # "container", "task" (perhaps a container of `ctr`), "pod", "unit", "scope", "slice", "runtime" or "other"
    )
    base: str = ""
    runtime: str = ""  # "containerd", "crio", "docker", "podman", "lxc"; "" where the layout does not tell
    container: str = ""  # container id; for LXC and `ctr` the name
    namespace: str = ""  # containerd's namespace, where the path holds one
    pod_uid: str = ""
    qos: str = ""  # "guaranteed", "burstable" or "besteffort" inside a pod
    unit: str = ""
    slice: str = ""  # innermost systemd slice
    user: int | None = None  # uid under whose manager it lies: that user names the cgroups there; None: the system's


OTHER = Place("other")


@dataclass(slots=True)
class _Walk:
    """What has been seen on the way down."""

    parts: list[str]
    at: int = 0
    seen: dict = field(default_factory=dict)

    def before(self) -> str:
        return self.parts[self.at - 1] if self.at else ""

    def stop(self, kind: str, depth: int = 1, **found) -> Place:
        base = "/" + "/".join(self.parts[: self.at + depth])
        return Place(kind, base, **(self.seen | found))

    def innermost(self, depth: int = 1) -> Place:
        """Nobody's own cgroup was met: the innermost thing that was walked through."""
        return self.stop(next((kind for kind, key in INNERMOST if self.seen.get(key)), "other"), depth)


def parse(path: str, roots: tuple[str, ...] = ()) -> Place:
    """What `path` says. It never raises; what it cannot read is `other`.

    `roots` are prefixes below which another node works, a component may hold wildcards: ("/docker/*",) lets the pods
    of a kind cluster be seen from its host. They are settings and no default, because a container could build such a
    path.

    >>> parse("/system.slice/cart.service/worker").unit
    'cart.service'
    """
    parts = _components(path)
    if parts is None:
        return OTHER
    start = max((_below(parts, root) for root in roots), default=0)
    inner = _walk(parts, start)
    return inner if inner.kind != "other" or not start else _walk(parts, 0)


def of_process(text: str) -> str:
    """The path in the text of /proc/PID/cgroup: v2's, or that of systemd's v1 tree where v2 holds no one (hybrid)."""
    found = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        found["v2" if number == "0" and not controllers else controllers] = path.removesuffix(" (deleted)")
    unified = found.get("v2", "/")
    return unified if unified != "/" else found.get("name=systemd", unified)


def _components(path: str) -> list[str] | None:
    """Components of the path; None where it is not absolute, or not inside the cgroup root (`/../x`)."""
    if not path.startswith("/"):
        return None
    whole = path if len(path) <= LONGEST else path[:LONGEST].rpartition("/")[0]
    parts = [part for part in whole.split("/") if part]
    return None if any(part in (".", "..") for part in parts) else parts


def _below(parts: list[str], root: str) -> int:
    """Number of components that `root` covers, 0 where it does not."""
    wanted = [part for part in root.split("/") if part]
    fits = len(parts) > len(wanted) and all(map(fnmatchcase, parts, wanted))
    return len(wanted) if fits else 0


def _walk(parts: list[str], start: int) -> Place:
    walk = _Walk(parts, start)
    for walk.at in range(start, len(parts)):
        place = _step(walk, parts[walk.at])
        if place is not None:
            return place
    return walk.innermost() if len(parts) > start else OTHER


def _step(walk: _Walk, part: str) -> Place | None:
    for pattern, step in STEPS:
        match = pattern.fullmatch(part)
        if match:
            return step(walk, match)
    return _unknown(walk, part)


def _unknown(walk: _Walk, part: str) -> Place:
    """A directory that nobody we know makes. At the root it may be a containerd namespace: `ctr` names its child."""
    rest = walk.parts[walk.at + 1 :]
    if walk.at or walk.seen or not rest:
        return walk.innermost(0)
    kind = "container" if re.fullmatch(ID, rest[0]) else "task"
    return walk.stop(kind, 2, runtime="containerd" if kind == "task" else "", namespace=part, container=rest[0])


def _helper(walk: _Walk, match: re.Match) -> Place:
    return walk.stop("runtime", unit=match[0])


def _named(walk: _Walk, match: re.Match) -> Place:
    return walk.stop("container", runtime=RUNTIMES[match["runtime"]], container=match["id"])


def _joined(walk: _Walk, match: re.Match) -> Place:
    """`slice:prefix:id`: a runtime set to cgroupfs got a name meant for systemd, and made it one directory."""
    slice_ = SLICE.fullmatch(match["slice"])
    if slice_:
        _slice(walk, slice_)
    return _named(walk, match)


def _bare(walk: _Walk, match: re.Match) -> Place | None:
    if walk.before() == "libpod_parent":
        walk.seen["pod_uid"] = match[0]
        return None
    return walk.stop("container", runtime="docker" if walk.before() == "docker" else "", container=match[0])


def _slice(walk: _Walk, match: re.Match) -> None:
    walk.seen["slice"] = match[0]
    kube = KUBE_SLICE.fullmatch(match[0])
    if kube and kube["uid"]:
        walk.seen |= {"pod_uid": kube["uid"].replace("_", "-"), "qos": kube["qos"] or "guaranteed"}
    podman = PODMAN_SLICE.fullmatch(match[0])
    if podman:
        walk.seen["pod_uid"] = podman["id"]


def _pod(walk: _Walk, match: re.Match) -> Place | None:
    """`pod<uid>` counts only below kubepods; elsewhere it is a name like any other."""
    if walk.before() not in ("kubepods", "burstable", "besteffort"):
        return _unknown(walk, match[0])
    qos = walk.before() if walk.before() != "kubepods" else "guaranteed"
    walk.seen |= {"pod_uid": match["uid"], "qos": qos}
    return None


def _through(walk: _Walk, match: re.Match) -> None:
    """A directory of the kubelet or of a runtime, which holds containers and no process of a workload."""


def _qos(walk: _Walk, match: re.Match) -> Place | None:
    return None if walk.before() == "kubepods" else _unknown(walk, match[0])


def _lxc(walk: _Walk, match: re.Match) -> Place:
    return walk.stop("container", runtime="lxc", container=match["name"])


def _lxc_parent(walk: _Walk, match: re.Match) -> Place:
    rest = walk.parts[walk.at + 1 :]
    return walk.stop("container", 2, runtime="lxc", container=rest[0]) if rest else OTHER


def _user(walk: _Walk, match: re.Match) -> Place | None:
    """A user's own manager; what it starts is that user's. A second one inside it is a name like any other."""
    if "user" in walk.seen:
        return walk.stop("unit", unit=match[0])
    walk.seen |= {"user": int(match["uid"]), "unit": match[0]}
    return None


def _manager(walk: _Walk, match: re.Match) -> None:
    walk.seen["unit"] = match[0]


def _unit(walk: _Walk, match: re.Match) -> Place:
    return walk.stop("scope" if match["type"] == "scope" else "unit", unit=match[0])


SLICE = re.compile(r"[^/]+\.slice")
KUBE_SLICE = re.compile(
    r"(?:.+-)?kubepods(?:-(?P<qos>burstable|besteffort))?(?:-pod(?P<uid>[0-9A-Za-z_]{1,64}))?\.slice"
)
PODMAN_SLICE = re.compile(rf"(?:machine|user)-libpod_pod_(?P<id>{ID})\.slice")
NAMED = rf"(?P<runtime>{'|'.join(RUNTIMES)})"
INNERMOST = (("pod", "pod_uid"), ("unit", "unit"), ("slice", "slice"))
STEPS = tuple(
    (pattern if isinstance(pattern, re.Pattern) else re.compile(pattern, re.DOTALL), step)
    for pattern, step in (
        (rf"(?:crio-conmon|libpod-conmon)-{ID}(?:\.scope)?", _helper),
        (r"lxc\.(?:monitor|pivot)(?:\..+)?", _helper),
        (rf"{NAMED}-(?P<id>{ID})(?:\.scope)?", _named),
        (rf"(?P<slice>[^:]+\.slice):{NAMED}:(?P<id>{ID})", _joined),
        (ID, _bare),
        (SLICE, _slice),
        (r"kubelet|kubepods|docker|libpod_parent", _through),
        (r"burstable|besteffort", _qos),
        (r"pod(?P<uid>[0-9A-Za-z-]{1,64})", _pod),
        (r"lxc\.payload\.(?P<name>.+)", _lxc),
        (r"lxc|lxc\.payload", _lxc_parent),
        (r"user@(?P<uid>\d{1,10})\.service", _user),
        (r"(?:docker|containerd|crio|kubelet|k3s|k3s-agent|rke2-server|rke2-agent)\.service", _manager),
        (r".+\.(?P<type>service|scope|socket|mount|swap)", _unit),
    )
)
