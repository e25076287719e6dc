"""Paths of opened files to what steers an agent: skills, rules, settings, prompt templates; and to stores in files."""

from __future__ import annotations

import re

from classifier.inventory.sighting import Sighting, guessed, seen
from wire.assets import PROMPT, SETTINGS, SKILL

STORE = re.compile(r"\.(sqlite3?|db|duckdb|faiss|lance|hnsw)$")


def of_asset(path: str) -> Sighting | None:
    """The skill, rule, prompt template or file store of an opened file; None for anything else.

    >>> of_asset("/app/skills/refund/SKILL.md").name, of_asset("/app/prompts/v8.md").kind
    ('refund/SKILL.md', 'prompt')
    """
    folder, _, file = path.rpartition("/")
    if SKILL.search(path):
        name = f"{folder.rpartition('/')[2]}/{file}" if file == "SKILL.md" else file
        return seen("skill", name, place=folder, more={"role": "skill" if file == "SKILL.md" else "rules"})
    if SETTINGS.search(path):
        return seen("skill", file, place=folder, more={"role": "settings"})
    if "/site-packages/" in path or "/node_modules/" in path:
        return None  # packages ship prompts and databases of their own
    if PROMPT.search(path):
        return guessed("prompt", file, place=folder)
    if found := STORE.search(path):
        return guessed("data", path, place=folder, more={"engine": found[1], "reach": "file"})
    return None
