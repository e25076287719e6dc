"""Files that steer an agent, by their names: skills, rules, settings, prompt templates."""

from __future__ import annotations

import re

SKILL = re.compile(
    r"(?:^|/)(?:CLAUDE(?:\.local)?\.md|AGENTS\.md|GEMINI\.md|SKILL\.md|\.cursorrules|\.windsurfrules|\.clinerules|\.goosehints"
    r"|\.github/copilot-instructions\.md|\.cursor/rules/[^/]+\.mdc?|\.claude/(?:commands|agents|rules)/[^/]+\.md)$"
)
SETTINGS = re.compile(
    r"(?:^|/)(?:\.mcp\.json|mcp\.json|mcp_config\.json|claude_desktop_config\.json|\.claude/settings(?:\.local)?\.json"
    r"|\.codex/config\.toml|\.gemini/settings\.json)$"
)
PROMPT = re.compile(
    r"(?:^|/)prompts?/[^/]+(?:/[^/]+)*\.(?:md|txt|j2|jinja2?|ya?ml|json|tmpl|prompty?)$"
    r"|(?:^|/)(?:system[_-]?)?prompts?(?:[._-][\w.-]*)?\.(?:md|txt|j2|jinja2?|ya?ml|tmpl)$|\.prompty?$",
    re.IGNORECASE,
)
PACKAGED = re.compile(r"/(?:(?:site|dist)-packages|node_modules)/")


def steers(path: str) -> bool:
    """Whether a file tells an agent what to do. Packages ship prompts of their own, which are code.

    >>> steers("/app/skills/refund/SKILL.md"), steers("/app/prompts/v8.md"), steers("/app/report.md")
    (True, True, False)
    """
    if SKILL.search(path) or SETTINGS.search(path):
        return True
    return bool(PROMPT.search(path)) and not PACKAGED.search(path)
