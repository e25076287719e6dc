"""Packages of a process, read through its root: versions, files that are not as installed, and folders made to harm."""

from __future__ import annotations

import base64
import hashlib
import os
import time

import pytest

from sensor.observe.packages import Packages
from tests.factories import event, replica, use, window


@pytest.fixture
def site(tmp_path):
    """A folder of packages with one package, as pip leaves it."""
    place = tmp_path / "lib/site-packages"
    install(place, "langchain", "0.2.3", {"langchain/__init__.py": "one", "langchain/base.py": "two"})
    return place


def install(place, name, version, files, top=""):
    rows = []
    for path, text in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text)}")
    dist = place / f"{name}-{version}.dist-info"
    dist.mkdir(parents=True)
    (dist / "RECORD").write_text("\n".join([*rows, f"{dist.name}/RECORD,,"]) + "\n")
    if top:
        (dist / "top_level.txt").write_text(top)


@pytest.fixture
def packages(tmp_path):
    """Reads as if this process were in the cgroup."""
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    made = Packages(lambda replica: tmp_path)
    yield made
    made.close()


def answers(packages, *paths, wait=60.0):
    for path in paths:
        packages.see(event(1, "open", f"open:code:{path}", path=str(path)))
    found, end = [], time.monotonic() + wait
    while len(found) < len(paths) and time.monotonic() < end:
        found += packages.poll()
        time.sleep(0.01)
    return [dict(e.data) for e in found]


def later(path):
    os.utime(path, ns=(time.time_ns() + 10**10,) * 2)


def test_a_package_as_installed_has_its_version_and_no_file_that_differs(packages, site):
    [found] = answers(packages, site / "langchain/__init__.py")
    assert (found["import"], found["version"], found["files"], found["changed"]) == ("langchain", "0.2.3", 2, 0)
    assert found["place"] == str(site)


@pytest.mark.parametrize(
    "text", [pytest.param("2wo", id="same-size-and-younger"), pytest.param("longer", id="another-size")]
)
def test_a_file_that_was_patched_after_the_installation_is_counted(packages, site, text):
    (site / "langchain/base.py").write_text(text)
    later(site / "langchain/base.py")
    assert [a["changed"] for a in answers(packages, site / "langchain/__init__.py")] == [1]


def test_a_younger_file_with_the_same_content_does_not_differ(packages, site):
    later(site / "langchain/base.py")
    assert [a["changed"] for a in answers(packages, site / "langchain/__init__.py")] == [0]


def test_a_module_of_another_name_is_found_by_top_level(packages, site):
    install(site, "PyYAML", "6.0", {"yaml/__init__.py": ""}, top="_yaml\nyaml\n")
    assert [(a["name"], a["import"]) for a in answers(packages, site / "yaml/__init__.py")] == [("PyYAML", "yaml")]


def test_a_module_that_only_record_names_is_found(packages, site):
    install(site, "scikit_learn", "1.4", {"sklearn/__init__.py": "", "sklearn/base.py": ""})
    assert [(a["name"], a["files"]) for a in answers(packages, site / "sklearn/base.py")] == [("scikit_learn", 2)]


def test_a_package_of_node_has_the_version_of_its_package_json(packages, tmp_path):
    place = tmp_path / "node_modules/@scope/tool"
    place.mkdir(parents=True)
    (place / "package.json").write_text('{"name": "x", "version": "1.2.3"}')
    [found] = answers(packages, place / "index.js")
    assert (found["name"], found["version"]) == ("@scope/tool", "1.2.3") and "changed" not in found


def test_a_window_asks_for_what_no_event_told_and_each_package_is_asked_once(packages, site):
    opened = use(f"open:code:{site}/langchain/*", data={"path": f"{site}/langchain/base.py"})
    packages.look(window(1, opened))
    packages.look(window(1, opened))
    assert len(answers(packages, site / "langchain/__init__.py")) == 1
    packages.forget(replica())
    assert len(answers(packages, site / "langchain/__init__.py")) == 1


def test_links_devices_and_pipes_are_not_followed(packages, site, tmp_path):
    (tmp_path / "secret").write_text("langchain/x.py,sha256=AAAA,3\n")
    record = site / "langchain-0.2.3.dist-info/RECORD"
    for make in (lambda: record.symlink_to(tmp_path / "secret"), lambda: os.mkfifo(record)):
        record.unlink()
        make()
        assert answers(packages, site / "langchain/__init__.py", wait=0.3) == []
        packages.forget(replica())


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\xff\xfe,sha256=x,1\n",
        b"a,b\n",
        b"../../etc/passwd,sha256=AAAA,1\n/etc/passwd,sha256=AAAA,1\n",
        b"x,sha256=%,-1\n",
        b'"' * 99,
    ],
)
def test_a_record_that_is_none_harms_nobody(packages, site, record):
    (site / "langchain-0.2.3.dist-info/RECORD").write_bytes(record)
    assert all(a["changed"] == 0 for a in answers(packages, site / "langchain/__init__.py", wait=0.3))


def test_who_has_gone_or_is_switched_off_gets_no_answer(site, tmp_path):
    gone, off = Packages(lambda replica: None), Packages(lambda replica: tmp_path, on=False)
    for packages in (gone, off):
        assert answers(packages, site / "langchain/__init__.py", wait=0.2) == []
        packages.close()
