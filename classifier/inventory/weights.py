"""Paths of opened files to models and adapters.

A hub's cache names a file by its content and links the readable name to it; the kernel shows what was really opened, so the
revision is not in that path and is left unknown.
"""

from __future__ import annotations

import re

from classifier.inventory.kinds import INFERRED, SELF_REPORTED, UNKNOWN, VERIFIED
from classifier.inventory.sighting import Sighting, seen

WEIGHTS = re.compile(r"\.(safetensors|gguf|ggml|onnx|ckpt|pth?|h5|tflite|mlmodel|pb|bin)$", re.IGNORECASE)
AMBIGUOUS = (".bin", ".pb", ".pth", ".h5")  # suffixes of much else, too; Python's lists of folders are called .pth
PACKAGED = re.compile(r"/(?:(?:site|dist)-packages|node_modules)(?:/|$)")
HUB = re.compile(
    r"(^|/)models--(?P<org>[^/]+?)--(?P<model>[^/]+)/(?:snapshots/(?P<commit>[0-9a-f]{40})/(?P<file>.+)|blobs/(?P<blob>[0-9a-f]{64}))$"
)
OLLAMA = re.compile(
    r"/models/(?:manifests/[^/]+/(?:library/)?(?P<name>.+)/(?P<tag>[^/]+)|blobs/sha256-(?P<blob>[0-9a-f]{64}))$"
)
SHARD = re.compile(r"[-_.]?\d{3,6}[-_]of[-_]\d{3,6}$")
PLAIN = re.compile(
    r"^(?:model|pytorch_model|tf_model|flax_model|diffusion_pytorch_model|adapter_model|adapter|consolidated|weights|checkpoint"
    r"|ggml-model|model_index)(?:[._-](?:fp16|bf16|int8|q\d\w*|\d{1,3}))?$",
    re.IGNORECASE,
)
ADAPTER = re.compile(r"(^|/)adapter_(?:model|config)\.|(^|[/_.-])(?:q?lora|adapters?)([/_.-]|$)", re.IGNORECASE)
QUANTISED = re.compile(r"[._-]((?:IQ|Q)\d\w*|F16|BF16|FP16|INT8|AWQ|GPTQ)$", re.IGNORECASE)
GENERAL = {
    "",
    "models",
    "model",
    "weights",
    "checkpoints",
    "adapters",
    "lora",
    "snapshots",
    "current",
    "latest",
    "final",
}


def of_weights(path: str) -> Sighting | None:
    """The model or adapter of an opened file; None where it holds no weights.

    >>> of_weights("/models/m2/model-00001-of-00003.safetensors").name, of_weights("/models/m2/config.json")
    ('m2', None)
    """
    if found := HUB.search(path):
        return _of_hub(path, found)
    if found := OLLAMA.search(path):
        return _of_ollama(path, found)
    folder, _, file = path.rpartition("/")
    if file == "adapter_config.json":
        return _item(path, _folder(folder), "", VERIFIED)
    if not WEIGHTS.search(file) or (file.endswith(AMBIGUOUS) and PACKAGED.search(folder)):
        return None
    stem = SHARD.sub("", WEIGHTS.sub("", file))
    quantised = QUANTISED.search(stem)
    name = _folder(folder) if PLAIN.match(stem) or not stem else stem
    basis = INFERRED if file.endswith(AMBIGUOUS) else VERIFIED
    return _item(path, name or stem or file, quantised[1] if quantised else "", basis)


def _of_hub(path: str, found: re.Match[str]) -> Sighting | None:
    file, commit, blob = found["file"] or "", found["commit"], found["blob"]
    if file and not WEIGHTS.search(file) and not ADAPTER.search(file):
        return None
    kind = "adapter" if ADAPTER.search(file) or ADAPTER.search(found["model"]) else "model"
    return seen(
        kind,
        f"{found['org']}/{found['model']}",
        version=commit or UNKNOWN,
        version_basis=SELF_REPORTED if commit else UNKNOWN,
        basis=VERIFIED if file else INFERRED,  # a blob may be a tokenizer
        place=path.rpartition("/")[0],
        more={"format": _format(file), "hub": "huggingface", "blob": f"sha256:{blob}" if blob else ""},
    )


def _of_ollama(path: str, found: re.Match[str]) -> Sighting:
    if found["blob"]:
        name, version = f"sha256-{found['blob'][:12]}", found["blob"]
    else:
        name, version = found["name"], found["tag"]
    # A blob may be a licence or a template, and a manifest may be read for a list only.
    return seen("model", name, version=version, version_basis=SELF_REPORTED, basis=INFERRED,
                place=path.rpartition("/")[0], more={"hub": "ollama"})  # fmt: skip


def _item(path: str, name: str, quantised: str, basis: str) -> Sighting:
    kind = "adapter" if ADAPTER.search(path) else "model"
    file = path.rpartition("/")[2]
    return seen(kind, name or file, basis=basis, place=path.rpartition("/")[0],
                more={"format": _format(file), "quantisation": quantised})  # fmt: skip


def _folder(folder: str) -> str:
    """The innermost folder that names something: `/models/m2/weights` is m2."""
    parts = [p for p in folder.split("/") if p.lower() not in GENERAL]
    return parts[-1] if parts else ""


def _format(file: str) -> str:
    found = WEIGHTS.search(file)
    return found[1].lower() if found else ""
