"""What happens now and then and means no harm: errors, churn, people who debug, jobs of a month, days with much to do."""

from __future__ import annotations

import numpy as np

from classifier.lab import rollouts
from classifier.lab.acts import Act
from classifier.lab.scene import Scene
from classifier.lab.truth import BENIGN
from classifier.lab.world import DAY, HOUR, START

SYSTEM_FILES = (
    "open:config:/etc/localtime", "open:data:/usr/share/zoneinfo/Europe/*", "open:config:/etc/ssl/certs/ca-certificates.crt",
    "open:data:/usr/share/locale/*", "open:config:/etc/gai.conf", "open:config:/etc/nsswitch.conf", "open:config:/etc/passwd",
    "open:data:/proc/*/meminfo", "open:data:/proc/*/status", "open:config:/etc/services", "open:config:/etc/mime.types",
    "open:code:/usr/lib/x86_64-linux-gnu/gconv/*", "open:code:/usr/lib/x86_64-linux-gnu/nss/*",
)  # fmt: skip


def play(s: Scene, load: np.ndarray) -> None:
    """Add the rare benign things of a whole stream."""
    pool = _pool(s)
    times = s.times(s.p.rarities * s.world.rarities, after=HOUR)
    weights = np.array(list(WEIGHTS.values()))
    kinds = s.rng.choice(len(weights), len(times), p=weights / weights.sum())
    known: set[str] = set()
    for time, kind in zip(times, kinds.tolist(), strict=True):
        _rare(s, list(WEIGHTS)[kind], time, pool, known)
    for time in s.times(s.world.debugging, after=DAY):
        _debugging(s, time)
    _monthly(s)
    _again(s)
    _backfills(s)
    _peaks(s, load)
    if s.p.open_ended:
        _open_ended(s)


WEIGHTS = {"error path": 0.34, "churn": 0.2, "new name": 0.1, "failover": 0.06, "system file": 0.16, "helper": 0.14}
SIZES = {"error path": 30, "churn": 60, "new name": 20, "failover": 5, "system file": 13, "helper": 12}


def _pool(s: Scene) -> dict[str, list[tuple[Act, float, float]]]:
    """What a deployment can come upon; the first things of a list are the usual ones."""
    p, n = s.p, s.p.names
    cdn = n.pick(p.owners) if p.owners else n.domain()
    backup = [n.host() for _ in range(SIZES["failover"])]

    def one(kind: str, k: int) -> tuple[Act, float, float]:
        if kind == "error path":
            return rollouts.sprout_act(s.rng, p, n.pick(["config", "data", "data", "write", "code"]))
        if kind == "churn":
            region = n.pick(["eu", "us", "ap", "sa"])
            return p.peer(f"edge-{n.word()}.{region}.{cdn}", 443), s.about(900), s.about(9e3)
        if kind == "new name":
            return p.peer(n.host(n.pick(p.owners) if p.owners else cdn), 443), s.about(1.5e3), s.about(5e3)
        if kind == "failover":
            return p.peer(backup[k], 443), s.about(2e4), s.about(2e4)
        if kind == "system file":
            return Act(SYSTEM_FILES[k], p.lineage), 0.0, 0.0
        fetched = s.chance(0.12)  # as browsers and compilers that a library brings in when it first needs them
        path = f"{n.pick(['/root/.cache', p.data] if fetched else [p.tools, '/usr/bin', '/usr/local/bin'])}/{n.word()}"
        run = f"{path.rpartition('/')[2]}<{p.lineage}"
        return Act(f"exec:{path}<{p.main}", run, layer="upper" if fetched else "", image=path), 0.0, 0.0

    return {kind: [one(kind, k) for k in range(size)] for kind, size in SIZES.items()}


