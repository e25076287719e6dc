"""A TLS server that plays a model: `python -m tests.kernel.model CERTIFICATE KEY` says its port, and answers until it is killed.

Which API is asked the path tells; a streamed answer is sent in pieces.
"""

import re
import socket
import ssl
import sys
import threading

from tests.observe.applayer import wires

ANSWERS = {}
for api, (plain, stream) in wires.PATHS.items():
    body, media = wires.streamed(api)
    ANSWERS[plain, False] = [wires.answer(wires.fixture(api, "answer.json"))]
    whole = wires.answer(body, media, chunks=97)
    ANSWERS[stream, True] = [whole[at : at + 97] for at in range(0, len(whole), 97)]
STREAMED_PATHS = {stream for plain, stream in wires.PATHS.values() if plain != stream}


def serve(connection):
    with connection:
        waiting = b""
        while True:
            while b"\r\n\r\n" not in waiting:
                more = connection.recv(65536)
                if not more:
                    return
                waiting += more
            head, _, rest = waiting.partition(b"\r\n\r\n")
            parts, missing = [rest], int(re.search(rb"Content-Length: (\d+)", head)[1]) - len(rest)
            while missing > 0:
                parts.append(connection.recv(min(missing, 1 << 20)))
                missing -= len(parts[-1])
            body, waiting = b"".join(parts), b""
            path = head.split()[1].decode()
            for piece in ANSWERS[path, path in STREAMED_PATHS or b'"stream": true' in body]:
                connection.sendall(piece)


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:3])
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    while True:
        plain, _ = listener.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=welcome, args=(context, plain), daemon=True).start()


def welcome(context, plain):
    try:
        serve(context.wrap_socket(plain, server_side=True))
    except OSError as e:
        print(e, file=sys.stderr)


if __name__ == "__main__":
    main()
