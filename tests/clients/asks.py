"""What each client asks: files of requests, one of them with a prompt of a mebibyte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

SMALL, LARGE = 5, 1 << 20  # requests; bytes of the last one's prompt
MODEL = "gpt-5-mini"
TOOL = {
    "type": "function",
    "function": {"name": "close_ticket", "description": "Close a ticket.", "parameters": {"type": "object"}},
}


def digest(text: str | bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def write(folder: Path, name: str) -> list[str]:
    """Files of requests that only this client makes; their names."""
    texts = [f"Ticket {name}-{number}: please close it." for number in range(SMALL)]
    texts.append(f"Ticket {name}-large: " + "lorem ipsum " * (LARGE // 12))
    names = []
    for number, text in enumerate(texts):
        system = {"role": "system", "content": f"You close tickets of {name}."}
        body = {
            "model": MODEL,
            "stream": True,
            "tools": [TOOL],
            "messages": [system, {"role": "user", "content": text}],
        }
        names.append(f"{name}-{number}.json")
        (folder / names[-1]).write_text(json.dumps(body))
    return names
