"""Frames bodies as agents and servers do, and runs them through a decoder."""

import gzip
import json
import zlib
from pathlib import Path

import brotli
import h2.config
import h2.connection
import zstandard

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import LlmCall

FIXTURES = Path(__file__).parents[2] / "fixtures/applayer"
APIS = ("openai-chat", "openai-responses", "anthropic", "gemini", "bedrock", "ollama")
PATHS = {  # api → path, path when it streams
    "openai-chat": ("/v1/chat/completions",) * 2,
    "openai-responses": ("/v1/responses",) * 2,
    "anthropic": ("/v1/messages",) * 2,
    "gemini": ("/v1beta/models/gem-pro:generateContent", "/v1beta/models/gem-pro:streamGenerateContent"),
    "bedrock": ("/model/maker.model-v1%3A0/converse", "/model/maker.model-v1%3A0/converse-stream"),
    "ollama": ("/api/chat",) * 2,
}
SSE, NDJSON, AWS = "text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream"
STREAMS = {"bedrock": ("answer.events", AWS), "ollama": ("answer.ndjson", NDJSON)}
PACK = {
    "": lambda b: b,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda b: zstandard.ZstdCompressor().compress(b),
}


def fixture(api, name):
    """The bytes of a body."""
    return (FIXTURES / api / name).read_bytes()


def aws_frame(name, payload):
    """One frame of an AWS event stream."""
    rows = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    head = b"".join(
        bytes([len(k)]) + k.encode() + b"\x07" + len(v).to_bytes(2, "big") + v.encode() for k, v in rows.items()
    )
    prelude = (16 + len(head) + len(payload)).to_bytes(4, "big") + len(head).to_bytes(4, "big")
    frame = prelude + zlib.crc32(prelude).to_bytes(4, "big") + head + payload
    return frame + zlib.crc32(frame).to_bytes(4, "big")


def streamed(api):
    """Body and media type of a streamed answer."""
    name, media = STREAMS.get(api, ("answer.sse", SSE))
    body = fixture(api, name)
    if media == AWS:
        rows = [line.split(b" ", 1) for line in body.splitlines()]
        body = b"".join(aws_frame(kind.decode(), payload) for kind, payload in rows)
    return body, media


def chunked(body, size=64):
    """A body in chunks."""
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


def request(path, body=b"", *, method="POST", headers=(), chunks=0, coding=""):
    """A request of HTTP/1.1."""
    body = PACK[coding](body)
    rows = [("Host", "model.example"), ("Content-Type", "application/json"), *headers]
    rows += [("Content-Encoding", coding)] if coding else []
    rows += [("Transfer-Encoding", "chunked")] if chunks else [("Content-Length", str(len(body)))]
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in rows) + "\r\n"
    return head.encode() + (chunked(body, chunks) if chunks else body)


def answer(body=b"", media="application/json", *, status=200, headers=(), chunks=0, coding=""):
    """An answer of HTTP/1.1."""
    body = PACK[coding](body)
    rows = [("Content-Type", media), *headers]
    rows += [("Content-Encoding", coding)] if coding else []
    rows += [("Transfer-Encoding", "chunked")] if chunks else [("Content-Length", str(len(body)))]
    head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{k}: {v}\r\n" for k, v in rows) + "\r\n"
    return head.encode() + (chunked(body, chunks) if chunks else body)


def ask(api, name="ask.json", *, stream=False, **how):
    """The request of an API, from its fixture."""
    body = fixture(api, name)
    if stream and api in ("openai-chat", "openai-responses", "anthropic", "ollama"):
        body = json.dumps(json.loads(body) | {"stream": True}).encode()
    return request(PATHS[api][stream], body, **how)


def conversation(api, *, stream):
    """A whole connection: bytes sent, bytes received. Two requests; the second brings the results."""
    body, media = streamed(api) if stream else (fixture(api, "answer.json"), "application/json")
    first = answer(body, media, chunks=97 if stream else 0)
    return ask(api, stream=stream) + ask(api, "again.json"), first + answer(fixture(api, "answer.json"))


def run(sent, received, *, step=0, decoder=None, key="c", time=5.0, close=True):
    """Records of a connection. `step`: bytes of one chunk; 0: all at once."""
    decoder = decoder or Decoder()
    out = []
    for direction, data in (("sent", sent), ("received", received)):
        for at in range(0, len(data), step or max(1, len(data))):
            out += decoder.data(key, direction, at, data[at : at + (step or len(data))], time)
    assert decoder.health.failed == 0
    return out + (decoder.close(key, time) if close else [])


def calls(records):
    """The model calls among records."""
    return [r for r in records if isinstance(r, LlmCall)]


class H2:
    """A client and a server of the h2 library, talking to each other; what they say is kept."""

    def __init__(self):
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.sent = self.received = b""
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.exchange()

    def exchange(self):
        """Moves what is written to the other side."""
        for _ in range(4):
            out, back = self.client.data_to_send(), None
            self.sent += out
            if out:
                self.server.receive_data(out)
            back = self.server.data_to_send()
            self.received += back
            if back:
                self.client.receive_data(back)

    def ask(self, stream, path, body, headers=()):
        """A request."""
        head = [(":method", "POST"), (":path", path), (":scheme", "https"), (":authority", "model.example")]
        self.client.send_headers(stream, [*head, ("content-type", "application/json"), *headers])
        self.write(self.client, stream, body, end=True)
        self.exchange()

    def answer(self, stream, body, media, headers=(), end=True):
        """An answer, or its first part."""
        self.server.send_headers(stream, [(":status", "200"), ("content-type", media), *headers])
        self.write(self.server, stream, body, end=end)
        self.exchange()

    def write(self, side, stream, body, *, end):
        """DATA frames as far as the windows reach."""
        while body:
            room = min(side.local_flow_control_window(stream), side.max_outbound_frame_size)
            if not room:
                self.exchange()
                other = self.server if side is self.client else self.client
                other.increment_flow_control_window(1 << 20)
                other.increment_flow_control_window(1 << 20, stream)
                self.exchange()
                continue
            side.send_data(stream, body[:room])
            body = body[room:]
        if end:
            side.end_stream(stream)
