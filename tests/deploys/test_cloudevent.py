"""CloudEvents and CDEvents become deploy events; what is none is refused by name of its field."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.deploys.cloudevent import NotOurs, read, to_deploy
from classifier.deploys.plain import BadDeploy, deploy
from classifier.deploys.signing import Key, Signed
from tests.factories import SHOP
from wire import codec

STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
SIGNED = Signed(Key("ci", ("*",)), "m1", 55.0)


def event(data=None, **changes):
    values = {
        "specversion": "1.0",
        "id": "1",
        "source": "/ci",
        "type": "dev.driftline.model",
        "time": "1970-01-01T00:01:40Z",
    }
    values |= {"data": {"workload": SHOP} if data is None else data} | changes
    return json.dumps({k: v for k, v in values.items() if v is not None}).encode()


def cdevent(kind="service.deployed.0.2.0", *, custom=None, id=SHOP, artifact="pkg:oci/cart@sha256%3Aab", **context):
    told = {"type": f"dev.cdevents.{kind}", "id": "1", "source": "/ci", "version": "0.4.1"} | context
    subject = {"id": id, "type": "service", "content": {"environment": {"id": "lab"}, "artifactId": artifact}}
    return {"context": told, "subject": subject, "customData": custom or {}}


def taken(body, headers=STRUCTURED, **options):
    return to_deploy(read(headers, body), **({"trust": "signed", "received": 200.0} | options))


def test_our_own_events_fill_every_field():
    data = {"workload": SHOP, "revision": "m2", "actor": "ann", "scope": ["egress:tcp:*:443"]}
    found = taken(event(data), prefix="ci:")
    assert found == deploy(
        {"id": "/ci#1", "time": 100.0, "kind": "model"} | data,
        source="http",
        trust="signed",
        received=200.0,
        prefix="ci:",
    )


@pytest.mark.parametrize("kind", ["image", "model", "prompt", "tools", "config", "dependency", "restart"])
def test_every_kind_has_its_type(kind):
    assert taken(event(type=f"dev.driftline.{kind}")).kind == kind


@pytest.mark.parametrize("what", ["service.deployed.0.1.1", "service.upgraded.0.2.0", "service.rolledback.0.2.0-draft"])
def test_cdevents_of_services_are_image_changes_with_the_digest_as_revision(what):
    found = taken(event(cdevent(what), type=f"dev.cdevents.{what}"))
    assert (found.kind, found.workload, found.revision, found.time) == ("image", SHOP, "sha256:ab", 100.0)


@pytest.mark.parametrize(
    "custom",
    [
        pytest.param({"workload": SHOP, "kind": "model", "revision": "m2"}, id="plain"),
        pytest.param({"driftline": {"workload": SHOP, "kind": "model", "revision": "m2"}, "other": 1}, id="of-its-own"),
    ],
)
def test_custom_data_says_what_cdevents_cannot(custom):
    what = "artifact.published.0.2.0"
    found = taken(event(cdevent(what, custom=custom, id="pkg:mlmodel/m@2"), type=f"dev.cdevents.{what}"))
    assert (found.kind, found.workload, found.revision) == ("model", SHOP, "m2")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(event(type="dev.cdevents.pipelinerun.started.0.2.0"), "changes nothing", id="another-cdevent"),
        pytest.param(event(type="com.example.thing"), "announces no change", id="another-type"),
        pytest.param(event(type="dev.driftline.magic"), "none of ours", id="unknown-kind"),
    ],
)
def test_sound_events_about_something_else_are_told_apart(body, why):
    with pytest.raises(NotOurs, match=why):
        taken(body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b"", "no CloudEvent", id="empty"),
        pytest.param(b"[]", "no CloudEvent", id="list"),
        pytest.param(b"{", "no CloudEvent", id="no-json"),
        pytest.param(b"\xff\xfe", "no CloudEvent", id="no-text"),
        pytest.param(b"[" * 60_000, "no CloudEvent", id="deep"),
        pytest.param(event(id=None), "no CloudEvent", id="no-id"),
        pytest.param(event(specversion="9"), "no CloudEvent", id="unknown-version"),
        pytest.param(event({}), "workload is missing", id="no-workload"),
        pytest.param(event({"workload": 5}), "workload is a printable text", id="number"),
        pytest.param(event({"workload": "a\x1b[2J"}), "workload is a printable text", id="control-characters"),
        pytest.param(event({"workload": "w" * 513}), "workload is a printable text", id="long"),
        pytest.param(event({"workload": SHOP, "scope": "x"}), "scope is a list", id="scope"),
        pytest.param(event({"workload": SHOP, "scope": ["x"] * 257}), "scope is a list", id="long-scope"),
        pytest.param(event({"workload": SHOP, "scope": [None]}), "scope is missing", id="hole-in-scope"),
        pytest.param(event("text"), "workload is missing", id="data-is-text"),
        pytest.param(event(time="yesterday"), "no CloudEvent|RFC 3339", id="time"),
        pytest.param(event(time="0001-01-01T00:00:00Z"), "time is seconds", id="before-the-epoch"),
    ],
)
def test_what_is_no_deploy_event_is_refused_with_its_field(body, why):
    with pytest.raises(BadDeploy, match=why):
        taken(body)


def test_batches_are_refused():
    with pytest.raises(BadDeploy, match="batches"):
        read({"content-type": "application/cloudevents-batch+json"}, b"[]")


def binary(**changes):
    return {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/ci",
        "ce-type": "dev.driftline.model",
    } | changes


def test_binary_mode_takes_id_and_time_from_what_is_signed():
    body = json.dumps({"workload": SHOP, "kind": "model"}).encode()
    one = taken(body, binary(), signed=SIGNED)
    other = taken(
        body, binary(**{"ce-id": "2", "ce-source": "/evil", "ce-time": "2000-01-01T00:00:00Z"}), signed=SIGNED
    )
    assert one == other and (one.id, one.time, one.kind) == ("webhook#m1", 55.0, "model")


@pytest.mark.parametrize(
    ("headers", "data"),
    [
        pytest.param(binary(), {"workload": SHOP}, id="not-repeated"),
        pytest.param(binary(**{"ce-type": "dev.driftline.image"}), {"workload": SHOP, "kind": "model"}, id="changed"),
        pytest.param(binary(**{"ce-type": "dev.cdevents.service.upgraded.0.2.0"}), cdevent(), id="changed-cdevent"),
    ],
)
def test_a_type_that_only_a_header_tells_is_refused_under_a_signature(headers, data):
    with pytest.raises(BadDeploy, match="repeats the type"):
        taken(json.dumps(data).encode(), headers, signed=SIGNED)


def test_binary_cdevents_repeat_their_type_in_their_context():
    found = taken(
        json.dumps(cdevent()).encode(), binary(**{"ce-type": "dev.cdevents.service.deployed.0.2.0"}), signed=SIGNED
    )
    assert found.workload == SHOP


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.integers(),
    lambda c: (
        st.lists(c, max_size=3)
        | st.dictionaries(
            st.sampled_from(["workload", "kind", "scope", "subject", "customData", "id", "content", "x"]), c
        )
    ),
    max_leaves=9,
)
TYPES = st.sampled_from(["dev.driftline.image", "dev.cdevents.service.deployed.0.1.0", "dev.cdevents.artifact", "x"])


@given(
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(["content-type", "ce-id", "ce-type", "ce-specversion"]), st.text(max_size=30)),
)
def test_no_request_breaks_the_reader(body, headers):
    with contextlib.suppress(BadDeploy):
        to_deploy(read(headers, body), trust="none", received=0.0)


@given(JSON, TYPES, st.none() | st.text(max_size=30))
def test_no_event_breaks_the_mapping_and_what_comes_out_can_be_sent(data, type_, time):
    try:
        found = taken(event(data, type=type_, time=time))
    except BadDeploy:
        return
    assert codec.decode(codec.encode(found)) == found


@given(JSON)
def test_no_mapping_breaks_the_plain_reader(body):
    try:
        found = deploy(body, source="cli", trust="local", received=1.0)
    except BadDeploy:
        return
    assert codec.decode(codec.encode(found)) == found
