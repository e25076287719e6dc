"""http_rate.py PORT RATE: for each line on standard input, asks for a page RATE times a second for so many seconds, each time over
a connection of its own, and says as JSON how many seconds each answer took. What is late is asked for at once."""

import http.client
import json
import sys
import time

port, rate = int(sys.argv[1]), float(sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    took, due = [], time.perf_counter()
    for _ in range(round(float(line) * rate)):
        time.sleep(max(0.0, due - time.perf_counter()))
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/page")
        connection.getresponse().read()
        connection.close()
        took.append(time.perf_counter() - begun)
        due += 1 / rate
    print(json.dumps(took), flush=True)
