"""A behaviour to its shape: what may be said of a class without saying anything of one team.

No host, address, account or private path of a workload is in a template, so nothing that one team's agent talks to can
become normal for another's.
"""

from __future__ import annotations

import re
from functools import lru_cache

from classifier.classes.endpoints import INTERNAL, NAMES, TOOL, is_address, parts, purpose
from classifier.classes.facts import INTERPRETER, LAUNCHER, MCP, executed
from classifier.drift.severity import SHELL, SPECIAL_EXEC, TOOLS
from classifier.envelope import dimensions

EXEC, EGRESS, INGRESS, FILE, IDENTITY, SYSCALL = "exec", "egress", "ingress", "file", "identity", "syscall"
DIMENSIONS = (EXEC, EGRESS, INGRESS, FILE, IDENTITY, SYSCALL)
SYSTEM = re.compile(r"/(?:bin|sbin|usr|lib|lib64|etc|proc|sys|dev)(?=/|$)")
WRITABLE = re.compile(r"/(?:tmp|var/tmp|run|dev/shm)(?=/|$)")
SUFFIX = re.compile(r"\.[a-z0-9]{1,11}$")
KNOWN_TOOL = re.compile(rf"^{TOOLS}[\d.]*$")
LOW_PORTS = 49152  # above it a port is chosen anew for each conversation
ACCOUNT = "token", "metadata", "cloud"


def dimension(behaviour: str) -> str:
    """The dimension of a behaviour; "" of one that has none (a sequence).

    >>> dimension("write:data:/x"), dimension("gram:a>b>c")
    ('file', '')
    """
    return dimensions.dimension(behaviour) or ""


@lru_cache(maxsize=65536)
def template(behaviour: str) -> str:
    """The shape of a behaviour; "" where it has none that says anything.

    >>> template("egress:tcp:crm.acme.example:443"), template("exec:/srv/acme/bin/sync-acme<python3.11")
    ('egress:tcp:(tool):443', 'exec:(own)<python')
    """
    kind = dimension(behaviour)
    return SHAPES[kind](behaviour) if kind in SHAPES else ""


def _exec(behaviour: str) -> str:
    if SPECIAL_EXEC.match(behaviour):
        return f"exec:(writable place)<{_program(executed(behaviour)[1])}"
    image, parent = executed(behaviour)
    return f"exec:{_program(image)}<{_program(parent)}"


def _program(name: str) -> str:
    """A name that everybody has; "(own)" for one that a team may have given."""
    if LAUNCHER.match(name):
        return "(launcher)"
    if INTERPRETER.match(name) or KNOWN_TOOL.match(name) or SHELL.match(f"exec:/{name}"):
        return name
    return "(tool server)" if MCP.search(name) else "(own)"


def _egress(behaviour: str) -> str:
    protocol, host, port = parts(behaviour)
    if not host:
        return ""
    what = purpose(behaviour)
    if what in (TOOL, INTERNAL) and is_address(host):
        what += " without a name"
    return f"egress:{protocol}:({what}):{_port(port) if what != NAMES else port}"


def _ingress(behaviour: str) -> str:
    _, protocol, port = [*behaviour.split(":"), "", ""][:3]
    return f"ingress:{protocol}:{_port(port)}"


def _port(port: str) -> str:
    return port if port.isdigit() and int(port) < LOW_PORTS else "*"


def _file(behaviour: str) -> str:
    """Mode, class, where in the system, and the ending of the name."""
    mode, _, rest = behaviour.partition(":")
    what, _, path = rest.partition(":")
    ending = found[0] if (found := SUFFIX.search(path.lower())) else ""
    system, writable = SYSTEM.match(path), WRITABLE.match(path)
    where = system[0] if system else "(writable place)" if writable else "(own)"
    return f"{mode}:{what}:{where}/*{ending}"


def _identity(behaviour: str) -> str:
    kind = behaviour.split(":")[1]
    return f"identity:{kind}" if kind in ACCOUNT else "identity:(other)"


SHAPES = {
    EXEC: _exec,
    EGRESS: _egress,
    INGRESS: _ingress,
    FILE: _file,
    IDENTITY: _identity,
    SYSCALL: lambda behaviour: behaviour,
}
