"""What a first line gives to an interpreter is named by the script, and two scripts of one interpreter are two owners."""

import os

import pytest

from sensor.observe.names import template
from tests.kernel.lab import PYTHON

INTERPRETER = os.path.realpath(PYTHON)
NAME = os.path.basename(INTERPRETER)
SHELL = os.path.realpath("/bin/sh")
DIRECT = f"#!{PYTHON} -SE\n"
RUN = "import os, subprocess, sys; os.chdir(sys.argv[1]); subprocess.run(sys.argv[2:], check=True)"


@pytest.fixture
def script(tmp_path):
    """Writes an executable below a folder of the test's own."""

    def written(name, text):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
        return file

    return written


def execs(said):
    return [e.data | {"behaviour": e.behaviour} for e in said.events("exec")]


def of_path(said, path):
    found = [e for e in execs(said) if e["path"] == str(path)]
    assert found, [e["path"] for e in execs(said)]
    return found[0]


def test_a_script_is_its_path_and_says_who_interprets_it(sensor, box, script):
    job = script("job.sh", "#!/bin/sh\nexit 0\n")
    box.run(job)
    seen = of_path(sensor.all_of(box), job)
    assert seen["behaviour"] == f"exec:{template(str(job))}<-"
    assert (seen["interpreter"], seen["lineage"], seen["argv"]) == (SHELL, "job.sh", f"/bin/sh {job}")


def test_a_plain_program_has_no_interpreter(sensor, box):
    box.run("/bin/true")
    seen = of_path(sensor.all_of(box), "/usr/bin/true")
    assert "interpreter" not in seen and "script" not in seen


def test_two_scripts_of_one_interpreter_are_two_owners(sensor, box, script):
    """Both read one file and were one image, so neither had a bound of its own."""
    rows = script("rows.csv", "x")
    for name in ("export.py", "server.py"):
        script(name, f"{DIRECT}import sys\nfor _ in range(3): open(sys.argv[1]).close()\n")
    for name in ("export.py", "server.py"):
        box.python(RUN, str(rows.parent), f"./{name}", str(rows))
    kernel, both = sensor.agent.kernel, (b"./export.py\0", b"./server.py\0")
    images = {
        image
        for image, text in kernel.images().items()
        if text.startswith(both) and bytes(rows.parent.name, "ascii") in text
    }
    used = [int(r["image"]) for r in kernel.files if int(r["image"]) in images and int(r["count"]) == 3]
    assert len(images) == len(set(used)) == len(used) == 2
    said = sensor.all_of(box)
    seen = {e["lineage"]: e for e in execs(said)}
    assert set(seen) == {NAME, f"export.py<{NAME}", f"server.py<{NAME}"}
    assert seen[f"export.py<{NAME}"]["path"] == str(rows.parent / "export.py")
    assert seen[f"export.py<{NAME}"]["interpreter"] == INTERPRETER


@pytest.mark.parametrize(
    "called, wanted",
    [
        pytest.param("./bin/job.py", "bin/job.py", id="below"),
        pytest.param("../job.py", "../job.py", id="above"),
        pytest.param("bin//./job.py", "bin/job.py", id="untidy"),
        pytest.param("link/../job.py", "here/link/../job.py", id="behind-a-link"),
    ],
)
def test_a_relative_name_goes_by_the_working_directory(sensor, box, script, tmp_path, called, wanted):
    """What stands before a `..` may be a link: only the kernel knows where that leads, so it is not worked out."""
    script("here/bin/job.py", DIRECT), script("job.py", DIRECT)
    (tmp_path / "here/link").symlink_to(tmp_path / "here/bin")
    script("here/job.py", DIRECT)
    box.python(RUN, str(tmp_path / "here"), called)
    [seen] = [e for e in execs(sensor.all_of(box)) if e.get("interpreter")]
    wanted = (
        tmp_path / "here" / wanted if not wanted.startswith(("..", "here")) else tmp_path / wanted.removeprefix("../")
    )
    assert seen["path"] == str(wanted)


