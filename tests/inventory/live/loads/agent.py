"""agent.py HOME MODEL SERVER...: opens its prompt, a skill and the weights of one model, starts tool servers, and
on each line of its input one more; says "ready" after each."""

import json
import subprocess
import sys

home, model, *servers = sys.argv[1:]
running = []


def serve(name):
    """A tool server on pipes, greeted as the protocol wants it."""
    server = subprocess.Popen(
        [f"{home}/bin/mcp-{name}", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    running.append(server)
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}}
    for number, (method, params) in enumerate((("initialize", hello), ("tools/list", {}))):
        print(
            json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}),
            file=server.stdin,
            flush=True,
        )
        server.stdout.readline()


for file in ("prompts/system.md", "skills/refund/SKILL.md"):
    with open(f"{home}/{file}") as text:
        text.read()
with open(f"{home}/models/{model}/model.safetensors", "rb") as weights:
    weights.read(8)
for name in servers:
    serve(name)
print("ready", flush=True)
for line in sys.stdin:
    serve(line.strip())
    print("ready", flush=True)
