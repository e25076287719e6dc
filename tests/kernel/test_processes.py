"""Execs, forks and exits: what ran, who called it, where and as whom."""

import os
import pty
import subprocess
import threading
from pathlib import Path

import pytest

from tests.kernel.lab import DEADLINE, PYTHON, until

INTERPRETER = os.path.realpath(PYTHON)
SHELL = os.path.realpath("/bin/sh")
SHELL_NAME = os.path.basename(SHELL)


def execs(said):
    return [dict(e.data) | {"behaviour": e.behaviour} for e in said.events("exec")]


def of_path(said, path):
    found = [e for e in execs(said) if e["path"] == str(path)]
    assert found, [e["path"] for e in execs(said)]
    return found[0]


def test_a_chain_of_execs_names_each_caller_and_the_whole_lineage(sensor, box):
    box.python(
        "import os, subprocess; subprocess.run(['/bin/sh', '-c', '/bin/ls / >/dev/null; exec /bin/cat /dev/null'])"
    )
    said = sensor.all_of(box)
    python = os.path.basename(INTERPRETER)
    assert [e.behaviour for e in said.events("exec")] == [
        f"exec:{INTERPRETER}<-",
        f"exec:{SHELL}<{python}",
        f"exec:/usr/bin/ls<{SHELL_NAME}",
        f"exec:/usr/bin/cat<{SHELL_NAME}",
    ]
    assert of_path(said, "/usr/bin/cat")["lineage"] == f"cat<{SHELL_NAME}<{python}"
    assert said.counts("exec:") == {e.behaviour: 1 for e in said.events("exec")}


def test_forks_and_exits_are_told_in_order_with_codes(sensor, box):
    box.run("/bin/sh", "-c", "(exit 7); sh -c 'kill -9 $$'; true")
    said = sensor.all_of(box)
    own = [e for e in said.records(type(said.events("exec")[0])) if e.kind in ("fork", "exit")]
    forked = [e.data["pid"] for e in own if e.kind == "fork"]
    gone = {e.data["pid"]: e for e in own if e.kind == "exit"}
    assert set(forked) <= set(gone)
    assert 7 in [e.data.get("code") for e in gone.values()]
    assert 9 in [e.data.get("signal") for e in gone.values()]


def test_path_is_the_one_that_the_kernel_resolved(sensor, box, tmp_path):
    (tmp_path / "real").mkdir()
    tool = tmp_path / "real" / "tool"
    tool.write_bytes(Path("/bin/true").read_bytes())
    tool.chmod(0o755)
    (tmp_path / "link").symlink_to(tool)
    box.run("/bin/sh", "-c", f"cd {tmp_path}/real && ./tool && cd / && {tmp_path}/link")
    said = sensor.all_of(box)
    seen = [e for e in execs(said) if e["path"] == str(tool)]
    assert [e["cwd"] for e in seen] == [str(tmp_path / "real"), "/"]
    assert [e["argv"] for e in seen] == ["./tool", f"{tmp_path}/link"]


def test_argv_is_cut_at_511_bytes_and_says_so(sensor, box):
    box.run("/bin/true", "a" * 505)
    box.run("/bin/echo", "b" * 2000)
    said = sensor.all_of(box)
    whole, cut = of_path(said, "/usr/bin/true"), of_path(said, "/usr/bin/echo")
    assert (whole["cut"], cut["cut"]) == (1, 1)
    assert len(cut["argv"]) == 511
    assert of_path(said, "/usr/bin/true")["argv"].startswith("/bin/true aaa")


@pytest.mark.parametrize("length, cut", [(500, 0), (501, 1)])
def test_argv_up_to_the_limit_is_whole(sensor, box, length, cut):
    box.run("/bin/true", "a" * length)  # 9 letters, the argument, and a NUL after each: 511 fit
    assert of_path(sensor.all_of(box), "/usr/bin/true")["cut"] == cut


def test_uid_is_the_users(sensor, box):
    box.python("import os; os.setgid(4321); os.setuid(1234); os.execv('/bin/true', ['true'])")
    assert of_path(sensor.all_of(box), "/usr/bin/true")["uid"] == 1234


def test_tty_flag_tells_a_terminal_from_a_pipe(sensor, box):
    box.run("/bin/true")
    ours, theirs = pty.openpty()
    done = box.start("/usr/bin/setsid", "-c", "/bin/echo", stdin=theirs, stdout=theirs, stderr=theirs)
    assert done.wait(DEADLINE) == 0
    os.close(ours), os.close(theirs)
    said = sensor.all_of(box)
    assert of_path(said, "/usr/bin/true")["tty"] == 0
    assert of_path(said, "/usr/bin/echo")["tty"] == 1


