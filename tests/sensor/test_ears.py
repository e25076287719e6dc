"""What changes in the process once it listens."""

import os
import resource
import subprocess
import sys
import threading

import pytest

from sensor.ears import DESCRIPTORS, NICE, rise
from sensor.probes.client import ROOT

CODE = """
import resource
from sensor.ears import prepare
prepare()
print(resource.getrlimit(resource.RLIMIT_CORE)[0], *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_no_core_is_written_and_descriptors_are_enough():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    said = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    core, soft, _ = map(int, said.stdout.split())
    assert core == 0
    assert soft >= min(hard, DESCRIPTORS) or hard == resource.RLIM_INFINITY


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_only_the_thread_that_reads_goes_before_others():
    before, found = os.getpriority(os.PRIO_PROCESS, 0), []

    def reader():
        rise()
        found.append(os.getpriority(os.PRIO_PROCESS, 0))

    thread = threading.Thread(target=reader)
    thread.start()
    thread.join()
    assert found[0] in (NICE, before)  # as it was where the capability is missing
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
