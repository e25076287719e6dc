"""How bad a behaviour would be if it were hostile: 0 to 3, after ATT&CK, with the technique's number.

The first line of ``TABLE`` that fits decides. The table is an expert's judgement, not fitted to data.
"""

from __future__ import annotations

import re
from functools import lru_cache

SHELLS = r"(?:sh|bash|dash|ash|zsh|ksh|busybox)"
TOOLS = (
    r"(?:curl|wget|nc|ncat|netcat|socat|ssh|scp|nmap|telnet|ftp|tftp|rclone|aws|gcloud|kubectl|base64|xxd|gdb|strace)"
)
CALLS = (
    r"(?:ptrace|mount|bpf|setns|unshare|init_module|finit_module|delete_module|kexec_load|pivot_root|process_vm_writev)"
)
RINGS = (  # what a monitor of system calls would have seen
    r"(?:openat2?|unnamed_open|socket|connect|bind|listen|accept|send\w*|(?:rename|unlink|link|symlink|mkdir)at|f?setxattr|uring_cmd)"
)

HOST = (  # files through which a container reaches its host, or learns where it is weak
    r"(?:open|write):\w+:(?:/(?:host|hostfs|rootfs)/|/proc/(?:\*|\d+|self|sys/kernel)/(?:root/|kallsyms|kcore|mem$|core_pattern|modprobe)|/proc/(?:kallsyms|kcore|sysrq)"
    r"|/sys/fs/cgroup/.*(?:release_agent|devices\.allow)|/dev/(?:[svx]d[a-z]|nvme|dm-|mem$|kmem|port$)|/sys/kernel/(?:debug|security)/"
    r"|/(?:var/)?run/(?:docker|containerd|crio|podman)/?[^:]*\.sock|/var/lib/(?:kubelet|docker|containerd)/|/etc/kubernetes/)"
)

TABLE: tuple[tuple[str, int, str], ...] = (
    (r"identity:", 3, "T1552 credentials"),
    (r"open:secret:", 3, "T1552 credentials"),
    (rf"syscall:{CALLS}$", 3, "T1611 escape to host"),
    (r"syscall:process_vm_readv$", 3, "T1003 memory of another process"),
    (r"exec:(?:/proc/self/fd/|/dev/fd/|/dev/shm/|/memfd:|memfd:)", 3, "T1620 code without a file"),
    (r"exec:(?:/tmp/|/var/tmp/|/run/)", 3, "T1105 tool brought in"),
    (HOST, 2, "T1611 files of the host"),
    (r"write:code:", 2, "T1195 code changed in place"),
    (rf"exec:[^<]*/{SHELLS}(?:<|$)", 2, "T1059 command interpreter"),
    (rf"exec:[^<]*/{TOOLS}[\d.]*(?:<|$)", 2, "T1105 transfer or inspection tool"),
    (r"egress:[a-z]+:(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.%]+\]):", 2, "T1041 peer without a name"),
    (rf"io_uring:{RINGS}$", 2, "T1562 past monitors of system calls"),
    (r"write:(?:model|secret):", 2, "T1565 stored data changed"),
    (r"egress:", 1, "T1071 application protocol"),
    (r"exec:", 1, "T1204 execution"),
    (r"ingress:", 1, "T1571 new listener"),
    (r"io_uring:", 1, "T1106 work without system calls"),
    (r"open:model:", 1, "model artefact"),
    (r"self_report_conflict:", 1, "T1036 masquerading"),
    (r"write:", 0, "file"),
    (r"open:", 0, "file"),
)
COMPILED = tuple((re.compile(p), s, w) for p, s, w in TABLE)

SECRET = re.compile(r"identity:|open:secret:|write:secret:")
OF_HOST = re.compile(HOST)
GUARDED = ("identity:", "open:secret:")
SPECIAL_EXEC = re.compile(r"exec:(?:/proc/self/fd/|/dev/fd/|/dev/shm/|/memfd:|memfd:|/tmp/|/var/tmp/)")
ESCAPE = re.compile(rf"syscall:(?:{CALLS}|process_vm_readv)$")
RAW_PEER = re.compile(r"egress:[a-z]+:(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.%]+\]):")
SHELL = re.compile(rf"exec:[^<]*/{SHELLS}(?:<|$)")

X86_64 = {
    101: "ptrace", 155: "pivot_root", 165: "mount", 175: "init_module", 176: "delete_module", 246: "kexec_load",
    272: "unshare", 308: "setns", 310: "process_vm_readv", 311: "process_vm_writev", 313: "finit_module", 321: "bpf",
}  # fmt: skip
AARCH64 = {
    40: "mount", 41: "pivot_root", 97: "unshare", 104: "kexec_load", 105: "init_module", 106: "delete_module",
    117: "ptrace", 268: "setns", 270: "process_vm_readv", 271: "process_vm_writev", 273: "finit_module", 280: "bpf",
}  # fmt: skip
SENSITIVE = {"x86_64": X86_64, "aarch64": AARCH64}


def severity(behaviour: str) -> int:
    """0 (ordinary file) to 3 (credential, escape).

    >>> severity("exec:/usr/bin/curl<python3.11"), severity("open:data:/var/lib/x")
    (2, 0)
    """
    return rated(behaviour)[0]


@lru_cache(maxsize=8192)
def rated(behaviour: str) -> tuple[int, str]:
    """Severity and technique."""
    return next(((s, w) for p, s, w in COMPILED if p.match(behaviour)), (0, "ordinary"))


def is_secret(behaviour: str) -> bool:
    """Whether this uses an identity or a secret."""
    return SECRET.match(behaviour) is not None


def of_host(behaviour: str) -> bool:
    """Whether this touches files of the host, or tells how to get at it.

    >>> of_host("open:data:/sys/fs/cgroup/*/release_agent"), of_host("open:data:/proc/*/status")
    (True, False)
    """
    return OF_HOST.match(behaviour) is not None


def sensitive_calls(arch: str) -> dict[int, str]:
    """Numbers of the system calls that may open a finding; for an unknown architecture none can be told."""
    return SENSITIVE.get(arch, {})


def judged(behaviour: str) -> bool:
    """Whether a behaviour can open a finding at all: sequences and ordinary calls are continuity evidence only."""
    if behaviour.startswith("gram:"):
        return False
    return not behaviour.startswith("syscall:") or ESCAPE.match(behaviour) is not None
