"""client.py LIBRARY URL CA FILE...: sends each file as one request when a line comes on its input, and says how that went."""

import asyncio
import hashlib
import pathlib
import ssl
import sys

sys.path.insert(0, "/work/lib/site-packages")
import openai  # noqa: F401 - by which it is known as an agent

library, url, ca, *files = sys.argv[1:]
head = {"Content-Type": "application/json", "Authorization": "Bearer sk-never-to-be-kept-0123456789"}
context = ssl.create_default_context(cafile=ca)
bodies = [pathlib.Path(file).read_bytes() for file in files]


def by_urllib():
    import urllib.request

    return lambda body: urllib.request.urlopen(urllib.request.Request(url, body, head), context=context).read()


def by_httpx():
    import httpx

    client = httpx.Client(verify=context, trust_env=False, timeout=60)

    def ask(body):
        with client.stream("POST", url, content=body, headers=head) as answer:
            return b"".join(answer.iter_raw())

    return ask


def by_aiohttp():
    import aiohttp

    async def talk(body):
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=head, ssl=context) as answer,
        ):
            return b"".join([piece async for piece in answer.content.iter_any()])

    return lambda body: asyncio.run(talk(body))


ask = {"urllib": by_urllib, "httpx": by_httpx, "aiohttp": by_aiohttp}[library]()
print("ready", flush=True)
while sys.stdin.readline():
    print(*(hashlib.sha256(ask(body)).hexdigest() for body in bodies), flush=True)
