"""Paths, peers and command lines to items; names that a workload chose do no harm."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.inventory.assets import of_asset
from classifier.inventory.kinds import KINDS
from classifier.inventory.packages import of_package
from classifier.inventory.peers import of_identity, of_peer
from classifier.inventory.reading import of_behaviour, of_event
from classifier.inventory.servers import of_exec, stem
from classifier.inventory.sighting import LONGEST
from classifier.inventory.weights import of_weights
from tests.factories import event, replica
from wire.records import Event

COMMIT, BLOB = "a" * 40, "b" * 64
HUB = "/root/.cache/huggingface/hub/models--meta-llama--Llama-3.1-8B"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(
            "/models/m2/model-00001-of-00003.safetensors", ("model", "m2", "unknown"), id="shards-of-a-folder"
        ),
        pytest.param("/models/mistral-7b.Q4_K_M.gguf", ("model", "mistral-7b.Q4_K_M", "unknown"), id="gguf"),
        pytest.param(
            f"{HUB}/snapshots/{COMMIT}/model.safetensors", ("model", "meta-llama/Llama-3.1-8B", COMMIT), id="hub"
        ),
        pytest.param(
            f"{HUB}/blobs/{BLOB}", ("model", "meta-llama/Llama-3.1-8B", "unknown"), id="hub-as-the-kernel-sees-it"
        ),
        pytest.param(f"{HUB}/blobs/{COMMIT}", None, id="small-file-of-a-hub"),
        pytest.param(f"{HUB}/snapshots/{COMMIT}/config.json", None, id="settings-of-a-hub"),
        pytest.param(
            "/root/.ollama/models/manifests/registry.ollama.ai/library/llama3/8b",
            ("model", "llama3", "8b"),
            id="ollama",
        ),
        pytest.param(
            f"/root/.ollama/models/blobs/sha256-{BLOB}", ("model", "sha256-bbbbbbbbbbbb", BLOB), id="ollama-blob"
        ),
        pytest.param("/w/lora-2/adapter_model.safetensors", ("adapter", "lora-2", "unknown"), id="adapter"),
        pytest.param("/w/lora-2/adapter_config.json", ("adapter", "lora-2", "unknown"), id="settings-of-an-adapter"),
        pytest.param(
            "/opt/models/loras/style.safetensors", ("model", "style", "unknown"), id="a-folder-of-another-name"
        ),
        pytest.param("/model.safetensors", ("model", "model", "unknown"), id="nothing-has-a-name"),
        pytest.param("/app/models/user.py", None, id="code-in-a-folder-of-models"),
        pytest.param("/models/m2/tokenizer.json", None, id="tokenizer"),
        pytest.param("/usr/lib/python3/dist-packages/_ca.pth", None, id="python-list-of-folders"),
        pytest.param(
            "/l/site-packages/silero/model.onnx", ("model", "silero", "unknown"), id="a-package-that-ships-a-model"
        ),
        pytest.param("", None, id="empty"),
    ],
)
def test_weights_by_path(path, expected):
    found = of_weights(path)
    assert (found and (found.kind, found.name, found.version)) == expected


SITE = "/app/.venv/lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(f"{SITE}/langchain/chains/base.py", ("framework", "langchain", "unknown", "verified"), id="code"),
        pytest.param(f"{SITE}/langchain-0.2.3.dist-info/METADATA", ("framework", "langchain", "0.2.3", "inferred"), id="metadata"),
        pytest.param(f"{SITE}/PyYAML-6.0.1.dist-info/RECORD", ("library", "pyyaml", "6.0.1", "inferred"), id="spelling"),
        pytest.param(f"{SITE}/yaml/__init__.py", ("library", "pyyaml", "unknown", "verified"), id="module-of-another-name"),
        pytest.param(f"{SITE}/six.py", ("library", "six", "unknown", "verified"), id="module-of-one-file"),
        pytest.param(f"{SITE}/_cffi.cpython-311.so", ("library", "cffi", "unknown", "verified"), id="shared-object"),
        pytest.param("/usr/lib/python3.11/json/decoder.py", None, id="standard-library"),
        pytest.param(f"{SITE}/distutils-precedence.pth", None, id="path-file"),
        pytest.param("/a/node_modules/@langchain/core/i.js", ("framework", "@langchain/core", "unknown", "verified"), id="node"),
        pytest.param("/app/node_modules/a/node_modules/b/package.json", ("library", "b", "unknown", "verified"), id="nested"),
        pytest.param("/a/node_modules/.pnpm/zod@3.2/node_modules/zod/i.js", ("library", "zod", "3.2", "verified"), id="pnpm"),
        pytest.param("/app/node_modules/.bin/tsc", None, id="links-to-programs"),
    ],
)  # fmt: skip
def test_packages_by_path(path, expected):
    found = of_package(path)
    assert (found and (found.kind, found.name, found.version, found.basis)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/app/CLAUDE.md", ("skill", "CLAUDE.md"), id="rules"),
        pytest.param("/app/.cursor/rules/style.mdc", ("skill", "style.mdc"), id="rules-in-a-folder"),
        pytest.param("/app/.mcp.json", ("skill", ".mcp.json"), id="settings"),
        pytest.param("/etc/agent/prompts/v8.md", ("prompt", "v8.md"), id="prompt"),
        pytest.param("/app/system_prompt.txt", ("prompt", "system_prompt.txt"), id="prompt-by-name"),
        pytest.param(f"{SITE}/x/prompts/y.yaml", None, id="prompt-of-a-package"),
        pytest.param("/data/memory.sqlite3", ("data", "/data/memory.sqlite3"), id="store"),
        pytest.param("/app/README.md", None, id="something-else"),
    ],
)
def test_assets_by_path(path, expected):
    found = of_asset(path)
    assert (found and (found.kind, found.name)) == expected


@pytest.mark.parametrize(
    ("behaviour", "kind", "more"),
    [
        pytest.param(
            "egress:tcp:bedrock-runtime.eu-west-1.amazonaws.com:443", "model", {"region": "eu-west-1"}, id="bedrock"
        ),
        pytest.param("egress:tcp:10.0.0.7:5432", "data", {"engine": "postgres"}, id="database-by-port"),
        pytest.param("egress:tcp:b.s3.amazonaws.com:443", "data", {"bucket": "b"}, id="bucket"),
        pytest.param("egress:tcp:milvus.kb.svc:19530", "data", {"vectors": "yes"}, id="vectors"),
        pytest.param("egress:tcp:mcp.linear.app:443", "mcp", {"transport": "http"}, id="tool-server"),
        pytest.param("egress:tcp:example.org:443", None, {}, id="anybody"),
        pytest.param("egress:udp:10.0.0.2:53", None, {}, id="names"),
        pytest.param("egress:", None, {}, id="broken"),
    ],
)
def test_peers_by_name_and_port(behaviour, kind, more):
    found = of_peer(behaviour)
    assert (found and found.kind) == kind
    if found is not None:
        assert found.basis == "inferred" and more.items() <= dict(found.more).items()


@pytest.mark.parametrize(
    ("behaviour", "provider"),
    [
        ("identity:token:/var/run/secrets/kubernetes.io/serviceaccount/token", "kubernetes"),
        ("identity:token:/var/run/secrets/eks.amazonaws.com/serviceaccount/token", "aws"),
        ("identity:cloud:/root/.config/gcloud/credentials.db", "gcp"),
        ("identity:metadata:169.254.170.2", "aws"),
        ("identity:metadata:169.254.169.254", None),
    ],
)
def test_identities_and_whose_they_are(behaviour, provider):
    found = of_identity(behaviour)
    assert found.kind == "identity" and found.more.get("provider") == provider


@pytest.mark.parametrize(
    ("path", "argv", "expected"),
    [
        pytest.param("/usr/bin/node", "node /usr/bin/npx -y some-mcp", ("some-mcp", "unknown"), id="npx"),
        pytest.param("/usr/bin/uvx", "uvx mcp-server-git==2025.1.1", ("mcp-server-git", "2025.1.1"), id="uvx"),
        pytest.param("/usr/bin/python3.11", "python -m mcp_server_time --tz UTC", ("mcp_server_time", "unknown"), id="module"),
        pytest.param(
            "/usr/bin/node", "node /x/node_modules/@modelcontextprotocol/server-git/dist/index.js",
            ("@modelcontextprotocol/server-git", "unknown"), id="package-of-node",
        ),
        pytest.param("/usr/bin/docker", "docker run -i mcp/fetch", ("mcp/fetch", "unknown"), id="image"),
        pytest.param("/srv/mcp-files/dist/index.js", "", ("mcp-files", "unknown"), id="path-alone"),
        pytest.param("/usr/bin/python3.11", "python app.py --config /etc/mcp.json", None, id="a-file-of-settings"),
        pytest.param("/usr/bin/curl", "curl https://mcp.example.org", None, id="an-address"),
        pytest.param("/usr/bin/python3.11", "python /app/server.py", None, id="nothing-is-called-so"),
    ],
)  # fmt: skip
def test_tool_servers_by_their_start(path, argv, expected):
    found = of_exec(path, argv)
    assert (found and (found.name, found.version)) == expected


def test_a_workload_that_is_a_tool_server_has_none_attached():
    own = event(behaviour="exec:/usr/bin/mcp-files<containerd-shim", path="/usr/bin/mcp-files", argv="mcp-files")
    assert of_event(own) == ()


def test_two_spellings_of_one_server_share_their_stem():
    assert stem("@modelcontextprotocol/server-git") == stem("mcp-server-git") == "git"
    assert stem("git-mcp-evil") != stem("git-mcp")


HOSTILE = st.text(max_size=600) | st.sampled_from((SITE + "/", HUB + "/", "/models/", "@/", "mcp-", "/prompts/", ":::"))
KIND = st.sampled_from(
    ("open:model:", "open:code:", "open:data:", "write:data:", "exec:", "egress:tcp:", "identity:token:", "", "x")
)


@given(KIND, st.lists(HOSTILE, max_size=4).map("".join), HOSTILE, HOSTILE)
def test_any_name_gives_bounded_items_of_known_kinds(kind, rest, path, argv):
    for found in of_behaviour(kind + rest, path, argv):
        assert found.kind in KINDS and 0 < len(found.name) <= LONGEST
        texts = (found.version, found.place, *found.more.values())
        assert all(len(text) <= LONGEST for text in texts)


VALUES = st.text(max_size=50) | st.integers() | st.floats()
CALL = st.dictionaries(
    st.sampled_from(("name", "tools", "server", "model_asked", "model_answered", "system", "digest")), VALUES
)


@given(st.sampled_from(("llm", "mcp", "tool")), CALL)
def test_any_call_gives_bounded_items(kind, data):
    for found in of_event(event(1, kind, **data)):
        assert found.kind in KINDS and 0 < len(found.name) <= LONGEST


@pytest.mark.parametrize(
    "text",
    [
        "/models--" + "a--" * 340,
        "/prompts/" * 113,
        "mcp-/dist/" * 100,
        "/node_modules/@" * 70,
        "/site-packages/a-" * 60,
        "x." * 512,
    ],
    ids=lambda t: t[:9],
)
def test_a_name_made_to_be_slow_to_read_is_not(text):
    began = time.process_time()
    for kind in ("open:model:", "open:data:", "exec:", "egress:tcp:"):
        of_behaviour(f"{kind}{text}x<sh:443", text, f"{text} {text}" * 8)
    assert time.process_time() - began < 0.25


def test_a_package_that_was_compared_with_its_record_says_how_many_files_differ():
    told = {"import": "langchain", "name": "langchain", "version": "0.2.3", "place": SITE, "files": 900, "changed": 1}
    [found] = of_event(Event("n1/e1/1", 0.0, replica(), "package", None, told))
    assert (found.kind, found.version, found.more["record"]) == ("framework", "0.2.3", "1 of 900 files differ")
    assert of_event(Event("n1/e1/1", 0.0, replica(), "package", None, told | {"version": 3})) == ()


def test_a_package_whose_module_has_another_name_joins_its_code_and_keeps_its_own():
    told = {"import": "cv2", "name": "opencv-python-headless", "version": "4.1", "place": SITE}
    [found] = of_event(Event("n1/e1/1", 0.0, replica(), "package", None, told))
    assert (
        found.name == of_package(f"{SITE}/cv2/__init__.py").name and found.more["package"] == "opencv-python-headless"
    )
