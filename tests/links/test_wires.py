"""From bytes of every wire API to links: what the decoder tells is what the linker needs."""

from __future__ import annotations

import pytest

from classifier.links.edges import ASKS, RETURNS, TURN, USER_TURN
from classifier.links.linker import Linker
from tests.observe.applayer.test_told import conversed
from tests.observe.applayer.wires import APIS


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("api", APIS)
def test_two_requests_of_an_api_are_one_chain(api, stream):
    events = conversed(api, stream=stream)
    linker = Linker().add_all(events)
    edges = {kind: [e for e in linker.edges() if e.kind == kind] for kind in (TURN, ASKS, RETURNS)}
    tools = [e for e in events if e.kind == "tool"]
    (turn,) = edges[TURN]
    assert (turn.basis, turn.ambiguous) == ("verified", ())
    assert [e.target for e in edges[ASKS]] == [t.id for t in tools]
    first = [t.id for t in tools if t.data["llm"] == events[0].id]  # the second answer's results are not sent any more
    assert sorted(e.source for e in edges[RETURNS]) == sorted(first)
    chain = linker.chain_of([tools[-1].id])
    assert chain.trigger.kind == USER_TURN and chain.trigger.excerpt
    assert chain.behaviour.startswith("chain:")
