"""What a guest prints becomes one line for each stage."""

import os

from tests.vm.stages import Stages, cpu


def test_a_stage_is_told_when_the_next_one_begins(tmp_path):
    output, said = tmp_path / "output", []
    output.write_bytes(b"")
    stages = Stages(output, os.getsid(0), said.append)
    stages.look()
    assert (said, stages.begun) == ([], False)
    with output.open("ab") as file:
        for text, wanted in ((b"noise\r\n@@ fac", 0), (b"ts\r\n", 1), (b"...\n@@ tests\n@@ off\n", 3)):
            file.write(text)
            file.flush()
            stages.look()
            assert len(said) == wanted
    assert stages.begun
    assert [line.partition(":")[0] for line in said] == ["boot", "facts", "tests"]


def test_cpu_of_a_session_is_its_own():
    assert cpu(os.getsid(0)) > 0
    assert cpu(2**30) == 0
