"""MCP servers that the official package could not write, over standard streams: ``python mcp_faulty.py HOW``."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def tool(schema: Any) -> dict[str, Any]:
    return {"name": "look", "description": "Looks.", "inputSchema": schema}


GOOD = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
BAD = {"type": "object", "properties": {"question": {"type": "no such type"}}, "required": ["question"]}


def serve(how: str) -> None:
    """Answer as a server of 2025 does, with garbage before each message where that is wanted."""
    for line in sys.stdin:
        if how == "garbage":
            print("Loading model… 50 %\n{]\n\n[1, 2]\nnull", flush=True)
        asked = json.loads(line)
        number, method = asked.get("id"), asked["method"]
        if number is None:
            continue
        if method == "initialize":
            version = asked["params"]["protocolVersion"]
            info = {"name": "faulty", "version": "1"}
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
            say({"jsonrpc": "2.0", "id": number, "result": result})
        elif method == "tools/list":
            say({"jsonrpc": "2.0", "id": number, "result": {"tools": [tool(BAD if how == "schema" else GOOD)]}})
        elif method == "tools/call":
            text = "x" * 100_000_000 if how == "huge" else "a lamp"
            result = {"content": [{"type": "text", "text": text}]}
            # The id comes last, as some servers write it.
            say({"result": result if how != "nonsense" else ["?"], "jsonrpc": "2.0", "id": number})
        else:
            say({"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "Method not found"}})


if __name__ == "__main__":
    match sys.argv[1]:
        case "dies":
            print("no module named torch", file=sys.stderr, flush=True)
            sys.exit(7)
        case "silent":
            time.sleep(3600)
        case "endless":
            while True:
                sys.stdout.write("x" * 65536)
        case how:
            serve(how)
