"""What probes there are: where each attaches, what it needs, sees and misses, and what stands in for it.

`docs/probes.md` is written from this table. Standard library only: the loader reads it under the system Python.
"""

from __future__ import annotations

from dataclasses import dataclass

RAW_TRACEPOINT, CGROUP_SKB, CGROUP_SOCK, CGROUP_SOCK_ADDR, TRACING = 17, 8, 9, 18, 26  # enum bpf_prog_type
KINDS = {
    RAW_TRACEPOINT: "raw tracepoint",
    CGROUP_SKB: "cgroup program",
    CGROUP_SOCK: "cgroup program",
    CGROUP_SOCK_ADDR: "cgroup program",
    TRACING: "fexit",
}
RAW, FEXIT = "raw", "fexit"  # variants of a probe


@dataclass(frozen=True)
class Hook:
    """One program and the place it is attached to."""

    function: str
    kind: int  # enum bpf_prog_type
    target: str = ""  # name of the raw tracepoint, or of the kernel's function
    attach: int = 0  # enum bpf_attach_type, for cgroup programs
    older: tuple[str, ...] = ()  # what older kernels call the same tracepoint
    beside: str = ""  # the probe without which this program has nothing to do
    hands: str = ""  # the struct that it must hand over first; "" where no kernel's differs

    @property
    def link(self) -> str:
        """What it is pinned as."""
        return f"link_fexit_{self.target}" if self.kind == TRACING else f"link_{self.function}"


@dataclass(frozen=True)
class Probe:
    """One source file below bpf/."""

    name: str
    hooks: tuple[Hook, ...]
    sees: str
    misses: tuple[str, ...]
    needs: str = "CAP_BPF, CAP_PERFMON; Linux 5.8"
    offsets: tuple[str, ...] = ()  # members of `btf.MEMBERS` without which it cannot run
    stand_in_for: str = ""  # a hook that would see more and is not used: what is missed is told as a blind spot
    after: tuple[str, ...] = ()  # probes that it cannot do without
    fexit: tuple[Hook, ...] = ()  # instead of `hooks` where the kernel takes them: the same facts at a lower cost
    enough: str = ""  # why `hooks` are as good as any, in words
    optional: bool = False  # older kernels lack it, and the sensor is worth running without it

    @property
    def state(self) -> str:
        """What a loaded probe is: nothing would see more, or something would."""
        return "stand-in" if self.stand_in_for else "on"

    def hooks_of(self, variant: str) -> tuple[Hook, ...]:
        return self.fexit if variant == FEXIT else self.hooks

    def place(self, variant: str) -> str:
        """Where it is attached, in words."""
        named = [(KINDS[h.kind], h.target or h.function) for h in self.hooks_of(variant)]
        kinds = dict.fromkeys(kind for kind, _ in named)
        return "; ".join(f"{kind} {', '.join(name for k, name in named if k == kind)}" for kind in kinds)


def raw(name: str) -> Hook:
    return Hook(f"raw_tracepoint__{name}", RAW_TRACEPOINT, name)


def of_ring(name: str, function: str, *older: str) -> Hook:
    return Hook(function, RAW_TRACEPOINT, name, older=older, hands="io_kiocb")


def at_return(name: str, function: str) -> Hook:
    return Hook(function, TRACING, name)


