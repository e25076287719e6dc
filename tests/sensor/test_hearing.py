"""A sensor without agents carries nothing of what listens to them."""

import subprocess
import sys
from pathlib import Path

import pytest

from sensor.hearing import LIBRARY
from sensor.probes.client import ROOT

HEAVY = (
    "h2",
    "hpack",
    "h11",
    "brotli",
    "zstandard",
    "sensor.observe.plaintext.capture",
    "sensor.observe.applayer.decoder",
)
CODE = f"import sys, sensor.agent; print(*(m for m in {HEAVY!r} if m in sys.modules))"


def test_no_parser_is_imported_before_there_is_an_agent():
    said = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == ""


@pytest.mark.parametrize(
    ("path", "brings"),
    [
        ("/usr/lib/x86_64-linux-gnu/libssl.so.3", True),
        ("/app/psycopg2_binary.libs/libssl-8bd944e8.so.3", True),
        ("/l/site-packages/cryptography/hazmat/bindings/_rust.abi3.so", True),
        ("/opt/python/lib/libpython3.12.so.1.0", True),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", False),
        ("/app/notes/libssl.txt", False),
    ],
)
def test_libraries_that_bring_tls_are_known_by_their_names(path, brings):
    assert bool(LIBRARY.search(path)) == brings
    assert Path(path).is_absolute()
