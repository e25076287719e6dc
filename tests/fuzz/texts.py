"""Decoders of texts and values: names from the network, settings, manifests, cgroup paths, answers of runtimes, packages."""

from __future__ import annotations

import json
import os
import random
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

from classifier.deploys.signing import KeysError, load_keys
from classifier.deploys.systemd import blocks, timestamp
from classifier.inventory.manifest import ManifestError, declared
from console.cli import inventory_declared
from console.cli.escape import cell, escape
from console.cli.failure import Failure
from console.cli.policies import from_file
from console.settings import SettingsError, load
from sensor.identity.cri import facts_of
from sensor.identity.docker import docker_state, inspected
from sensor.identity.owners import LabelOwners
from sensor.identity.paths import of_process, parse
from sensor.identity.rules import first
from sensor.identity.rules import load as load_rules
from sensor.observe import classes, dns, names, packages, secrets, tls, weights
from sensor.observe.layers import read_mounts
from sensor.probes.symbols import Elf, ElfError
from tests.fuzz.damage import damaged, json_or_bytes, mutated
from tests.fuzz.decoder import Decoder, by_path, folder, tempfolder
from tests.identity.test_cri import CART, POD
from tests.identity.test_docker import COMPOSE, A, document
from tests.identity.test_paths import PATHS
from tests.observe.test_dns import WHOLE
from tests.observe.test_weights import LLAMA
from wire import provenance, redact
from wire.records import Behaviour
from wire.redact import Redactor

ROOT = Path(__file__).parents[2]
HELLO = bytes.fromhex(
    "1603010085010000810303" + "11" * 32 + "20" + "22" * 32 + "0004130113020100" + "0034"
    "0000001400120000" + "0f" + b"api.example.org".hex() + "000a00040002001d" + "002b0003020304" + "000d000400020403" + "ff01000100"
)  # fmt: skip
ARGV = (
    "curl -u user:secret https://a:b@example.org/?token=x",
    "psql postgres://u:p@h/db",
    "export API_KEY=sk-0123456789abcdef",
)
RULES = load_rules([{"match": "/lab/(?P<ns>[^/]+)/(?P<w>[^/]+)", "workload": "lab/{ns}/Deployment/{w}/{w}"}])


# names on the network ---------------------------------------------------------------------------------------------------


def read_dns(data: bytes) -> None:
    answer = dns.parse(data)
    if answer is not None:
        book = dns.NameBook()
        book.learn(answer, 5.0)
        assert [names.flow_of(False, 6, names.host(a, answer.name), 443).isprintable() for a in answer.addresses]


def read_hello(data: bytes) -> None:
    name = tls.server_name(data)
    assert name is None or name.isprintable()


# configuration ----------------------------------------------------------------------------------------------------------


def settings_files() -> list[bytes]:
    """The files that are installed, and the blocks of the manual."""
    found = [p.read_bytes() for p in sorted((ROOT / "systemd").glob("*.yaml"))]
    rules = b"identity:\n  rules:\n    - match: '/lab/(?P<w>[^/]+)'\n      workload: 'lab/x/Deployment/{w}/{w}'\n"
    return [*found, b"sensor: {interval: 5, scope: /lab}\nclassifier:\n  policy: default\n", rules]


def read_settings(path: Path) -> None:
    load(path, environment={})


def policies() -> list[bytes]:
    return [b"park: 5\nlearn_days: 3\nsettle: 2.5\nreview_owner: someone\n"]


def keys_files() -> list[bytes]:
    secret = b"whsec_" + b"A" * 32
    keys = b'keys:\n  - name: ci\n    secret: "' + secret + b'"\n    workloads: ["lab/*"]\n'
    return [keys + b'  - {name: reg, public: "whpk_' + b"A" * 43 + b'", workloads: ["*"], senders: ["unit:*"]}\n']


def read_keys(path: Path) -> None:
    path.chmod(0o600)
    load_keys(path)


def manifests() -> list[bytes]:
    found = {
        "models": ["m", {"name": "n", "version": "1", "path": "/m/n"}],
        "tools": ["search"],
        "mcpServers": {"git": {"command": "uvx", "args": ["mcp-server-git"]}, "web": {"url": "https://x:y@h/mcp?k=v"}},
    }
    return [json.dumps(found).encode(), yaml.safe_dump(found).encode()]


