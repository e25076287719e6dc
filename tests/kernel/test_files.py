"""Files: what was opened, how often, to read or to write, by whom; at each hook that this kernel takes."""

import pytest

from tests.kernel import lab as labs
from tests.kernel.conftest import shared


@pytest.fixture(scope=shared, params=labs.variants())
def sensor(request, sensor, programs, tmp_path_factory):
    if sensor.agent.loaded.hooks["files"] == request.param:
        yield sensor
        return
    lab = labs.Lab(tmp_path_factory.mktemp("run"), programs)
    try:
        with lab.sensor(hooks=request.param) as other:
            assert other.agent.loaded.hooks == {"files": request.param}
            yield other
    finally:
        lab.clear()


def opened(said, name):
    return [e for e in said.events("open") + said.events("identity") if name in e.data["path"]]


def test_10_000_opens_of_one_file_are_one_behaviour_with_that_count(sensor, box, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("x")
    box.load("opens", "10000", file)
    said = sensor.all_of(box)
    [event] = opened(said, "notes.txt")
    assert said.counts()[event.behaviour] == 10_000
    assert event.data["image"] == str(box.programs / "load")
    assert not said.loss()


def test_files_opened_at_once_by_many_processes_are_counted_to_the_last(sensor, box, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("x")
    running = [box.start(box.programs / "load", "opens", "2000", file) for _ in range(8)]
    assert [p.wait(60) for p in running] == [0] * 8
    said = sensor.all_of(box)
    assert said.counts()[opened(said, "notes.txt")[0].behaviour] == 16_000


def test_every_way_to_open_is_seen_with_its_intent(sensor, box, tmp_path):
    for name in ("by-openat2", "by-open", "by-openat"):
        (tmp_path / name).write_text("x")
    box.load("ways", tmp_path)
    said = sensor.all_of(box)
    intent = {e.data["path"].rpartition("/")[2]: e.behaviour.partition(":")[0] for e in opened(said, "/by-")}
    assert intent == {"by-openat2": "open", "by-creat": "write", "by-open": "open", "by-openat": "write"}


def test_an_open_by_handle_is_seen(sensor, box, tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    done = box.load("handle", tmp_path, "notes.txt")
    if not done.stdout:
        pytest.skip("files have no handles here")
    [event] = opened(sensor.all_of(box), "notes.txt")
    assert event.behaviour.startswith("open:data:")


CLASSES = [
    ("models/a/model.safetensors", "model"),
    ("models/b/weights.bin", "model"),
    ("home/.ssh/id_ed25519", "secret"),
    ("srv/server.key", "secret"),
    ("srv/app/agent.py", "code"),
    ("srv/app/settings.yaml", "config"),
    ("srv/data/rows.csv", "data"),
]


@pytest.mark.parametrize("writes", [False, True], ids=["read", "write"])
def test_a_file_has_its_class(sensor, box, tmp_path, writes):
    for name, _ in CLASSES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    code = "import sys\nfor name in sys.argv[2:]: open(name, sys.argv[1]).close()"
    box.python(code, "a" if writes else "r", *(str(tmp_path / name) for name, _ in CLASSES))
    said = sensor.all_of(box)
    verb = "write" if writes else "open"
    seen = {e.data["path"]: e.behaviour.split(":")[:2] for e in opened(said, str(tmp_path))}
    assert seen == {str(tmp_path / name): [verb, kind] for name, kind in CLASSES}


def test_reading_and_writing_one_file_are_two_behaviours(sensor, box, tmp_path):
    (tmp_path / "rows.csv").write_text("x")
    box.python("import sys; open(sys.argv[1]).close(); open(sys.argv[1], 'a').close()", str(tmp_path / "rows.csv"))
    said = sensor.all_of(box)
    assert sorted(e.behaviour.partition(":")[0] for e in opened(said, "rows.csv")) == ["open", "write"]


def test_a_projected_token_is_named_without_its_turning_folder(sensor, box, tmp_path):
    place = tmp_path / "run/secrets/kubernetes.io/serviceaccount"
    (place / "..2026_11_21").mkdir(parents=True)
    (place / "..2026_11_21" / "token").write_text("secret")
    (place / "..data").symlink_to("..2026_11_21")
    (place / "token").symlink_to("..data/token")
    box.python("import sys; open(sys.argv[1]).read()", str(place / "token"))
    said = sensor.all_of(box)
    assert [e.behaviour for e in said.events("identity")] == [f"identity:token:{place}/token"]


def test_files_of_proc_are_one_behaviour_for_all_processes(sensor, box):
    box.python("import os\nfor p in [1, os.getpid(), 'self']: open(f'/proc/{p}/status').close()")
    said = sensor.all_of(box)
    assert said.counts("open:data:/proc") == {"open:data:/proc/*/status": 3}


def test_an_open_that_failed_is_none(sensor, box, tmp_path):
    box.python("import sys\ntry: open(sys.argv[1])\nexcept OSError: pass", str(tmp_path / "absent.txt"))
    assert not opened(sensor.all_of(box), "absent.txt")


def test_results_of_foreign_calls_are_no_descriptors(sensor, box, tmp_path):
    """A 32-bit call left the open before it as the thread's last call, and its result was looked up as a file."""
    file = tmp_path / "notes.txt"
    file.write_text("x")
    box.load("confuse", file)
    said = sensor.all_of(box)
    assert said.counts()[opened(said, "notes.txt")[0].behaviour] == 1


def test_a_path_that_cannot_be_followed_to_the_root_says_so(sensor, box, tmp_path):
    """It looked whole: `/etc/shadow` for a file 40 folders down."""
    code = """
import os, sys
os.chdir(sys.argv[1])
for i in range(40):
    os.mkdir("deep"); os.chdir("deep")
os.mkdir("etc"); os.chdir("etc")
open("shadow", "w").close()
"""
    box.python(code, str(tmp_path))
    said = sensor.all_of(box)
    [event] = opened(said, "/etc/shadow")
    assert event.data["path"].startswith("…/deep/")
    assert event.behaviour.startswith("write:data:")


def test_the_path_is_the_kernels_and_not_the_argument(sensor, box, tmp_path):
    (tmp_path / "real.txt").write_text("x")
    (tmp_path / "link.txt").symlink_to("real.txt")
    box.python("import sys; open(sys.argv[1]).close()", f"{tmp_path}/../{tmp_path.name}/./link.txt")
    said = sensor.all_of(box)
    assert [e.data["path"] for e in opened(said, ".txt")] == [str(tmp_path / "real.txt")]
