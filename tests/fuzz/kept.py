"""Decoders of what is kept: keys, baselines, saved envelopes, heads, sealed texts, a sensor's notes; and links between events."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

from classifier.deploys.signing import KeysError
from classifier.links.view import of_events
from classifier.tracks.keys import private_key
from classifier.tracks.staging import StagingError, canonical, verified
from console.cli import envelope, staging
from console.cli.failure import Failure
from guard.audit import heads
from guard.audit.keys import AuditKeyError, pem, public_of
from sensor.identity.systemd import Units
from sensor.observe.memory import Memory
from sensor.observe.plaintext.libraries import NAME, fuse_devices, mapped
from sensor.originals.sealing import SealingError, opener
from sensor.originals.shelf import FILE, Original, Reading, Shelf, ShelfError
from sensor.rounds import Rounds
from tests.classifier.story import learned, play
from tests.factories import SHOP
from tests.fuzz.damage import json_or_bytes
from tests.fuzz.decoder import Decoder, by_path, tempfolder, written
from tests.fuzz.files import forged
from tests.guard.audit import trail
from tests.links.factories import SERVER, Story, result
from tests.tracks import test_staging as baselines
from tests.tracks.signing import SECRET, key_file
from wire.records import Event
from wire.spool import Queued

# Fixed, so that a round can be seen again: sealing draws a new key for each text.
AGE_KEY = "AGE-SECRET-KEY-1TF867YMU74LC2FCWE67XLL6XX9P79A0WF8XD0SWS99689NE7GHASSJZR22"
SEALED = base64.b64decode(
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSA2RkUxVmhUbzQ3UkdQMG5FSnZGU3Y2V1IwYTd5UWJQMDVqNzRLVmY2S1FvCmpWbTlZRn"
    "Avd3NabkFoU3dVd3V6dnBNRTJyVU5HSllXT1U1UXFGazVBQ00KLT4gJVtWLWdyZWFzZQpMaUN4Ukl3WHF5NkQ1M3pIcWVkelZmMFp5M1lWT0V0"
    "U0hmR3BUMVg0U01LbWJqV0xlZ09tWk5CY050OHR2U0lRCmRDYUJKQW0yMjVHRGpEajc4N0xLb1ZteXdTcFBxRUEKLS0tIHUreUYxa1dheVFCbG"
    "hUNXR3T2MzQURyK3kyZ3U2b2RMYkJnU3FTSCs0UVEKklBgHAI/yTJP3zgsSdaEO+LTy7YqQODc7euCw9oBSmUH9lwjY2IVEzwyPJkpZU7hzig="
)
HEAD = heads.sign(heads.Head("ab" * 16, 3, "cd" * 32, "ef" * 32, 1000, ""), trail.KEY)
MAPS = b"""55d0-55d9 r-xp 00001000 08:01 77 /usr/bin/python3.11
7f00-7f20 r-xp 00002000 08:01 78 /usr/lib/libssl.so.3
7f20-7f21 r-xp 00000000 00:05 9 /memfd:x (deleted)
7f30-7f31 r-xp 00000000 00:00 0 [vdso]
"""
UNIT = b"""[Service]
ExecStart=@/usr/bin/python3 -u "/srv/agent.py" \\
  --port 1
