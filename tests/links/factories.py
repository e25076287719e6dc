"""Events of the application layer with what matters, and the smallest valid rest."""

from __future__ import annotations

import json
from hashlib import sha256

from wire.records import Event, Replica

POD = Replica("n1", 7)
AGENT, SERVER = 100, 200
HOST = "bucket.example.org"
FLOW = f"egress:tcp:{HOST}:443"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class Story:
    """Makes events with ids that count up.

    >>> Story().llm(1.0, user="hello").kind
    'llm'
    """

    def __init__(self, replica: Replica = POD, epoch: str = "e") -> None:
        self.replica, self.epoch, self.events = replica, epoch, []

    def event(self, kind, time, data, behaviour=None, replica=None):
        replica = replica or self.replica
        kept = {k: v for k, v in data.items() if v not in ("", None)}
        found = Event(f"{replica.node}/{self.epoch}/{len(self.events):04d}", time, replica, kind, behaviour, kept)
        self.events.append(found)
        return found

    def llm(self, time, *, user="", answer="", before=(), results=(), calls=(), pid=AGENT, ended=None, **more):
        """`before`: chains that stand in the history as the assistant's, oldest first."""
        history = [["user", digest(user), digest(f"u{user}")]] + [["assistant", digest(c), c] for c in before]
        data = {"began": time, "ended": ended or time + 1, "pid": pid, "lineage": "python3.11"}
        data |= {"history": json.dumps(history)}
        data |= {"user_turn": user, "user_turn_digest": digest(user) if user else "", "user_turn_length": len(user)}
        data |= {"answer_chain": answer, "answer": digest(answer) if answer else ""}
        data |= {
            "results": json.dumps(list(results)) if results else "",
            "calls": json.dumps(list(calls)) if calls else "",
        }
        return self.event("llm", ended or time + 1, {**data, "basis": "verified", "source": "tls"} | more)

    def tool(self, llm, name, arguments=None, *, id_="", index=0, pid=AGENT, **more):
        text = json.dumps(arguments or {}, sort_keys=True, separators=(",", ":"))
        data = {"llm": llm.id, "name": name, "id": id_, "index": index, "pid": pid, "arguments": text}
        data |= {"arguments_digest": digest(text), "arguments_length": len(text), "basis": "verified", "source": "tls"}
        return self.event("tool", llm.time, data | more, f"tool:{name}")

    def mcp(self, time, tool, arguments=None, *, ended=None, pid=AGENT, peer=SERVER, replica=None, **more):
        text = json.dumps(arguments or {}, sort_keys=True, separators=(",", ":"))
        data = {"method": "tools/call", "tool": tool, "by": "sent", "pid": pid, "peer": peer, "arguments": text}
        data |= {"arguments_digest": digest(text), "began": time, "ended": ended or time + 0.5, "source": "stdio"}
        return self.event("mcp", ended or time + 0.5, data | more, f"mcp:files/{tool}", replica)

    def exec(self, time, path, *, pid, parent, argv="", **more):
        return self.event(
            "exec", time, {"path": path, "argv": argv or path, "pid": pid, "ppid": parent} | more, f"exec:{path}<x"
        )

    def fork(self, time, *, pid, parent):
        return self.event("fork", time, {"pid": pid, "ppid": parent})

    def exit(self, time, *, pid):
        return self.event("exit", time, {"pid": pid, "code": 0})

    def egress(self, time, host, *, pid=AGENT, port=443, **more):
        data = {"name": host, "address": "10.0.0.9", "port": port, "pid": pid}
        return self.event("egress", time, data | more, f"egress:tcp:{host}:{port}")

    def open(self, time, path, *, pid=AGENT, **more):
        return self.event("open", time, {"path": path, "pid": pid} | more, f"open:data:{path}")


def result(id_="", text="ok", name=""):
    row = {"id": id_, "name": name, "text": text, "digest": digest(text), "length": len(text)}
    return {k: v for k, v in row.items() if v}


def finding(*evidence, first, last, behaviour=FLOW):
    rows = [{"behaviour": behaviour, "first": first, "last": last}]
    return {"id": "f1", "workload": "w", "evidence": list(evidence), "deviations": rows}


def turn(story, at, name, *, ended, pid=AGENT, tool="read", **arguments):
    """A turn with one tool call; `ended`: when its result came back."""
    asked = story.llm(at, user=name, answer=f"a{name}", pid=pid, calls=())
    call = story.tool(asked, tool, arguments or {"q": name}, id_=f"c{name}", pid=pid)
    if ended is not None:
        story.llm(ended, user=name, before=[f"a{name}"], results=[result(f"c{name}")], answer=f"z{name}", pid=pid)
    return call
