"""Canonical names of behaviours, from what the kernel saw. docs/behaviours.md is their specification."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from wire.fields import cut, escaped
from wire.records import Behaviour

UNKNOWN = "-"  # an image or parent that nobody saw
SCRIPT = 254  # bytes of a script's name that the kernel side takes; longer ones are cut

_DESCRIPTOR = re.compile(r"/(?:dev|proc/[^/]+(?:/task/[^/]+)?)/fd/[^/]+(?P<below>/.*)?", re.DOTALL)

_VARIABLE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # UUID
    r"|(?<![0-9A-Za-z])[0-9a-f]{8,}(?![0-9A-Za-z])"  # a hash or an id
    r"|(?<=tmp)[0-9A-Za-z_]{6,}|(?<=tmp\.)[0-9A-Za-z]{6,}"  # mktemp and tempfile
    r"|(?<![0-9A-Za-z._-])\d+(?![0-9A-Za-z])|(?<=-)\d+(?![0-9A-Za-z])|(?<=_)\d{3,}(?![0-9A-Za-z])",  # a number of its own
    re.IGNORECASE,
)


@lru_cache(4096)
def template(path: str) -> str:
    """A path with its variable parts as `*`.

    >>> template("/tmp/run-3fa85f64-5717-4562-b3fc-2c963f66afa6/out.json")
    '/tmp/run-*/out.json'
    >>> template("/usr/lib/x86_64-linux-gnu/libssl.so.3")
    '/usr/lib/x86_64-linux-gnu/libssl.so.3'
    """
    return "/".join(_VARIABLE.sub("*", part) for part in path.split("/"))


def base(path: str) -> str:
    return escaped(path.rpartition("/")[2] or path) or UNKNOWN


def base_of_script(path: str) -> str:
    """Scripts are often written for one run, so what varies in a name is no owner of its own.

    >>> base_of_script("/tmp/tmpk3j9x2_1.sh"), base_of_script("/app/export.py")
    ('tmp*.sh', 'export.py')
    """
    return base(template(path))


def exec_of(path: str, caller: str) -> Behaviour:
    """`exec:PATH<CALLER`, the caller by base name.

    >>> exec_of("/usr/bin/curl", "sh")
    'exec:/usr/bin/curl<sh'
    """
    return cut(f"exec:{escaped(template(path))}<{caller}")


def host(address: str, name: str | None) -> str:
    if name:
        return escaped(name)
    return f"[{address}]" if ":" in address else address


def flow_of(ingress: bool, protocol: int, where: str, port: int) -> Behaviour:
    """`egress:tcp:HOST:PORT` or `ingress:tcp:PORT`."""
    kind = {6: "tcp", 17: "udp"}.get(protocol, str(protocol))
    return cut(f"ingress:{kind}:{port}" if ingress else f"egress:{kind}:{where}:{port}")


def file_of(kind: str, path: str, writes: bool) -> Behaviour:
    return cut(f"{'write' if writes else 'open'}:{kind}:{escaped(path)}")


def address(raw: bytes) -> str:
    """Text of 16 address bytes, IPv4 in its own form.

    >>> address(bytes(10) + b"\\xff\\xff\\x7f\\0\\0\\1")
    '127.0.0.1'
    """
    value = ipaddress.IPv6Address(raw)
    return str(value.ipv4_mapped or value)


def path(text: bytes, *, cut: bool = False) -> str:
    """A path from its parts, innermost first, each ended by NUL, as the kernel side writes them.

    Args:
        cut: There were more parts than the kernel side could follow.

    >>> path(b"curl\\0bin\\0usr\\0")
    '/usr/bin/curl'
    """
    parts = text.split(b"\0")[:-1]
    return "…/"[not cut :] + "/".join(p.decode("utf-8", "backslashreplace") for p in reversed(parts) if p != b"/")


def script(name: bytes, directory: bytes = b"", *, cut: bool = False) -> str:
    """Path of a script, from its name as exec was given it and the working directory.

    A `..` behind another name stays: that name may be a link, and then the script lies elsewhere. A descriptor leads
    wherever its process wants, so its path says no more than that it is one.

    Args:
        directory, cut: Parts of the working directory, as `path` takes them.

    >>> script(b"../bin/./job.sh", b"run\\0app\\0"), script(b"link/../job.sh", b"app\\0")
    ('/app/bin/job.sh', '/app/link/../job.sh')
    >>> script(b"/dev/fd/3"), script(b"/dev/fd/3/job.sh")
    ('/dev/fd/script', '/dev/fd/*/job.sh')
    """
    text = name.decode("utf-8", "backslashreplace") + "…" * (len(name) >= SCRIPT)
    here = [] if text.startswith("/") else directory.split(b"\0")[:-1]
    parts = [p for p in text.split("/") if p not in ("", ".")]
    while parts and parts[0] == "..":
        parts, here = parts[1:], here[1:]
    found = path(b"".join(p + b"\0" for p in here), cut=cut and not text.startswith("/")).rstrip("/")
    found += "/" + "/".join(parts)
    descriptor = _DESCRIPTOR.fullmatch(found)
    return (
        found if descriptor is None else "/dev/fd/" + ("*" + descriptor["below"] if descriptor["below"] else "script")
    )


def image(text: bytes) -> tuple[str, bool]:
    """Path of a row of the kernel side's `images`, and whether it is a script's: its name is the first part, slashes and all."""
    name, _, rest = text.partition(b"\0")
    if b"/" in name and not name.startswith(b"memfd:"):
        return script(name, rest), True
    return path(text), False
