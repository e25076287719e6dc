"""SysFlow records: their names as behaviours, their windows, and the labels of the real pipeline."""

import gzip

import pytest

from classifier.lab.real import sysflow, sysflow_records
from classifier.lab.real.table import DataError
from tests.lab.real.tiny import file, flow, process
from tests.lab.real.tiny import sysflow as made


@pytest.mark.parametrize(
    ("record", "behaviour"),
    [
        pytest.param(process(1, "/bin/bash", "/usr/sbin/httpd"), "exec:/bin/bash<httpd", id="exec"),
        pytest.param(process(1, "/bin/bash", "/x", "CLONE"), None, id="clone"),
        pytest.param(flow(1, "/x", "9.59.150.113", 80), "egress:tcp:9.59.150.113:80", id="egress"),
        pytest.param(flow(1, "/x", "10.0.0.4", 80, "ACCEPT|READ_RECV"), "ingress:tcp:80", id="ingress"),
        pytest.param(flow(1, "/x", "0.0.0.0", 0), None, id="no address"),
        pytest.param(file(1, "/x", "/etc/shadow"), "open:secret:/etc/shadow", id="secret"),
        pytest.param(file(1, "/x", "/var/log/a.log", "WRITE_SEND"), "write:data:/var/log/a.log", id="write"),
        pytest.param(file(1, "/x", "/usr/lib/libc.so.6", "OPEN|MMAP"), "open:code:/usr/lib/*", id="library"),
        pytest.param(file(1, "/x", "/tmp/run-1234/x"), "open:data:/tmp/run-*/x", id="number in a path"),
        pytest.param(file(1, "/x", "/tmp/a\x1b[2J b"), r"open:data:/tmp/a\x*b[*J\x*b", id="hostile name"),
        pytest.param(file(1, "/x", "/tmp/x", "UNLINK"), None, id="unlink"),
        pytest.param(file(1, "/x", "relative"), None, id="no path"),
    ],
)
def test_what_a_record_is_called(record, behaviour):
    found = sysflow_records.acts([record])
    assert [a.behaviour for a in found] == ([behaviour] if behaviour else [])


def test_both_ends_of_an_accepted_flow_are_ingress():
    accepted, later = flow(1, "/x", "10.0.0.4", 80, "ACCEPT"), flow(2, "/x", "10.0.0.4", 80, "READ_RECV|WRITE_SEND")
    assert {a.behaviour for a in sysflow_records.acts([accepted, later])} == {"ingress:tcp:80"}


def test_windows_add_up_and_keep_the_gaps():
    found = sysflow_records.acts(
        [flow(1, "/x", "9.9.9.9", 1), flow(2, "/x", "9.9.9.9", 1), flow(35, "/x", "9.9.9.9", 1)]
    )
    windows = sysflow_records.windows(found)
    assert [len(w) for w in windows] == [1, 0, 0, 1] and windows[0][0].bytes_out == 140 and windows[0][0].count == 2


def test_a_shell_on_one_replica_is_risky_and_scaling_is_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sysflow, "AFTER", 1.1)
    table = sysflow.evaluate(made(tmp_path)).tables[0]
    labels = {r.method: r.figures.get("label") for r in table.rows}
    assert labels["shellshock, on one of 4"] == "risky_drift"
    assert labels["nothing new, two replicas more"] == labels["nothing new, a rollout"] == "none"
    assert "risky recall 2 of 2" in table.notes[0]


@pytest.mark.parametrize("text", ['{"ts": "x"}', "{", "[]"])
def test_a_damaged_file_says_what_to_do(tmp_path, text):
    made(tmp_path)
    with gzip.open(tmp_path / "shellshock.jsonl.gz", "wt") as out:
        out.write(text + "\n")
    with pytest.raises(DataError, match="restore"):
        sysflow.evaluate(tmp_path)
