"""The head of a file of weights to what it says of itself: format, name, architecture, size. Bounded, for the file is hostile.

Sources: huggingface/safetensors README; ggml-org/ggml docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import msgspec

HEAD = 4 << 20  # bytes of a head that are read
KEYS = 1024  # of a GGUF head that are looked at
TEXT = 128  # characters of a value
TENSORS = 65_536
KINDS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
QUANTISED = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
             13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 32: "BF16"}  # fmt: skip
SAID = {"general.name": "named", "general.architecture": "architecture", "general.size_label": "size_label",
        "general.license": "license", "general.version": "release", "general.quantized_by": "quantised_by"}  # fmt: skip
CONFIG = {"model_type": "architecture", "_name_or_path": "named", "base_model_name_or_path": "base_model"}

Read = Callable[[int, int], bytes]  # offset and length to what is there
Data = dict[str, str | int]


class NoWeights(ValueError):
    """Bytes that are no such head; holds no part of them."""


class _Tensor(msgspec.Struct):
    dtype: str
    shape: list[int]


def head(read: Read) -> Data:
    """What the head of a file says; only `format` and `unread` where it cannot be read.

    Raises:
        NoWeights: It is of no format that is known here.
    """
    begin = read(0, 8)
    known, reader = ("gguf", _gguf) if begin[:4] == b"GGUF" else ("safetensors", _safetensors)
    try:
        return {"format": known} | reader(read)
    except (struct.error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as e:
        if known == "gguf":
            return {"format": known, "unread": "its head is broken"}
        raise NoWeights("no head of weights") from e


def _safetensors(read: Read) -> Data:
    (size,) = struct.unpack("<Q", read(0, 8))
    if read(8, 1) != b"{":
        raise NoWeights("no head of weights")
    if size > HEAD:
        return {"unread": f"its head has more than {HEAD >> 20} MiB"}
    rows = msgspec.json.decode(read(8, size), type=dict[str, msgspec.Raw])
    meta = rows.pop("__metadata__", None)
    if len(rows) > TENSORS:
        return {"unread": f"it has more than {TENSORS} tensors"}
    numbers: Counter[str] = Counter()
    for row in rows.values():
        tensor = msgspec.json.decode(row, type=_Tensor)
        numbers[_text(tensor.dtype)] += prod(tensor.shape[:8])
    said = msgspec.json.decode(meta, type=dict[str, Any]) if meta is not None else {}
    out: Data = {"tensors": len(rows), "parameters": _bounded(sum(numbers.values()))}
    out |= {"dtype": max(numbers, key=lambda t: (numbers[t], t))} if numbers else {}
    named = (("named", "name"), ("architecture", "modelspec.architecture"), ("license", "modelspec.license"))
    return out | _texts({name: said.get(key) for name, key in named})


def _gguf(read: Read) -> Data:
    version, tensors, keys = struct.unpack("<IQQ", read(4, 20))
    if version not in (2, 3):
        return {"unread": f"version {version} of the format"}
    data, at = read(24, HEAD), 0
    out: Data = {"tensors": _bounded(tensors)}
    said: dict[str, Any] = {}
    for _ in range(min(keys, KEYS)):
        key, at = _string(data, at)
        if key.startswith("tokenizer."):  # long lists; what is general comes before
            break
        value, at = _value(data, at)
        if key in SAID or key in ("general.file_type", "general.parameter_count") or key.endswith(".context_length"):
            said[key] = value
    kind = said.get("general.file_type")
    out |= {"quantisation": QUANTISED.get(kind, f"type {kind}")} if isinstance(kind, int) else {}
    count = said.get("general.parameter_count")
    out |= {"parameters": _bounded(count)} if isinstance(count, int) else {}
    context = next((v for k, v in said.items() if k.endswith(".context_length")), None)
    out |= {"context": _bounded(context)} if isinstance(context, int) else {}
    return out | _texts({name: said.get(key) for key, name in SAID.items()})


def _string(data: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from("<Q", data, at)
    if size > len(data) - at - 8:
        raise struct.error("beyond the end")
    return data[at + 8 : at + 8 + size].decode("utf-8", "replace"), at + 8 + size


def _value(data: bytes, at: int) -> tuple[Any, int]:
    (kind,) = struct.unpack_from("<I", data, at)
    return _typed(data, at + 4, kind)


def _typed(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == STRING:
        return _string(data, at)
    if kind == ARRAY:
        return None, _beyond(data, at)
    if kind not in KINDS:
        raise struct.error("no such type")
    return struct.unpack_from(KINDS[kind], data, at)[0], at + struct.calcsize(KINDS[kind])


def _beyond(data: bytes, at: int) -> int:
    """Where an array ends. One of arrays is none that a head needs."""
    kind, size = struct.unpack_from("<IQ", data, at)
    at += 12
    if kind in KINDS:
        return at + size * struct.calcsize(KINDS[kind])
    if kind != STRING or size > KEYS:
        raise struct.error("a list that is not read")
    for _ in range(size):
        _, at = _string(data, at)
    return at


def beside(config: bytes) -> Data:
    """What a model's config.json, or an adapter's, says of it; nothing where it is none."""
    try:
        found = msgspec.json.decode(config)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    classes = found.get("architectures")
    first = classes[0] if isinstance(classes, list) and classes else None
    return _texts({name: found.get(key) for key, name in CONFIG.items()} | ({"architecture": first} if first else {}))


def _texts(values: Mapping[str, Any]) -> Data:
    return {name: _text(value) for name, value in values.items() if isinstance(value, str) and value}


def _text(value: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in value[:TEXT])


def _bounded(number: int) -> int:
    return min(max(number, 0), 1 << 62)
