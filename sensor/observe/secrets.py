"""Command lines to command lines without their secrets: `--password=x` becomes `--password=[redacted 1]`, the number its length.

Told by the names of options and variables, by programs whose options are known to take one, and by the shapes of tokens. What
looks like nothing is kept, so this makes fewer secrets leave the machine and does not promise that none does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LONG = (
    r"password|passwd|passphrase|passcode|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|account[-_]?key|"
    r"encryption[-_]?key|credentials?|authorization|bearer|session[-_]?id"
)
_SHORT = r"pass|pwd|pw|auth|cookie|signature|sig"  # only as a word of its own: not in "bypass"
# A name that ends like this says where a secret is, or how many there are, and is worth keeping.
_HARMLESS = (
    r"(?:file|path|dir|env|stdin|ur[il]|type|name|length|ttl|timeout|policy|mode|store|fd|cmd|command|method|socket)"
)
_NAME = (
    rf"(?:[\w.-]{{0,40}}(?:{_LONG})|(?:[\w.-]{{0,40}}[-_.])?(?:{_SHORT}))(?:[-_.](?!{_HARMLESS}\b)\w{{1,24}}){{0,2}}"
)

OPTION = re.compile(rf"^--?{_NAME}\Z", re.I)  # its value is the next argument
NAMED = re.compile(
    rf"""(?<![\w.-])((?:--?)?{_NAME}["']?\s{{0,4}}[=:]\s{{0,4}})("[^"]*"?|'[^']*'?|[^\s&;,"'}}]+)""", re.I
)
SPACED = re.compile(rf"""(?<![\w.-])(--?{_NAME}\s{{1,4}})("[^"]*"?|'[^']*'?|[^\s;|&"'-][^\s;|&"']*)""", re.I)
HEADER = re.compile(
    r"\b((?:proxy-)?authorization|x-[\w-]*(?:key|token|secret|auth)|(?:set-)?cookie|api-key)(\s{0,4}:\s{0,4})(\S.*)",
    re.I,
)
SCHEME = re.compile(r"\b(bearer|basic|digest|negotiate)(\s{1,4})([\w+/=~.:-]{4,})", re.I)
USERINFO = re.compile(r"(://)([^\s/@:]*)(:?)([^\s/@]*)(?=@)")
TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"A(?:KIA|SIA|ROA|IDA)[0-9A-Z]{8,}"  # AWS
    r"|gh[pousr]_\w{8,}|github_pat_\w{8,}|gl(?:pat|ptt|rt|dt|cbt)-[\w-]{8,}"
    r"|[srp]k[-_](?:[a-z]+[-_])*[\w-]{12,}|xox[abeoprs]-[\w-]{8,}|AIza[\w-]{16,}|ya29\.[\w.-]{8,}|hf_\w{8,}|npm_\w{16,}|pypi-[\w-]{16,}"
    r"|dop_v1_\w{8,}|SG\.[\w.-]{16,}|hv[sbr]\.[\w-]{8,}|dckr_pat_[\w-]{8,}|whsec_[\w+/=-]{8,}|AGE-SECRET-KEY-\w{8,}"
    r"|eyJ[\w-]{6,}(?:\.[\w-]*){0,4}"  # a JWT or another object in base64
    r")"
)
PRIVATE = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*", re.S)
OPEN_END = re.compile(r"(?:A[KS]IA|gh[pousr]_|github_pat_|glpat-|[sr]k[-_]|xox[abeoprs]-|eyJ|AIza|hf_)[\w.-]*$")
OPEN_USER = re.compile(r"(://[^\s/@:]*:)([^\s/@]*)$")

# Programs whose short options take a secret, with or without a space before it.
SHORT = {
    "mysql": "p", "mysqldump": "p", "mysqladmin": "p", "mysqlimport": "p", "mariadb": "p", "mariadb-dump": "p",
    "mariadb-admin": "p", "sshpass": "p", "mongo": "p", "mongosh": "p", "mongodump": "p", "docker": "p", "podman": "p",
    "redis-cli": "a", "curl": "u", "ldapsearch": "w", "ldapmodify": "w", "ldapadd": "w", "sqlcmd": "P", "smbclient": "U",
    "az": "p", "zip": "P", "unzip": "P", "7z": "p", "ipmitool": "P",
}  # fmt: skip
ATTACHED_ONLY = {"mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb", "mariadb-dump", "mariadb-admin", "7z"}
COMMAND = re.compile(r"[^;|&\n]+")  # one of a shell's line
WORD = re.compile(r"\S+")
ESCAPED = re.compile(r"\[redacted\\x20(\d+)\]")
OURS = {0xE000: "?", 0xE001: "?"}  # for private use; no workload may set our marks
HIDDEN = re.compile("\ue000(\\d+)\ue001")  # a marker until all patterns had their turn, none of which takes it apart


def redacted(argv: Sequence[str], *, cut: bool = False) -> list[str]:
    """The arguments, with a marker in the place of each secret.

    Args:
        cut: the last argument may go on; then the beginning of a secret is one.

    >>> redacted(["curl", "-H", "Authorization: Bearer abc.def", "https://joe:pw@h/"])
    ['curl', '-H', 'Authorization: [redacted 14]', 'https://joe:[redacted 2]@h/']
    """
    argv, out = [a.translate(OURS) for a in argv], []
    program = argv[0].rpartition("/")[2] if argv else ""
    for number, argument in enumerate(argv):
        before = argv[number - 1] if number else ""
        if number and _takes_secret(program, before) and argument:
            out.append(_marked_pair(argument) if _is_user_pair(program, before) else mark(argument))
        elif number and (attached := _attached(program, argument)):
            out.append(attached)
        else:
            out.append(_inside(argument))
    if cut and out:
        out[-1] = OPEN_USER.sub(lambda m: m[1] + mark(m[2]), OPEN_END.sub(lambda m: mark(m[0]), out[-1]))
    return [HIDDEN.sub(r"[redacted \1]", argument) for argument in out]


def readable(escaped: str) -> str:
    """An escaped argument whose markers have their space back.

    >>> readable(r"a\\x20[redacted\\x205]")
    'a\\\\x20[redacted 5]'
    """
    return ESCAPED.sub(r"[redacted \1]", escaped)


def mark(secret: str) -> str:
    """What stands in its place. A marker is not marked again."""
    return secret if not secret or HIDDEN.search(secret) else f"\ue000{len(secret)}\ue001"


def _takes_secret(program: str, option: str) -> bool:
    if OPTION.match(option):
        return True
    if program == "curl" and option in ("--user", "--proxy-user"):
        return True
    return program not in ATTACHED_ONLY and program in SHORT and option == f"-{SHORT[program]}"


def _attached(program: str, argument: str) -> str:
    """`-pSECRET` without it; "" for anything else."""
    option = f"-{SHORT.get(program, '')}"
    if len(option) < 2 or not argument.startswith(option) or len(argument) == 2:
        return ""
    secret = argument[2:]
    return option + (_marked_pair(secret) if _is_user_pair(program, option) else mark(secret))


def _is_user_pair(program: str, option: str) -> bool:
    return (program, option) in {("curl", "-u"), ("curl", "--user"), ("curl", "--proxy-user"), ("smbclient", "-U")}


def _marked_pair(text: str) -> str:
    """`user:secret` or `user%secret` keeps the user."""
    user, between, secret = re.match(r"([^:%]*)([:%]?)(.*)", text, re.S).groups()
    return user + between + mark(secret)


def _inside(text: str) -> str:
    """An argument that may hold a whole command, a header, a URL or a document."""
    text = PRIVATE.sub(lambda m: mark(m[0]), text)
    text = HEADER.sub(lambda m: m[1] + m[2] + mark(m[3]), text)
    text = SCHEME.sub(lambda m: m[1] + m[2] + mark(m[3]), text)
    text = USERINFO.sub(_userinfo, text)
    text = NAMED.sub(lambda m: m[1] + mark(m[2]), text)
    text = SPACED.sub(lambda m: m[1] + mark(m[2]), text)
    text = COMMAND.sub(_short, text)
    return TOKENS.sub(lambda m: mark(m[0]), text)


def _userinfo(match: re.Match[str]) -> str:
    scheme, user, colon, secret = match.groups()
    return scheme + user + colon + mark(secret) if colon else scheme + mark(user + secret)


def _short(match: re.Match[str]) -> str:
    """Short options of one command in a line that a shell will take apart."""
    words = [m[0] for m in WORD.finditer(match[0])]
    at = next((n for n, w in enumerate(words) if w.rpartition("/")[2] in SHORT), None)
    if at is None:
        return match[0]
    program, before = words[at].rpartition("/")[2], iter(words[: at + 1])
    last = ""

    def one(word: re.Match[str]) -> str:
        nonlocal last
        option, last = last, word[0]
        if next(before, None) is not None:
            return word[0]
        if option.startswith("-") and _takes_secret(program, option):
            return _marked_pair(word[0]) if _is_user_pair(program, option) else mark(word[0])
        return _attached(program, word[0]) or word[0]

    return WORD.sub(one, match[0])
