"""The hooks that only an ordinary kernel has, tried with a known load: what each saw of it, beside what it ought to see.

Runs inside a guest under the system's Python: these hooks see the whole machine, and filter by cgroup themselves.
python3 -m tests.vm.hooks OUT.json
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

BOX = Path("/sys/fs/cgroup/hooks")

FILES = "fexit do_sys_openat2, do_handle_open (probe files)"

# hook, how it is attached, what it counts, what driftline uses instead, the load that it must see
ROWS: tuple[tuple[str, str, str, str, str], ...] = (
    ("kprobe", "tcp_sendmsg", "bytes", "cgroup_skb (probe network)", "bytes"),
    ("kprobe", "tcp_v4_connect", "calls", "cgroup connect4 (probe network)", "connects"),
    ("fentry", "tcp_sendmsg", "bytes", "cgroup_skb (probe network)", "bytes"),
    ("fentry", "tcp_connect", "calls", "cgroup connect4 (probe network)", "connects"),
    ("LSM", "socket_connect", "calls", "cgroup connect4 (probe network)", "connects"),
    ("LSM", "file_open", "writes", FILES, "writes"),
    ("LSM", "bprm_committed_creds", "calls", "raw tracepoint sched_process_exec (probe process)", "execs"),
    ("LSM", "bprm_check_security denies", "denied", "nothing: an exec cannot be denied", "denied"),
    ("fexit", "do_sys_openat2", "writes", FILES, "writes"),
    ("fexit", "do_handle_open", "calls", FILES, "handles"),
)
WANTED = {"bytes": 23_000, "connects": 23, "writes": 10, "execs": 5, "denied": 1, "handles": 3}

# No kernel header but what bcc brings: net/sock.h and linux/fs.h cost half a minute under emulation and break bcc 0.26 on
# newer kernels. f_mode is found by the offset that this kernel's BTF gives, as driftline's own probes find it.
PROGRAM = """
#include <uapi/linux/ptrace.h>
BPF_ARRAY(seen, u64, 10);
BPF_ARRAY(deny, u32, 1);
static int ours(void) { return bpf_get_current_cgroup_id() == BOX; }
static void add(int row, u64 n) { u64 *c = seen.lookup(&row); if (c) __sync_fetch_and_add(c, n); }
static int one(int row) { if (ours()) add(row, 1); return 0; }

int kprobe_bytes(struct pt_regs *ctx) { if (ours()) add(0, PT_REGS_PARM3(ctx)); return 0; }
int kprobe_connect(struct pt_regs *ctx) { return one(1); }
KFUNC_PROBE(tcp_sendmsg, void *sk, void *msg, u64 size) { if (ours()) add(2, size); return 0; }
KFUNC_PROBE(tcp_connect, void *sk) { return one(3); }
LSM_PROBE(socket_connect, void *sock, void *address, int length) { return one(4); }
LSM_PROBE(file_open, void *file) {
    u32 mode = 0;
    bpf_probe_read_kernel(&mode, sizeof(mode), file + F_MODE);
    if (ours() && mode & 2)
        add(5, 1);
    return 0;
}
LSM_PROBE(bprm_committed_creds, void *bprm) { return one(6); }
LSM_PROBE(bprm_check_security, void *bprm) {
    int first = 0;
    u32 *pid = deny.lookup(&first);
    if (!pid || !*pid || *pid != (u32)(bpf_get_current_pid_tgid() >> 32))
        return 0;
    add(7, 1);
    return -1;  /* EPERM */
}
KRETFUNC_PROBE(do_sys_openat2, int directory, void *name, void *how, u64 result) {
    u64 flags = 0;
    bpf_probe_read_kernel(&flags, sizeof(flags), how);
    if (ours() && flags & 3 && result < 1 << 20)
        add(8, 1);
    return 0;
}
KRETFUNC_PROBE(do_handle_open, int mount, void *handle, int how, u64 result) { return result < 1 << 20 ? one(9) : 0; }
"""

LOAD = """
import ctypes, os, socket, subprocess, sys
for _ in range(23):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as c:
        c.sendall(b"x" * 1000)
        c.recv(10)
