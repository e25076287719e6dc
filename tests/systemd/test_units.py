"""The units are what systemd accepts, and grant no more than docs/install.md lists."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "systemd").glob("*.service"))
pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.fixture
def units(tmp_path):
    """The units with the command of this checkout in place of the installed one: systemd looks whether it is there."""
    command = Path(sys.executable).with_name("driftline")
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/driftline/.venv/bin/driftline", str(command)))
    return tmp_path


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True)


def test_systemd_finds_nothing_to_say_about_the_units(units):
    done = analyze("verify", "--man=no", *sorted(units.glob("*.service")))
    said = [line for line in done.stderr.splitlines() if "driftline" in line]
    assert (done.returncode, said) == (0, []), done.stderr


def exposure(units, name):
    done = analyze("security", "--offline=true", "--no-pager", units / f"{name}.service")
    return float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1])


def test_the_classifier_is_fully_sandboxed(units):
    assert exposure(units, "driftline-classifier") <= 0.5


def test_the_sensor_is_as_tight_as_its_work_allows(units):
    assert exposure(units, "driftline-sensor") <= 3.5


def values(unit, key):
    return re.findall(rf"^{key}=(.*)$", (ROOT / "systemd" / unit).read_text(), re.M)


def test_every_capability_of_the_sensor_has_its_reason_beside_it_and_in_the_manual():
    asked = values("driftline-sensor.service", "CapabilityBoundingSet")[0].split()
    text, page = (ROOT / "systemd/driftline-sensor.service").read_text(), (ROOT / "docs/install.md").read_text()
    assert [c for c in asked if f"#   {c} " not in text or f"| `{c}` |" not in page] == []
    assert re.findall(r"\| `(CAP_\w+)` \|", page) == asked


def test_the_classifier_has_no_capability():
    assert values("driftline-classifier.service", "CapabilityBoundingSet") == [""]
    assert values("driftline-classifier.service", "DynamicUser") == ["yes"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda p: p.name)
def test_a_unit_stops_within_five_seconds_and_is_watched(unit):
    assert values(unit.name, "TimeoutStopSec") == ["5"]
    assert values(unit.name, "Type") == ["notify"]
    assert int(values(unit.name, "WatchdogSec")[0]) > 0
    assert values(unit.name, "RestartPreventExitStatus") == ["2 3"]


def test_the_group_that_both_units_name_is_made_by_sysusers(tmp_path):
    file = ROOT / "systemd/driftline.sysusers"
    made = re.findall(r"^g (\S+)", file.read_text(), re.M)
    assert values("driftline-classifier.service", "Group") == made
    assert values("driftline-sensor.service", "SupplementaryGroups") == made
    done = subprocess.run(["systemd-sysusers", "--dry-run", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_sensor_may_write_bpffs_and_nothing_else_of_sys():
    """With ProtectKernelTunables=yes, which names /sys/fs/bpf read-only itself, it could not pin anything (#5, 6.1 and 6.12)."""
    name = "driftline-sensor.service"
    assert values(name, "ProtectKernelTunables") == []
    assert values(name, "ReadWritePaths") == ["/sys/fs/bpf"]
    assert {"/sys", "/proc/sys", "-/proc/irq"} <= set(values(name, "ReadOnlyPaths")[0].split())
