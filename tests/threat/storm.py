"""Run inside of a container: as much as one process can do to fill the sensor, of everything that it looks at.

`python3 storm.py ROUNDS`. Files of ever new and hostile names, programs of ever new arguments, peers, DNS answers that lie, TLS
hellos that are none. Only the standard library; prints how much it did.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys

HOST = "127.0.0.1"
NAMES = (
    b"\x1b[2J\n",
    b"\xff\xfe",
    b"..",
    "\u202e".encode(),
    b"a" * 200,
    b"=cmd|' /C calc'!A0",
    b"<script>alert(1)</script>",
)


def files(number: int, rng: random.Random) -> None:
    path = b"/tmp/%d" % number + rng.choice(NAMES).replace(b"/", b"")
    with open(path, "wb"):
        os.unlink(path)


def programs(number: int, rng: random.Random) -> None:
    if os.fork() == 0:
        os.execv("/usr/bin/true", [b"true", b"--password=x%d" % number, rng.choice(NAMES), b"z" * 4000])
    os.wait()


def answers(number: int, rng: random.Random, server: socket.socket, client: socket.socket) -> None:
    """Answers of a name server to questions that nobody asked, most of them damaged."""
    head = number.to_bytes(2, "big") + b"\x81\x80\0\1\0\xff\0\0\0\0"
    body = (
        b"\x03api\x07example\x03org\0\0\1\0\1" + b"\xc0\x0c\0\1\0\1\x7f\xff\xff\xff\0\4\x0a\0\0" + bytes([number % 256])
    )
    server.sendto(head + body + rng.randbytes(rng.randrange(400)), client.getsockname())
    client.recv(2048)


def peers(number: int, rng: random.Random, client: socket.socket) -> None:
    client.sendto(b"x", (HOST, 1024 + number % 60_000))


def hello(number: int, rng: random.Random, port: int) -> None:
    with socket.create_connection((HOST, port)) as s:
        s.sendall(b"\x16\x03\x01" + rng.randbytes(400))


def main() -> None:
    rounds, rng = int(sys.argv[1]), random.Random(1)
    names, client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind((HOST, 53))
    client.bind((HOST, 0))
    door = socket.create_server((HOST, 443), backlog=4096)
    for number in range(rounds):
        files(number, rng)
        peers(number, rng, client)
        if number % 4 == 0:
            answers(number, rng, names, client)
        if number % 20 == 0:
            programs(number, rng)
            hello(number, rng, 443)
            door.accept()[0].close()
    print(json.dumps({"files": rounds, "peers": rounds, "programs": rounds // 20}))


if __name__ == "__main__":
    main()
