from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sensor.observe.layers import Mount, layer_of, read_mounts
from tests.observe.capability import need

OVERLAY = "36 1 0:31 / / rw - overlay overlay rw,lowerdir=/l1:/l2,upperdir=/up,workdir=/w\n"
HOST = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    """Pid of a process on an overlay whose image holds /bin/app, /removed and /renamed, with a volume at /data."""
    base = tmp_path_factory.mktemp("con:tain er")
    for name in ("lower/bin", "lower/data", "upper", "work", "volume", "merged"):
        (base / name).mkdir(parents=True)
    for name in ("lower/bin/app", "lower/removed", "lower/renamed", "volume/tool"):
        (base / name).write_text("x")
    need(os.geteuid() == 0, "root")
    command = [sys.executable, str(Path(__file__).with_name("container.py")), str(base)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        said = process.stdout.readline()
        if said != b"ready\n":
            process.stdin.close()
            need(False, f"overlay mounts: {process.stderr.read().decode()[-200:]}")
        yield process.pid
        process.stdin.close()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("path", "layer"),
    [
        pytest.param("/bin/app", "lower", id="of-the-image"),
        pytest.param("/written", "upper", id="written-by-the-container"),
        pytest.param("/moved", "upper", id="moved-by-the-container"),
        pytest.param("/data/tool", "volume", id="on-a-volume"),
        pytest.param("/removed", "unknown", id="removed"),
        pytest.param("/absent", "unknown", id="absent"),
        pytest.param("memfd:code", "memfd", id="memfd"),
        pytest.param("/memfd:code (deleted)", "memfd", id="memfd-as-exe-shows-it"),
        pytest.param("/bin/../written", "unknown", id="unresolved"),
        pytest.param("bin/app", "unknown", id="relative"),
        pytest.param("/bin/a\0b", "unknown", id="nul"),
    ],
)
def test_layer_of_a_real_overlay(container, path, layer):
    assert layer_of(container, path) == layer


def test_process_on_the_hosts_root_shows_host():
    assert layer_of(os.getpid(), "/bin/sh") in ("host", "lower")  # "lower" where the tests run in a container


def test_process_that_has_gone_is_unknown():
    assert layer_of(4194305, "/bin/sh") == "unknown"


@pytest.fixture
def proc(tmp_path):
    """/proc as files: 1 is the host, 7 a container on an overlay."""
    for pid, table in ((1, HOST), (7, OVERLAY)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "mountinfo").write_text(table)
    (tmp_path / "1/root/up").mkdir(parents=True)
    (tmp_path / "7/root").mkdir()
    return tmp_path


def table(proc, text, pid=7):
    (proc / str(pid) / "mountinfo").write_text(text)


def test_the_hosts_root_mount_makes_it_host_in_any_namespace(proc):
    table(proc, HOST + "40 22 0:50 / /tmp rw - tmpfs tmpfs rw\n")
    assert layer_of(7, "/bin/sh", str(proc)) == "host"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("36 1 0:31 / /elsewhere rw - ext4 x rw\n", id="no-root-mount"),
        pytest.param("36 1 0:31 / / rw - btrfs x rw\n", id="no-overlay"),
        pytest.param(OVERLAY.replace("/up", "/other"), id="upper-out-of-sight"),
        pytest.param("nonsense\n - \n36 1 - a b c\n", id="nonsense"),
    ],
)
def test_root_that_proves_nothing_is_unknown(proc, text):
    table(proc, text)
    (proc / "7/root/app").write_text("x")
    assert layer_of(7, "/app", str(proc)) == "unknown"


def test_read_only_overlay_has_lower_only(proc):
    table(proc, OVERLAY.replace("upperdir=/up,workdir=/w", "x"))
    (proc / "7/root/app").write_text("x")
    assert layer_of(7, "/app", str(proc)) == "lower"


def test_link_in_the_upper_directory_leads_nowhere(proc, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").write_text("x")
    (proc / "1/root/up/dir").symlink_to(tmp_path / "secret")
    assert layer_of(7, "/dir/file", str(proc)) == "unknown"


def test_mount_points_and_options_are_unescaped(tmp_path):
    (tmp_path / "m").write_text("36 1 0:31 / /a\\040b rw shared:1 master:2 - overlay o rw,upperdir=/x\\134:y\n")
    assert read_mounts(str(tmp_path / "m")) == [Mount("0:31", "/", "/a b", "overlay", "rw,upperdir=/x\\134:y")]
