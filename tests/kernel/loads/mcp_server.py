"""A server made with the `mcp` package: `look` gives back so many words, `fail` fails."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("tickets", version="0.9.1")


@server.tool()
def look(id: str, size: int = 10) -> str:
    """Reads a ticket."""
    return f"{id} {'w' * size}"


@server.tool()
def fail(id: str) -> str:
    """Finds no ticket."""
    raise ValueError("no such ticket")


server.run("stdio")
