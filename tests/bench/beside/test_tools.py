"""Every tool is narrowed to what a run made, in the kernel; a tool that runs counts what was done."""

import signal
import subprocess
from pathlib import Path

import pytest

from bench.beside.attached import ToolError, attached
from bench.beside.tools import TOOLS, Target, Tool
from sensor.probes import client
from tests.kernel.lab import missing
from tests.observe.capability import possible

BY_NAME = {tool.name: tool for tool in TOOLS}
CALLS = 700


@pytest.fixture
def root(monkeypatch):
    monkeypatch.setattr(client, "cgroup_root", lambda: Path("/sys/fs/cgroup"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("strace -f -c", ["-f", "-c", "-p", "7", "-p", "8"], id="strace"),
        pytest.param("perf trace -s", ["trace", "-s", "-a", "-G", "/ours/a"], id="perf"),
        pytest.param("bcc syscount", ["-T", "1000", "-p", "8"], id="syscount"),
    ],
)
def test_a_tool_is_told_which_processes_or_cgroup_and_no_others(root, name, words):
    assert BY_NAME[name].argv(Target(Path("/sys/fs/cgroup/ours/a"), (7, 8))) == words


def test_bpftrace_has_a_predicate_on_the_cgroup():
    _, program = BY_NAME["bpftrace"].argv(Target(Path("/sys/fs/cgroup/ours/a"), (7,)))
    assert '/cgroup == cgroupid("/sys/fs/cgroup/ours/a")/' in program


def test_syscount_follows_the_children_where_they_do_the_work(root):
    target = Target(Path("/sys/fs/cgroup/ours/a"), (7,), children=True)
    assert BY_NAME["bcc syscount"].argv(target)[-2:] == ["-c", "7"]


class Place:
    def __init__(self, folder):
        self.folder = folder


def made_up(program, *argv):
    return Tool(
        "a tool", program, "none", "", "", lambda target: list(argv), BY_NAME["strace -f -c"].counts, lambda t: 0
    )


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        pytest.param(made_up("driftline-no-such-program"), "not installed", id="missing"),
        pytest.param(made_up("sh", "-c", "echo 'error: not on this kernel'; exit 1"), "not on this kernel", id="fails"),
        pytest.param(made_up("true"), "it said nothing", id="ends-at-once"),
    ],
)
def test_a_tool_that_does_not_run_says_why(tmp_path, tool, said):
    with pytest.raises(ToolError, match=said), attached(tool, Target(tmp_path, (1,)), Place(tmp_path), None):
        pass


@pytest.fixture
def loop(tmp_path):
    """A process that makes calls when it is told to."""
    possible(missing())
    source = Path(__file__).parents[3] / "bench/loads/loop.c"
    subprocess.run(["gcc", "-O2", "-o", tmp_path / "loop", source], check=True)
    (tmp_path / "cgroup.procs").touch()  # it enters a folder; no cgroup is needed here
    argv = [tmp_path / "loop", tmp_path, "0", "call"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.kernel
def test_a_tool_that_runs_counts_what_was_done_and_lets_go(tmp_path, loop):
    handler = signal.getsignal(signal.SIGINT)
    with attached(BY_NAME["strace -f -c"], Target(tmp_path, (loop.pid,)), Place(tmp_path), None) as run:
        loop.stdin.write(f"{CALLS} 1\n")
        loop.stdin.flush()
        assert float(loop.stdout.readline()) > 0
        counts, lost = run.end()
    assert counts["getppid"] == CALLS and lost == 0
    assert "TracerPid:\t0" in Path(f"/proc/{loop.pid}/status").read_text()
    signal.signal(signal.SIGINT, handler)
