"""Two hooks for one probe: the same facts, another cost; changed from one to the other and back, nothing is lost or told twice."""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from sensor import doctor
from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import McpCall
from sensor.observe.stdio.capture import Capture
from sensor.probes import client
from sensor.probes.catalogue import BY_NAME, FEXIT, RAW
from sensor.probes.maps import LIB
from sensor.probes.stdio import StdioKernel
from tests.kernel import lab as labs
from tests.kernel.test_stdio import COMMON, TALK, entries, now
from wire.records import Tick
from wire.syscalls import number

FILES = BY_NAME["files"]
VARIANTS = labs.variants()
PROBES = ("syscalls", "process", "files")
CALLS = 10_000
GETPPID = "at sys_exit in 10,000 calls of getppid"
OTHERS = """
import os
for p in [1, "self"]: open(f"/proc/{p}/status").close()
os.open("/", 0); os.open("/dev/null", 1)
"""


@contextlib.contextmanager
def stats():
    """The kernel counts runs of programs while this is open."""
    fd = LIB.bpf_enable_stats(0)
    assert fd >= 0
    try:
        yield
    finally:
        os.close(fd)


def runs(folder, hooks):
    """How often the programs of these hooks ran."""
    shown = [json.loads(_bpftool("link", "show", "pinned", folder / h.link)) for h in hooks]
    return sum(json.loads(_bpftool("prog", "show", "id", link["prog_id"])).get("run_cnt", 0) for link in shown)


def _bpftool(*words):
    return subprocess.run(["bpftool", "-j", *map(str, words)], capture_output=True, check=True, text=True).stdout


def note(hook, load, wanted, seen, stand_in):
    """Appends a row to those of `tests/vm/hooks.py`."""
    name = os.environ.get("DRIFTLINE_TEST_HOOKS", "")
    if name and Path(name).exists():
        said = json.loads(Path(name).read_text())
        said["hooks"].append({"hook": hook, "load": load, "wanted": wanted, "seen": seen, "stand_in": stand_in})
        Path(name).write_text(json.dumps(said, indent=1))


