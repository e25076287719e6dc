"""Questions over the control socket: paths of any characters, bounded answers, and patience that ends."""

import socket

import pytest

from console.cli import control
from console.cli.control import Control
from console.cli.failure import Failure


def test_any_name_is_one_part_of_the_path(classifier):
    classifier.answers["/workloads/unit%3A%2F..%2Fx%1B%3Fy"] = (200, {"ok": True})
    assert Control(classifier.path).get("workloads", "unit:/../x\x1b?y") == {"ok": True}


def test_empty_conditions_are_not_sent(classifier):
    classifier.answers["/findings"] = (200, [])
    Control(classifier.path).get("findings", label=None, workload="a b")
    assert classifier.asked[-1][1] == "/findings?workload=a+b"


def test_an_answer_beyond_the_limit_is_refused(classifier, monkeypatch):
    monkeypatch.setattr(control, "LIMIT", 10)
    classifier.answers["/findings"] = (200, ["x" * 100])
    with pytest.raises(Failure, match="larger than"):
        Control(classifier.path).get("findings")


def test_a_classifier_that_does_not_answer_is_given_up(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(Failure, match=r"no answer within 0\.1 s"):
            Control(str(tmp_path / "s"), timeout=0.1).get("health")


@pytest.mark.parametrize("kind", ["file", "garbage"])
def test_what_is_no_classifier_is_a_failure_in_words(tmp_path, kind):
    path = tmp_path / "s"
    path.write_text("")
    with pytest.raises(Failure):
        Control(str(path if kind == "file" else tmp_path / ("x" * 200))).get("health")
