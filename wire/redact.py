"""Texts to redacted texts: secrets are masked by pattern, by the name of their key, and card numbers by their check digit.

A mask says what it hides (`[card]`), never a part of it. The digest is of the original, so that equal texts can be told
without being kept; a short secret alone in a text could be guessed from a digest, which docs/applayer.md says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from wire.digests import Unreadable, canonical, encoded, joined, load, sha256

OVERLAP = 4096  # read past the limit, so that a secret that lies across it is known as one
KEYS = (  # one pattern, tried in this order; all are greedy to their end, so that a cut one is masked too
    r"(?P<private_key>-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:[^-]|-(?!----END))*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?)",
    r"(?P<jwt>\beyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?)",
    r"(?P<api_key>\b(?:sk|pk|rk)[-_](?=[\w-]{16})[\w-]+|\bAIza[\w-]{30,}|\bxox[a-z]-[\w-]{10,}|\bgsk_\w{20,}|\bhf_\w{20,}"
    r"|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bnpm_\w{30,}|\bpypi-[\w-]{30,}|\bya29\.[\w.-]{20,}"
    r"|\bABSK[\w+/=]{40,}|\bSG\.[\w-]{16,}\.[\w-]{16,})",
    r"(?P<aws_key>\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b)",
    r"(?P<bearer>\b(?:bearer|basic)\s+(?=[\w.~+/=-]*[\d=])[\w.~+/=-]{12,})",
    r"(?P<password>(?<![a-z])(?:password|passwd|secret|api[_-]?key|access[_-]?token|client[_-]?secret|auth[_-]?token)"
    r"[\"']?\s*[:=]\s*[\"']?(?=[^\s\"'<>{},;]{4})[^\s\"'<>{},;&]+)",
    r"(?P<url_password>(?<=://)[^\s/:@]{1,64}:[^\s/@]{1,256}@)",
)
CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d])")
HEX = re.compile(r"[0-9a-f]*[a-f][0-9a-f]*", re.IGNORECASE)
WORD = 64  # characters to each side that are looked at
EMAIL = r"(?P<email>\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b)"
SECRET_NAMES = re.compile(
    r"(?:^|[_.-])(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|authorization|cookie|api[_-]?key|private[_-]?key"
    r"|access[_-]?key|session[_-]?key|otp|pin|cvv|cvc)$|(?:password|secret|apikey|accesstoken|authtoken|privatekey)$",
    re.IGNORECASE,
)
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

Sealed = Callable[[str, Any, bytes], None]  # kind, place, original; called only where the caller gave one


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for n, digit in enumerate(map(int, reversed(digits))):
        total += digit if n % 2 == 0 else digit * 2 - 9 * (digit > 4)
    return total % 10 == 0 and len(set(digits)) > 1


@dataclass(frozen=True, slots=True)
class Text:
    """A text that was redacted by policy. The original is gone, unless the caller gave a `sealed` callback."""

    redacted: str
    digest: str  # sha256 of the original, UTF-8
    length: int  # bytes of the original
    masked: tuple[tuple[str, int], ...] = ()  # kind of secret → how many, e.g. ("card", 1)
    cut: bool = False  # `redacted` is shorter than the original, for the policy's limit
    policy: str = ""  # version of the policy that redacted it


@dataclass(frozen=True, slots=True)
class Policy:
    """What is masked and how much is kept."""

    version: str = "default-1"
    emails: bool = False
    keep: int = 64 << 10  # characters of a text that are kept; 0: digest and length only
    patterns: tuple[str, ...] = ()  # more regular expressions to mask, as `[custom]`


POLICIES = {"default": Policy(), "pci": Policy(version="pci-1", emails=True)}


class Redactor:
    """Applies one policy.

    >>> Redactor(Policy()).text("pay with 4111 1111 1111 1111").redacted
    'pay with [card]'
    """

    def __init__(self, policy: Policy, sealed: Sealed | None = None) -> None:
        self.policy, self._sealed = policy, sealed
        custom = tuple(f"(?P<custom{n or ''}>{p})" for n, p in enumerate(policy.patterns))
        self._secrets = re.compile("|".join(custom + KEYS + ((EMAIL,) if policy.emails else ())), re.IGNORECASE)

    def text(self, text: str, *, kind: str = "text", place: Any = None) -> Text:
        """A text, redacted."""
        original = encoded(text)
        if self._sealed:
            self._sealed(kind, place, original)
        found: Counter[str] = Counter()
        window = text[: self.policy.keep + OVERLAP] if self.policy.keep else ""
        return self._finish(self.mask(window, found), found, original, len(window) < len(text))

    def untold(self, texts: Iterable[str], *, kind: str, place: Any = None) -> None:
        """A text of which nothing but digests is told."""
        if self._sealed:
            self._sealed(kind, place, encoded(joined(texts)))

    def arguments(self, value: Any, *, kind: str = "arguments", place: Any = None) -> Text:
        """Arguments as canonical JSON; what is no JSON is treated as a text."""
        if isinstance(value, str):
            try:
                value = load(value)
            except Unreadable:
                return self.text(value, kind=kind, place=place)
        try:
            whole = canonical(value)
            found: Counter[str] = Counter()
            # Each string apart, and then the whole: a pattern must not eat the quotes between two of them.
            room = _Room(self.policy.keep + OVERLAP)
            kept = canonical(self._walk(value, found, room)) if self.policy.keep else ""
        except (Unreadable, RecursionError):
            return self.text("[nested too deep]", kind=kind, place=place)
        original = encoded(whole)
        if self._sealed:
            self._sealed(kind, place, original)
        return self._finish(kept, found, original, not self.policy.keep or room.left < 0)

    def label(self, value: Any, longest: int = 256) -> str:
        """A name or id: one line of printable characters, bounded, without secrets."""
        text = value if isinstance(value, str) else canonical(value) if isinstance(value, int | float) else ""
        text = "".join(c if c.isprintable() else "�" for c in text[: longest + OVERLAP])
        return self.mask(text, Counter())[:longest]

    def mask(self, text: str, found: Counter[str]) -> str:
        """The text with masks; counts them by kind."""
        if len(text) < 6:  # nothing to find is so short
            return text
        text = self._secrets.sub(lambda m: _note(found, (m.lastgroup or "custom").rstrip("0123456789")), text)
        return CARD.sub(lambda m: _card(found, m), text)

    def _finish(self, kept: str, found: Counter[str], original: bytes, cut: bool) -> Text:
        kept, more = kept[: self.policy.keep], len(kept) > self.policy.keep
        kept = kept.encode("utf-8", "replace").decode()  # lone surrogates would stop every writer downstream
        masks = tuple(sorted(found.items()))
        return Text(kept, sha256(original), len(original), masks, cut or more, self.policy.version)

    def _walk(self, value: Any, found: Counter[str], room: _Room) -> Any:
        if isinstance(value, dict):
            some = takewhile(lambda _: room.left >= 0, value.items())
            return {self.mask(room.take(k), found): self._entry(k, v, found, room) for k, v in some}
        if isinstance(value, list):
            return [self._walk(v, found, room) for v in takewhile(lambda _: room.left >= 0, value)]
        if isinstance(value, str):
            return self.mask(room.take(value), found)
        room.take("    ")
        if isinstance(value, int) and not isinstance(value, bool) and value > 10**11:
            hidden = self.mask(str(value), found)
            return value if hidden == str(value) else hidden
        return value

    def _entry(self, key: str, value: Any, found: Counter[str], room: _Room) -> Any:
        if value not in (None, "", True, False) and not isinstance(value, dict | list) and is_secret_name(key):
            return _note(found, "named_secret")
        return self._walk(value, found, room)


class _Room:
    """Characters that are still looked at: masking costs some 100 ns each, and what is not kept needs none."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, text: str) -> str:
        """As much of a text as there is room for; below zero from the first that did not fit."""
        some = text[: max(0, self.left)]
        self.left -= len(text) + 4  # quotes, colon, comma
        return some


def is_secret_name(key: str) -> bool:
    """Whether a key's name says that its value is secret.

    >>> is_secret_name("dbPassword"), is_secret_name("max_tokens")
    (True, False)
    """
    return bool(SECRET_NAMES.search(CAMEL.sub("_", key[:128])))


def _note(found: Counter[str], kind: str) -> str:
    found[kind] += 1
    return f"[{kind}]"


def _card(found: Counter[str], m: re.Match[str]) -> str:
    digits = "".join(c for c in m.group() if c.isdigit())
    return _note(found, "card") if luhn(digits) and not _is_in_hex(m) else m.group()


def _is_in_hex(m: re.Match[str]) -> bool:
    """Whether the digits are a piece of a hexadecimal id: every tenth of them checks, and calls are linked by their ids."""
    before = "".join(takewhile(str.isalnum, reversed(m.string[max(0, m.start() - WORD) : m.start()])))
    after = "".join(takewhile(str.isalnum, m.string[m.end() : m.end() + WORD]))
    return HEX.fullmatch(before + after) is not None
