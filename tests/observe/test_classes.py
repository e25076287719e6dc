"""Classes of files and addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.observe.classes import METADATA, file_behaviour, file_class, identity_of

PATHS = st.text(st.characters(codec="utf-8"), min_size=1).map(lambda s: "/" + s)


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/models/x", "model"),
        ("/srv/a.gguf", "model"),
        ("/usr/lib/python3/dist-packages/distutils-precedence.pth", "code"),
        ("/srv/weights.pth", "model"),
        ("/etc/shadow", "secret"),
        ("/root/.ssh/id_rsa", "secret"),
        ("/proc/1/environ", "secret"),
        ("/app/.env", "secret"),
        ("/etc/nginx/nginx.conf", "config"),
        ("/app/tool.sh", "code"),
        ("/usr/bin/curl", "code"),
        ("/var/tmp/x", "data"),
    ],
)
def test_class_of_a_file(path, kind):
    assert file_class(path) == kind


@pytest.mark.parametrize(
    "path, writes, wanted",
    [
        ("/var/run/secrets/kubernetes.io/serviceaccount/token", False, "identity:token:"),
        ("/var/run/secrets/kubernetes.io/serviceaccount/token", True, "write:secret:"),
        ("/root/.aws/credentials", False, "identity:cloud:"),
        ("/root/.kube/config", False, "identity:cloud:"),
        ("/root/.ssh/id_rsa", False, "open:secret:"),
    ],
)
def test_use_of_an_identity_is_reading_it(path, writes, wanted):
    assert file_behaviour(path, writes).startswith(wanted)


@given(PATHS, st.booleans())
def test_any_path_has_a_behaviour(path, writes):
    found = file_behaviour(path, writes)
    assert found.isprintable() and len(found) <= 512
    assert file_behaviour(path, writes) == found


def test_metadata_services_are_identities_and_others_are_not():
    assert {str(identity_of(a)) for a in METADATA} == {f"identity:metadata:{a}" for a in METADATA}
    assert identity_of("10.0.0.1") is None