@pytest.fixture(scope="module")
def sensors(programs, tmp_path_factory):
    """Variant → a sensor that has it."""
    labs_ = [labs.Lab(tmp_path_factory.mktemp("run"), programs) for _ in VARIANTS]
    with contextlib.ExitStack() as stack:
        made = {}
        for lab, variant in zip(labs_, VARIANTS, strict=True):
            stack.callback(lab.clear)
            made[variant] = stack.enter_context(lab.sensor(hooks=RAW if variant == RAW else "auto", probes=PROBES))
            assert made[variant].agent.loaded.hooks == {"files": variant}
        yield made


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_call_that_opens_nothing_runs_a_program_at_its_end_only_at_the_raw_tracepoint(sensors, variant):
    sensor = sensors[variant]
    folder, box = sensor.agent.loaded.folder, sensor.cgroup()
    at_exit = [h for h in FILES.hooks if (folder / h.link).exists()]
    with stats():
        before = runs(folder, at_exit)
        box.load("parents", str(CALLS // 2))
        ran = runs(folder, at_exit) - before
    assert sensor.all_of(box).calls()[number("getppid")] == CALLS
    if variant == RAW:
        assert ran >= CALLS
        note(
            f"{FILES.place(RAW)} (probe files)",
            f"runs or more {GETPPID}",
            CALLS,
            min(ran, CALLS),
            "this, where fexit is refused",
        )
    else:
        assert ran == 0
        note(f"{FILES.place(FEXIT)} (probe files)", f"runs {GETPPID}", 0, ran, "this, where it passes its trial")


def facts(sensor, folder):
    """What a sensor says of files that are opened in every way, by what is moved in, and by what is set up from outside."""
    (folder / "tree").mkdir(exist_ok=True)
    for name in ("by-creat", "by-openat2", "by-open", "by-openat", "by-handle", "notes.txt"):
        (folder / "tree" / name).write_text("x")
    box = sensor.cgroup()
    box.load("ways", folder / "tree")
    box.load("handle", folder / "tree", "by-handle")
    box.load("confuse", folder / "tree/notes.txt")
    box.load("opens", "1000", folder / "tree/notes.txt")
    box.python(OTHERS)
    subprocess.run([box.programs / "load", "into", box.path, folder / "tree/notes.txt", "/bin/true"], check=True)
    said = sensor.all_of(box)
    events = sorted((e.behaviour, str({k: v for k, v in e.data.items() if k != "pid"})) for e in said.events("open"))
    uses = {(u.behaviour, str(dict(u.data))) for u in said.uses() if "/tree/" in u.behaviour}
    counts = {name: n for name, n in said.counts().items() if name.partition(":")[0] in ("open", "write")}
    return {"events": events, "uses": uses, "counts": counts, "loss": said.loss()}


@pytest.mark.skipif(len(VARIANTS) < 2, reason="asked in `make kernel`: this one has one hook for files")
def test_both_hooks_tell_the_same_rows_with_the_same_fields(sensors, tmp_path):
    seen = {variant: facts(sensor, tmp_path) for variant, sensor in sensors.items()}
    assert seen[FEXIT] == seen[RAW]
    counts, opens = seen[RAW]["counts"], [sum(seen[variant]["counts"].values()) for variant in (RAW, FEXIT)]
    note("the two above, files opened in six ways", "opens told", *opens, "either: event for event the same")
    assert sum(n for name, n in counts.items() if name.endswith("notes.txt")) == 1002
    assert not seen[RAW]["loss"]


def test_a_change_of_the_hook_and_back_counts_every_open_once_and_leaves_nothing(lab, tmp_path):
    """An old sensor and a new one: pins are kept, another plan replaces them, and each counts from its own beginning."""
    (tmp_path / "notes.txt").write_text("x")
    told, before = [], None
    box = lab.scope.child("w")
    for hooks in ("raw", "auto", "raw", "raw"):
        with lab.sensor(hooks=hooks, keep_pinned=True, probes=PROBES) as sensor:
            loaded = sensor.agent.loaded
            assert loaded.fresh is (hooks != before)
            links = {h.link for h in (*FILES.hooks, *FILES.fexit)} & set(os.listdir(loaded.folder))
            assert links == {h.link for h in FILES.hooks_of(loaded.hooks["files"])}
            box.load("opens", "500", tmp_path / "notes.txt")
            said = sensor.of(box)
            labs.until(lambda said=said: notes(said) >= 500, "the opens")
        told.append(notes(said))
        before = hooks
    assert told == [500] * 4
    client.unload(lab.settings())
    assert labs.left_in_kernel(lab.name) == []
    box.remove()


def notes(said):
    return sum(n for name, n in said.counts("open:").items() if name.endswith("notes.txt"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_doctor_and_the_tick_say_which_hook_it_is(sensors, variant):
    sensor = sensors[variant]
    ticks = labs.until(lambda: [r for r in sensor.sink.records if isinstance(r, Tick)], "a tick")
    assert ticks[-1].health[f"hook/files:{variant}"] == 1
    assert ticks[-1].health["lost/skipped"] == 0
    [row] = [r for r in doctor.examine(sensor.settings).rows if r.probe == "probe files"]
    assert row.hook.startswith(FILES.place(variant))
    assert row.state == ("yes" if variant == FEXIT else "stand-in")
    assert ("`sensor.hooks` is `raw`" in row.stand_in) is (sensor.settings.hooks == RAW)


REFUSED_AFTER_ALL = """
from sensor.probes import choice, fexit, loader
choice.fexit.refused = lambda functions: ""
def refuse(*_):
    raise fexit.FexitError("the verifier says no")
loader.fexit.load = refuse
loader.main()
"""


def test_a_program_that_is_refused_after_its_trial_leaves_the_raw_tracepoint_and_a_reason(lab):
    plan, _ = client._plan(lab.settings(probes=PROBES))
    done = subprocess.run(
        [client.PYTHON, "-c", REFUSED_AFTER_ALL],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        cwd=client.ROOT,
        env=client._environment(),
        timeout=client.TIMEOUT,
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert report == {
        "probes": {"syscalls": "on", "process": "on", "files": "on"},
        "hooks": {"files": RAW},
        "raw": {"files": "files_opened: the verifier says no"},
    }
    assert FILES.hooks[0].link in os.listdir(Path("/sys/fs/bpf") / f"driftline-{lab.name}")
    client.unload(lab.settings())
    assert labs.left_in_kernel(lab.name) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_pipes_of_agents_are_read_beside_either_hook_and_without_an_agent_nobody_pays(sensors, variant):
    sensor = sensors[variant]
    folder, box = sensor.agent.loaded.folder, sensor.cgroup()
    box.run("/bin/true")
    capture = Capture(kernel := StdioKernel(sensor.scope.path, host=folder), Decoder(), lambda ns: ns / 1e9)
    try:
        assert not kernel.attached
        assert capture.watch(box.id, box.path, now())
        assert kernel.attached
        assert variant == FEXIT or entries(folder) == [sensor.agent.kernel.seat_of(box.id)]
        box.run(labs.PYTHON, "-S", "-E", "-c", COMMON + TALK)
        assert [r.id for r in capture.poll(now()) if isinstance(r, McpCall)] == ["0", "1", "2"]
        capture.forget(box.id, now())
        assert not kernel.attached
    finally:
        capture.close(now())
        capture.release()
    sensor.all_of(box)