def test_a_program_without_a_file_is_named_memfd(sensor, box):
    box.load("memfd", "/bin/true")
    said = sensor.all_of(box)
    seen = [e for e in execs(said) if e["path"].startswith("memfd:")]
    assert [e["path"] for e in seen] == ["memfd:hidden\\x20tool"]
    assert seen[0]["layer"] == "memfd"
    assert seen[0]["behaviour"] == "exec:memfd:hidden\\x20tool<load"


def test_a_file_in_the_root_that_is_called_memfd_is_no_memfd(sensor, box, tmp_path):
    """The name alone decided; a workload chooses names."""
    box.python(
        "import os, shutil, sys; os.chroot(sys.argv[1]); os.chdir('/'); os.execv('/memfd:x', ['x'])",
        str(rooted(tmp_path, "memfd:x", box)),
    )
    said = sensor.all_of(box)
    seen = of_path(said, "/memfd:x")
    assert seen.get("layer") != "memfd"


def rooted(folder, name, box):
    """A root directory with one program, which needs no library."""
    root = folder / "root"
    root.mkdir()
    (root / name).write_bytes((box.programs / "first").read_bytes())
    (root / name).chmod(0o755)
    return root


def test_a_path_ends_at_the_processs_own_root(sensor, box, tmp_path):
    root = rooted(tmp_path, "inside", box)
    box.python("import os, sys; os.chroot(sys.argv[1]); os.chdir('/'); os.execv('/inside', ['x'])", str(root))
    assert of_path(sensor.all_of(box), "/inside")["cwd"] == "/"


def test_an_exec_in_a_thread_is_the_processs(sensor, box):
    box.load("thread", "/bin/true")
    said = sensor.all_of(box)
    start, seen = of_path(said, box.programs / "load"), of_path(said, "/usr/bin/true")
    assert start["pid"] == seen["pid"]
    assert seen["behaviour"] == "exec:/usr/bin/true<load"
    assert len(said.events("exec")) == 2


def moved_in(box, does):
    """A shell that is somewhere else when it begins. It says so: a Popen returns before the kernel is done with the exec."""
    shell = subprocess.Popen(["/bin/sh", "-c", f"echo; read go; {does}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    shell.stdout.readline()
    (box.path / "cgroup.procs").write_text(str(shell.pid))
    shell.communicate(b"go\n")


def test_a_process_that_is_moved_in_is_known_by_its_next_fork(sensor, box):
    moved_in(box, "/bin/ls / >/dev/null")
    said = sensor.all_of(box)
    assert [e.behaviour for e in said.events("exec")] == [f"exec:/usr/bin/ls<{SHELL_NAME}"]


def test_what_a_moved_process_does_itself_is_attributed_to_its_image(sensor, box, tmp_path):
    """It had no entry before its next fork or exec, so its files belonged to nobody."""
    (tmp_path / "notes.txt").write_text("x")
    moved_in(box, f"read x < {tmp_path}/notes.txt")
    said = sensor.all_of(box)
    [event] = [e for e in said.events("open") if "notes.txt" in e.data["path"]]
    assert event.data["image"] == SHELL
    assert event.data["lineage"] == SHELL_NAME


def test_a_process_born_into_another_cgroup_belongs_there(sensor, box, tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    other = sensor.cgroup()
    box.load("into", other.path, tmp_path / "notes.txt", "/bin/true")
    said, theirs = sensor.all_of(box), sensor.all_of(other)
    assert [e.data["path"] for e in theirs.events("exec")] == ["/usr/bin/true"]
    [event] = [e for e in theirs.events("open") if "notes.txt" in e.data["path"]]
    assert event.data["lineage"] == "load"
    assert not [e for e in said.events("open") if "notes.txt" in e.data["path"]]


def test_a_storm_of_processes_is_counted_whole(sensor, box):
    box.run("/bin/sh", "-c", "for i in $(seq 300); do /bin/true; done")
    said = sensor.all_of(box)
    assert said.counts("exec:")[f"exec:/usr/bin/true<{SHELL_NAME}"] == 300
    assert not said.loss()


def test_ids_of_events_are_unique(sensor, box):
    threads = [threading.Thread(target=box.run, args=("/bin/ls", "/")) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    said = sensor.all_of(box)
    ids = [e.id for kind in ("exec", "fork", "exit", "open") for e in said.events(kind)]
    assert len(ids) == len(set(ids))
    until(lambda: True)
