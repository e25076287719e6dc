"""agent.py PORT CA SIZE: for each line `TIMES PAUSE` on standard input, sends a prompt of SIZE bytes so often over one connection,
one each PAUSE seconds where that can be kept, and says as JSON how many seconds each call took."""

import http.client
import json
import socket
import ssl
import sys
import time

port, ca, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
TURN = "The quick brown fox reads ticket 4711 and writes a line.\n" * 70
messages = [{"role": ("user", "assistant")[n % 2], "content": TURN} for n in range(max(1, size // len(TURN)) | 1)]
body = json.dumps({"model": "model-1", "max_tokens": 9, "stream": True, "messages": messages}).encode()
head = f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
request = head.encode() + body

plain = socket.create_connection(("127.0.0.1", port))
plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
with ssl.create_default_context(cafile=ca).wrap_socket(plain, server_hostname="localhost") as connection:
    print("ready", flush=True)
    for line in sys.stdin:
        times, pause = line.split()
        took, due = [], time.perf_counter()
        for _ in range(int(times)):
            time.sleep(max(0.0, due - time.perf_counter()))
            due += float(pause)
            began = time.perf_counter()
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            while answer.readline():
                pass
            took.append(time.perf_counter() - began)
        print(json.dumps(took), flush=True)
