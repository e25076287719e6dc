"""No secret leaves the decoder: in no field, in no repr, in no exception, also when the bytes are broken."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.observe.applayer.decoder import Decoder
from tests.observe.applayer.wires import H2, answer, ask, fixture, request, run, streamed
from wire.redact import Policy

CANARY = "c4n4ry5ecret0value"  # no pattern knows it: only its place is secret
ROWS = [
    ("Authorization", f"Bearer {CANARY}"),
    ("X-Api-Key", CANARY),
    ("x-goog-api-key", CANARY),
    ("api-key", CANARY),
    ("Cookie", f"session={CANARY}"),
    ("Proxy-Authorization", f"Basic {CANARY}"),
    ("X-Amz-Security-Token", CANARY),
    ("X-Some-New-Vendors-Key", CANARY),
    ("Mcp-Session-Id", CANARY),
    ("baggage", f"auth.token={CANARY},user.name={CANARY}"),
    ("tracestate", f"x={CANARY}"),
    ("traceparent", CANARY),
]
TARGETS = [
    f"/v1/messages?key={CANARY}",
    f"/v1/messages?a=1&api_key={CANARY}#x",
    f"/v1/messages#{CANARY}",
    f"/v1/messages;jsessionid={CANARY}",
    f"http://user:{CANARY}@h/v1/messages",
    f"https://h?key={CANARY}",
]
ANSWER = answer(*streamed("anthropic"), headers=[("Set-Cookie", CANARY), ("X-Token", CANARY)], chunks=77)


def clean(decoder, records):
    shown = repr(records) + repr(decoder) + repr(decoder.health) + str([str(r) for r in records])
    return CANARY not in shown and CANARY.encode() not in pickle.dumps(records)


@pytest.mark.parametrize("target", TARGETS)
def test_keys_in_headers_and_addresses_are_dropped(target):
    d = Decoder()
    body = fixture("anthropic", "ask.json")
    records = run(request(target, body, headers=ROWS), ANSWER, decoder=d)
    assert records and clean(d, records)


@pytest.mark.parametrize("target", TARGETS[:2])
def test_over_http2_too(target):
    h2 = H2()
    rows = [(k.lower(), v) for k, v in ROWS if k != "Proxy-Authorization"]
    for number in (1, 3):
        h2.ask(number, target, fixture("anthropic", "ask.json"), rows)
        h2.answer(number, *streamed("anthropic"), headers=[("set-cookie", CANARY)])
    d = Decoder()
    records = run(h2.sent, h2.received, decoder=d)
    assert len(records) == 6 and clean(d, records)


def test_a_body_that_is_no_call_leaves_nothing():
    d = Decoder()
    records = run(
        request("/login", f'{{"password": "{CANARY}"}}'.encode()),
        answer(f'{{"token": "{CANARY}"}}'.encode()),
        decoder=d,
    )
    assert records == [] and clean(d, records)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_broken_streams_give_no_secret_away(data):
    """Damage, gaps and cuts anywhere: the places of secrets are never taken for others."""
    sent, received = request(TARGETS[0], fixture("anthropic", "ask.json"), headers=ROWS), ANSWER
    d, records = Decoder(), []
    for direction, whole in (("sent", sent), ("received", received)):
        at = data.draw(st.integers(0, len(whole) - 1))
        size = data.draw(st.integers(0, 40))
        harm = data.draw(st.sampled_from(["gap", "flip", "cut", "noise"]))
        if harm == "gap":
            records += d.data("c", direction, 0, whole[:at], 1.0)
            records += d.gap("c", direction, at, size, 1.0)
            records += d.data("c", direction, at + size, whole[at + size :], 1.0)
            continue
        at = max(at, whole.index(b"\r\n"))  # damage that no capture does could make a query part of a path
        noise = data.draw(st.binary(max_size=size))
        rest = {"flip": noise + whole[at + len(noise) :], "cut": b"", "noise": noise + whole[at:]}[harm]
        records += d.data("c", direction, 0, whole[:at] + rest, 1.0)
    records += d.close("c", 2.0)
    assert d.health.failed == 0 and clean(d, records)


PROMPTS = [
    ("sk-proj-abcdefghijklmnop1234", "api_key"),
    ("sk-ant-" + "a1b2" * 6, "api_key"),
    ("AKIAIOSFODNN7EXAMPLE", "aws_key"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "api_key"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk", "jwt"),
    ("4111-1111-1111-1111", "card"),
    ("5500005555555559", "card"),
    ("password=hunter2secret", "password"),
    ('"api_key": "whatever-it-is"', "password"),
    ("Authorization: Bearer abcdef0123456789", "bearer"),
    ("postgres://app:s3cr3tpw@db/x", "url_password"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----", "private_key"),
    ("-----BEGIN PRIVATE KEY-----\nMIIabc", "private_key"),
]


@pytest.mark.parametrize(("secret", "kind"), PROMPTS, ids=[f"{k}-{n}" for n, (_, k) in enumerate(PROMPTS)])
@pytest.mark.parametrize("place", ["user", "argument", "result"])
def test_secrets_in_words_are_masked(secret, kind, place):
    import json

    body, back = json.loads(fixture("anthropic", "again.json")), json.loads(fixture("anthropic", "answer.json"))
    said = f"look: {secret} (end)"
    if place == "user":
        body["messages"][0]["content"] = said
    elif place == "argument":
        back["content"][2]["input"] = {"note": said, "list": [{"deep": said}]}
    else:
        body["messages"][2]["content"][0]["content"] = said
    records = run(request("/v1/messages", json.dumps(body).encode()), answer(json.dumps(back).encode()))
    call = records[0]
    text = {"user": call.user_turn.value, "argument": call.calls[0].arguments, "result": call.results[0].content}[place]
    core = (
        secret.split("=")[-1].split("\n")[-1] if kind in ("password", "private_key") and '"' not in secret else secret
    )
    assert kind in dict(text.masked) and core not in text.redacted
    if kind not in ("password", "url_password", "bearer"):
        assert f"[{kind}]" in text.redacted
    assert secret not in repr(records)


def test_arguments_are_masked_by_the_name_of_their_key():
    import json

    back = json.loads(fixture("anthropic", "answer.json"))
    back["content"][2]["input"] = {
        "dbPassword": "x1",
        "nested": {"api-key": 77, "max_tokens": 5},
        "card": 4111111111111111,
    }
    call = run(ask("anthropic"), answer(json.dumps(back).encode()))[0]
    assert call.calls[0].arguments.redacted == (
        '{"card":"[card]","dbPassword":"[named_secret]","nested":{"api-key":"[named_secret]","max_tokens":5}}'
    )


def test_the_original_goes_only_to_a_sealed_callback():
    kept = []
    d = Decoder(sealed=lambda kind, place, original: kept.append((kind, place.connection, original)))
    records = run(ask("anthropic"), answer(fixture("anthropic", "answer.json")), decoder=d)
    assert "4111 1111" not in repr(records)
    assert ("user_turn", "c", b"Ticket ZD-88213, card 4111 1111 1111 1111, please look.") in kept
    assert {k for k, *_ in kept} >= {"user_turn", "arguments", "answer"}
    assert CANARY.encode() not in b"".join(o for *_, o in kept)


def test_a_policy_may_mask_emails_and_keep_no_words():
    d = Decoder(policy=Policy("pci-2", emails=True))
    body = fixture("anthropic", "ask.json").replace(b"please look", b"ann@example.org")
    call = run(request("/v1/messages", body), ANSWER, decoder=d)[0]
    assert "[email]" in call.user_turn.value.redacted and call.user_turn.value.policy == "pci-2"
    call = run(request("/v1/messages", body), ANSWER, decoder=Decoder(policy=Policy(keep=0)))[0]
    assert call.user_turn.value.redacted == "" and call.user_turn.value.length > 40
    assert call.calls[0].arguments.redacted == "" and call.calls[0].arguments.cut
