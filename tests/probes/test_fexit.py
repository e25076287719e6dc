"""Programs at a function's return: what is tried, on which kernels it is not, and that a trial leaves nothing."""

import gzip
import os
import platform
import struct
import subprocess
import sys

import pytest

from sensor.probes import btf, client, fexit
from sensor.probes.catalogue import PROBES

VOLUNTARY = "CONFIG_PREEMPT_VOLUNTARY=y\n# CONFIG_PREEMPT is not set\nCONFIG_PREEMPT_DYNAMIC=y\nCONFIG_PREEMPT_RCU=y\n"
FULL = "# CONFIG_PREEMPT_VOLUNTARY is not set\nCONFIG_PREEMPT=y\nCONFIG_PREEMPT_DYNAMIC=y\n"


def jumps(code):
    """Places in instructions, and where each conditional jump leads."""
    rows = [struct.unpack("<BBhi", code[at : at + 8]) for at in range(0, len(code), 8)]
    return rows, [at + 1 + offset for at, (operation, _, offset, _) in enumerate(rows) if operation in (0x15, 0x56)]


@pytest.mark.parametrize(
    "mark", [fexit.MARK, 0x7F12_3456_789A, 0xFFFF_FFFF], ids=["descriptor", "address", "minus-one"]
)
def test_the_program_of_a_trial_ends_wherever_it_jumps(mark):
    rows, targets = jumps(fexit.program(7, 1, 3, mark))
    assert len(targets) == 2
    for target in targets:
        assert [operation for operation, *_ in rows[target:]] == [0xB7, 0x95]
    assert rows[0][2] == 24 and rows[1][2] == 8, "what is returned lies behind the arguments"
    assert rows[2][3] & 0xFFFFFFFF == mark & 0xFFFFFFFF


def test_every_hook_at_a_return_has_its_trial():
    targets = {hook.target for probe in PROBES for hook in probe.fexit}
    assert targets == set(fexit.FUNCTIONS)


@pytest.mark.parametrize(
    "mode,line,built,version,wanted",
    [
        pytest.param("none (voluntary) full \n", "quiet preempt=full", FULL, "", False, id="mode-voluntary"),
        pytest.param("none voluntary (full) \n", "quiet", None, "", True, id="mode-full"),
        pytest.param("full (lazy)\n", "quiet", None, "", True, id="mode-lazy"),
        pytest.param(None, "quiet preempt=full x=1", None, "#1 SMP PREEMPT_DYNAMIC Debian", True, id="asked-for"),
        pytest.param(None, "preempt=none", FULL, "#1 SMP PREEMPT Debian", False, id="asked-against"),
        pytest.param(None, "quiet", None, "#1 SMP PREEMPT_DYNAMIC Debian 6.1", False, id="dynamic"),
        pytest.param(None, "quiet", VOLUNTARY, "#1 SMP PREEMPT_DYNAMIC Debian 6.1", False, id="dynamic-voluntary"),
        pytest.param(None, "quiet", FULL, "#1 SMP PREEMPT_DYNAMIC Debian 6.1", True, id="dynamic-full"),
        pytest.param(None, "quiet", None, "#1 SMP PREEMPT_RT Debian 6.1", True, id="real-time"),
        pytest.param(None, "quiet", None, "#1 SMP PREEMPT Debian 6.1", True, id="always"),
        pytest.param(None, None, None, "#1 SMP Debian 6.1", False, id="never"),
    ],
)
def test_a_kernel_that_interrupts_programs_is_known_by_what_it_says(
    tmp_path, monkeypatch, mode, line, built, version, wanted
):
    files = {"MODE": mode, "COMMAND_LINE": line, "config": built}
    monkeypatch.setattr(fexit, "CONFIGS", (tmp_path / "config", tmp_path / "absent.gz"))
    for name, text in files.items():
        monkeypatch.setattr(fexit, name, tmp_path / name, raising=False)
        if text is not None:
            (tmp_path / name).write_text(text)
    monkeypatch.setattr(fexit.platform, "version", lambda: version)
    assert fexit.preempted() is wanted
    if wanted:
        assert "full preemption" in fexit.refused(fexit.FUNCTIONS)


def test_whatever_this_kernel_answers_is_an_answer_and_leaves_nothing_open():
    before = os.listdir("/proc/self/fd")
    answer = fexit.refused(fexit.FUNCTIONS)
    assert answer == "" or "kernel" in answer
    assert os.listdir("/proc/self/fd") == before


def test_a_packed_configuration_is_read_and_a_damaged_one_says_nothing(tmp_path):
    (tmp_path / "config.gz").write_bytes(gzip.compress(FULL.encode()))
    assert fexit._text(tmp_path / "config.gz") == FULL
    for damaged in (b"", b"\x1f\x8b", b"no gzip", gzip.compress(FULL.encode())[:-9]):
        (tmp_path / "config.gz").write_bytes(damaged)
        assert fexit._text(tmp_path / "config.gz") == ""
    assert fexit._text(tmp_path) == "", "what is not for us to read is as if it was not there"


FILTERED = """
import ctypes, struct
libc = ctypes.CDLL(None)
rows = b"".join(struct.pack("<HBBI", *r) for r in
    ((0x20, 0, 0, 0), (0x15, 0, 1, 304), (0x06, 0, 0, 0x00050001), (0x15, 0, 1, 437), (0x06, 0, 0, 0x00050026),
     (0x06, 0, 0, 0x7FFF0000)))
text = ctypes.create_string_buffer(rows)
head = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 6, ctypes.addressof(text)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, head, 0, 0) == 0
from sensor.probes import fexit
print(fexit.refused(fexit.FUNCTIONS))
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86")
def test_a_filter_that_denies_us_calls_as_our_unit_has_one_changes_no_answer():
    """The unit's kept it at the raw tracepoint: by RestrictSUIDSGID there is no openat2 (#5)."""
    said = subprocess.run([sys.executable, "-c", FILTERED], cwd=client.ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == fexit.refused(fexit.FUNCTIONS)


@pytest.mark.parametrize("error", [btf.BtfError("no BTF"), OSError("no libbpf.so.1"), AttributeError("bpf_prog_load")])
def test_what_a_trial_lacks_is_the_reason(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(fexit, "_try", fail)
    monkeypatch.setattr(fexit, "preempted", lambda: False)
    assert fexit.refused(["do_sys_openat2"]) == str(error)


def test_a_function_that_is_not_there_is_refused_by_name():
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("no BTF here")
    with pytest.raises(fexit.FexitError, match="no do_what_nobody_does"):
        fexit.load("do_what_nobody_does", "x", b"")
