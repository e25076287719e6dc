"""SysFlow lab traces through the real pipeline: a workload of four replicas learns benign traces, then one replica is
attacked, or all change by a deploy, or nothing happens at all.

Every benign trace is replayed each hour on each replica for sixteen days, under the policy of production; then one
trace at a time is spliced in, and what the pipeline says a day later is the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from classifier.drift.finding import EXPECTED, REVIEW, RISKY, Finding
from classifier.lab.real.sysflow_records import acts, read, windows
from classifier.lab.real.table import BASELINE, OURS, DataError, Report, Row, Table
from classifier.pipeline import Pipeline
from classifier.policy import DAY, HOUR, Policy
from wire.records import CgroupId, Deploy, Head, Identity, Record, Replica, Tick, Use, Window, Workload

NAME = "sysflow-lab"
BENIGN = ("samples__httpd", "samples__apache", "k8s", "benign", "apache", "httpd")  # beginnings of file names
MIXED = ("samples__httpd-cron", "lss")  # benign until the entry, see ENTRY
ENTRY = "cgi-bin/vulnerable"  # its first exec begins the attack in a mixed trace
STEPLESS = (
    "bh__1634481738",
    "bh__1634482638",
)  # of the attack's folder, but an operator's login and copy, a periodic job
ALL = ("exec:*", "open:*", "write:*")
LEARN, AFTER = 16, 1.5  # days
REPLICAS = 4
UNCLEAR, DECLARED = "risky or review", "expected_evolution; 3.2: review"
UNDECLARED, ALONE = "expected_evolution or review", "review; 3.2: risky"
WEB = Workload("lab/sysflow/Deployment/web/web")
COLUMNS = ("should be", "label", "risky", "review", "evolution", "behaviours new", "seconds")
KEEPS = (
    "all the envelope keeps of behaviours; the traces hold no system calls, so counts and sequences take no part, and no "
    "events of names (DNS), digests or layers"
)
Trace = list[tuple[Use, ...]]  # windows


@dataclass(frozen=True, slots=True)
class Case:
    """One trace spliced in."""

    name: str
    trace: Trace
    should: str  # what is right, by the trace's truth and demands.md section 3.2
    replicas: tuple[int, ...]
    rollout: bool  # a signed deploy and new replicas before it
    scope: tuple[str, ...] = ()  # what the deploy declares
    unknown: bool = False  # the background is without what only this trace does


def evaluate(folder: Path) -> Report:
    """The labels of every case."""
    benign, attacks = _sorted(folder)
    if not benign or not attacks:
        raise DataError(
            f"{folder}: {len(benign)} benign and {len(attacks)} attack traces, told by their file names "
            "(samples__httpd, samples__apache, k8s are benign); add what is missing"
        )
    background = [w for trace in benign.values() for w in trace if w]
    rows = tuple(_row(case, background) for case in _cases(benign, attacks))
    return Report(NAME, (_table(rows, benign, background),), KEEPS)


def _sorted(folder: Path) -> tuple[dict[str, Trace], dict[str, Trace]]:
    benign, attacks = {}, {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        name, found = path.name.removesuffix(".jsonl.gz"), acts(read(path))
        if name.startswith(MIXED):
            at = next(
                (i for i, a in enumerate(found) if a.behaviour.startswith("exec:") and ENTRY in a.behaviour), len(found)
            )
            benign[f"{name} until the entry"], rest = windows(found[:at]), windows(found[at:])
            if rest:
                attacks[f"{name} from the entry on"] = rest
        elif name.startswith(BENIGN):
            benign[name] = windows(found)
        elif any(a.behaviour.startswith(("exec:", "egress:")) for a in found):
            attacks[name] = windows(found)
    return {n: t for n, t in benign.items() if t}, {n: t for n, t in attacks.items() if t}


def _cases(benign: dict[str, Trace], attacks: dict[str, Trace]) -> Iterator[Case]:
    for name, trace in attacks.items():
        should = UNCLEAR if name.startswith(STEPLESS) else RISKY
        yield Case(f"{name}, on one of {REPLICAS}", trace, should, (1,), False)
        yield Case(f"{name}, on one of {REPLICAS}, 10 min after a rollout", trace, should, (1,), True)
    everyone = tuple(range(1, REPLICAS + 1))
    first = next(iter(benign.values()))
    yield Case("nothing new, a rollout", first, "none", everyone, True)
    yield Case("nothing new, two replicas more", first, "none", (*everyone, 5, 6), False)
    job = next((_of_cron(t) for n, t in benign.items() if n.startswith(MIXED)), [])
    if any(job):
        what = "the backup job, unknown until then"
        yield Case(f"{what}, in a rollout on all that declares it", job, DECLARED, everyone, True, ALL, True)
        yield Case(f"{what}, in a rollout on all that declares nothing", job, UNDECLARED, everyone, True, (), True)
        yield Case(f"{what}, on one without a deploy", job, ALONE, (1,), False, (), True)


def _of_cron(trace: Trace) -> Trace:
    """What the scheduler did; the web server beside it is no part of the job."""
    return [tuple(u for u in w if "httpd" not in str(u.data["lineage"])) for w in trace]


def _row(case: Case, background: Trace) -> Row:
    start = perf_counter()
    learned = background
    if case.unknown:
        own = {(u.behaviour, u.data["lineage"]) for w in case.trace for u in w}
        rest = (tuple(u for u in w if (u.behaviour, u.data["lineage"]) not in own) for w in background)
        learned = [w for w in rest if w]
    pipeline = Pipeline(Policy())
    for record in _stream(case, learned):
        pipeline.feed(record)
    found = [f for f in pipeline.findings() if f.opened >= LEARN * DAY]
    envelope = {u.behaviour for w in learned for u in w}
    new = len({u.behaviour for w in case.trace for u in w} - envelope)
    figures = {
        "should be": case.should,
        "label": _label(found),
        "risky": sum(f.label == RISKY for f in found),
        "review": sum(f.label == REVIEW for f in found),
        "evolution": sum(f.label == EXPECTED for f in found),
        "behaviours new": new,
        "seconds": round(perf_counter() - start, 2),
    }
    return Row(case.name, OURS, figures, {})


def _label(found: list[Finding]) -> str:
    """The gravest label; "none" without a finding."""
    labels = {f.label for f in found}
    return next((x for x in (RISKY, REVIEW, EXPECTED) if x in labels), "none")


def _stream(case: Case, background: Trace) -> Iterator[Record]:
    """Sixteen days of background, then the case, then a day and a half for the evaluations."""
    yield Head(0.0, "n1", "6.1", "lab", "import", 10.0, source="sysflow")
    for number in range(1, REPLICAS + 1):
        yield _identity(number, "r1", 0.0)
    at = LEARN * DAY
    yield from _hours(background, 0.0, at, dict.fromkeys(range(1, REPLICAS + 1)))
    shift = 0
    if case.rollout:
        yield Deploy("d1", at, at, "cli", WEB, "image", "r2", "lab", case.scope, "signed")
        shift = 10
    fresh = {n + shift for n in case.replicas} | {n + shift for n in range(1, REPLICAS + 1)}
    for number in sorted(fresh):
        if number > REPLICAS:
            yield _identity(number, "r2" if case.rollout else "r1", at)
    spliced = {n + shift: case.trace for n in case.replicas}
    yield from _hours(background, at, at + AFTER * DAY, {n: spliced.get(n) for n in sorted(fresh)})


def _identity(number: int, revision: str, time: float) -> Identity:
    return Identity(time, _replica(number), f"/lab/{number}", WEB, revision, "import")


def _replica(number: int) -> Replica:
    return Replica("n1", CgroupId(number))


def _hours(background: Trace, start: float, end: float, replicas: dict[int, Trace | None]) -> Iterator[Record]:
    """The background each hour on each replica, and ten minutes into the first hour what is spliced in."""
    time = start
    while time < end:
        rows = [(time + 10.0 * i, n, w) for n in replicas for i, w in enumerate(background)]
        if time == start:
            rows += [
                (time + 600.0 + 10.0 * i, n, w) for n, trace in replicas.items() for i, w in enumerate(trace or ())
            ]
        for at, number, uses in sorted(rows, key=lambda r: r[:2]):
            yield Window(_replica(number), at, at + 10.0, uses)
        for tick in (900.0, 1800.0, HOUR):
            if rows[-1][0] < time + tick:
                yield Tick("n1", time + tick)
        time += HOUR


def _table(rows: tuple[Row, ...], benign: dict[str, Trace], background: Trace) -> Table:
    attacks = [r for r in rows if r.figures["should be"] == RISKY]
    hit = sum(r.figures["label"] == RISKY for r in attacks)
    found = sum(r.figures["label"] in (RISKY, REVIEW) for r in attacks)
    protocol = (
        f"one workload of {REPLICAS} replicas; background {', '.join(benign)} ({len(background)} windows of 10 s) each hour "
        f"on each replica for {LEARN} days, policy of production; then the trace; labels after {AFTER:g} days"
    )
    novelty = Row("any new behaviour alarms", BASELINE, {"label": "risky on every row with behaviours new"}, {})
    notes = (
        f"risky recall {hit} of {len(attacks)}, with review {found} of {len(attacks)}",
        "an attack trace is spliced in whole, with what its container does anyway: more is new than in a real attack, so "
        "this shows the label, and no detection rate",
        "the backup job is benign, but brings a scheduler, a shell and a dozen programs that no known program starts. In a "
        "rollout, declared or not, demands.md section 3.2 asks for review (deploy yes, pattern no, resources yes; the last is "
        "unknown here). Without a deploy on one replica, 3.2 itself says risky",
        "these labels depend on the classifier as it stands; run the command for those of today",
    )
    return Table("SysFlow lab, labels of the pipeline", protocol, COLUMNS, (*rows, novelty), notes=notes)