def test_one_relative_name_in_two_directories_is_two_images(sensor, box, script):
    first, second = script("one/job.py", DIRECT), script("two/job.py", DIRECT)
    for folder in (first.parent, second.parent):
        box.python(RUN, str(folder), "./job.py")
    said = sensor.all_of(box)
    assert {of_path(said, f)["lineage"] for f in (first, second)} == {f"job.py<{NAME}"}
    held = [t for t in sensor.agent.kernel.images().values() if t.startswith((b"./job.py\0one\0", b"./job.py\0two\0"))]
    assert len(held) == 2


def test_a_script_behind_env_keeps_its_name_and_what_env_calls_is_told(sensor, box, script, tmp_path):
    job = script("job", "#!/usr/bin/env python3\nimport subprocess\nsubprocess.run(['/bin/true'])\n")
    box.run(job, env={"PATH": "/usr/bin:/bin"})
    said = sensor.all_of(box)
    found = [(e["behaviour"].rpartition("/")[2], e["lineage"]) for e in execs(said)]
    assert found == [("job<-", "job"), (f"{NAME}<job", "job"), ("true<job", "true<job")]
    first, second, _ = execs(said)
    assert (first["path"], first["interpreter"]) == (str(job), "/usr/bin/env")
    assert (second["path"], second["script"]) == (INTERPRETER, str(job))


def test_what_a_script_behind_env_does_is_the_scripts(sensor, box, script, tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    job = script("job", f"#!/usr/bin/env -S python3 -SE\nopen('{tmp_path}/notes.txt').close()\n")
    box.run(job, env={"PATH": "/usr/bin:/bin"})
    [event] = [e for e in sensor.all_of(box).events("open") if "notes.txt" in e.data["path"]]
    assert (event.data["lineage"], event.data["image"]) == ("job", str(job))


def test_env_that_nobody_wrote_into_a_first_line_hands_no_name_on(sensor, box, script):
    """A script that calls env as a program is the caller of it, and what env calls is a program of its own."""
    job = script("job.sh", "#!/bin/sh\nexec /usr/bin/env /bin/cat /dev/null\n")
    box.run(job)
    assert [e["lineage"] for e in execs(sensor.all_of(box))] == ["job.sh", "env<job.sh", "cat<env<job.sh"]


def test_a_script_that_a_script_interprets_is_named_by_the_outer_one(sensor, box, script):
    inner = script("inner", "#!/bin/sh\nexit 0\n")
    outer = script("outer", f"#!{inner}\n")
    box.run(outer)
    [seen] = execs(sensor.all_of(box))
    assert (seen["path"], seen["interpreter"]) == (str(outer), SHELL)


def test_a_script_of_a_descriptor_says_so_and_is_no_path(sensor, box):
    """The number leads wherever the process wants, and the file may have no name at all."""
    box.python(
        "import os; fd = os.memfd_create('/app/export.py', 0); os.write(fd, b'#!/bin/true\\n');"
        "os.execve(fd, ['export.py'], {})"
    )
    seen = execs(sensor.all_of(box))[-1]
    assert seen["behaviour"] == f"exec:/dev/fd/script<{NAME}"
    assert (seen["lineage"], seen["interpreter"]) == (f"script<{NAME}", os.path.realpath("/bin/true"))


def test_a_hostile_name_is_escaped_and_a_long_one_is_cut(sensor, box, script, tmp_path):
    odd = script("a b\n<\x1b[31m", "#!/bin/sh\nexit 0\n")
    deep = script("/".join(["d" * 100] * 3) + "/job.sh", "#!/bin/sh\nexit 0\n")
    box.run(odd), box.run(deep)
    first, second = execs(sensor.all_of(box))
    assert first["lineage"] == "a\\x20b\\x0a\\x3c\\x1b[31m"
    assert second["path"].endswith("d…") and len(second["path"].encode()) < 260
    assert second["interpreter"] == SHELL


def test_children_carry_the_script_and_so_do_their_files(sensor, box, script, tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    job = script(
        "job.py", f"{DIRECT}import os\nif not os.fork(): open('{tmp_path}/notes.txt').close()\nelse: os.wait()\n"
    )
    box.run(job)
    [event] = [e for e in sensor.all_of(box).events("open") if "notes.txt" in e.data["path"]]
    assert (event.data["lineage"], event.data["image"]) == ("job.py", str(job))
