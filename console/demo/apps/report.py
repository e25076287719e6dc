"""The report agent of the demo: gathers figures, compresses them in a child process, stores them in its bucket."""

import json
import os
import subprocess
import time
import urllib.request


def fetch(url, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=5) as answer:
        return answer.read()


def main():
    os.chdir("/app")
    while True:
        try:
            figures = json.loads(fetch("http://crm.shop.internal:8080/figures"))
            packed = subprocess.run(
                ["/usr/bin/gzip", "-c"], input=json.dumps(figures).encode(), capture_output=True, check=True
            )
            fetch("http://bucket.shop.internal:8080/weekly", packed.stdout)
        except OSError:  # a peer restarts
            pass
        time.sleep(0.5)


main()
