"""model.py CERTIFICATE KEY THINK EVENTS: a TLS server that answers every request with a streamed message, after THINK seconds.

Says its port, and answers until it is killed.
"""

import json
import re
import socket
import ssl
import sys
import threading
import time

THINK, EVENTS = float(sys.argv[3]), int(sys.argv[4])


def event(kind, **more):
    data = json.dumps({"type": kind, **more})
    body = f"event: {kind}\ndata: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(body), body)


def answer():
    """Pieces of the answer, one an event, as servers send them."""
    usage = {"input_tokens": 100, "output_tokens": EVENTS}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "model-1", "content": [], "usage": usage}
    text = {"type": "text", "text": ""}
    yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield event("message_start", message=message)
    yield event("content_block_start", index=0, content_block=text)
    for _ in range(EVENTS):
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": "some words "})
    yield event("content_block_stop", index=0)
    yield event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage)
    yield event("message_stop") + b"0\r\n\r\n"


PIECES = list(answer())


def serve(context, plain):
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with context.wrap_socket(plain, server_side=True) as connection:
        waiting = b""
        while True:
            while b"\r\n\r\n" not in waiting:
                more = connection.recv(65536)
                if not more:
                    return
                waiting += more
            head, _, rest = waiting.partition(b"\r\n\r\n")
            left, waiting = int(re.search(rb"Content-Length: (\d+)", head)[1]) - len(rest), b""
            while left > 0:
                left -= len(connection.recv(min(left, 1 << 20)))
            time.sleep(THINK)
            for piece in PIECES:
                connection.sendall(piece)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:3])
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(context, listener.accept()[0]), daemon=True).start()
