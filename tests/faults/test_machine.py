"""A machine that lacks something, in a mount namespace of its own: the answer says what, and what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.lab import left_in_kernel
from tests.observe.capability import possible

pytestmark = pytest.mark.kernel
ROOT = Path(__file__).parents[2]

# Loads the probes of one sensor, says how that went, and unloads them: the pins are in this namespace only.
START = """
import json, sys
from pathlib import Path
from sensor.probes import client, pins
from sensor.settings import SensorSettings
from tests.kernel.lab import SMALL
name, scope, run_dir = sys.argv[1:]
settings = SensorSettings(name=name, scope=Path(scope), run_dir=Path(run_dir), sizes=SMALL)
before = pins.mounted()
try:
    found = {"before": before, "probes": client.ensure(settings).probes, "after": pins.mounted()}
except client.ProbeError as e:
    found = {"error": str(e), "code": e.exit_code}
client.unload(settings)
print(json.dumps(found))
"""
LACKING = {
    "bpffs": "umount /sys/fs/bpf",
    "btf": "mount -t tmpfs none /sys/kernel/btf",
    "headers": "mount -t tmpfs none /usr/src && mount -t tmpfs none /lib/modules",
}


def started(lab, lacking):
    """What a sensor says that starts on a machine without that."""
    script = f'{LACKING[lacking]} && exec "$@"'
    lab.scope.path.mkdir(exist_ok=True)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", sys.executable, "-c", START]
    done = subprocess.run(
        [*command, lab.name, lab.scope.path, lab.folder], cwd=ROOT, capture_output=True, text=True, env=os.environ
    )
    refused = "unshare failed" in done.stderr or "mount:" in done.stderr
    possible(f"may not mount here: {done.stderr.strip()}" if refused else "")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_a_bpffs_the_sensor_mounts_one(lab, fault):
    found = started(lab, "bpffs")
    assert (found["before"], found["after"]) == (False, True)
    assert set(found["probes"].values()) == {"on"}
    assert left_in_kernel(lab.name) == []
    fault(lost="0: it mounts one itself", told="nothing to tell")


@pytest.mark.parametrize(
    ("lacking", "word"), [pytest.param("btf", "BTF", id="btf"), pytest.param("headers", "make setup", id="headers")]
)
def test_what_a_machine_lacks_is_said_with_its_remedy(lab, lacking, word, fault):
    found = started(lab, lacking)
    assert word in found["error"] and found["code"] == 3
    assert left_in_kernel(lab.name) == []
    fault(lost="everything: no probe is loaded, and none is left", told=f'exit code 3, "{found["error"]}"')