for _ in range(10):
    open(sys.argv[2], "a").close()
for _ in range(4):
    subprocess.run(["/bin/true"])
libc, folder, mount = ctypes.CDLL(None), os.open("/tmp", os.O_RDONLY), ctypes.c_int()
handle = (ctypes.c_uint * 34)(128)
if libc.name_to_handle_at(folder, b"hooks.txt", handle, ctypes.byref(mount), 0):
    sys.exit("no handle")
for _ in range(3):
    libc.open_by_handle_at(folder, handle, os.O_RDONLY)
"""


def collect() -> list[dict]:
    """Every row: attached or why not, and what it counted."""
    BOX.mkdir(exist_ok=True)
    program = _program(BOX.stat().st_ino)
    attached = [_try(act, program) for act in ATTACH]
    _load()
    denied = _denied(program)
    counts = [program["seen"][i].value for i in range(len(ROWS))]
    rows = []
    for (kind, target, _, stand_in, load), error, count in zip(ROWS, attached, counts, strict=True):
        worked = load != "denied" or denied
        seen = error or (count if worked else "counted, but the exec went on")
        rows.append(
            {"hook": f"{kind} {target}", "stand_in": stand_in, "load": load, "wanted": WANTED[load], "seen": seen}
        )
    return rows


def _program(box: int):  # -> bcc.BPF, which only the system's Python can import
    from bcc import BPF

    from sensor.probes import btf, headers

    source = headers.find(Path(tempfile.mkdtemp()))  # any set does, as for driftline's own probes
    if source:
        os.environ["BCC_KERNEL_SOURCE"] = source
    BPF._BPF__auto_attach = BPF._trace_autoload = lambda self: None
    return BPF(
        text=PROGRAM, cflags=[f"-DBOX={box}ULL", f"-DF_MODE={btf.offsets()['FILE_MODE']}", "-Wno-macro-redefined"]
    )


ATTACH: tuple[Callable, ...] = (
    lambda b: b.attach_kprobe(event="tcp_sendmsg", fn_name="kprobe_bytes"),
    lambda b: b.attach_kprobe(event="tcp_v4_connect", fn_name="kprobe_connect"),
    lambda b: b.attach_kfunc("tcp_sendmsg"),
    lambda b: b.attach_kfunc("tcp_connect"),
    lambda b: b.attach_lsm("socket_connect"),
    lambda b: b.attach_lsm("file_open"),
    lambda b: b.attach_lsm("bprm_committed_creds"),
    lambda b: b.attach_lsm("bprm_check_security"),
    lambda b: b.attach_kretfunc("do_sys_openat2"),
    lambda b: b.attach_kretfunc("do_handle_open"),
)


def _try(act: Callable, program) -> str:
    try:
        act(program)
    except Exception as e:  # bcc raises bare Exception
        return str(e)[:120]
    return ""


def _load() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_answer, args=(server,), daemon=True).start()
    command = [sys.executable, "-S", "-E", "-c", LOAD, str(server.getsockname()[1]), "/tmp/hooks.txt"]
    subprocess.run(command, preexec_fn=_enter, check=True, timeout=120)


def _enter() -> None:
    (BOX / "cgroup.procs").write_text(str(os.getpid()))


def _answer(server: socket.socket) -> None:
    while True:
        with server.accept()[0] as c:
            while c.recv(65536):
                c.send(b"y")


def _denied(program) -> bool:
    """Whether a process that the program was told of could not exec."""
    ready, go = os.pipe()
    pid = os.fork()
    if not pid:
        os.read(ready, 1)
        try:
            os.execv("/bin/true", ["true"])
        except PermissionError:
            os._exit(42)
        os._exit(1)
    program["deny"][ctypes.c_int(0)] = ctypes.c_uint(pid)
    os.write(go, b"x")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42


def main(out: str) -> None:
    Path(out).write_text(json.dumps({"kernel": platform.release(), "hooks": collect()}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