def _rare(s: Scene, kind: str, time: float, pool, known: set[str]) -> None:
    """Something of the pool, at one replica or, as when a back end is down, at all of them."""
    things = pool[kind]
    weights = 1 / (1 + np.arange(len(things))) ** (0.6 if s.world.shift == "busy" else 0.9)
    many = 1 + (s.rng.poisson(0.7) if kind == "error path" else s.rng.poisson(1.5) if kind == "churn" else 0)
    some = s.rng.choice(len(things), min(many, len(things)), replace=False, p=weights / weights.sum()).tolist()
    acts = [things[k] for k in some]
    new = [a for a, _, _ in acts if a.behaviour not in known]
    fact = s.draft(BENIGN, kind) if new else -1
    known.update(a.behaviour for a in new)
    everywhere = s.chance({"error path": 0.3, "failover": 0.9, "churn": 0.3}.get(kind, 0.05))
    alive = s.cast.alive(time)
    lives = alive if everywhere else alive[:0] + ([one] if (one := s.someone(time)) else [])
    for life in lives:
        for act, out, into in acts:
            for _ in range(1 + int(s.rng.poisson(1.0))):
                when = time + (s.about(300, 1.0) if everywhere else s.between(0, 90))
                mine = fact if act in new else -1
                s.do(when, life, act, fact=mine, count=1 + int(s.rng.poisson(2)), out=out, into=into)


def _debugging(s: Scene, time: float) -> None:
    """Somebody looks inside with `kubectl exec`."""
    life = s.someone(time, 900)
    if life is None:
        return
    fact, shell = s.draft(BENIGN, "debugging"), s.p.names.pick(["sh", "bash"])
    parent = s.p.names.pick(["runc", "containerd-shim"])
    s.do(time, life, Act(f"exec:/bin/{shell}<{parent}", shell, image=f"/bin/{shell}"), fact=fact)
    tools = s.rng.permutation(["ps", "cat", "ls", "env", "top", "curl", "df", "netstat"]).tolist()[
        : 1 + int(s.rng.poisson(2))
    ]
    for tool in tools:
        time += s.between(3, 90)
        s.do(time, life, Act(f"exec:/usr/bin/{tool}<{shell}", f"{tool}<{shell}", image=f"/usr/bin/{tool}"), fact=fact)
        if tool in ("cat", "ls"):
            s.do(time + 0.01, life, Act(f"open:config:/app/{s.p.names.word()}.yaml", f"{tool}<{shell}"), fact=fact)
        if tool == "curl":
            s.do(
                time + 0.1,
                life,
                Act("egress:tcp:127.0.0.1:8080", f"curl<{shell}", "127.0.0.1"),
                fact=fact,
                out=200,
                into=3e3,
            )


def _monthly(s: Scene) -> None:
    """A job of the first of the month or of the quarter, by a helper of its own, where there is one at all."""
    if not s.chance(0.35):
        return
    p, n = s.p, s.p.names
    path = f"{p.tools}/{n.word()}"
    run = f"{path.rpartition('/')[2]}<{p.lineage}"
    acts = [(Act(f"exec:{path}<{p.main}", run, image=path), 0.0, 0.0)]
    acts += [(p.peer(n.host(), 443, run), s.about(3e5), s.about(3e4))] if s.chance(0.6) else []
    acts += [(Act(f"write:data:{p.data}/report/{n.word()}.csv", run), 0.0, 0.0)]
    for day in (27, 55, 86):  # 1 February, 1 March, 1 April
        time = START + day * DAY + s.between(0, 6 * HOUR)
        life = s.someone(time, 600) if time < s.until else None
        fact = s.draft(BENIGN, "schedule") if life else -1
        for k, (act, out, into) in enumerate(acts if life else ()):
            s.do(time + k * s.between(0.1, 60), life, act, fact=fact, out=out, into=into)


def _again(s: Scene) -> None:
    """A job is run once more by hand, at an hour that is not its own."""
    jobs = [h for h in s.p.habits if h.when]
    hours = sorted({h.when for h in jobs})
    for time in s.times(0.4 if jobs else 0.0, after=7 * DAY):
        life, fact = s.someone(time, HOUR), s.draft(BENIGN, "schedule")
        when = hours[int(s.rng.integers(len(hours)))]
        for h in jobs if life else ():
            if h.when == when:
                n, size = max(1, round(h.rate)), s.about(1, h.spread)
                s.do(time, life, h.act, fact=fact, count=n, out=n * h.out * size, into=n * h.into * size)
                time += s.between(0.1, 60)


