"""strace's text: real samples made here, and the lines that are hard."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from sensor.importers import strace, strace_lines
from wire import codec
from wire.records import Event, Window
from wire.syscalls import number

NET = """
import socket, threading
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
t = threading.Thread(target=lambda: s.accept()); t.start()
c = socket.create_connection(s.getsockname()); t.join(); print(s.getsockname()[1])
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.sendto(b"x", ("::1", 5353))
"""


def imported(path, **options):
    found = strace.records(path, **options)
    return list(found), found.summary


@pytest.fixture
def traced(tmp_path):
    """Runs a command under strace; gives the trace and what the command printed."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")

    def run(*command, options=("-f", "-ttt")):
        done = subprocess.run(["strace", *options, "-o", tmp_path / "s.txt", *command], capture_output=True, timeout=60)
        if b"ptrace" in done.stderr:
            pytest.skip("strace may not trace here")
        return tmp_path / "s.txt", done.stdout.decode()

    return run


def events(records, kind):
    return [r for r in records if isinstance(r, Event) and r.kind == kind]


def test_a_shell_and_its_children(traced):
    path, _ = traced("/bin/sh", "-c", "cat /etc/hostname; (sleep 0.05 & sleep 0.02; wait); true")
    records, summary = imported(path)
    image = "/" + "/".join(events(records, "exec")[0].data["path"].split("/")[1:])
    assert [e.behaviour for e in events(records, "exec")] == [f"exec:{image}<-"] + [
        f"exec:/usr/bin/{n}<sh" for n in ("cat", "sleep", "sleep")
    ]
    assert summary.unparsed == 0
    assert len(events(records, "fork")) == len(events(records, "exit")) - 1
    assert events(records, "exec")[1].data["argv"] == "cat /etc/hostname"
    assert any(u.behaviour == "open:config:/etc/hostname" for r in records if isinstance(r, Window) for u in r.uses)
    assert [codec.decode(codec.encode(r)) for r in records] == records


def test_counts_equal_those_of_strace_itself(traced):
    """``strace -c`` cannot run along with the trace, so the calls are counted by their first halves in the text."""
    path, _ = traced("/bin/sh", "-c", "ls / >/dev/null; echo hi | cat")
    begun = [x for x in path.read_text().splitlines() if " resumed>" not in x and "+++" not in x and "---" not in x]
    records, summary = imported(path, interval=0.001)
    assert summary.calls == len(begun)
    opened = sum("openat(" in x for x in begun)
    assert sum(r.syscalls.get(number("openat"), 0) for r in records if isinstance(r, Window)) == opened


def test_connections_in_and_out(traced):
    path, out = traced(sys.executable, "-c", NET)
    records, _ = imported(path)
    assert f"egress:tcp:127.0.0.1:{out.strip()}" in [e.behaviour for e in events(records, "egress")]
    assert "egress:udp:[::1]:5353" in [e.behaviour for e in events(records, "egress")]
    assert [e.behaviour for e in events(records, "ingress")] == [f"ingress:tcp:{out.strip()}"]


@pytest.mark.parametrize("options", [("-ttt",), ("-tt",), ("-f", "-ttt", "-y", "-T")], ids=" ".join)
def test_other_options_are_read_as_well(traced, options):
    path, _ = traced("/bin/true", options=options)
    _, summary = imported(path)
    assert (summary.by_kind["exec"], summary.unparsed) == (1, 0)


@pytest.mark.parametrize(
    ("text", "kind", "name", "result"),
    [
        pytest.param("1.5 getuid()        = 0", "call", "getuid", 0, id="padded"),
        pytest.param('[pid  12] 1.5 read(3, ") = 7", 4) = 4', "call", "read", 4, id="result-inside-a-string"),
        pytest.param("12 1.5 mmap(NULL, 8) = 0x7f00", "call", "mmap", 0x7F00, id="pointer"),
        pytest.param("12 1.5 open(\"/x\", O_RDONLY) = -1 ENOENT (No such file)", "call", "open", -1, id="error"),
        pytest.param("12 1.5 exit_group(0)   = ?", "call", "exit_group", None, id="never-returns"),
        pytest.param("12 1.5 wait4(-1,  <unfinished ...>", "begun", "wait4", None, id="first-half"),
        pytest.param("12 1.5 exit(0 <unfinished ...>) = ?", "call", "exit", None, id="unfinished-for-ever"),
        pytest.param("12 1.5 <... wait4 resumed>, 0) = 7", "resumed", "wait4", 7, id="second-half"),
        pytest.param("12 1.5 --- SIGCHLD {si_signo=SIGCHLD} ---", "signal", "", None, id="signal"),
        pytest.param("12 1.5 +++ exited with 0 +++", "ended", "exited with", None, id="ended"),
        pytest.param("12 1.5 +++ killed by SIGKILL (core dumped) +++", "ended", "killed by", None, id="killed"),
        pytest.param("12 23:59:59.5 getpid() = 9", "call", "getpid", 9, id="time-of-day"),
    ],
)  # fmt: skip
def test_hard_lines(text, kind, name, result):
    line = strace_lines.parse(text)
    assert (line.kind, line.name, line.result) == (kind, name, result)


@pytest.mark.parametrize(
    "text", ["", "hello", "12 1.5 ", "1.5 (", "9" * 5000, "12 1.5 " + "(" * 50000, "1.5 " + ") " * 50000]
)
def test_other_lines_are_none(text):
    assert strace_lines.parse(text) is None


def test_unparsed_lines_are_counted_and_a_lost_first_half_too(tmp_path):
    (tmp_path / "s").write_bytes(b"1 1.5 getpid() = 1\n\xff\xfenonsense\n1 1.6 <... read resumed>) = 0\n")
    _, summary = imported(tmp_path / "s")
    assert (summary.calls, summary.unparsed) == (1, 2)


def test_a_child_that_speaks_before_its_fork_returns(tmp_path):
    text = """1 1.0 execve("/bin/sh", ["sh"], 0x1 /* 2 vars */) = 0
1 1.1 vfork( <unfinished ...>
2 1.2 execve("/bin/ls", ["ls", "a b"], 0x1 /* 2 vars */) = 0
1 1.3 <... vfork resumed>) = 2
"""
    (tmp_path / "s").write_text(text)
    records, _ = imported(tmp_path / "s")
    assert [e.behaviour for e in events(records, "exec")] == ["exec:/bin/sh<-", "exec:/bin/ls<sh"]


def test_sniff():
    assert strace.sniff(b"12 1795236863.9 getpid() = 12\n", "x")
    assert not strace.sniff(b"4 2 66 66\n", "x")
    assert not strace.sniff(b"\n\x00\xff", "x")
