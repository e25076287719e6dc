"""Hashes of rows to a Merkle tree: roots, proofs that a row is in it, proofs that it only ever grew (RFC 6962).

Only complete subtrees are kept, as (level, index) → hash; a root and any proof is put together from about log2(n) of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

Get = Callable[[int, int], bytes]  # (level, index) → hash of a complete subtree
EMPTY = hashlib.sha256(b"").digest()


def leaf(data: bytes) -> bytes:
    """Hash of a row's bytes; never equal to that of an inner node."""
    return hashlib.sha256(b"\x00" + data).digest()


def parent(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def grown(get: Get, index: int, hash: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The complete subtrees that a new leaf brings: (level, index, hash), the leaf first."""
    level = 0
    yield level, index, hash
    while index & 1:
        hash, index, level = parent(get(level, index - 1), hash), index >> 1, level + 1
        yield level, index, hash


def root(get: Get, size: int) -> bytes:
    """The root over the first `size` leaves."""
    return _over(get, 0, size) if size else EMPTY


def inclusion(get: Get, index: int, size: int) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size` leaves."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} of {size}")
    start, path = 0, []
    while size > 1:
        half = _half(size)
        if index < half:
            path.append(_over(get, start + half, size - half))
            size = half
        else:
            path.append(_over(get, start, half))
            start, index, size = start + half, index - half, size - half
    return path[::-1]


def consistency(get: Get, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `old` leaves is the beginning of that of `new` leaves."""
    if not 0 < old <= new:
        raise ValueError(f"{old} of {new} leaves")
    start, whole, path = 0, True, []
    while old != new:
        half = _half(new)
        if old <= half:
            path.append(_over(get, start + half, new - half))
            new = half
        else:
            path.append(_over(get, start, half))
            start, old, new, whole = start + half, old - half, new - half, False
    return ([] if whole else [_over(get, start, new)]) + path[::-1]


def included(hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof of inclusion holds (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    last = size - 1
    for step in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            hash = parent(step, hash)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            hash = parent(hash, step)
        index, last = index >> 1, last >> 1
    return last == 0 and hash == root


def consistent(old: int, new: int, before: bytes, after: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof of consistency holds (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return before == after and not proof
    steps = list(proof)
    if old & (old - 1) == 0:
        steps.insert(0, before)
    if not steps:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = parent(step, first), parent(step, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = parent(second, step)
        node, last = node >> 1, last >> 1
    return last == 0 and first == before and second == after


def _half(size: int) -> int:
    """The largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1


def _over(get: Get, start: int, size: int) -> bytes:
    if size & (size - 1) == 0:  # starts of such spans are multiples of their size
        level = size.bit_length() - 1
        return get(level, start >> level)
    half = _half(size)
    return parent(_over(get, start, half), _over(get, start + half, size - half))
