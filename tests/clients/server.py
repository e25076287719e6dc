"""An HTTPS server that plays a model of OpenAI's chat API: `python -m tests.clients.server CERTIFICATE KEY ADDRESS`.

Says its port, then one line of JSON for each call: who asked, for which model, digests of what was asked and answered. Every
answer is a stream of events, with words and a call of a tool. It ends with its input.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.clients.asks import digest

LINES = threading.Lock()


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        user = asked["messages"][-1]["content"]
        arguments = {"ticket": digest(user)[:16], "note": "geprüft"}
        stream = list(events(asked["model"], arguments))
        self._say(stream)
        row = {"from": self.client_address[0], "model": asked["model"], "answered": answering(asked["model"])}
        row |= {"user": digest(user), "arguments": digest(spelled(arguments)), "body": digest(b"".join(stream))}
        with LINES:
            print(json.dumps(row), flush=True)

    def _say(self, stream: list[bytes]) -> None:
        chunked = self.request_version == "HTTP/1.1"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Connection", "close")))
        self.end_headers()
        for event in stream:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event) if chunked else event)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext) -> None:
        super().__init__(address, Answers)
        self._context = context

    def finish_request(self, request: socket.socket, client_address: Any) -> None:
        """The handshake in the thread of the connection, so that a slow one delays nobody."""
        with self._context.wrap_socket(request, server_side=True) as tls:
            tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().finish_request(tls, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        print(f"{client_address}: {sys.exc_info()[1]}", file=sys.stderr)


def answering(model: str) -> str:
    """The name under which a model answers."""
    return f"{model}-2026-11-01"


def events(model: str, arguments: dict[str, str]) -> Iterator[bytes]:
    """The answer: twenty pieces of words, then the call of a tool in pieces."""
    text = spelled(arguments)
    deltas = [{"role": "assistant", "content": ""}, *({"content": f"word {n} "} for n in range(20))]
    call = {"index": 0, "id": f"call_{arguments['ticket']}", "type": "function"}
    deltas.append({"tool_calls": [call | {"function": {"name": "close_ticket", "arguments": ""}}]})
    deltas += [
        {"tool_calls": [{"index": 0, "function": {"arguments": text[at : at + 9]}}]} for at in range(0, len(text), 9)
    ]
    head = {"id": f"chatcmpl-{arguments['ticket']}", "object": "chat.completion.chunk", "model": answering(model)}
    for delta in deltas:
        yield _event(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    yield b"data: [DONE]\n\n"


def _event(value: object) -> bytes:
    return b"data: %b\n\n" % json.dumps(value).encode()


def spelled(value: object) -> str:
    """Sorted and without spaces, so that a digest of it is one of the value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:3])
    server = Server((sys.argv[3], 0), context)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