ExecStart=
ExecStart=-/bin/sh -c 'exec agent %i'
"""


# what people hand on ----------------------------------------------------------------------------------------------------


def baseline_files() -> list[bytes]:
    return [canonical(baselines.FILE), canonical({"baseline": baselines.baseline()})]


def read_baseline(path: Path) -> None:
    """Nothing that was changed is believed."""
    found = verified(staging._read(str(path)), baselines.KEYS, now=1200.0)
    assert found.content == baselines.FILE["baseline"]


def saved_envelopes() -> list[bytes]:
    return [json.dumps(play(learned(1, 2)).envelope(SHOP).to_dict()).encode()]


def read_envelope(path: Path) -> None:
    envelope._envelope(None, str(path))


def key_files() -> list[bytes]:
    with tempfolder() as path:
        private = key_file(path, SECRET).read_bytes()
    return [private, b"whsk_" + base64.b64encode(bytes(32)), pem(trail.PUBLIC).encode(), b"whpk_" + b"A" * 43 + b"="]


def read_key(path: Path) -> None:
    """A file as the private and as the public half."""
    path.chmod(0o600)
    refused = 0
    for read in (private_key, lambda p: public_of(str(p))):
        try:
            read(path)
        except (KeysError, AuditKeyError) as e:
            assert len(str(e)) < 1000
            refused += 1
    assert refused, "nothing is both halves"


def read_head(data: bytes) -> None:
    """Only what was signed counts as signed."""
    found = heads.parsed(data)
    assert not heads.signed(found, trail.PUBLIC) or replace(found, signature=HEAD.signature) == HEAD


def read_sealed(data: bytes) -> None:
    opener(AGE_KEY)(data)


def shelves() -> list[bytes]:
    with tempfolder() as path:
        shelf = Shelf(path, max_bytes=1 << 20)
        rows = [Original(d * 64, SHOP, "user_turn", "n1", 7, 100.0, 5, SEALED) for d in "abc"]
        shelf.put(rows, before=0.0)
        shelf.close()
        return [(path / FILE).read_bytes()]


def read_shelf(data: bytes) -> None:
    with tempfolder() as path:
        (path / FILE).write_bytes(data)
        reading = Reading(path)
        try:
            reading.listed()
            reading.gone()
        finally:
            reading.close()


# what a sensor finds ----------------------------------------------------------------------------------------------------


def memories() -> list[bytes]:
    def write(path):
        memory = Memory(path, "e")
        memory.begin([["seat", 1, "lab"]])
        memory.keep("file", 2, "/etc/x", 3)

    return [written(write)]


def rounds() -> list[bytes]:
    def write(path):
        kept = Rounds(path)
        kept.add(Queued("e", 1, b"frame"))
        kept.keep(["e", 5, {"slots": [1, 2]}])

    return [written(write)]


def read_rounds(path: Path) -> None:
    """Either the whole round or none: frames without what they told would be counted again."""
    kept = Rounds(path)
    assert all(isinstance(q, Queued) for q in kept.frames)


def read_maps(data: bytes) -> None:
    with tempfolder() as path:
        (path / "5").mkdir()
        (path / "5/maps").write_bytes(data)
        (path / "5/mountinfo").write_bytes(data)
        assert all(len(m.path) <= NAME for m in mapped(5, path))
        fuse_devices(5, path)


def read_unit(data: bytes) -> None:
    """A unit file below a host of its own: nothing beyond that is opened."""
    with tempfolder() as path:
        place = path / "etc/systemd/system"
        place.mkdir(parents=True)
        (place / "agent.service").write_bytes(data)
        found = Units(str(path)).revision("agent.service")
        assert found is not None and found.startswith("sha256:")


# links ------------------------------------------------------------------------------------------------------------------


def stories() -> list[list[Event]]:
    """A turn with a tool that runs a program, over a server on pipes."""
    s = Story()
    first = s.llm(1.0, user="do it", answer="a1")
    s.tool(first, "search", {"q": "x"}, id_="call_1")
    s.mcp(2.0, "search", {"q": "x"})
    s.exec(2.1, "/bin/sh", pid=300, parent=SERVER, argv="sh -c ls")
    s.egress(2.2, "api.example.org", pid=300)
    s.open(2.3, "/etc/passwd", pid=300)
    s.exit(2.4, pid=300)
    s.llm(3.0, user="do it", before=["a1"], results=[result("call_1", "ok", "search")])
    return [s.events]


def read_links(events: list[Event]) -> None:
    """Links are drawn, and a chain of any events is shown, whoever wrote them."""
    of_events(events, [e.id for e in events])


DECODERS = (
    Decoder("baseline", baseline_files, by_path(read_baseline), (StagingError, Failure), json_or_bytes),
    Decoder("saved-envelope", saved_envelopes, by_path(read_envelope), (Failure,), json_or_bytes),
    Decoder("key-files", key_files, by_path(read_key)),
    Decoder("audit-head", lambda: [heads.written(HEAD)], read_head, (heads.HeadError,), json_or_bytes),
    Decoder("sealed", lambda: [SEALED], read_sealed, (SealingError,)),
    Decoder("originals", shelves, read_shelf, (ShelfError,)),
    Decoder("memory", memories, by_path(lambda path: list(Memory(path, "e").recall()))),
    Decoder("rounds", rounds, by_path(read_rounds)),
    Decoder("process-maps", lambda: [MAPS], read_maps),
    Decoder("unit-files", lambda: [UNIT], read_unit),
    Decoder("links", stories, read_links, (), forged),
)
