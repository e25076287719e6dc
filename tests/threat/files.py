"""Run inside of a container: `python3 files.py COUNT` writes files of names that nobody had."""

import sys

for number in range(int(sys.argv[1])):
    with open(f"/tmp/own-{chr(97 + number % 26)}{chr(97 + number // 26)}x", "w") as file:
        file.write("x")
