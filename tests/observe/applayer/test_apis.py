"""Laws that every wire API keeps, and the road from a body to its reader."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.observe.applayer import (
    anthropic,
    apis,
    bedrock,
    body,
    chat,
    gemini,
    llm,
    ollama,
    openai_chat,
    responses,
)
from sensor.observe.applayer.connection import Connection
from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.events import Event
from sensor.observe.applayer.limits import Limits
from sensor.observe.applayer.records import Place
from sensor.observe.applayer.talk import Answered, Asked, Budget
from tests.observe.applayer.wires import APIS, PATHS, ask, conversation, fixture
from wire.redact import Policy, Redactor
from wire.turns import Turn, history

READERS = {
    "openai-chat": openai_chat,
    "openai-responses": responses,
    "anthropic": anthropic,
    "gemini": gemini,
    "bedrock": bedrock,
    "ollama": ollama,
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                "messages role content type text choices delta output usage candidates parts message done error input".split()
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("api", APIS)
def test_an_answer_fits_one_api_only(api):
    value = json.loads(fixture(api, "answer.json"))
    assert [name for name, reader in READERS.items() if reader.answers(value)] == [api]


@pytest.mark.parametrize("api", APIS)
def test_a_request_is_read_by_one_reader(api):
    value = json.loads(fixture(api, "ask.json"))
    assert sum(reader.asks(value) for reader in (gemini, chat, responses, ollama)) == 1


@pytest.mark.parametrize("api", APIS)
def test_a_path_alone_is_a_hint_and_no_more(api):
    hint = apis.by_path(PATHS[api][0])
    assert (hint.api, hint.certain, hint.model) == (api, False, None)
    assert apis.by_path("/") is None


@pytest.mark.parametrize("api", APIS)
def test_a_stream_that_brought_nothing_has_not_ended(api):
    stream = READERS[api].Stream(Budget(99), 9)
    stream.miss()
    found = stream.answered()
    assert (found.text, found.calls, found.ended, found.streamed) == ("", [], False, True)


@given(ANY_JSON)
def test_no_json_breaks_a_reader(value):
    asked = apis.asked("/x", value)
    if asked:
        history(asked.turns)
    apis.answered(value, Limits())
    for reader in READERS.values():
        if isinstance(value, dict):
            stream = reader.Stream(Budget(999), 9)
            stream.add(Event(0, 0, "contentBlockDelta", b""), value)
            assert isinstance(stream.answered(), Answered)
            if reader.answers(value):
                assert isinstance(reader.answered(value), Answered)


def test_what_a_request_has_too_much_of_is_said():
    asked = Asked("openai-chat", True, turns=(Turn("user", "a"),) * 5, tools=(("t", {}),) * 4)
    found = llm.question(asked, Place("c", 0, "client"), Redactor(Policy()), Limits(messages=3, tools=2))
    assert (len(found.history), len(found.tools)) == (3, 2)
    assert found.partial == ("request: 5 messages, the first 3 are kept", "request: 4 tools, the first 2 are kept")


def test_a_body_says_what_is_wrong_with_it():
    whole = body.Whole(body.Body("request", "gzip", Limits()))
    whole.feed(b"no gzip")
    assert whole.value() is None and whole.body.reasons == ["request: broken gzip"]
    whole = body.Whole(body.Body("request", "", Limits(body=4)))
    whole.feed(b'{"a": 1}')
    assert whole.value() is None and whole.body.reasons == ["request: body is over the limit"]


def test_lines_of_json_under_a_wrong_type_are_read():
    reply = body.Reply(body.Body("answer", "", Limits()), "application/json", Limits())
    assert list(reply.feed(b'{"a":1}\n{"a":2}\n')) == []
    assert [v for _, v in reply.finish()] == [{"a": 1}, {"a": 2}]


def test_a_fault_of_ours_costs_one_connection_and_is_counted(monkeypatch):
    monkeypatch.setattr(Connection, "_pass", lambda *_: 1 // 0)
    d = Decoder()
    assert d.data("bad", "sent", 0, ask("anthropic"), 1.0) == []
    monkeypatch.undo()
    sent, received = conversation("anthropic", stream=False)
    assert d.data("bad", "sent", len(sent), b"more", 1.0) == [] and d.health.failed == 1
    assert d.data("good", "sent", 0, sent, 1.0) + d.data("good", "received", 0, received, 1.0)
    assert d.health.failed == 1
