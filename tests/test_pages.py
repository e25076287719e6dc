"""Pages for people: all are found from the README, and what they tell people to type exists."""

import re
import shlex
from pathlib import Path

import click
import pytest

from console.cli.main import root

ROOT = Path(__file__).parents[1]


def test_the_readme_lists_every_page():
    readme = (ROOT / "README.md").read_text()
    assert [p.name for p in (ROOT / "docs").glob("*.md") if f"](docs/{p.name})" not in readme] == []


def commands_shown(page):
    """Words behind `driftline` in the blocks of a page, up to what a shell does with them."""
    for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.S | re.M):
        for line in block.splitlines():
            if not re.match(r"(sudo )?(\S+/)?driftline [a-z-]", line):
                continue
            words = shlex.split(line, comments=True)
            yield line, words[words.index(next(w for w in words if w.endswith("driftline"))) + 1 :]


def options(command):
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


def mistaken(words):
    """What of a command line does not exist; "" if all does."""
    command = root
    for n, word in enumerate(words):
        if word in ("|", ">", "&&"):
            break
        if isinstance(command, click.Group) and not word.startswith("-"):
            if word not in command.list_commands(click.Context(command)):
                return word
            command = command.get_command(click.Context(command), word)
        elif word.startswith("-") and word.partition("=")[0] not in options(command):
            return " ".join(words[: n + 1])
    return ""


def test_commands_that_pages_show_exist_with_their_options():
    pages = [ROOT / "README.md", *(p for p in (ROOT / "docs").glob("*.md") if p.name != "cli.md")]
    found = [(page.name, line, words) for page in pages for line, words in commands_shown(page)]
    assert len(found) > 50
    assert [f"{name}: {line}" for name, line, words in found if mistaken(words)] == []


@pytest.mark.parametrize("line", ["findings list", "finding lost", "finding list --cvs", "demo --breech"])
def test_a_command_that_does_not_exist_would_be_noticed(line):
    assert mistaken(line.split())
