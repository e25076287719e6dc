"""Processes that talk over pipes, as the kernel would tell of it: who reads what, cut in which pieces."""

import json
from dataclasses import dataclass, field

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import McpCall
from sensor.observe.stdio.kin import Kin
from sensor.observe.stdio.streams import Streams
from sensor.probes import stdio
from sensor.probes.stdio import DATA, ENDED, LEFT_ALONE, Chunk
from tests.observe.applayer import wires

CLIENT, SERVER = 100, 200
TO_SERVER, TO_CLIENT = 7001, 7002
PARENTS = {SERVER: CLIENT, CLIENT: 1}


@dataclass
class Judge:
    """Keeps verdicts, and knows lanes as the kernel would."""

    said: dict = field(default_factory=dict)
    lanes: dict = field(default_factory=dict)

    def judge(self, number, born, verdict):
        self.said[number] = verdict

    def unjudge(self, number):
        pass

    def lane(self, number):
        return self.lanes.get(number)


class Pipes:
    """Makes chunks and feeds them."""

    def __init__(self, parents=PARENTS, decoder=None):
        self.judge, self.decoder = Judge(), decoder or Decoder()
        self.streams = Streams(self.judge, self.decoder, lambda ns: ns / 1e9, Kin(parents.get))
        self.records, self.offsets, self.clock = [], {}, 10**9
        self.bytes = self.lost = 0

    def chunk(self, lane, data=b"", **changes):
        self.clock += 1000
        asks = lane == TO_SERVER
        values = {"time": self.clock, "cgroup": 1, "lane": lane, "born": 5, "mate": 0, "kind": DATA, "fd": 0}
        values |= {"reader": SERVER if asks else CLIENT, "writer": CLIENT if asks else SERVER}
        values |= {"offset": self.offsets.get(lane, 0), "data": data}
        return Chunk(**(values | changes))

    def read(self, lane, data, cut=None, **changes):
        """A lane is read, in pieces of so many bytes."""
        for at in range(0, len(data), cut or len(data) or 1):
            piece = data[at : at + (cut or len(data))]
            self.feed(self.chunk(lane, piece, **changes))
            self.offsets[lane] = self.offsets.get(lane, 0) + len(piece)
            self.bytes += len(piece)

    def lose(self, lane, size):
        self.offsets[lane] = self.offsets.get(lane, 0) + size
        self.lost += size

    def end(self, lane, **changes):
        self.feed(self.chunk(lane, kind=ENDED, **changes))

    def leave(self, lane, **changes):
        self.feed(self.chunk(lane, kind=LEFT_ALONE, **changes))

    def feed(self, chunk):
        self.records += self.streams.feed(chunk)

    @property
    def calls(self):
        return [r for r in self.records if isinstance(r, McpCall)]

    def told(self):
        return [essence(c) for c in self.calls]


def lines(generation):
    """Pairs of a lane and a line, of a fixture: `>` goes to the server."""
    for line in wires.fixture("mcp", f"{generation}.lines").splitlines():
        yield (TO_SERVER if line[:1] == b">" else TO_CLIENT), line[2:] + b"\n"


def rpc(method=None, id=None, **more):
    """A message as one line."""
    message = {"jsonrpc": "2.0"} | ({"method": method} if method else {}) | ({"id": id} if id is not None else {})
    return json.dumps(message | more).encode() + b"\n"


def essence(call):
    """What a call says, without where and when it was seen."""
    told = "transport method id by generation server tool arguments result failed error tools batch trace partial"
    return [(name, getattr(call, name)) for name in told.split()]


def kernel_lane(reached, born=5, reader=SERVER, writer=CLIENT):
    return stdio.Lane(born, reached, reader, writer)
