"""What kind of thing a file or an address is: model, secret, config, code, data; whose identity it proves."""

from __future__ import annotations

import re

from sensor.observe.names import file_of, template
from wire.records import Behaviour

MODEL = re.compile(
    r"\.(safetensors|gguf|ggml|onnx|ckpt|pth?|h5|tflite|mlmodel|pb)$|(^|/)models?/|/snapshots/[0-9a-f]{40}/"
)
TOKEN = re.compile(r"(^|/)(serviceaccount/(\.\.[^/]+/)?token|azure/tokens/.*token)$")
CLOUD = re.compile(
    r"/\.aws/(credentials|config)$|/\.config/gcloud/.*(credentials|\.db|\.json)$|/\.azure/.*(token|profile)"
    r"|application_default_credentials\.json$|/\.kube/config$|/\.docker/config\.json$"
)
SECRET = re.compile(
    r"^/etc/(g?shadow-?|sudoers|krb5\.keytab)$|/\.ssh/|/ssl/private/|/private-keys|^(/var)?/run/secrets/"
    r"|\.(kdbx|jks|p12|pfx|key|keytab)$|(^|/)(\.env|\.netrc|\.pgpass|\.git-credentials|\.npmrc|\.pypirc|id_[a-z0-9]+)$"
    r"|^/proc/.*/(environ|mem)$"
)
CODE = re.compile(r"\.(py[co]?|so(\.[0-9.]+)?|m?js|cjs|rb|pl|pm|jar|class|sh|wasm|php|lua|dll)$|^(/usr)?/s?bin/")
CONFIG = re.compile(r"^/etc/|\.(ya?ml|toml|ini|conf|cfg|properties|json)$")
PACKAGE = re.compile(r"^(.*/(?:site-packages|dist-packages|node_modules)/(?:@[^/]+/)?[^/]+)/.+$")
WEIGHTS = re.compile(
    r"\.(safetensors|gguf|ggml|onnx|ckpt|pth?|h5|bin)$|/models--[^/]+/(blobs|snapshots)/|/models/(manifests|blobs)/"
)
SHARD = re.compile(r"\d{3,6}(?=[-_]of[-_])")
METADATA = {"169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "100.100.100.200"}

PATHS_OF_PYTHON = re.compile(
    r"/(site|dist)-packages/[^/]+\.pth$"
)  # lists folders; torch gave its weights the same suffix

_ORDER = (("code", PATHS_OF_PYTHON), ("model", MODEL), ("secret", SECRET), ("code", CODE), ("config", CONFIG))


def file_class(path: str) -> str:
    """The first class that fits.

    >>> file_class("/models/a/model-00001.safetensors"), file_class("/etc/shadow"), file_class("/app/agent.py")
    ('model', 'secret', 'code')
    """
    return next((name for name, pattern in _ORDER if pattern.search(path)), "data")


def model_file(path: str) -> str:
    """What tells one model's file from those of other models whose paths have the same template; "" for other files.

    >>> model_file("/models/llama-7/model-00001-of-00002.safetensors"), model_file("/app/agent.py")
    ('/models/llama-7/model-*-of-00002.safetensors', '')
    """
    return "" if PATHS_OF_PYTHON.search(path) or not WEIGHTS.search(path) else SHARD.sub("*", path)


def file_behaviour(path: str, writes: bool) -> Behaviour:
    """What opening this file is called.

    >>> file_behaviour("/run/secrets/kubernetes.io/serviceaccount/..2026/token", False)
    'identity:token:/run/secrets/kubernetes.io/serviceaccount/token'
    >>> file_behaviour("/usr/lib/python3.11/json/decoder.py", False)
    'open:code:/usr/lib/python3.11/json/*'
    """
    if TOKEN.search(path) and not writes:
        return Behaviour(f"identity:token:{re.sub(r'/[.][.][^/]+', '', path)}")
    if CLOUD.search(path) and not writes:
        return Behaviour(f"identity:cloud:{path}")
    kind = file_class(path)
    return file_of(kind, _closed(kind, path, writes), writes)


def _closed(kind: str, path: str, writes: bool) -> str:
    """Secrets stay literal; what is read of a library or of the system's data counts by its package or folder."""
    if kind == "secret":
        return re.sub(r"^/proc/[^/]+", "/proc/*", path)
    if path.startswith("/proc/"):
        return "/proc/*/" + path.rpartition("/")[2]
    if not writes and (kind == "code" or (kind == "data" and path.startswith("/usr/"))):
        package = PACKAGE.match(path)
        return template(package[1] if package else path.rpartition("/")[0].removesuffix("/__pycache__")) + "/*"
    return template(path)


def identity_of(address: str) -> Behaviour | None:
    """The use of an identity that talking to this address is."""
    return Behaviour(f"identity:metadata:{address}") if address in METADATA else None
