#!/usr/bin/python3
"""A tool server on pipes, called as its file is."""

import json
import os
import sys

name = os.path.basename(sys.argv[0])
tool = {"name": f"{name}-search", "description": "Search.", "inputSchema": {"type": "object"}}
for line in sys.stdin:
    asked = json.loads(line)
    result = {"tools": [tool]}
    if asked["method"] == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": name, "version": "3.1"}}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
