"""The text of one value, from a file or a variable, to the value that its key takes."""

from __future__ import annotations

from typing import Any

from console.configuration.keys import KEYS, Key


class SettingsError(ValueError):
    """A configuration that cannot be used; the message says where and what to do."""

    exit_code = 2


def checked(name: str, text: str, where: str) -> Any:
    """The value that a text gives a key.

    >>> checked("sensor.sizes.slots", "64", "test")
    64
    """
    key = KEYS[name]
    try:
        value = CONVERT[key.kind](text)
    except ValueError:
        raise SettingsError(f"{where}: {name} takes {WORDS[key.kind]}, not {text!r:.60}; correct it") from None
    if key.choices and value not in key.choices:
        raise SettingsError(f"{where}: {name} is one of {', '.join(key.choices)}, not {text!r:.60}; choose one")
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_range(name, key, value, where)
    return value


def _check_range(name: str, key: Key, value: float, where: str) -> None:
    least, most = key.least, key.most
    if (least is not None and not value >= least) or (most is not None and not value <= most):
        bounds = f"{'' if least is None else f'{figure(least)} or more'}{'' if most is None else f', at most {figure(most)}'}"
        raise SettingsError(f"{where}: {name} is {figure(value)}; it must be {bounds.lstrip(', ')}")


def figure(number: float) -> str:
    """A number as people write it, with every digit of a large whole one.

    >>> figure(1048576), figure(0.1), figure(float("nan"))
    ('1048576', '0.1', 'nan')
    """
    return str(int(number)) if abs(number) < 1e18 and number == int(number) else f"{number:g}"


def _flag(text: str) -> bool:
    if text.lower() in ("true", "yes", "on", "1"):
        return True
    if text.lower() in ("false", "no", "off", "0"):
        return False
    raise ValueError(text)


def _path(text: str) -> str:
    if not text.startswith("/") or "\0" in text:
        raise ValueError(text)
    return text


def _whole(text: str) -> int:
    if len(text) > 18:
        raise ValueError(text)
    return int(text)


def _pages(text: str) -> int:
    number = _whole(text)
    if number < 1 or number & (number - 1):
        raise ValueError(text)
    return number


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not 0 < _whole(port) < 65536:
        raise ValueError(text)
    return host.strip("[]"), int(port)


def _pattern(text: str) -> str:
    """A word that is none of the three and cannot be the name of a workload is a slip."""
    if text not in ("auto", "all", "none") and not set(text) & set("*?/:"):
        raise ValueError(text)
    return _line(text)


def _line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(text)
    return text


CONVERT = {
    "text": _line,
    "path": _path,
    "whole": _whole,
    "pages": _pages,
    "number": float,
    "flag": _flag,
    "address": _address,
    "texts": lambda text: tuple(part.strip() for part in text.split(",") if part.strip()),
    "patterns": lambda text: tuple(_pattern(part.strip()) for part in text.split(",") if part.strip()),
    "wholes": lambda text: tuple(_whole(part) for part in text.split(",")),
}
WORDS = {
    "text": "one line of text",
    "path": "an absolute path",
    "whole": "a whole number",
    "pages": "a power of two",
    "number": "a number",
    "flag": "true or false",
    "address": "HOST:PORT",
    "texts": "a list of texts",
    "patterns": "auto, all, none, or patterns of workloads' names such as `unit:support-*`",
    "wholes": "a list of whole numbers",
    "rules": "a list of rules",
}
