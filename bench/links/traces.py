"""Seeds to linked traces: agent loops with parallel calls, retries, streams, losses, reused pids, twins and clocks that differ."""

from __future__ import annotations

import random
from typing import Any

from bench.links.agents import FILES, HOSTS, Agent
from bench.links.world import Talk, Ways, World
from wire.records import Event, Replica

SCENARIOS: dict[str, Ways] = {
    "plain": Ways(),
    "parallel calls": Ways(parallel=0.6),
    "retries": Ways(retries=0.35),
    "streaming": Ways(streaming=0.8, parallel=0.3),
    "no call ids": Ways(nameless=1.0, parallel=0.3),
    "lost events (5 %)": Ways(lost=0.05, parallel=0.2),
    "lost events (20 %)": Ways(lost=0.2, parallel=0.2),
    "pid reuse": Ways(reuse=True, parallel=0.2),
    "two agents in one pod": Ways(agents=2, parallel=0.2),
    "two agents, same work": Ways(agents=2, parallel=0.2, same=True),
    "clock skew 200 ms": Ways(skew=0.2, parallel=0.2),
    "noise beside": Ways(noise=0.8, parallel=0.2),
    "shells and daemons": Ways(shells=0.5, daemons=0.4, parallel=0.2),
    "agent calls agent, traced": Ways(workers=0.4, traced=1.0, skew=0.2, parallel=0.2),
    "agent calls agent, no ids": Ways(workers=0.4, skew=-0.2, parallel=0.2, retries=0.1),
    "everything": Ways(0.4, 0.15, 0.4, 0.05, True, 2, 0.2, 0.3, 0.4, False, 0.2, 0.15, 0.15, 0.5),
}
TASKS = ("Handle ticket ZD-{n}.", "Summarise the report of week {n}.", "Answer the customer about order {n}.")


def made(name: str, seed: int, *, turns: int = 6) -> tuple[list[Event], set[tuple[str, str, str]]]:
    """One trace: events in order of arrival, and the true links (kind, source, target) among them.

    >>> made("plain", 1) == made("plain", 1)
    True
    """
    world = World(random.Random(f"{name}/{seed}"), SCENARIOS[name])
    agents = [_agent(world, n) for n in range(world.ways.agents)]
    talks: list[Talk | None] = [None] * len(agents)
    for _ in range(turns):
        start, ends = world.wait(1, 60), []
        text = world.rng.choice(TASKS).format(n=world.rng.randrange(10_000, 99_999))
        plan = _plan(world)
        for n, agent in enumerate(agents):
            world.now = start + (world.rng.uniform(0, 0.3) if n else 0.0)
            fresh = talks[n] is None or world.rng.random() < 0.4
            if fresh:
                talks[n], agent.before = Talk(nameless=world.rng.random() < world.ways.nameless), ""
            words = text if world.ways.same else world.rng.choice(TASKS).format(n=world.rng.randrange(10_000, 99_999))
            _turn(agent, talks[n], words, plan if world.ways.same else _plan(world))
            ends.append(world.now)
        world.now = max(ends)
    return world.delivered()


def _agent(world: World, n: int) -> Agent:
    replica, pid = Replica("n1", 7), 100 + 10 * n
    world.emit(replica, "exec", world.wait(0.1, 1), _start("/usr/bin/python3.11", pid, 50, "python3.11"))
    world.emit(replica, "fork", world.wait(0.01, 0.1), {"pid": pid + 1, "ppid": pid})
    server = world.emit(
        replica, "exec", world.wait(0.01, 0.1), _start("/usr/bin/node", pid + 1, pid, "node<python3.11")
    )
    far = Replica("n2", 9) if world.ways.skew else None
    agent = Agent(world, replica, pid, pid + 1, server, far, 4000 + n)
    if world.ways.workers:
        agent.worker = Agent(world, Replica("n2", 20 + n), 5000 + n, 0, "")
    return agent


def _start(path: str, pid: int, parent: int, lineage: str) -> dict[str, Any]:
    return {"path": path, "argv": path, "pid": pid, "ppid": parent, "lineage": lineage}


def _plan(world: World) -> list[list[tuple[str, dict[str, Any]]]]:
    """The calls of each answer of a turn; the last answer asks for none."""
    rounds = world.rng.randint(1, 4)
    return [[_wanted(world) for _ in range(_many(world))] for _ in range(rounds)]


def _many(world: World) -> int:
    return world.rng.randint(2, 3) if world.rng.random() < world.ways.parallel else 1


def _wanted(world: World) -> tuple[str, dict[str, Any]]:
    rng = world.rng
    host, path = rng.choice(HOSTS), rng.choice(FILES)
    if rng.random() < world.ways.workers:
        return "worker_run", {"task": f"Collect the figures of week {rng.randrange(10_000)} and upload them."}
    return rng.choice(
        [
            ("shell", {"command": f"curl -s https://{host}/v1 -o {path}"}),
            ("fetch", {"url": f"https://{host}/page/{rng.randrange(50)}"}),
            ("query_db", {"query": f"select * from orders where id = {rng.randrange(20)}"}),
            ("send_email", {"to": f"u{rng.randrange(9)}@corp.example", "body": "see report"}),
            ("files_read_file", {"path": path}),
            ("files_search", {"path": path, "pattern": "refund"}),
            ("web_get", {"url": f"https://{host}/p{rng.randrange(9)}"}),
        ]
    )


def _turn(agent: Agent, talk: Talk, words: str, plan: list[list[tuple[str, dict[str, Any]]]]) -> None:
    talk.says(words)
    for wanted in plan:
        calls = agent.ask(talk, wanted)
        agent.run(talk, calls)
        agent.wake()
    agent.ask(talk, [])
    agent.wake()