def _backfills(s: Scene) -> None:
    """Once more through old data: three to eight times the bytes of a known peer, with as many more requests."""
    if not s.p.peers:
        return
    for time in s.times(0.25, after=7 * DAY):
        h = s.p.habits[int(s.rng.choice(s.p.peers))]
        life = s.someone(time, 7200)
        if life is None:
            continue
        usual = h.rate * (1 if h.hourly else max(s.p.requests, 1.0))
        fact, more = s.draft(BENIGN, "backfill"), s.between(2, 7)
        for hour in range(1 + int(s.rng.poisson(1.5))):
            n = int(max(1, usual * more * s.about(1, 0.2)))
            s.do(time + hour * HOUR, life, h.act, fact=fact, count=n, out=n * h.out, into=n * h.into)


def _peaks(s: Scene, load: np.ndarray) -> None:
    """Hours with twice to five times the requests; the load array is changed in place."""
    listens = [h.act for h in s.p.habits if h.act.kind == "ingress" and not h.hourly]
    talks = [s.p.habits[n].act for n in s.p.peers if not s.p.habits[n].hourly]
    if not s.p.requests or not listens:
        return
    for time in s.times(1.0, after=5 * DAY):
        first, hours = int((time - START) // HOUR), 1 + int(s.rng.poisson(5))
        load[first : first + hours] *= s.between(2, 5)
        fact = s.draft(BENIGN, "load")
        for life in s.cast.alive(START + first * HOUR + 59, hours * HOUR):
            for act in (listens[0], *talks[:3]):
                for hour in range(hours):
                    s.do(START + (first + hour) * HOUR + 60, life, act, fact=fact)


def _open_ended(s: Scene) -> None:
    """A code agent: every task a few programs and files, by a Pitman-Yor process new ones for ever."""
    p, n = s.p, s.p.names
    sigma = min(0.9, p.sigma + (0.1 if s.world.shift == "busy" else 0.0))
    theta, tables = float(s.rng.uniform(5, 30)), np.zeros(200_000)
    acts: list[Act] = []
    customers, fact, day = 0, -1, -1
    # New tables grow with customers^sigma; so many customers a day that the wanted number is about right at day 14.
    daily = max(20.0, p.open_ended * 11)
    for time in np.sort(s.rng.uniform(START, s.until, int(daily * (s.until - START) / DAY))).tolist():
        life = s.someone(time, 30)
        if life is None:
            continue
        k, fresh = len(acts), s.rng.random() < (theta + sigma * len(acts)) / (theta + customers)
        if fresh or not k:
            acts.append(_work(s, p, n))
            pick = k
        else:
            weights = tables[:k] - sigma
            pick = int(np.searchsorted(np.cumsum(weights), s.rng.random() * weights.sum()))
        tables[pick] += 1
        customers += 1
        if int((time - START) // DAY) != day:
            day, fact = int((time - START) // DAY), s.draft(BENIGN, "novelty")
        s.do(time, life, acts[pick], fact=fact if fresh or not k else -1)


def _work(s: Scene, p, n) -> Act:
    """What a task of a code agent does for the first time."""
    kind = s.rng.choice(["bin", "tool", "script", "file", "package", "peer"], p=[0.15, 0.1, 0.25, 0.2, 0.25, 0.05])
    run = f"bash<{p.lineage}"
    if kind == "bin":
        path = f"/workspace/{n.word()}/{n.pick(['build', 'bin', 'target/debug'])}/{n.word()}"
        return Act(f"exec:{path}<bash", f"{path.rpartition('/')[2]}<{run}", layer="upper", image=path)
    if kind == "tool":
        path = f"/usr/bin/{n.word()}"
        return Act(f"exec:{path}<bash", f"{path.rpartition('/')[2]}<{run}", image=path)
    lineage = f"python3.11<{run}"
    if kind == "script":
        return Act(f"write:code:/workspace/{n.word()}/{n.word()}.py", lineage)
    if kind == "file":
        return Act(f"write:data:/workspace/{n.word()}/{n.word()}.csv", lineage)
    if kind == "package":
        return Act(f"open:code:/workspace/venv/lib/python3.11/site-packages/{n.word()}/*", lineage)
    return p.peer(n.host(), 443, lineage)
