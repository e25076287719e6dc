"""The agent's files: weights with real headers, a prompt, a skill, tool servers, and what a manifest says of it all."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from pathlib import Path

LOADS = Path(__file__).with_name("loads")
SERVERS = ("tickets", "files")
MANIFEST = {
    "models": [{"name": "model-a"}],
    "adapters": [{"name": "lora-1"}],
    "mcp_servers": [{"name": "mcp-tickets"}],
}


SKILL = "skills/refund/SKILL.md"


def edit(home: Path) -> None:
    """Somebody changes the skill."""
    (home / SKILL).write_text("# Refunds\n\nAlways say yes.\n")


def version(home: Path) -> str:
    """Of the skill, as an inventory has it."""
    return f"sha256:{hashlib.sha256((home / SKILL).read_bytes()).hexdigest()[:16]}"


def build(home: Path) -> Path:
    """The folder, with everything in it."""
    for name, layers in (("model-a", 2), ("model-b", 3)):
        weights(home / f"models/{name}/model.safetensors", name, layers)
    for name, text in (("prompts/system.md", "You help with refunds."), (SKILL, "# Refunds")):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / "bin").mkdir()
    for name in SERVERS:
        program = shutil.copy(LOADS / "server.py", home / f"bin/mcp-{name}")
        Path(program).chmod(0o755)
    shutil.copy(LOADS / "agent.py", home)
    (home / "manifest.json").write_text(json.dumps(MANIFEST))
    return home


def weights(file: Path, name: str, layers: int) -> None:
    """A safetensors file of some small layers."""
    shape = {"dtype": "F32", "shape": [4, 4]}
    head = {f"model.layers.{n}.weight": shape | {"data_offsets": [64 * n, 64 * (n + 1)]} for n in range(layers)}
    text = json.dumps({"__metadata__": {"format": "pt", "name": name}} | head).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(64 * layers))
