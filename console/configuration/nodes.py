"""A YAML text to its nodes, each with its place: nothing is built of them, and nothing in them can grow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from console.configuration.values import SettingsError

LIMIT = 256 << 10  # bytes of a configuration file; more is a mistake
DEPTH = 8  # nested levels; KEYS needs four

Node = Any  # a node of PyYAML, which has no types


def text_of(path: Path) -> str:
    """The text of a configuration file.

    Raises:
        SettingsError: It cannot be read, is too large or no UTF-8 text.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT + 1)
    except OSError as e:
        raise SettingsError(f"{path}: {e.strerror}; check the path and who may read it") from e
    if len(raw) > LIMIT:
        raise SettingsError(f"{path}: larger than {LIMIT >> 10} KiB; keep only configuration in it")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as e:
        raise SettingsError(f"{path}: not UTF-8 text (byte {e.start}); save it as UTF-8") from e


def scalars(text: str, where: str) -> Iterator[tuple[str, str, str]]:
    """A flat mapping as name, text and place, for those who know the kinds.

    >>> list(scalars("park: 5", "p.yaml"))
    [('park', '5', 'p.yaml:1')]
    """
    root = composed(text, where)
    if root is None or is_empty(root):
        return
    if root.id != "mapping" or any(value.id != "scalar" for _, value in root.value):
        raise SettingsError(f"{at_line(root, where)}: only lines of `name: value` belong here; remove the rest")
    for key, value in root.value:
        yield str(key.value), value.value, at_line(key, where)


def composed(text: str, where: str) -> Node | None:
    """The nodes of a YAML text, nothing built of them yet."""
    import yaml

    try:
        _refuse_bombs(text, where)
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise SettingsError(f"{where}:{line}: {e.problem}; check the indentation and quotes around it") from e
    except yaml.YAMLError as e:
        raise SettingsError(f"{where}: {e}; remove what YAML does not allow".replace("\n", " ")) from e


def _refuse_bombs(text: str, where: str) -> None:
    """Refuse references, which can multiply, and nesting that no key has, before anything is built."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise SettingsError(f"{where}:{line}: references (*name) are not read; write the value out")
        if depth > DEPTH:
            raise SettingsError(f"{where}:{line}: nested more than {DEPTH} levels; no key is that deep")


def is_empty(node: Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


def at_line(node: Node, where: str) -> str:
    return f"{where}:{node.start_mark.line + 1}"
