"""The page about deploy events: what it tells people to run gives a signature that counts."""

import os
import re
import subprocess
from pathlib import Path

from classifier.deploys.cloudevent import read, to_deploy
from classifier.deploys.signing import Key, verify

PAGE = (Path(__file__).parents[2] / "docs" / "deploys.md").read_text()
CURL = '#!/bin/sh\nfor a; do printf "%s\\0" "$a"; done\n'


def test_the_script_of_the_page_signs_an_event_that_is_believed(tmp_path):
    (tmp_path / "send.sh").write_text(re.search(r"<!-- send.sh.*?```sh\n(.*?)```", PAGE, re.S)[1])
    (tmp_path / "curl").write_text(CURL)
    (tmp_path / "curl").chmod(0o755)
    (tmp_path / "ci.key").write_text("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    path = f"{tmp_path}:{os.environ['PATH']}"
    arguments = ["ci.key", "http://h/deploys", "local/shop/Deployment/cart/cart", "image", "v2"]
    done = subprocess.run(["sh", "send.sh", *arguments], cwd=tmp_path, env={"PATH": path}, capture_output=True)
    sent = done.stdout.decode().split("\0")
    headers = dict(sent[n + 1].split(": ", 1) for n, word in enumerate(sent) if word == "-H")
    body = sent[sent.index("--data-binary") + 1].encode()
    key = Key("ci", ("local/shop/*",), secret=b"1\xf2\x90\xf6\xbf\x06)\x8a\xabO\x08\xd4<?\x08,\xf6H\xa3b\xda-\xa4\xb0")
    signed = verify(headers, body, [key], now=float(headers["webhook-timestamp"]), tolerance=1.0)
    change = to_deploy(read(headers, body), trust="signed", received=signed.time, signed=signed)
    assert (change.workload, change.kind, change.revision) == ("local/shop/Deployment/cart/cart", "image", "v2")
