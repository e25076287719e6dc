"""http_loop.py CGROUP PORT: enters a cgroup, then for each line "TIMES RUNS" on standard input asks for a page so often, each time
over a connection of its own, and prints ns of one request in the best run. With `serve` for a port it gives the pages."""

import http.client
import socketserver
import sys
import time

PAGE = b"x" * 1024
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(PAGE) + PAGE
)


class Page(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(ANSWER)


def ask(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/page")
    if connection.getresponse().read() != PAGE:
        raise SystemExit("another page than was asked for")
    connection.close()


with open(f"{sys.argv[1]}/cgroup.procs", "w") as procs:
    procs.write("0")
if sys.argv[2] == "serve":
    socketserver.TCPServer.request_queue_size = 64
    with socketserver.TCPServer(("127.0.0.1", 0), Page) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
for line in sys.stdin:
    times, runs = map(int, line.split())
    best = float("inf")
    for _ in range(runs):
        begun = time.perf_counter_ns()
        for _ in range(times):
            ask(int(sys.argv[2]))
        best = min(best, (time.perf_counter_ns() - begun) / times)
    print(f"{best:.3f}", flush=True)
