"""A client made with the `mcp` package: `mcp_client.py SERVER MODE SIZE...` calls `look` once for each size, then `fail`."""

import asyncio
import sys

from mcp import Client, StdioServerParameters, stdio_client


async def main(server, mode, *sizes):
    parameters = StdioServerParameters(command=sys.executable, args=[server])
    async with Client(stdio_client(parameters), mode=mode) as client:
        await client.list_tools()
        for n, size in enumerate(sizes):
            await client.call_tool("look", {"id": f"ZD-{n}", "size": int(size)})
        await client.call_tool("fail", {"id": "ZD-x"})


asyncio.run(main(*sys.argv[1:]))
