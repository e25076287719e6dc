"""Whole input to damaged input: bytes, values of JSON, and files whose checksums a forger made good again."""

from __future__ import annotations

import json
import random
from typing import Any

from wire import blocks

EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63, 2**64 - 1)
STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    1e308,
    float("nan"),
    2**70,
    "",
    "x",
    "\ud83d",
    "\udc80\x1b[31m\0",
    "../../etc/x",
    "data:",
    "1e9",
    [],
    {},
    [[]],
    [None],
    {"": None},
    [{"role": 1}],
    "a" * 3000,
)
DEEP = 400  # levels; more than any reader goes down


def damaged(rng: random.Random, whole: bytes) -> bytes:
    """A copy with one to eight kinds of damage; at times only noise."""
    data = bytearray(whole)
    for _ in range(rng.randint(1, 8)):
        HARMS[rng.randrange(len(HARMS))](rng, data)
    return bytes(data)


def flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def extreme(rng: random.Random, data: bytearray) -> None:
    """Numbers at the edges of their kinds, where lengths and counts are likely to be."""
    at, size = rng.randrange(len(data) + 1), rng.choice([1, 2, 4, 8])
    data[at : at + size] = (rng.choice(EDGES) & (1 << 8 * size) - 1).to_bytes(size, rng.choice(["little", "big"]))


def cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


def drop(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randrange(64)]


def repeat(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.randrange(400)] * rng.randrange(1, 4)


def noise(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randrange(64))


HARMS = (flip, flip, extreme, extreme, cut, drop, repeat, noise)


def mutated(rng: random.Random, value: Any) -> Any:
    """A value of JSON with some parts replaced, dropped, repeated or made strange."""
    if rng.random() < 0.04:
        return strange(rng)
    if isinstance(value, dict):
        kept = {k: mutated(rng, v) for k, v in value.items() if rng.random() > 0.03}
        return kept | ({rng.choice(list(value) or ["x"]): strange(rng)} if rng.random() < 0.05 else {})
    if isinstance(value, list):
        grown = [mutated(rng, v) for v in value for _ in range(1 + (rng.random() < 0.05))]
        return grown + ([strange(rng)] if rng.random() < 0.05 else [])
    return value


def json_or_bytes(rng: random.Random, whole: bytes) -> bytes:
    """JSON is mutated by its values half of the time; what is none is damaged."""
    if rng.random() < 0.5:
        try:
            return json.dumps(mutated(rng, json.loads(whole))).encode()
        except ValueError:  # YAML, a key, a protobuf
            pass
    return damaged(rng, whole)


def strange(rng: random.Random) -> Any:
    """A value that nobody expects here; at times one that is nested deep."""
    if rng.random() > 0.02:
        return rng.choice(STRANGE)
    value: Any = "deep"
    for _ in range(rng.randrange(DEEP)):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def resealed(rng: random.Random, whole: bytes) -> bytes:
    """A trace whose blocks were damaged and then given good checksums, as a forger would."""
    at = whole.find(blocks.BLOCK_MAGIC)
    out = bytearray(whole[:at])
    while 0 <= at < len(whole):
        magic, kind, sequence, length, raw, count = blocks.BLOCK.unpack_from(whole, at)
        start = at + blocks.BLOCK.size + blocks.SUM.size
        stored = whole[start : start + length]
        if rng.random() < 0.4:
            stored = damaged(rng, stored)
        if rng.random() < 0.2:
            raw, count = (rng.choice([0, 1, raw, count, 65_536, 2**31, 2**32 - 1]) for _ in range(2))
        header = blocks.BLOCK.pack(magic, kind, sequence, len(stored), raw, count)
        out += header + blocks.SUM.pack(blocks.xxhash.xxh3_64_intdigest(header + stored)) + stored
        at = start + length
    return bytes(out)
