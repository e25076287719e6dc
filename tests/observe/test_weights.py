"""Heads of weights: what real ones say, and that broken and hostile ones cost little and break nothing."""

import contextlib
import doctest
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.observe import weights
from sensor.observe.weights import HEAD, NoWeights, head
from wire import assets


def reading(data):
    return lambda at, n: data[at : at + n]


def safetensors(rows, meta=None):
    text = json.dumps(({"__metadata__": meta} if meta else {}) | rows).encode()
    return struct.pack("<Q", len(text)) + text


def tensor(*shape, dtype="BF16"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [0, 2]}


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def gguf(*entries, version=3, tensors=291, count=None):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, len(entries) if count is None else count) + b"".join(entries)


LLAMA = gguf(
    entry("general.architecture", 8, text("llama")),
    entry("general.name", 8, text("Llama 3.1 8B Instruct")),
    entry("general.tags", 9, struct.pack("<IQ", 8, 2) + text("chat") + text("en")),
    entry("llama.context_length", 4, struct.pack("<I", 131072)),
    entry("general.file_type", 4, struct.pack("<I", 15)),
    entry("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 1 << 40)),
)


def test_examples_in_docstrings_run():
    assert doctest.testmod(assets).failed == 0


def test_a_safetensors_head_tells_its_parameters_and_its_name():
    rows = {"a": tensor(4096, 4096), "b": tensor(10), "n": tensor(3, dtype="F32")}
    assert head(reading(safetensors(rows, {"format": "pt", "name": "model-b", "modelspec.license": "mit"}))) == {
        "format": "safetensors", "tensors": 3, "parameters": 4096 * 4096 + 13, "dtype": "BF16", "named": "model-b",
        "license": "mit",
    }  # fmt: skip


def test_a_gguf_head_tells_its_architecture_and_stops_before_its_tokens():
    assert head(reading(LLAMA)) == {
        "format": "gguf", "tensors": 291, "quantisation": "Q4_K_M", "context": 131072, "named": "Llama 3.1 8B Instruct",
        "architecture": "llama",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(struct.pack("<Q", HEAD + 1) + b"{", "more than", id="a-head-too-large"),
        pytest.param(gguf(version=9), "version 9", id="another-version"),
        pytest.param(gguf(entry("a", 99, b"")), "broken", id="no-such-type"),
        pytest.param(gguf(struct.pack("<Q", 1 << 63)), "broken", id="a-name-without-end"),
        pytest.param(gguf(entry("a", 9, struct.pack("<IQ", 9, 5))), "broken", id="lists-of-lists"),
        pytest.param(gguf(entry("a", 9, struct.pack("<IQ", 8, 1 << 60))), "broken", id="a-list-without-end"),
        pytest.param(gguf(count=1 << 60), "broken", id="more-entries-than-there-are"),
        pytest.param(b"GGUF", "broken", id="cut-short"),
    ],
)
def test_what_cannot_be_read_says_why(data, why):
    assert why in head(reading(data))["unread"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x80\x04\x95pickle", id="a-pickle"),
        pytest.param(struct.pack("<Q", 20) + b"{", id="cut-short"),
        pytest.param(safetensors({"a": {"dtype": 1}}), id="no-tensor"),
        pytest.param(struct.pack("<Q", 40000) + b'{"a":' + b"[" * 40000, id="deep"),
        pytest.param(safetensors({"a": tensor(4)}, {"name": ["x"]})[:-9], id="torn"),
    ],
)
def test_what_is_no_head_is_none(data):
    with pytest.raises(NoWeights):
        head(reading(data))


def test_numbers_and_texts_of_a_head_are_bounded():
    found = head(
        reading(safetensors({"a": tensor(*[10**30] * 60), "b\x1b": tensor(-5)}, {"name": "\x1b[31m" + "x" * 9999}))
    )
    assert found["parameters"] <= 1 << 62 and len(found["named"]) <= 128 and "\x1b" not in found["named"]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", LLAMA[:24], LLAMA[:90], safetensors({"a": tensor(3)})[:30]]))
def test_no_bytes_break_it(data, begin):
    with contextlib.suppress(NoWeights):
        assert len(head(reading(begin + data))) < 12


@given(st.binary(max_size=200))
def test_no_settings_break_it(data):
    assert isinstance(weights.beside(data), dict)


def test_settings_beside_the_weights_tell_the_class_and_the_base():
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "_name_or_path": "/models/llama"}
    assert weights.beside(json.dumps(config).encode()) == {"architecture": "LlamaForCausalLM", "named": "/models/llama"}
    assert weights.beside(b'{"base_model_name_or_path": "llama", "r": 8}') == {"base_model": "llama"}


def test_settings_that_are_no_text_are_none():
    """msgspec passes UnicodeDecodeError on; found by the fuzzer."""
    assert weights.beside(b'{"a":"\xff"}') == weights.beside(b"\xff\xff") == {}
