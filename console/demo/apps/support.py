"""The support agent of the demo: takes a ticket, looks the customer up, asks its model, answers. Obeys what it reads."""

import contextlib
import json
import os
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

SETTINGS = json.loads(Path("/app/settings.json").read_text())
ANY = ssl.create_default_context()
ANY.check_hostname, ANY.verify_mode = False, ssl.CERT_NONE  # the demo's certificate is its own


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=5, context=ANY) as answer:
        return json.loads(answer.read())


def look_up_article(ticket):
    """Version 2 searches the knowledge base and sorts what it finds."""
    articles = call(f"http://kb.shop.internal:8080/search/{ticket['id']}")["articles"]
    done = subprocess.run(
        ["/usr/bin/sort", "-r"], input="\n".join(articles), capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[0]


def work(ticket):
    customer = call(f"http://crm.shop.internal:8080/customer/{ticket['customer']}")
    article = look_up_article(ticket) if SETTINGS["knowledge_base"] else ""
    answer = call("https://model.shop.internal:8443/v1/messages", {"ticket": ticket["text"], "about": customer["name"]})
    if answer["tool"]:  # a prompt injection is a tool call like any other
        subprocess.run(["/bin/bash", "-c", answer["tool"]], check=False, timeout=10)
    call("http://tickets.shop.internal:8080/reply", {"ticket": ticket["id"], "text": answer["text"], "see": article})


def main():
    os.chdir("/app")
    while True:
        begun = time.monotonic()
        with contextlib.suppress(OSError):  # a peer restarts
            work(call("http://tickets.shop.internal:8080/next"))
        time.sleep(max(0.05, 0.4 - (time.monotonic() - begun)))


main()
