"""A support agent: takes a ticket, lets the model decide, runs the tools that it asks for, until it says that it is done."""

# ruff: noqa: E402 (what it needs is waited for first)
import socket

for host, port in (("desk.acme.internal", 80), ("model.acme.internal", 443)):
    socket.create_connection((host, port), timeout=30).close()  # it waits for what it needs before it loads the rest

import asyncio
import contextlib
import json
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

SETTINGS = json.loads(Path("/app/settings.json").read_text())
SYSTEM = Path("/app/prompt.md").read_text()
DESK, MODEL = "http://desk.acme.internal", "https://model.acme.internal"
STEPS = 8


def offered(tools):
    """Tools of the server, as the API wants to hear of them."""
    rows = [{"name": t.name, "description": t.description, "parameters": t.input_schema} for t in tools]
    return [{"type": "function", "function": row} for row in rows if row["name"] in SETTINGS["tools"]]


async def ask(client, messages, tools):
    """One streamed answer of the model, put together."""
    body = {"model": SETTINGS["model"], "messages": messages, "tools": tools, "stream": True}
    text, calls = "", {}
    async with client.stream("POST", f"{MODEL}/v1/chat/completions", json=body) as answer:
        async for line in answer.aiter_lines():
            if not line.startswith("data: {"):
                continue
            for choice in json.loads(line[6:])["choices"]:
                text += choice["delta"].get("content") or ""
                for piece in choice["delta"].get("tool_calls") or ():
                    call = calls.setdefault(
                        piece["index"], {"type": "function", "function": {"name": "", "arguments": ""}}
                    )
                    call["id"] = piece.get("id") or call["id"]
                    for key in ("name", "arguments"):
                        call["function"][key] += piece["function"].get(key) or ""
    return {"role": "assistant", "content": text or None} | ({"tool_calls": list(calls.values())} if calls else {})


async def work(ticket, client, session, tools):
    said = f"Ticket {ticket['id']} of customer {ticket['customer']}: {ticket['text']}"
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": said}]
    for _ in range(STEPS):
        answer = await ask(client, messages, tools)
        messages.append(answer)
        if "tool_calls" not in answer:
            return
        for call in answer["tool_calls"]:
            result = await session.call_tool(call["function"]["name"], json.loads(call["function"]["arguments"]))
            text = "".join(part.text for part in result.content)
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})


async def main():
    context = ssl.create_default_context(cafile="/app/ca.pem")
    server = StdioServerParameters(command=sys.executable, args=["-I", "/app/tools.py"])
    async with (
        httpx.AsyncClient(verify=context, trust_env=False, timeout=60) as client,
        stdio_client(server) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = offered((await session.list_tools()).tools)
        while True:
            with contextlib.suppress(httpx.HTTPError):
                job = (await client.get(f"{DESK}/next")).json()
                if job.get("job") == "weekly-export":
                    await asyncio.to_thread(subprocess.run, ["/app/export.py"], check=False)
                elif job:
                    await work(job, client, session, tools)


asyncio.run(main())
