"""A trail and its key to signed heads: after every batch of rows, and every hour without one, so that silence shows."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guard.audit import tree
from guard.audit.heads import Head, parsed, sign, written
from guard.audit.ledger import Ledger

EVERY = 3600.0  # seconds; a trail whose newest head is older has stopped


def due(ledger: Ledger, now: float) -> bool:
    """Whether a head is to be signed: there are rows without one, or the last one is old."""
    body = ledger.head()
    if body is None:
        return ledger.size > 0
    last = parsed(body)
    return last.size != ledger.size or now - last.time >= EVERY


def current(ledger: Ledger, key: Ed25519PrivateKey, now: float) -> Head:
    """The trail as it is, signed."""
    size, last = ledger.last()
    return sign(Head(ledger.log, size, tree.root(ledger.node, size).hex(), last, int(now), ""), key)


def sound(ledger: Ledger) -> bool:
    """Whether the rows below the newest head are still those that it was signed over."""
    body = ledger.head()
    if body is None:
        return True
    head = parsed(body)
    last = ledger.row(head.size)
    same = (
        last is not None and last.hash.hex() == head.last and (last.body is None or tree.leaf(last.body) == last.hash)
    )
    return same and tree.root(ledger.node, head.size).hex() == head.root


def seal(ledger: Ledger, key: Ed25519PrivateKey, now: float) -> Head:
    """Sign the trail as it is and keep the head, inside of `Ledger.writing`."""
    head = current(ledger, key, now)
    ledger.put_head(head.size, head.time, written(head))
    return head
