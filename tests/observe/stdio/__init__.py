"""MCP over pipes, with the kernel side played."""