PROBES: tuple[Probe, ...] = (
    Probe(
        "syscalls",
        (raw("sys_enter"),),
        "every system call of a cgroup from its first one on, counted per number; hashed trigrams of each thread",
        (
            "calls that seccomp denied (sys_enter fires after seccomp)",
            "work that io_uring does without a call (the probe io_uring counts it)",
            "what a runtime or a service manager does in a cgroup before the exec of its program, for at most 10 s",
            "arguments",
        ),
        offsets=("TASK_STATUS", "TASK_PID"),
        enough="it is the one place that every system call passes",
    ),
    Probe(
        "process",
        (raw("sched_process_exec"), raw("sched_process_fork"), raw("sched_process_exit"), raw("cgroup_rmdir")),
        "exec with the kernel's resolved path, a script's name, argv, cwd, uid, tty, lineage; fork; exit; end of a cgroup",
        (
            "execs that failed",
            "environment",
            "argv past 511 bytes (marked as cut)",
            "what a script holds; scripts that an interpreter is given as an argument",
        ),
        offsets=("TASK_TGID", "BPRM_FILE", "BPRM_FILENAME", "BPRM_INTERP", "MM_ARG_START"),
        stand_in_for="LSM bprm_committed_creds (digest and denial at the exec itself)",
        enough="they fire when it has happened, and at nothing else",
    ),
    Probe(
        "files",
        (raw("sys_exit"),),
        "files that were opened, by the kernel's own path, with read or write intent; counts per file and image",
        (
            "opens by 32-bit calls, and by io_uring without the probe io_uring",
            "the open of an executable by exec itself",
            "reads and writes of a file opened before the sensor started",
        ),
        offsets=("TASK_FILES", "FILES_FDT", "FDT_FD"),
        stand_in_for="LSM file_open (every way to open a file, and its denial)",
        after=("syscalls",),
        fexit=(at_return("do_sys_openat2", "files_opened"), at_return("do_handle_open", "files_opened")),
    ),
    Probe(
        "network",
        (
            Hook("packet_in", CGROUP_SKB, attach=0),
            Hook("packet_out", CGROUP_SKB, attach=1),
            Hook("make_socket", CGROUP_SOCK, attach=2),
            Hook("connect4", CGROUP_SOCK_ADDR, attach=10),
            Hook("connect6", CGROUP_SOCK_ADDR, attach=11),
            raw("inet_sock_set_state"),
        ),
        "TCP and UDP, IPv4 and IPv6, connected and not: peer, port, direction, connections, packets, payload bytes; "
        "DNS answers over UDP; TLS server names; both ends of connections to driftline's own receivers",
        (
            "names inside DNS over HTTPS or TLS, ECH and QUIC (QUIC is UDP with its bytes)",
            "raw and packet sockets",
            "DNS over TCP",
        ),
        needs="CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN; Linux 5.8, cgroup v2",
        offsets=("SOCK_NUM", "TASK_TGID"),
        stand_in_for="kprobe or fentry on tcp_sendmsg and udp_sendmsg (bytes by the process that wrote them)",
        after=("process",),
        enough="each packet of the scope, TCP and UDP, both ways, and none of others",
    ),
    Probe(
        "io_uring",
        (
            of_ring("io_uring_submit_req", "ring_submitted", "io_uring_submit_sqe"),
            Hook("ring_completed", RAW_TRACEPOINT, "io_uring_complete", beside="files"),
        ),
        "requests to io_uring, counted per opcode and replica, those of the kernel's own threads (SQPOLL) among them; files that a "
        "ring opened, as the probe files tells others",
        (
            "arguments and results of requests to io_uring other than opens, and their order",
            "files of opens without a completion (counted as io_uring:unnamed_open)",
            "files of opens whose completion finds no room in the ring, on newer kernels: only the request is counted",
            "files that a ring opens and gives back before their completion is written: what has their number then is counted",
            "requests that the kernel turns away before it takes them (a bad opcode, a bad flag)",
        ),
        needs="CAP_BPF, CAP_PERFMON; Linux 6.0",
        offsets=("KIOCB_OPCODE", "KIOCB_FLAGS", "KIOCB_RESULT", "KIOCB_RING", "OPEN_SLOT"),
        stand_in_for="LSM file_open (every file that a ring opens, at the moment when it does)",
        enough="it is the one place that every request passes, and nothing else",
        optional=True,
    ),
    Probe(
        "capture",
        (Hook("capture_enter", RAW_TRACEPOINT, "sys_enter"),),
        "every system call as a row of time, thread, number and replica, for `trace record --full`; off otherwise",
        (
            "calls that seccomp denied (sys_enter fires after seccomp)",
            "arguments and results",
            "calls while its ring is full (counted per replica)",
        ),
        offsets=("TASK_STATUS", "TASK_PID"),
    ),
)

BY_NAME = {p.name: p for p in PROBES}

MAPS = (
    "seats slots owners free_slots processes images facts paths calls calls_told grams tids execs files file_rows free_files "
    "ring_ops ring_ops_told flows flow_rows free_flows talks listeners doors dialling payloads staged captures exit_more"
).split()