def read_manifest(path: Path) -> None:
    declared(inventory_declared._manifest(str(path)))


# names of workloads -----------------------------------------------------------------------------------------------------


def cgroup_paths() -> list[bytes]:
    found = [str(case.values[0]).encode() for case in PATHS]
    return [*found, b"0::/lab/shop/cart\n", b"5:name=systemd:/x (deleted)\n0::/\n"]


def read_cgroup(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for path in (text, "/" + text, of_process(text)):
        place = parse(path, ("/docker/*",))
        assert place.base == "" or path.replace("//", "/").startswith(place.base[:1])
        first(RULES, path)


def some_names() -> list[bytes]:
    return [
        b"/tmp/run-3fa85f64-5717-4562-b3fc-2c963f66afa6/o.json",
        b"/models/llama-7/m-00001-of-00002.gguf",
        b"a" * 4096,
    ]


def read_name(data: bytes) -> None:
    """Whatever a file is called, its behaviour is one line, bounded, and a table of it starts no formula."""
    path = "/" + names.path(data + b"\0")
    told: list[Behaviour] = [names.exec_of(path, names.base(path)), classes.file_behaviour(path, True)]
    for text in told:
        assert text.isprintable() and len(text) <= 1024, text
    classes.model_file(path)
    assert escape(path).isprintable() and not cell(path).startswith(("=", "+", "@"))


def command_lines() -> list[bytes]:
    return [line.replace(" ", "\0").encode() for line in ARGV]


def read_argv(data: bytes) -> None:
    words = data.decode("utf-8", "backslashreplace").split("\0")
    assert len(secrets.redacted(words)) <= len(words)
    secrets.redacted(words, cut=True)


def texts_with_secrets() -> list[bytes]:
    value = {
        "to": ["a@b.example"],
        "card": "4111 1111 1111 1111",
        "key": "sk-0123456789abcdef0123",
        "n": {"url": "https://u:p@h"},
    }
    return [json.dumps(value).encode()]


def read_secrets(data: bytes) -> None:
    """Redaction and the search for where a value came from, of arguments that are any text."""
    text = data.decode("utf-8", "surrogateescape")
    redactor = Redactor(redact.Policy(emails=True))
    redactor.arguments(text)
    redactor.text(text, kind="answer")
    redactor.label(text)
    loaded = provenance.loaded(text)
    provenance.values(loaded)


# runtimes ---------------------------------------------------------------------------------------------------------------


def answers_of_cri() -> list[dict[str, Any]]:
    return [CART, POD, {"error": "UNAVAILABLE: gone"}, CART | {"pod": {**POD, "labels": {"app": "x"}}}]


def read_cri(answer: Any) -> None:
    """As `Cri._exchange` does: a line of JSON, an object or nothing."""
    told = json.loads(json.dumps(answer))
    if isinstance(told, dict):
        _check(facts_of(told, "lab", LabelOwners()))


def _check(facts: Any) -> None:
    for text in (facts.name, facts.pod, facts.image, facts.basis, facts.workload or "", facts.revision or ""):
        assert text.isprintable() and len(text) <= 4096, text


def answers_of_docker() -> list[dict[str, Any]]:
    return [document("/shop-cart-1", COMPOSE), document("/web"), document("", None)]


def read_docker(answer: Any) -> None:
    """An inspect document, and the same as Docker's own file."""
    found = inspected(answer, A, "docker", "docker")
    with tempfolder() as path:
        (path / "containers" / A).mkdir(parents=True)
        (path / "containers" / A / "config.v2.json").write_text(json.dumps(answer))
        docker_state(str(path), A)
    if found is not None:
        _check(found)


def unit_texts() -> list[bytes]:
    return [b"Id=a.service\nExecMainStartTimestamp=Sat 2026-11-21 04:13:04 UTC\nExecStart={ path=/bin/x ; }\n\nId=b\n"]


def read_units(data: bytes) -> None:
    for unit in blocks(data.decode("utf-8", "replace")):
        timestamp(unit.get("ExecMainStartTimestamp", ""))


def mount_tables() -> list[bytes]:
    return [
        Path("/proc/self/mountinfo").read_bytes(),
        b"1 2 0:3 / /a\\040b rw - overlay o lowerdir=/a,upperdir=/b\\\\:c\n",
    ]


# files of workloads -----------------------------------------------------------------------------------------------------


def executables() -> list[bytes]:
    """A small real library, of whatever is installed."""
    small = sorted((p for p in Path("/usr/lib").glob("*/lib*.so.*") if p.is_file()), key=lambda p: p.stat().st_size)
    return [next(data for p in small if (data := p.read_bytes())[:4] == b"\x7fELF")]


def read_elf(data: bytes) -> None:
    elf = Elf(BytesIO(data))
    elf.functions(frozenset(("SSL_read", "SSL_write_ex", "main", "_init")))
    assert len(elf.build_id) <= 128
    for _ in zip(elf.constants(64), range(64), strict=False):
        pass


def installed() -> list[tuple[bytes, bytes, bytes]]:
    """RECORD, top_level.txt and package.json of one package each."""
    record = b"x/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nx-1.dist-info/RECORD,,\n"
    return [(record, b"x\n_x\n", b'{"name": "left", "version": "1.2.3"}')]


def spoiled(rng: random.Random, whole: tuple[bytes, bytes, bytes]) -> tuple[bytes, ...]:
    record, top, node = whole
    long = b"x" * rng.choice([0, 0, 0, 140_000])
    return (damaged(rng, record) + long, damaged(rng, top), json_or_bytes(rng, node))


def read_packages(case: tuple[bytes, bytes, bytes]) -> None:
    """Metadata of packages in folders that a workload made."""
    place = folder() / "site-packages"
    dist = place / "x-1.dist-info"
    for path, data in (
        (dist / "RECORD", case[0]),
        (dist / "top_level.txt", case[1]),
        (place / "left/package.json", case[2]),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (place / "x").mkdir(exist_ok=True)
    (place / "x/__init__.py").touch()
    held = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for dist_name in packages._dists(held):
            packages._named(held, dist_name)
            packages._recorded(held, dist_name)
            packages.compared(held, dist_name)
        packages._of_node(held, "left")
    finally:
        os.close(held)


def heads_of_weights() -> list[bytes]:
    tensor = {"dtype": "BF16", "shape": [4096, 4096], "data_offsets": [0, 2]}
    text = json.dumps({"__metadata__": {"name": "b"}, "a": tensor, "c": tensor}).encode()
    return [LLAMA, len(text).to_bytes(8, "little") + text, b'{"architectures": ["L"], "_name_or_path": "/m"}']


def read_weights(data: bytes) -> None:
    """The head of a file of weights, and the settings beside it."""
    assert all(len(v) <= 128 for v in weights.beside(data).values() if isinstance(v, str))
    if not data.startswith(b"{"):
        found = weights.head(lambda at, n: data[at : at + n])
        assert all(len(v) <= 128 if isinstance(v, str) else 0 <= v <= 1 << 62 for v in found.values())


DECODERS = (
    Decoder("dns", lambda: [WHOLE], read_dns),
    Decoder("client-hello", lambda: [HELLO], read_hello),
    Decoder("settings", settings_files, by_path(read_settings), (SettingsError,)),
    Decoder("policy", policies, by_path(from_file), (SettingsError,)),
    Decoder("keys", keys_files, by_path(read_keys), (KeysError,)),
    Decoder("manifest", manifests, by_path(read_manifest), (ManifestError, Failure), json_or_bytes),
    Decoder("cgroup-paths", cgroup_paths, read_cgroup),
    Decoder("names", some_names, read_name),
    Decoder("command-lines", command_lines, read_argv),
    Decoder("secrets", texts_with_secrets, read_secrets, (), json_or_bytes),
    Decoder("cri", answers_of_cri, read_cri, (), mutated),
    Decoder("docker", answers_of_docker, read_docker, (), mutated),
    Decoder("units", unit_texts, read_units),
    Decoder("mounts", mount_tables, by_path(lambda path: read_mounts(str(path)))),
    Decoder("elf", executables, read_elf, (ElfError,)),
    Decoder("weights", heads_of_weights, read_weights, (weights.NoWeights,)),
    Decoder("packages", installed, read_packages, (OSError, ValueError, RecursionError), spoiled),
)
