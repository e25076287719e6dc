"""Execs to MCP servers that are children on pipes. By their names: what they speak shows only once pipes are read."""

from __future__ import annotations

import re
from functools import lru_cache

from classifier.inventory.kinds import SELF_REPORTED, UNKNOWN
from classifier.inventory.sighting import Sighting, guessed

NAMED = re.compile(r"(?:^|[-_./@])(?:mcp|modelcontextprotocol)(?:$|[-_./@])", re.IGNORECASE)
PLACES = re.compile(r"/(?:dist|build|src|lib|bin|out)/[^/]*$|/(?:index|main|cli|server|__main__)\.[a-z]+$")
SUFFIX = re.compile(r"\.(?:m?js|cjs|py|sh|exe)$")
VERSIONED = re.compile(r"^(?P<name>@?[^@=]+)(?:@|==)(?P<version>\d[\w.+-]*|latest)$")
LAUNCHERS = {"npx", "uvx", "npm", "pnpm", "bunx", "yarn", "uv", "pipx", "docker", "podman"}
WORDS = 64  # of a command line that are looked at


def of_exec(path: str, argv: str) -> Sighting | None:
    """The MCP server that an exec starts; None where nothing in it is called so.

    >>> of_exec("/usr/bin/node", "node /usr/bin/npx -y @modelcontextprotocol/server-git@1.2.0").name
    '@modelcontextprotocol/server-git'
    """
    words = argv.split()[:WORDS]
    candidates = [path, *words[:1], *(w for w in words[1:] if not w.startswith("-"))]
    word = next((w for w in candidates if NAMED.search(w) and not _data(w)), None)
    if word is None:
        return None
    name, version = _named(word)
    launcher = next((b for w in [path, *words[:2]] if (b := w.rpartition("/")[2]) in LAUNCHERS), "")
    return guessed("mcp", name, version=version, version_basis=SELF_REPORTED if version != UNKNOWN else UNKNOWN,
                   place=path, more={"transport": "stdio", "launcher": launcher, "command": " ".join(words)})  # fmt: skip


def _data(word: str) -> bool:
    """Whether a word is what a server is given and not the server: an address, a setting, a file of data."""
    return (
        "://" in word
        or "=" in word.partition("==")[0]
        or word.endswith((".json", ".toml", ".yaml", ".yml", ".log", ".sock"))
    )


@lru_cache(maxsize=2048)
def _named(word: str) -> tuple[str, str]:
    """Name and version of the word that names a server."""
    found = VERSIONED.match(word)
    word, version = (found["name"], found["version"]) if found else (word, UNKNOWN)
    if "/node_modules/" in word:
        parts = word.rpartition("/node_modules/")[2].removeprefix(".bin/").split("/")
        return "/".join(parts[:2] if parts[0].startswith("@") else parts[:1]), version
    if word.startswith("@") or ("/" in word and not word.startswith(("/", "."))):  # a scope of npm, an image
        return word, version
    short = word
    while (cut := PLACES.sub("", short)) != short and NAMED.search(cut):
        short = cut
    return SUFFIX.sub("", short.rpartition("/")[2]) or word, version


def stem(name: str) -> str:
    """What two spellings of one server share, e.g. of a package and of the program in it.

    >>> stem("@modelcontextprotocol/server-git"), stem("mcp-server-git"), stem("some-mcp")
    ('git', 'git', 'some')
    """
    words = [w for w in re.split(r"[-_./@:]+", name.lower()) if w not in ("mcp", "server", "modelcontextprotocol", "")]
    return "-".join(words)
