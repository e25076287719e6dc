"""Staging baselines: what is signed can be used, whatever was changed, forged or stale cannot."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.deploys.signing import Key, KeysError
from classifier.tracks.keys import private_key
from classifier.tracks.staging import StagingError, canonical, digest, exported, public_key, signed, verified
from tests.tracks.signing import OTHER, SECRET, key, key_file

TARGET = "prod/kyc/Deployment/kyc-agent/agent"
ENVELOPE = {
    "workload": "staging/kyc/Deployment/kyc-agent/agent",
    "state": "converging",
    "because": "14 active days",
    "digest": "0123",
    "active_days": 14,
    "syscalls": [0, 1],
    "behaviours": [
        {"behaviour": "egress:tcp:a.example:443", "state": "admitted", "bytes_out": {"max": 9}, "severity": 1},
        {"behaviour": "exec:/bin/sh<x", "state": "provisional"},
    ],
}


def baseline(**changes):
    return exported(ENVELOPE | changes, target=TARGET, now=1000.0, valid=500.0)


FILE = signed(baseline(), SECRET, now=1100.0)


KEYS = (key(),)


def used(file=FILE, keys=KEYS, *, now=1200.0, target=TARGET):
    return verified(file, keys, now=now, target=target)


def test_what_a_known_key_signed_can_be_used():
    found = used()
    assert found.target == TARGET and found.signed.key.name == "compliance" and found.signed.time == 1100.0
    assert found.pin == f"sha256:{digest(FILE['baseline'])} signed by compliance"


def test_only_what_is_admitted_is_in_it_and_the_rest_is_named():
    content = baseline()
    assert [b["behaviour"] for b in content["behaviours"]] == ["egress:tcp:a.example:443"]
    assert content["left_out"] == ["exec:/bin/sh<x"]


def test_what_belongs_to_the_start_of_every_replica_is_taken_in_when_asked():
    """Staging's replicas ran for two weeks, so their start was seen on one day and a pod under the baseline could not start."""
    boot = {"behaviour": "exec:/usr/bin/python3<runc", "state": "provisional", "replicas": 2, "severity": 1}
    odd = [
        boot | {"behaviour": "exec:/bin/sh<runc", "severity": 2},
        boot | {"behaviour": "open:data:/x", "replicas": 1},
    ]
    envelope = ENVELOPE | {"behaviours": [ENVELOPE["behaviours"][0], boot, *odd], "ledger": [{}, {}]}
    with_start = exported(envelope, target=TARGET, now=0.0, valid=1.0, start_up=True)
    assert [b["behaviour"] for b in with_start["behaviours"]] == ["egress:tcp:a.example:443", boot["behaviour"]]
    assert len(with_start["left_out"]) == 2
    assert len(exported(envelope, target=TARGET, now=0.0, valid=1.0)["left_out"]) == 3


def test_a_round_trip_through_any_layout_of_the_file_keeps_the_signature():
    assert used(json.loads(json.dumps(FILE, indent=4))).digest == used().digest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"state": "partial", "because": "lost"}, "is partial", id="loss"),
        pytest.param({"state": "missing"}, "is missing", id="nothing-seen"),
        pytest.param({"behaviours": []}, "admits nothing", id="nothing-admitted"),
    ],
)
def test_a_staging_envelope_that_shows_too_little_is_refused(changes, words):
    with pytest.raises(StagingError, match=words):
        baseline(**changes)


def changed(path, value):
    file = copy.deepcopy(FILE)
    at = file
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return file


@pytest.mark.parametrize(
    ("file", "keys", "options", "words"),
    [
        pytest.param(changed(["baseline", "behaviours", 0, "severity"], 0), [key()], {}, "changed after", id="changed"),
        pytest.param(changed(["baseline", "for"], "x"), [key()], {"target": "x"}, "changed after", id="other-target"),
        pytest.param({"baseline": FILE["baseline"]}, [key()], {}, "unsigned", id="unsigned"),
        pytest.param(changed(["signature", "webhook-timestamp"], "1101"), [key()], {}, "bad signature", id="time"),
        pytest.param(
            changed(["signature", "webhook-signature"], "v1a,AAAA"), [key()], {}, "bad signature", id="forged"
        ),
        pytest.param(FILE, [key(OTHER)], {}, "bad signature", id="key-unknown"),
        pytest.param(FILE, [], {}, "bad signature", id="no-keys"),
        pytest.param(FILE, [key(SECRET, "lab/*")], {}, "does not speak for", id="not-its-workload"),
        pytest.param(FILE, [key()], {"target": "prod/other"}, "it is for", id="for-another"),
        pytest.param(FILE, [key()], {"now": 1501.0}, "validity has ended", id="expired"),
        pytest.param({}, [key()], {}, "no staging baseline", id="empty"),
        pytest.param(changed(["baseline", "format"], 2), [key()], {}, "please update", id="newer"),
        pytest.param(changed(["baseline", "behaviours"], 7), [key()], {}, "damaged", id="damaged"),
        pytest.param(
            changed(["baseline", "behaviours", 0], {"behaviour": 7}), [key()], {}, "damaged", id="damaged-row"
        ),
    ],
)
def test_a_baseline_that_is_not_to_be_trusted_is_refused_with_the_reason(file, keys, options, words):
    with pytest.raises(StagingError, match=words):
        used(file, keys, **options)


def test_a_shared_secret_signs_no_baseline():
    """Whoever can check such a signature can make one."""
    import base64
    import hashlib
    import hmac

    secret = Key("ci", ("*",), secret=b"0" * 24)
    head = FILE["signature"]
    text = b".".join((head["webhook-id"].encode(), head["webhook-timestamp"].encode(), canonical(FILE["baseline"])))
    mac = base64.b64encode(hmac.new(secret.secret, text, hashlib.sha256).digest()).decode()
    with pytest.raises(StagingError, match="bad signature"):
        used(changed(["signature", "webhook-signature"], f"v1,{mac}"), [secret])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["baseline", "signature", "behaviours", "for", "valid_until"]), json_values)
def test_no_file_can_do_more_than_be_refused(where, value):
    file = changed([where] if where in ("baseline", "signature") else ["baseline", where], value)
    if file != FILE:
        with pytest.raises(StagingError):
            used(file)


def test_a_key_is_read_from_pem_or_from_whsk_and_only_from_a_private_file(tmp_path):
    import base64

    pem = key_file(tmp_path)
    assert public_key(private_key(pem)) == public_key(SECRET)
    short = tmp_path / "whsk"
    short.write_text("whsk_" + base64.b64encode(bytes(range(32))).decode())
    short.chmod(0o600)
    assert public_key(private_key(short)) == public_key(SECRET)
    pem.chmod(0o644)
    with pytest.raises(KeysError, match="others can read"):
        private_key(pem)


@pytest.mark.parametrize(
    "content", [b"", b"whsk_!!", b"whsk_AAAA", b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"]
)
def test_what_is_no_key_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeysError, match="openssl genpkey"):
        private_key(path)
