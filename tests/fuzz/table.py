"""The table of all decoders. Whoever writes a new one adds a row to one of these, and both pytest and `make fuzz` try it."""

from __future__ import annotations

from tests.fuzz import bodies, conversations, files, kept, kernel, texts
from tests.fuzz.decoder import Decoder

DECODERS: tuple[Decoder, ...] = tuple(
    row for family in (kernel, conversations, texts, bodies, files, kept) for row in family.DECODERS
)
BY_NAME = {row.name: row for row in DECODERS}
