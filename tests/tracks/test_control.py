"""Classes, tracks and pins of a running classifier: the endpoints, and what a restart keeps."""

from __future__ import annotations

import pytest

from tests.classifier.story import born, days
from tests.factories import SHOP, head
from tests.service.daemon import Daemon

PIN = {"workload": SHOP, "what": "track", "value": "regulated", "actor": "ann", "note": "PCI"}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    d = Daemon(tmp_path_factory.mktemp("tracks")).start()
    d.send([head(), born(1), *days(0, 5, 1)])
    yield d
    d.stop()


@pytest.mark.parametrize("url", ["/classes", "/tracks", f"/classes/{SHOP}", f"/tracks/{SHOP}", "/baselines/tool-user"])
def test_every_question_has_an_answer(running, url):
    status, value = running.get(url)
    assert status == 200 and value


@pytest.mark.parametrize("url", ["/classes/nobody", "/tracks/nobody", "/baselines/toaster"])
def test_what_is_not_known_is_404(running, url):
    assert running.get(url)[0] == 404


def test_a_pin_is_kept_over_a_kill_and_answers_with_what_was_laid_down(running):
    status, value = running.ask("POST", "/pins", PIN)
    assert status == 200 and value.items() >= PIN.items() and value["time"] > 0
    running.kill()
    running.start()
    assert running.get(f"/tracks/{SHOP}")[1]["confirmed_by"] == "ann"
    assert running.get(f"/tracks/{SHOP}")[1]["track"] == "regulated"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(PIN | {"value": "express"}, "track is one of", id="unknown-track"),
        pytest.param(PIN | {"what": "colour"}, "what is one of", id="unknown-kind"),
        pytest.param(7, "a pin is an object", id="no-object"),
    ],
)
def test_a_bad_pin_is_refused_with_its_field(running, body, words):
    status, value = running.ask("POST", "/pins", body)
    assert status == 400 and words in value["error"]
