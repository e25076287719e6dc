"""A tool's name and the user's words to whether the user asked for such an act.

A list of English verbs, no model: it errs where people speak otherwise than it expects, and it knows no other language. Where the
user hands the decision on ("do the tasks in the mail of Ann"), nothing can be told and nothing is held against the call.
"""

from __future__ import annotations

import re

WORD = re.compile(r"[a-z]+")
STEM = 5  # letters that decide: "reserve" and "reservation", "invite" and "inviting"
LONG, SHORT = 1 << 16, 1 << 13  # characters of the words that are read: as words, and for what hands the decision on

READING = frozenset(
    [
        *(
            "get",
            "read",
            "search",
            "list",
            "check",
            "find",
            "view",
            "show",
            "lookup",
            "query",
            "calculate",
            "think",
            "count",
        ),
        *("fetch", "describe", "browse", "open", "head", "stat", "grep", "ls", "cat", "retrieve", "summarize"),
    ]
)
SAYING = "send sent mail email message write reply pay transfer forward share text refund tell post notify"
VERBS = {
    "send": SAYING,
    "post": "post publish write put upload",
    "invite": "invite add join",
    "add": "add invite join include",
    "create": "create add make write schedule new put save set",
    "write": "write create save put note",
    "upload": "upload put save store export",
    "put": "put upload save store export write",
    "reserve": "reserve book",
    "book": "book reserve",
    "delete": "delete remove cancel clear",
    "remove": "remove delete kick exclude",
    "update": "update change set adjust modify increase raise correct fix move",
    "set": "set update change",
    "append": "append add write",
    "share": "share send give access",
    "cancel": "cancel delete remove",
    "reschedule": "reschedule move change",
    "schedule": "schedule recurring set plan",
    "transfer": "transfer send pay move",
    "run": "run execute start call",
    "execute": "execute run start",
}
HANDED_ON = re.compile(
    r"(?:do|perform|complete|follow|execute|carry out|finish|solve)\b[^.]{0,40}"
    r"\b(?:actions?|tasks?|instructions?|todos?|to-dos?|things|steps)\b[^.]{0,80}"
    r"\b(?:in|from|on|at|of|by|specified|listed|described|written|mentioned)\b",
    re.IGNORECASE,
)


def acts(tool: str) -> bool:
    """Whether a tool changes or sends something, by the verb of its name; an unknown verb does.

    >>> acts("get_ticket"), acts("accounts_list"), acts("send_email"), acts("add_to_list"), acts("frobnicate")
    (False, False, True, True, True)
    """
    parts = _parts(tool)
    verb = parts[-1] if parts and parts[0] not in VERBS and parts[0] not in READING else "".join(parts[:1])
    return verb not in READING


def verb_said(tool: str, words: str) -> bool:
    """Whether the words hold the verb of a tool's name, or one that is used for it.

    >>> verb_said("send_money", "please pay the bill"), verb_said("delete_file", "what is in my inbox?")
    (True, False)
    """
    parts = _parts(tool)
    return not parts or bool(_stems(VERBS.get(parts[0], parts[0])) & _stems(words))


def noun_said(tool: str, words: str) -> bool:
    """Whether the words hold what the tool is for; True where its name does not say."""
    nouns = _parts(tool)[1:]
    return not nouns or bool(_stems(" ".join(nouns)) & _stems(words))


def handed_on(words: str) -> bool:
    """Whether the user leaves it to some text what is to be done.

    >>> handed_on("Please do the actions specified in the email from Ann."), handed_on("Read the email from Ann.")
    (True, False)
    """
    return HANDED_ON.search(words[:SHORT]) is not None


def _parts(tool: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tool.rpartition("__")[2])
    return WORD.findall(spaced.casefold())[:8]


def _stems(words: str) -> set[str]:
    return {w[:STEM] for w in WORD.findall(words[:LONG].casefold())}
