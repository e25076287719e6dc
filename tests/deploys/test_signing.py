"""Only who holds a key is believed, about the workloads it speaks for, for a few minutes."""

import base64
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from classifier.deploys.signing import ID, SIGNATURE, TIMESTAMP, Key, KeysError, Refused, load_keys, sign, verify

NOW = 1_800_000_000.0
CI = Key("ci", ("lab/*",), b"0123456789abcdef0123456789abcdef")
OTHER = Key("other", ("*",), b"another secret of thirty-two byte")
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
REGISTRY = Key("registry", ("*",), public=PRIVATE.public_key().public_bytes_raw())
BODY = b'{"a": 1}'


def headers(**changes):
    return sign(CI, id="m1", time=NOW, body=BODY) | changes


def ed25519(body=BODY, *, id="m1", time=int(NOW)):
    mark = base64.b64encode(PRIVATE.sign(f"{id}.{time}.".encode() + body)).decode()
    return {ID: id, TIMESTAMP: str(time), SIGNATURE: f"v1a,{mark}"}


def check(given_headers, body=BODY, *, keys=(OTHER, CI, REGISTRY), now=NOW, tolerance=300.0):
    return verify(given_headers, body, keys, now=now, tolerance=tolerance)


def test_the_published_example_of_standard_webhooks_verifies():
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    example = {
        ID: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        TIMESTAMP: "1614265330",
        SIGNATURE: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    key = Key("k", ("*",), secret)
    assert verify(example, b'{"test": 2432232314}', [key], now=1614265330.0, tolerance=300).id == example[ID]


@pytest.mark.parametrize(
    ("given_headers", "who"),
    [
        pytest.param(headers(), "ci", id="hmac"),
        pytest.param(ed25519(), "registry", id="ed25519"),
        pytest.param(headers(**{SIGNATURE: "v1,AAAA v9,zzz " + headers()[SIGNATURE]}), "ci", id="one-of-several"),
    ],
)
def test_a_good_signature_names_its_key(given_headers, who):
    assert check(given_headers).key.name == who


FLIPPED = base64.b64encode(bytes([255 ^ b for b in base64.b64decode(headers()[SIGNATURE][3:])])).decode()


@pytest.mark.parametrize(
    ("given_headers", "why"),
    [
        pytest.param({}, "unsigned", id="none"),
        pytest.param(headers(**{SIGNATURE: ""}), "unsigned", id="empty-signature"),
        pytest.param({k: v for k, v in headers().items() if k != ID}, "unsigned", id="no-id"),
        pytest.param(headers(**{SIGNATURE: f"v1,{FLIPPED}"}), "bad signature", id="flipped"),
        pytest.param(headers(**{SIGNATURE: "v1,"}), "bad signature", id="empty"),
        pytest.param(headers(**{SIGNATURE: "v1,!!!"}), "bad signature", id="no-base64"),
        pytest.param(headers(**{SIGNATURE: "v1"}), "bad signature", id="no-comma"),
        pytest.param(
            headers(**{SIGNATURE: headers()[SIGNATURE].replace("v1,", "v1a,")}), "bad signature", id="confused"
        ),
        pytest.param(headers(**{SIGNATURE: "v1,AA== " * 16 + headers()[SIGNATURE]}), "bad signature", id="too-many"),
        pytest.param(headers(**{ID: "m2"}), "bad signature", id="other-id"),
        pytest.param(headers(**{ID: "m" * 300}), "bad signature", id="long-id"),
        pytest.param(headers(**{TIMESTAMP: str(int(NOW) + 1)}), "bad signature", id="other-time"),
        pytest.param(headers(**{TIMESTAMP: "١٢٣"}), "bad signature", id="other-digits"),
        pytest.param(headers(**{TIMESTAMP: "9" * 400}), "bad signature", id="endless-time"),
        pytest.param(headers(**{TIMESTAMP: "-1"}), "bad signature", id="negative"),
        pytest.param(sign(CI, id="m1", time=NOW - 301, body=BODY), "stale timestamp", id="old"),
        pytest.param(sign(CI, id="m1", time=NOW + 302, body=BODY), "stale timestamp", id="from-the-future"),
        pytest.param(sign(CI, id="m1", time=NOW, body=BODY + b" "), "bad signature", id="other-body"),
        pytest.param(sign(Key("x", ("*",), b"unknown"), id="m1", time=NOW, body=BODY), "bad signature", id="other-key"),
    ],
)
def test_anything_else_is_refused_with_its_reason(given_headers, why):
    with pytest.raises(Refused, match=f"^{why}$"):
        check(given_headers)


def test_without_keys_nobody_is_believed():
    with pytest.raises(Refused, match="bad signature"):
        check(headers(), keys=())


def test_an_empty_secret_never_fits():
    with pytest.raises(Refused):
        check(sign(Key("e", ("*",), b""), id="m1", time=NOW, body=BODY), keys=(REGISTRY,))


@given(st.dictionaries(st.sampled_from([ID, TIMESTAMP, SIGNATURE]), st.text(max_size=80)), st.binary(max_size=80))
def test_no_headers_break_the_check(given_headers, body):
    with pytest.raises(Refused):
        check(given_headers, body)


@pytest.mark.parametrize(
    ("workload", "yes"),
    [("lab/shop/Deployment/cart/cart", True), ("prod/shop/Deployment/cart/cart", False), ("", False)],
)
def test_a_key_speaks_for_its_workloads_alone(workload, yes):
    assert CI.speaks_for(workload) is yes


# files ------------------------------------------------------------------------------------------------------------------

SECRET = base64.b64encode(CI.secret).decode()


@pytest.fixture
def file(tmp_path):
    def write(text, mode=0o600, name="keys.yaml"):
        path = tmp_path / name
        path.write_text(text)
        os.chmod(path, mode)
        return path

    return write


def test_keys_come_from_files(file):
    apart = file(f"whsec_{SECRET}\n", name="ci.key")
    public = base64.b64encode(REGISTRY.public).decode()
    path = file(
        f"keys:\n- {{name: ci, secret_file: {apart}, workloads: ['lab/*']}}\n"
        f"- {{name: registry, public: whpk_{public}, workloads: ['*']}}\n"
    )
    assert load_keys(path) == (CI, REGISTRY)
    assert load_keys(None) == ()


def test_a_secret_shows_in_no_representation():
    assert "0123456789abcdef" not in repr(CI)


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        pytest.param("", 0o600, "write `keys:`", id="empty"),
        pytest.param("keys: 5", 0o600, "write `keys:`", id="no-list"),
        pytest.param("keys: [", 0o600, "no list of keys", id="no-yaml"),
        pytest.param("keys: [1]", 0o600, "key 1: a key has", id="no-mapping"),
        pytest.param("keys: [{name: a, workloads: ['*']}]", 0o600, "one of secret", id="nothing-given"),
        pytest.param("keys: [{name: a, secret: c2hvcnQ=, workloads: ['*']}]", 0o600, "5 bytes", id="short"),
        pytest.param("keys: [{name: a, secret: '???', workloads: ['*']}]", 0o600, "not base64", id="no-base64"),
        pytest.param("keys: [{name: a, public: AAAA, workloads: ['*']}]", 0o600, "32 bytes", id="short-public"),
        pytest.param(f"keys: [{{name: a, secret: {SECRET}}}]", 0o600, "workloads is a list", id="no-workloads"),
        pytest.param(f"keys: [{{name: a, secret: {SECRET}, workload: x}}]", 0o600, "a key has", id="misspelt"),
        pytest.param("keys: []", 0o644, "others can read", id="readable"),
        pytest.param("keys: []", 0o620, "others can read or change", id="group-may-write"),
        pytest.param(
            "keys: [{name: a, secret_file: /nowhere, workloads: ['*']}]", 0o600, "/nowhere: No such", id="gone"
        ),
    ],
)
def test_a_file_of_keys_that_is_no_good_gets_an_answer(file, text, mode, why):
    with pytest.raises(KeysError, match=why):
        load_keys(file(text, mode))


def test_two_keys_of_one_name_are_refused(file):
    row = f"{{name: a, secret: {SECRET}, workloads: ['*']}}"
    with pytest.raises(KeysError, match="two keys of one name"):
        load_keys(file(f"keys: [{row}, {row}]"))
