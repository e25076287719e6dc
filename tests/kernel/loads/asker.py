"""asker.py PORT CA REQUESTS TIMES PAUSE [FORK]: sends each request of a file over one kept connection, when a line comes on
stdin, and rests PAUSE seconds behind each; says how many answers came and how long each took, in microseconds (median)."""

import http.client
import os
import socket
import ssl
import sys
import time

port, ca, file, times, pause = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
context = ssl.create_default_context(cafile=ca)
print("ready", flush=True)
sys.stdin.readline()
with open(file) as lines:
    requests = [bytes.fromhex(line) for line in lines]


def ask():
    took = []
    plain = socket.create_connection(("127.0.0.1", port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with context.wrap_socket(plain, server_hostname="localhost") as connection:
        for _ in range(times):
            for request in requests:
                began = time.perf_counter()
                connection.sendall(request)
                answer = http.client.HTTPResponse(connection)
                answer.begin()
                answer.read()
                took.append(time.perf_counter() - began)
                if pause:
                    time.sleep(pause)
    return took


if len(sys.argv) > 6 and os.fork() == 0:
    time.sleep(float(sys.argv[6]))
    ask()
    os._exit(0)
took = ask()
if len(sys.argv) > 6:
    os.wait()
print(len(took), round(sorted(took)[len(took) // 2] * 1e6, 1), flush=True)
sys.stdin.readline()
