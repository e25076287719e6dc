"""Execs: who called them, what is run, and that each is said once."""

import numpy as np
import pytest

from sensor.observe.memory import Memory
from sensor.observe.observer import Observer
from sensor.observe.told import Told
from sensor.probes import abi
from tests.observe.rings import SEAT, batch, kernel, observer, path, ran, rows, seated


@pytest.mark.parametrize(
    ("parent", "lineage"),
    [pytest.param(5, "two<one", id="of-the-workload"), pytest.param(99, "two", id="from-outside")],
)
def test_an_exec_whose_fork_nobody_read_names_its_caller(parent, lineage):
    """A killed sensor had read the fork and its successor found the process gone: the caller was unknown (#5)."""
    o = seated()
    o.take(batch(execs=rows("execs", ran(10, 5, "bin", "one", image=1))))
    [event] = o.take(batch(execs=rows("execs", ran(30, 6, "bin", "two", image=2, a=1, b=parent))))
    assert event.data["lineage"] == lineage


def test_execs_that_no_window_said_are_in_the_first_one_of_a_successor(tmp_path):
    """The ring hands an exec over once: a killed sensor's execs since its last window were gone, and nobody was told (#5)."""
    memory, k = Memory(tmp_path / "names", "e"), kernel()
    memory.begin([])
    k.slots["cgroup"][1], k.slots["generation"][1] = 77, 1
    first = seated(memory)
    first.take(batch(execs=rows("execs", ran(10, 5, "bin", "one"), ran(11, 6, "bin", "one"))))
    for left in ({"exec:/bin/one<-": 2}, {}):
        again = observer(memory := Memory(tmp_path / "names", "e"))
        again.recall(memory.recall(), k)
        memory.begin(again.kept())
        [window] = again.windows(k, told := Told(k), 100)
        assert {u.behaviour: u.count for u in window.uses} == left
        told.commit()


def named(script, **changes):
    return {"script": np.void(script.ljust(256, b"\0")), "script_bytes": len(script) + 1} | changes


def test_a_script_is_named_by_its_path_and_its_interpreter_is_told():
    o = seated()
    begun = ran(10, 5, "usr", "bin", "python3.11", image=1)
    run = ran(20, 5, "usr", "bin", "python3.11", image=2, **named(b"./export.py", cwd=path("app")))
    _, event = o.take(batch(execs=rows("execs", begun, run)))
    assert event.behaviour == "exec:/app/export.py<python3.11"
    assert (event.data["path"], event.data["interpreter"]) == ("/app/export.py", "/usr/bin/python3.11")
    assert (event.data["lineage"], o.processes.images[2]) == ("export.py<python3.11", "/app/export.py")


def test_what_env_calls_for_a_script_is_told_and_the_process_stays_the_script():
    o = seated()
    env = ran(10, 5, "usr", "bin", "env", image=1, **named(b"/app/export.py"))
    other = ran(20, 5, "tmp", "python3", image=2, a=1, flags=abi.KEPT_SCRIPT)
    _, event = o.take(batch(execs=rows("execs", env, other)))
    assert (event.behaviour, event.data["path"]) == ("exec:/tmp/python3<export.py", "/tmp/python3")
    assert (event.data["lineage"], event.data["script"], o.processes.images[2]) == (
        "export.py",
        *["/app/export.py"] * 2,
    )


def test_a_kept_script_that_nobody_saw_is_the_program_that_runs():
    o = seated()
    [event] = o.take(batch(execs=rows("execs", ran(20, 5, "usr", "bin", "node", image=2, a=1, flags=abi.KEPT_SCRIPT))))
    assert (event.behaviour, event.data["lineage"], "script" in event.data) == ("exec:/usr/bin/node<-", "node", False)


def exec_of(argv, *, redact=True):
    o = Observer(node="n", epoch="e", boot=1, to_time=lambda ns: ns / 1e9, memory=Memory(None, "e"), redact=redact)
    raw = argv.encode() + b"\0"
    change = {"kind": abi.EXEC, "path": path("x"), "argv": raw.ljust(512, b"\0"), "argv_bytes": len(raw), "time": 2}
    o.take(batch(paths=rows("paths", SEAT)))
    return next(r for r in o.take(batch(execs=rows("execs", change))) if r.kind == "exec").data["argv"]


def test_secrets_do_not_leave_the_sensor_unless_they_are_meant_to():
    assert exec_of("x\0--password=hunter2") == "x --password=[redacted 7]"
    assert exec_of("x\0--password=hunter2", redact=False) == "x --password=hunter2"


def test_a_cut_path_says_so():
    o = seated()
    [event] = o.take(batch(execs=rows("execs", ran(10, 5, "etc", "x", flags=abi.CUT_PATH))))
    assert (event.behaviour, event.data["path"]) == ("exec:…/etc/x<-", "…/etc/x")
