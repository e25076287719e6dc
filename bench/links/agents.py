"""Agents that talk to models and use tools in a `World`: each step tells events and says what belongs to what."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from bench.links.world import SYSTEM, Talk, World, arguments_of, digest
from classifier.links.edges import AGENT, ASKS, EGRESS, EXEC, FILE, INPUT, RETURNS, RUNS, SERVES, TURN
from wire.records import Replica

HOSTS = (
    "api.tickets.example",
    "wiki.corp.example",
    "acme-export.s3.example.org",
    "pay.bank.example",
    "cdn.mirror.example",
)
FILES = ("/data/notes.txt", "/data/report.csv", "/srv/kb/faq.md", "/data/customers.parquet", "/tmp/out.json")
DB, SMTP = ("db.internal", 5432), ("smtp.corp.example", 587)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tool call that a model asked for."""

    id: str
    name: str
    arguments: dict[str, Any]
    event: str
    time: float


@dataclass
class Agent:
    """One process that runs an agent loop, with two MCP servers: files over pipes, the web over HTTP on another node."""

    world: World
    replica: Replica
    pid: int
    server: int  # pid of the stdio server
    server_exec: str
    remote: Replica | None = None  # where the HTTP server runs; None: nobody looks there
    remote_pid: int = 0
    worker: Agent | None = None  # that takes tasks from this one
    trace: str = ""  # of the request that it works on
    lineage: str = "python3.11"
    shell: int = 0  # pid of the shell that stays
    before: str = ""  # event of the last model call of the conversation that has an answer
    asked: list[Wanted] = field(default_factory=list)
    daemons: list[tuple[float, int, str]] = field(default_factory=list)  # time, pid, call
    whole: float = 0.0  # seconds, when the last answer had ended: the next request holds it

    # the model ------------------------------------------------------------------------------------------------------------

    def ask(self, talk: Talk, wanted: list[tuple[str, dict[str, Any]]]) -> list[Wanted]:
        """A request with the history so far, its answer, and the calls in it."""
        w = self.world
        if w.rng.random() < w.ways.retries:
            self._request(talk, status=529)
            w.wait(0.5, 2.0)
        event, data = self._request(talk, status=200)
        streamed = w.rng.random() < w.ways.streaming
        answered = w.wait(0.3, 1.5)
        ended = answered + w.rng.uniform(0.2, 2.0)
        ids = ["" if talk.nameless else f"call_{w.rng.getrandbits(64):016x}" for _ in wanted]
        fields = [arguments_of(a) for _, a in wanted]
        rows = [
            {"name": n, "digest": f["arguments_digest"], "index": i} | ({"id": ids[i]} if ids[i] else {})
            for i, ((n, _), f) in enumerate(zip(wanted, fields, strict=True))
        ]
        words = "" if wanted else f"Done {w.rng.getrandbits(32)}."
        answer, chain = talk.answers(words, [(r["name"], r["digest"]) for r in rows])
        data |= {
            "answer": answer,
            "answer_chain": chain,
            "answered": answered,
            "ended": ended,
            "streamed": int(streamed),
        }
        data |= {
            "calls": json.dumps(rows, separators=(",", ":")) if rows else "",
            "response_id": f"resp_{ids[:1]}{event}",
        }
        w.tell_again(event, ended, data)
        self.before, out = event, []
        for i, (name, arguments) in enumerate(wanted):
            start = answered + (i + 1) * (ended - answered) / (len(wanted) + 1) if streamed else ended
            tool = {"id": ids[i], "name": name, "index": i, "llm": event, "ended": ended, **self._who(), **fields[i]}
            id_ = w.emit(self.replica, "tool", ended, tool, f"tool:{name}")
            w.link(ASKS, event, id_)
            out.append(Wanted(ids[i], name, arguments, id_, start))
        w.now, self.whole = out[0].time if out and streamed else ended, ended
        return out

    def _request(self, talk: Talk, *, status: int) -> tuple[str, dict[str, Any]]:
        w = self.world
        w.now = max(w.now, self.whole)
        began = w.wait(0.01, 0.1)
        data = {"api": "gemini" if talk.nameless else "openai-chat", "host": "models.example", "status": status}
        data |= {"system": SYSTEM, "history": talk.history, "turns": len(talk.turns), "began": began, **self._who()}
        data |= {"user_turn": talk.user, "user_turn_digest": digest(talk.user), "user_turn_length": len(talk.user)}
        data |= {"results": json.dumps(talk.results[-32:], separators=(",", ":")) if talk.results else ""}
        data |= {"traceparent": self.trace, "request_ended": began + 0.01, "ended": began + 0.05}
        event = w.emit(self.replica, "llm", began + 0.05, data)
        if self.before:
            w.link(TURN, self.before, event)
        for call in self.asked:  # the first request that holds them
            w.link(RETURNS, call.event, event)
        self.asked = []
        return event, data

    def _who(self) -> dict[str, Any]:
        return {
            "pid": self.pid,
            "image": "/usr/bin/python3.11",
            "lineage": self.lineage,
            "source": "tls",
            "basis": "verified",
        }

    # tools ----------------------------------------------------------------------------------------------------------------

    def run(self, talk: Talk, calls: list[Wanted]) -> None:
        """The calls of one answer, at once or one after the other; their results go into the history."""
        w, start = self.world, self.world.now
        at_once = len(calls) > 1 and w.rng.random() < 0.8
        ends = []
        for call in calls:
            w.now = max(start if at_once else w.now, call.time) + w.rng.uniform(0.002, 0.02)
            self._one(call)
            ends.append(w.now)
            if w.rng.random() < w.ways.noise:
                self._noise(start, w.now)
        w.now = max(ends, default=start) + 0.01
        for call in calls:
            talk.returns(call.id, call.name, f"result of {call.name} {w.rng.getrandbits(40)}")
        self.asked = list(calls)

    def _one(self, call: Wanted) -> None:
        own = {"shell": self._shell, "fetch": self._fetch, "query_db": self._query, "send_email": self._mail}
        (own | {"worker_run": self._delegate}).get(call.name, self._server)(call)

    def _shell(self, call: Wanted) -> None:
        w, words = self.world, call.arguments["command"].split()
        host, path = words[2].split("/")[2], words[4]
        stays = w.rng.random() < w.ways.shells
        sh = self.shell if stays and self.shell else w.pid()
        if sh != self.shell:
            w.emit(self.replica, "fork", w.wait(0.001, 0.01), {"pid": sh, "ppid": self.pid})
            self._exec(call.event, sh, self.pid, "/bin/sh", f"sh -c {call.arguments['command']}", "sh<python3.11")
            self.shell = sh if stays else self.shell
        curl = w.pid()
        w.emit(self.replica, "fork", w.wait(0.001, 0.01), {"pid": curl, "ppid": sh})
        argv = f"curl -s https://{host}/v1 -o {path}"
        self._exec(call.event, curl, sh, "/usr/bin/curl", argv, "curl<sh<python3.11")
        self._egress(call.event, curl, host, 443, "curl<sh<python3.11")
        self._open(call.event, curl, path, "curl<sh<python3.11", write=True)
        if w.rng.random() < w.ways.daemons:
            child = w.pid()
            w.emit(self.replica, "fork", w.wait(0.001, 0.01), {"pid": child, "ppid": sh})
            self.daemons.append((w.now + w.rng.uniform(1, 30), child, call.event))
        for pid in (curl, *(() if sh == self.shell else (sh,))):
            w.emit(self.replica, "exit", w.wait(0.001, 0.3), {"pid": pid, "code": 0})
            w.gone(pid)

    def _fetch(self, call: Wanted) -> None:
        host = call.arguments["url"].split("/")[2]
        self._egress(call.event, self.pid, host, 443, self.lineage)
        self.world.wait(0.05, 0.8)

    def _query(self, call: Wanted) -> None:
        self._egress(call.event, self.pid, *DB, self.lineage)  # its arguments name no host
        self.world.wait(0.02, 0.4)

    def _mail(self, call: Wanted) -> None:
        self._egress(call.event, self.pid, *SMTP, self.lineage)
        self.world.wait(0.02, 0.2)

    def _server(self, call: Wanted) -> None:
        """A tool of an MCP server: files over a pipe, the web over HTTP."""
        w, local = self.world, call.name.startswith("files_")
        again = w.rng.random() < w.ways.retries
        for attempt in range(2 if again else 1):
            began = w.wait(0.002, 0.02)
            data = {"method": "tools/call", "tool": call.name.partition("_")[2], "began": began, **self._who()}
            data |= {"transport": "stdio" if local else "http", "by": "sent", "server": "files" if local else "web"}
            data |= {
                "id": str(w.rng.randrange(99)),
                **arguments_of(call.arguments),
                "peer": self.server if local else 0,
            }
            data |= {"source": "stdio" if local else "tls", "host": "" if local else "web.tools.example"}
            data |= {"result_digest": digest(f"r{w.rng.getrandbits(40)}")}
            id_ = w.emit(self.replica, "mcp", began, data, f"mcp:{data['server']}/{data['tool']}")
            w.link(RUNS, call.event, id_)
            if local:
                w.link(SERVES, id_, self.server_exec)
                if attempt or not again:
                    self._open(id_, self.server, call.arguments["path"], "node<python3.11")
                    if w.rng.random() < 0.3:
                        self._helper(id_, call.arguments["path"])
            else:
                self._far(call, data, began, id_)
            ended = w.wait(0.02, 0.5)
            w.tell_again(id_, ended, {**data, "ended": ended, "failed": int(again and not attempt)})

    def _helper(self, mcp: str, path: str) -> None:
        w, pid = self.world, self.world.pid()
        w.emit(self.replica, "fork", w.wait(0.001, 0.01), {"pid": pid, "ppid": self.server})
        self._exec(mcp, pid, self.server, "/usr/bin/grep", f"grep -n x {path}", "grep<node<python3.11")
        w.emit(self.replica, "exit", w.wait(0.001, 0.05), {"pid": pid, "code": 0})
        w.gone(pid)

    def _far(self, call: Wanted, sent: dict[str, Any], began: float, sent_id: str) -> None:
        """The server's own side, on a node whose clock is off."""
        if self.remote is None:
            return
        id_ = self._received(call, sent, sent_id, self.remote, self.remote_pid, began + 0.01, began + 0.2)
        host = str(call.arguments["url"]).split("/")[2]
        self._egress(id_, self.remote_pid, host, 443, "node", replica=self.remote, time=began + 0.08)

    def _received(
        self, call: Wanted, sent: dict[str, Any], sent_id: str, to: Replica, pid: int, began: float, ended: float
    ) -> str:
        data = {k: v for k, v in sent.items() if k not in ("pid", "peer", "image", "lineage")}
        data |= {"by": "received", "pid": pid, "began": began, "ended": ended}
        id_ = self.world.emit(to, "mcp", ended, data)
        self.world.link(RUNS, call.event, id_)
        self.world.link(AGENT, sent_id, id_)
        return id_

    def _delegate(self, call: Wanted) -> None:
        """A turn of another agent on another node, asked over HTTP, with a trace id or without one."""
        w, other = self.world, self.worker
        assert other is not None
        began, traced = w.wait(0.002, 0.02), w.rng.random() < w.ways.traced
        data = {"method": "tools/call", "tool": "run", "by": "sent", "began": began, "transport": "http", **self._who()}
        data |= {"id": "1", "server": "worker", **arguments_of(call.arguments), "host": "worker.agents.example"}
        data |= {"result_digest": digest(f"w{w.rng.getrandbits(40)}")}
        trace = f"00-{w.rng.getrandbits(128):032x}-{w.rng.getrandbits(64):016x}-01" if traced else ""
        data |= {"traceparent": trace}
        sent = w.emit(self.replica, "mcp", began, data, "mcp:worker/run")
        w.link(RUNS, call.event, sent)
        received = self._received(call, data, sent, other.replica, other.pid, began + 0.01, began + 0.01)
        talk, mark = Talk(nameless=False), len(w.events)
        other.before, other.trace = "", trace
        talk.says(str(call.arguments["task"]))
        calls = other.ask(talk, [("fetch", {"url": f"https://{w.rng.choice(HOSTS)}/w"})])
        for event in w.events[mark:]:
            if event.kind == "llm":
                w.link(INPUT, received, event.id)
        other.run(talk, calls)
        other.ask(talk, [])
        w.now = max(w.now, other.whole)
        for id_ in (sent, received):
            end = w.now + (0.01 if id_ == sent else 0.0)
            kept = dict(next(e for e in w.events if e.id == id_).data)
            off = 0.0 if id_ == sent else w.ways.skew
            w.tell_again(id_, end, kept | {"began": kept["began"] - off, "ended": end})
        w.now += 0.02

    # acts -----------------------------------------------------------------------------------------------------------------

    def _exec(self, call: str, pid: int, parent: int, path: str, argv: str, lineage: str) -> None:
        data = {"path": path, "argv": argv, "pid": pid, "ppid": parent, "lineage": lineage}
        id_ = self.world.emit(self.replica, "exec", self.world.wait(0.001, 0.01), data, f"exec:{path}<sh")
        if call:
            self.world.link(EXEC, call, id_)

    def _open(self, call: str, pid: int, path: str, lineage: str, *, write: bool = False) -> None:
        data = {"path": path, "pid": pid, "lineage": lineage}
        kind = "write" if write else "open"
        id_ = self.world.emit(self.replica, "open", self.world.wait(0.001, 0.02), data, f"{kind}:data:{path}")
        if call:
            self.world.link(FILE, call, id_)

    def _egress(
        self,
        call: str,
        pid: int,
        host: str,
        port: int,
        lineage: str,
        *,
        replica: Replica | None = None,
        time: float | None = None,
    ) -> None:
        at = self.world.wait(0.002, 0.05) if time is None else time
        data = {"name": host, "address": f"10.9.{len(host)}.{port % 250}", "port": port, "pid": pid, "lineage": lineage}
        id_ = self.world.emit(replica or self.replica, "egress", at, data, f"egress:tcp:{host}:{port}")
        if call:
            self.world.link(EGRESS, call, id_)

    def _noise(self, start: float, end: float) -> None:
        """What happens at the same time and is no call's: telemetry of the agent, a cron job beside it, a warm-up of the server."""
        w, kept = self.world, self.world.now
        w.now = w.rng.uniform(start, end)
        which = w.rng.randrange(3)
        if which == 0:
            self._egress("", self.pid, "telemetry.vendor.example", 443, self.lineage)
        elif which == 1:
            pid = w.pid()
            w.emit(self.replica, "fork", w.now, {"pid": pid, "ppid": 1})
            self._exec("", pid, 1, "/usr/sbin/logrotate", "logrotate /etc/logrotate.conf", "logrotate<cron")
            w.emit(self.replica, "exit", w.wait(0.001, 0.01), {"pid": pid, "code": 0})
            w.gone(pid)
        else:
            self._open("", self.server, "/usr/lib/node_modules/files/package.json", "node<python3.11")
        w.now = kept

    def wake(self) -> None:
        """What daemons that calls left behind do later."""
        for time, pid, call in self.daemons:
            if time <= self.world.now:
                kept, self.world.now = self.world.now, time
                self._egress(call, pid, "beacon.late.example", 8443, "sh<python3.11")
                self.world.now = kept
        self.daemons = [d for d in self.daemons if d[0] > self.world.now]
