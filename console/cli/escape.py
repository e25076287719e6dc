"""Names come from workloads, so a name may hold anything: control codes become visible before a terminal sees them."""

from __future__ import annotations


def escape(text: object) -> str:
    r"""The text with everything unprintable written as an escape; letters of any language stay.

    >>> escape("a\x1b[31mb\u202ec é")
    'a\\x1b[31mb\\u202ec é'
    """
    text = str(text)
    return text if text.isprintable() else "".join(c if c.isprintable() else _code(ord(c)) for c in text)


def _code(number: int) -> str:
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def cell(value: object) -> str:
    """A value as a cell of a CSV file.

    A spreadsheet runs a text that begins with one of these signs as a formula, so such a text gets a quote before it.
    """
    text = escape("" if value is None else value)
    return "'" + text if isinstance(value, str) and text[:1] in ("=", "+", "-", "@") else text
