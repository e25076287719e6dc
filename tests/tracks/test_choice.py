"""The choice of a track: from stated inputs, with its reason, and people have the last word."""

from __future__ import annotations

import pytest

from classifier.tracks.choice import Inputs, choose
from tests.factories import SHOP
from wire.records import Pin

PINNED = Pin(5.0, SHOP, "track", "standard", "ann", "ticket 812")


@pytest.mark.parametrize(
    ("inputs", "track", "because"),
    [
        pytest.param(Inputs(data="cardholder"), "regulated", "data=cardholder", id="cardholder"),
        pytest.param(Inputs(data="internal, PII"), "regulated", "data=internal, PII", id="several-kinds"),
        pytest.param(Inputs(data="PHI"), "regulated", "data=PHI", id="phi-in-capitals"),
        pytest.param(Inputs(data="public"), "standard", "data=public", id="public"),
        pytest.param(Inputs(regulation="pci-dss", data="internal"), "regulated", "regulation=pci-dss", id="regulation"),
        pytest.param(Inputs(reversibility="irreversible"), "regulated", "cannot be taken back", id="irreversible"),
        pytest.param(Inputs(), "standard", "nothing is known", id="unlabelled"),
        pytest.param(Inputs(state="non-converging"), "non-converging", "non-converging", id="does-not-converge"),
        pytest.param(
            Inputs(agent_class="code-execution", state="learning"), "non-converging", "seldom converges", id="by-class"
        ),
        pytest.param(
            Inputs(agent_class="code-execution", state="converged"), "standard", "nothing", id="it-did-converge"
        ),
        pytest.param(Inputs(data="phi", state="non-converging"), "regulated", "data=phi", id="regulated-comes-first"),
    ],
)
def test_the_inputs_give_a_track_and_its_reason(inputs, track, because):
    found = choose(inputs)
    assert found.track == found.proposed == track and because in found.because and found.confirmed_by is None


@pytest.mark.parametrize(
    ("inputs", "warnings"),
    [
        pytest.param(Inputs(), ("unclassified",), id="unlabelled"),
        pytest.param(Inputs(data="public"), (), id="labelled"),
        pytest.param(Inputs(data="purple"), ("no rule knows data=purple",), id="unknown-label"),
        pytest.param(Inputs(data="public,purple"), ("no rule knows data=purple",), id="one-unknown-label"),
        pytest.param(
            Inputs(data="phi", state="non-converging"), ("regulated, but its envelope is non-converging",), id="both"
        ),
        pytest.param(Inputs(data="phi", pin=PINNED), ("weaker than its inputs",), id="weaker-than-its-labels"),
    ],
)
def test_what_is_doubtful_is_said(inputs, warnings):
    assert choose(inputs).warnings == warnings


def test_a_person_decides_and_is_named():
    found = choose(Inputs(data="phi", pin=PINNED))
    assert (found.track, found.proposed) == ("standard", "regulated")
    assert (found.confirmed_by, found.confirmed_at, found.note) == ("ann", 5.0, "ticket 812")
    assert "set by ann; its inputs give regulated: data=phi" in found.because
