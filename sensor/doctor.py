"""What this machine gives: every probe and every better hook, by trying, never by version number.

Tries are libbpf's own feature probes, which load a program of two instructions and drop it; nothing is attached but, for a moment,
one probe to a child of our own.
"""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sensor.probes import btf, choice, client, headers, pins, stdio_loader, tracepoints, trial, uprobes
from sensor.probes.catalogue import FEXIT, PROBES, RAW, Probe
from sensor.settings import SensorSettings

GOOD, CANNOT = 0, 3  # exit codes


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report."""

    probe: str
    state: str  # "yes", "no", or "stand-in": works, but at a hook that costs more than the one that is missing
    needs: str
    sees: str
    misses: str
    stand_in: str  # what does its work here, or what this one stands in for
    hook: str = ""  # of a probe: where it is attached here, and why there


@dataclass(frozen=True, slots=True)
class Report:
    """All lines, and whether the configured mode can be honoured."""

    kernel: str
    rows: tuple[Row, ...]
    verdict: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Facility:
    """Something of the kernel that is there or not."""

    name: str
    present: bool
    needs: str
    sees: str
    misses: str
    stand_in: str


def examine(settings: SensorSettings) -> Report:
    """Looks at this machine. Needs root to see everything; without it, what cannot be tried is "no"."""
    basics = _basics()
    taken, raw = choice.of([p for p in PROBES if p.name in settings.probes], settings.hooks)
    probes = [
        _probe_row(p, basics, taken.get(p.name, RAW), raw.get(p.name, "")) for p in PROBES if p.name in settings.probes
    ]
    rows = (*(_row(f) for f in basics), *probes, *(_row(f) for f in _better()))
    optional = {f"probe {p.name}" for p in PROBES if p.optional}
    lacking = [r.probe for r in (*rows[: len(basics)], *probes) if r.state == "no" and r.probe not in optional]
    if lacking:
        verdict = f"monitor: not possible here; missing: {', '.join(lacking)}"
    else:
        verdict = "monitor: possible; enforce: not part of this version"
    return Report(platform.release(), rows, verdict, CANNOT if lacking else GOOD)


def _row(f: Facility) -> Row:
    return Row(f.name, "yes" if f.present else "no", f.needs, f.sees, f.misses, "" if f.present else f.stand_in)


def _probe_row(probe: Probe, basics: list[Facility], variant: str, raw: str) -> Row:
    """A probe works where all basics do and the kernel has its tracepoints, and the members it reads.

    Args:
        raw: Why a probe that has a better hook is not at it; "" where it is, or has none.
    """
    probe, unfit = _here(probe)
    lacking = [o for o in probe.offsets if o not in _offsets()]
    works = not lacking and not unfit and all(f.present for f in basics)
    state = ("stand-in" if raw else "yes") if works else "no"
    needs = (f"BTF lacks {', '.join(lacking)}; " if lacking else f"{unfit}; " if unfit else "") + probe.needs
    stands = f"stands in for {probe.place(FEXIT)}: {raw}" if works and raw else ""
    hook = f"{probe.place(variant)}; {_because(probe, variant, raw)}" if works else ""
    return Row(f"probe {probe.name}", state, needs, probe.sees, "; ".join(probe.misses), stands, hook)


def _because(probe: Probe, variant: str, raw: str) -> str:
    if variant == FEXIT:
        return f"tried here: only opens pay, where the {probe.place(RAW)} is paid by every system call"
    return "every system call pays, at its end" if raw else f"nothing better is needed: {probe.enough}"


def _here(probe: Probe) -> tuple[Probe, str]:
    try:
        return tracepoints.found(probe)
    except (btf.BtfError, OSError):
        return probe, ""


def _offsets() -> dict[str, int]:
    try:
        return btf.offsets()
    except (btf.BtfError, OSError):
        return {}


def _basics() -> list[Facility]:
    """What every probe needs."""
    return [
        Facility("root", os.geteuid() == 0, "uid 0 or the capabilities of the unit", "", "", "replaying a trace"),
        Facility("raw tracepoints", _program(17), "CONFIG_BPF_EVENTS, CAP_BPF, CAP_PERFMON", "", "", "none"),
        Facility("cgroup programs", _program(8) and _program(18), "CONFIG_CGROUP_BPF, CAP_NET_ADMIN", "", "", "none"),
        Facility("ring buffers", _map(27), "Linux 5.8", "", "", "none"),
        Facility(
            "BTF", Path("/sys/kernel/btf/vmlinux").exists(), "CONFIG_DEBUG_INFO_BTF", "struct offsets", "", "none"
        ),
        Facility("cgroup v2", _cgroup2(), "a mounted cgroup2 hierarchy; hybrid will do", "", "", "none"),
        Facility("bpffs", _bpffs(), f"{pins.BPFFS} mounted or mountable", "", "", "none"),
        Facility(
            "kernel headers", _headers(), "any set below /usr/src, it need not match", "", "", 'none; run "make setup"'
        ),
        Facility("bcc", _bcc(), f"python3-bpfcc for {client.PYTHON}", "", "", 'none; run "make setup"'),
    ]


def _better() -> list[Facility]:
    """Hooks that would see more; none is needed."""
    kprobe = Path("/sys/bus/event_source/devices/kprobe").exists()
    uprobe = uprobes.missing() or trial.harm()
    lacking = stdio_loader.missing()
    return [
        Facility(
            "kprobes",
            kprobe,
            "CONFIG_KPROBES",
            "any kernel function, e.g. tcp_sendmsg with the process that writes",
            "" if kprobe else "bytes by the exact writer of a shared socket",
            "cgroup_skb counts bytes and keeps the socket's last user (probe network)",
        ),
        Facility(
            "TRACING programs (fentry, fexit, tp_btf)",
            _program(26),
            "CONFIG_DEBUG_INFO_BTF_MODULES, CAP_PERFMON, not locked down",
            "kernel functions at a lower cost, file_open with its result",
            "" if _program(26) else "opens by 32-bit calls; files that io_uring opens without a completion",
            "raw tracepoint sys_exit after an open (probe files)",
        ),
        Facility(
            "LSM programs",
            _program(29) and _lsm(),
            "CONFIG_BPF_LSM and bpf in the lsm= list",
            "file_open, bprm_check, socket_connect: also what was denied, and a place to deny",
            "" if _program(29) and _lsm() else "denied opens and execs; file and exec denial cannot be enforced",
            "observing: probes process and files; enforcing egress: cgroup programs; enforcing files: nothing",
        ),
        Facility(
            "probe tls (uprobes)",
            not uprobe,
            f"CONFIG_UPROBE_EVENTS, CAP_PERFMON, CAP_SYS_PTRACE, CAP_SYS_ADMIN{'; ' if uprobe else ''}{uprobe}",
            "plaintext of agents that call OpenSSL's functions by symbol: model calls, tool calls, MCP over HTTPS",
            "TLS without symbols (Go, rustls, stripped BoringSSL): such a process is `uncovered`"
            if not uprobe
            else "prompts and tool calls inside TLS",
            "TLS server names and bytes only",
        ),
        Facility(
            "probe stdio (sys_exit)",
            not lacking,
            f"raw tracepoints, BTF; CAP_BPF, CAP_PERFMON{'; ' if lacking else ''}{lacking}",
            "MCP of agents over pipes and socketpairs, each call once, as its reader took it",
            "reads by io_uring and by 32-bit calls; named pipes and sockets with names"
            if not lacking
            else "what agents say to MCP servers on the same machine",
            "the server's execs, files and connections; MCP over HTTP by probe tls",
        ),
    ]


def _program(kind: int) -> bool:
    return _feature("libbpf_probe_bpf_prog_type", kind)


def _map(kind: int) -> bool:
    return _feature("libbpf_probe_bpf_map_type", kind)


def _feature(function: str, kind: int) -> bool:
    try:
        return getattr(ctypes.CDLL("libbpf.so.1"), function)(kind, None) == 1
    except (OSError, AttributeError):  # no libbpf here, or one that is too old
        return False


def _lsm() -> bool:
    """Whether the running kernel calls BPF's security hooks; securityfs may be unmounted, then a load decides alone."""
    path = Path("/sys/kernel/security/lsm")
    return not path.exists() or "bpf" in path.read_text().split(",")


def _cgroup2() -> bool:
    try:
        return client.cgroup_root().is_dir()
    except client.ProbeError:
        return False


def _bpffs() -> bool:
    if pins.mounted():
        return True
    return os.geteuid() == 0 and "bpf" in Path("/proc/filesystems").read_text().split()


def _headers() -> bool:
    try:
        headers.choose()
    except headers.HeadersError:
        return False
    return True


def _bcc() -> bool:
    command = [client.PYTHON, "-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('bcc') is None)"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
