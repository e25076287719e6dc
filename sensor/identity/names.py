"""Text from outside becomes a bounded name without control characters, safe in a key, a table and a terminal."""

from __future__ import annotations

LONGEST = 512  # characters


def clean(value: object, *, part: bool = False) -> str:
    r"""`value` as a name of at most 512 characters; `part` escapes "/" too: it stays one part of a workload key.

    >>> clean("a\nb/c", part=True)
    'a\\x0ab\\x2fc'
    """
    text = value if isinstance(value, str) else ""
    escaped = "".join(_escape(sign, part) for sign in text[: LONGEST + 1])
    return escaped if len(escaped) <= LONGEST else escaped[: LONGEST - 1] + "…"


def key(*parts: str) -> str:
    """A workload key of these parts; an empty one becomes "-", so that the count of parts holds."""
    return "/".join(clean(part, part=True) or "-" for part in parts)


def _escape(sign: str, part: bool) -> str:
    if sign.isprintable() and sign not in ("  <" if part else "") and not (part and sign == "/"):
        return sign
    broken = "surrogateescape" if "\udc80" <= sign <= "\udcff" else "surrogatepass"  # JSON may hold lone surrogates
    return "".join(f"\\x{byte:02x}" for byte in sign.encode("utf-8", broken))
