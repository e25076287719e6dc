"""`driftline demo --breach`: six weeks of a support agent, then the ticket; live, with the agent's words and without.

Nothing is made up but the clock and the model: a real agent with real tools over MCP, its model behind real TLS, the real
sensor, the real classifier and its audit trail. A day of the policy takes three seconds.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from classifier.drift.finding import RISKY
from classifier.policy import DAY
from console.cli import configured
from console.cli.failure import FAILED, Failure
from console.cli.output import COLOURS, emit_json
from console.demo import story
from console.demo.breach.ending import WAIT, Outcome, since, summary, tell, wrong
from console.demo.lab import WORKLOAD, Lab, Scenery, workplace
from console.demo.programs import LabError

APP = "support-agent"
FIRST = "first-agent"  # another workload, of the same image
SECONDS = 3.0  # a day
WINDOW = 1.0  # seconds of a sensor's window, a third of a day; an export takes less
THEFT = 44  # the day of the theft, a Wednesday as day 0 is a Monday
SUNDAYS = (6, 13, 20, 27, 34, 41)
REPLICAS, THIRD = (1, 2), 3
MORE, LESS = 16, 18  # a third replica comes and goes
ROLLOUTS = {8: "v2", 29: "v3"}  # each takes about two days
KINDS = {"v2": "model", "v3": "image"}
SCOPE = {
    "v2": (),
    "v3": (
        "tool:search_articles",
        "mcp:support-tools/search_articles",
        "chain:search_articles*",
        "egress:tcp:kb.acme.internal:80",
        "egress:tcp:model.acme.internal:443",  # one more answer is asked for with every ticket
    ),
}
COMPANIONS = 10.0  # seconds in which other deviations of the theft join its finding
NAMES = {True: "with-words", False: "without-words"}
LISTEN = 90.0  # seconds until the sensor has compiled what listens to agents


def run(*, output: str | None = None, as_json: bool = False, words: tuple[bool, ...] = (True, False)) -> int:
    """Plays it with the agent's words, then without; 0 if both ended as they must."""
    if lacking := why_not():
        Failure(*lacking).show()
        return FAILED
    places = {heard: configured.folder(Path(output or "build/breach", NAMES[heard])) for heard in words}
    outcomes = {}
    for heard, place in places.items():
        try:
            outcomes[heard] = play(place, heard, quiet=as_json)
        except LabError as e:
            Failure(str(e)).show()
            return FAILED
    faults = [f"{NAMES[heard]}: {fault}" for heard, o in outcomes.items() for fault in wrong(o, heard=heard)]
    if as_json:
        emit_json({NAMES[heard]: summary(o) for heard, o in outcomes.items()})
    else:
        tell({NAMES[heard]: o for heard, o in outcomes.items()}, faults, DAY / SECONDS)
    return FAILED if faults else 0


def why_not() -> tuple[str, str] | None:
    """What this machine lacks for it, and the remedy; None if nothing."""
    if reason := story.why_not_live():
        return f"this story is played live only: {reason}", "sudo make demo-breach"
    if any(importlib.util.find_spec(name) is None for name in ("mcp", "httpx")):
        return "the agent of this story needs the packages mcp and httpx", "pip install 'driftline[demo]'"
    return None


def play(folder: Path, heard: bool, *, quiet: bool = False) -> Outcome:
    """One run; what it leaves for people is in `folder`: recording, audit bundle, public key.

    Raises:
        LabError: A program failed, or no label came in time.
    """
    agents = ["auto"] if heard else ["none"]
    scenery = Scenery(
        "console.demo.breach.stage", DAY / SECONDS, {"sensor": {"interval": WINDOW, "capture": {"agents": agents}}}
    )
    with workplace("driftline-breach-") as place:
        lab = Lab(place, quiet=quiet, scenery=scenery)
        try:
            with lab:
                told = _live(lab, heard)
            return _kept(lab, folder, told)
        except LabError:
            with contextlib.suppress(OSError):  # what was recorded says why
                shutil.copy(lab.trace, folder / "story.trace")
            raise


def _live(lab: Lab, heard: bool) -> dict[str, Any]:
    lab.order(open=True)
    if heard:
        _warm_up(lab)
    else:
        lab.tell("the prompt feed is off: the sensor sees the kernel's side alone")
    for number in REPLICAS:
        lab.start(APP, "v1", number)
    if heard:
        lab.until(lambda: _is_heard(lab, APP), "listening to the agent's model and tools", LISTEN)
        lab.tell("the sensor listens: nobody told it that this is an agent, or which model and tools it has")
    clock, revision = Calendar(lab), "v1"
    for day in range(THEFT):
        clock.until(day)
        revision = _day(lab, clock, day, revision)
        if early := [f for f in lab.rows("findings") if f["label"] == RISKY]:
            raise LabError(f"day {day}: somebody was paged for nothing: {early[0]['title']}")
    clock.until(THEFT)
    [row] = [w for w in lab.workloads() if w["workload"] == WORKLOAD.format(app=APP)]
    lab.tell(f"day {THEFT}: {row['state']}, {row['behaviours']} behaviours; nobody was paged")
    return _theft(lab)


def _day(lab: Lab, clock: Calendar, day: int, revision: str) -> str:
    """What a day brings; the revision that runs in its evening."""
    if day in SUNDAYS:  # at noon, so that a window in which it begins lies within the day
        clock.until(day + 0.45)
        lab.order(job="weekly-export")
    if day == MORE:
        lab.start(APP, revision, THIRD)
    if day == LESS:
        lab.stop(APP, revision, THIRD)
    if day not in ROLLOUTS:
        return revision
    new = ROLLOUTS[day]
    lab.tell(f"day {day}: {new} is announced ({KINDS[new]}) and rolled out")
    lab.deploy(APP, kind=KINDS[new], revision=new, scope=SCOPE[new])
    for number in REPLICAS:
        lab.start(APP, new, number)
        lab.pause(SECONDS)
        lab.stop(APP, revision, number)
    return new


def _theft(lab: Lab) -> dict[str, Any]:
    ticket = lab.order(inject=True)["ticket"]
    lab.tell(f"day {THEFT}, a Wednesday: ticket {ticket} hides an order to the agent", style="yellow")
    risky = lab.await_label(RISKY, WAIT + 60)
    now = time.time()  # noqa: TID251 (held against the bucket's clock)
    lab.tell(f"{risky['label']} ({risky['severity']}): {risky['title']}", style=COLOURS.get(RISKY, ""))
    lab.until(lambda: lab.order(ask="state")["bytes"], "the theft to end")
    state = lab.order(ask="state")
    seconds = now - state["begun"]
    lab.tell(
        f"{state['reads']:,} records read, {state['bytes']:,} bytes written to the export's own bucket; "
        f"labelled {since(seconds)}"
    )
    lab.pause(COMPANIONS)
    return {"ticket": ticket, "seconds": seconds, "written": state["bytes"], "reads": state["reads"]}


def _warm_up(lab: Lab) -> None:
    """What listens is compiled when the first agent of a node appears; a tool server says its name at its start only."""
    end = time.monotonic() + LISTEN
    for number in itertools.count(1):
        lab.start(FIRST, "v1", number)
        with contextlib.suppress(LabError):
            lab.until(lambda: _is_heard(lab, FIRST), "listening to an agent", 10 * number)  # it may start slowly
        lab.stop(FIRST, "v1", number)
        if _is_heard(lab, FIRST):
            return
        if time.monotonic() > end:
            raise LabError(f"the sensor does not listen to the agent: {lab.probes()}")


class Calendar:
    """Days of the story, counted from the next midnight of the policy's clock."""

    def __init__(self, lab: Lab) -> None:
        night = SECONDS - time.time() % SECONDS  # noqa: TID251 (the classifier counts days by it)
        self._lab, self._begun = lab, time.monotonic() + night

    def until(self, day: float) -> None:
        self._lab.pause(max(0.0, self._begun + day * SECONDS - time.monotonic()))


def _is_heard(lab: Lab, app: str) -> bool:
    """Whether the inventory has tools and a tool server of an agent."""
    known = lab.ask("inventory", WORKLOAD.format(app=app)) or {}
    return {"tool", "mcp"} <= {item["kind"] for item in known.get("items", ())}


def _kept(lab: Lab, folder: Path, told: dict[str, Any]) -> Outcome:
    """What people can look at afterwards, and what it says."""
    recording, bundle, key = folder / "story.trace", folder / "bundle.zip", folder / "audit.pub"
    shutil.copy(lab.trace, recording)
    risky = next((f for f in lab.findings if f["label"] == RISKY), None)
    if risky is None:
        raise LabError("at its end no finding is risky any more")
    _driftline(lab, "audit", "export", "--bundle", str(bundle), "--id", risky["id"])
    key.write_text(_driftline(lab, "audit", "key", "--pem"))
    row = json.loads(_driftline(lab, "audit", "show", risky["id"], "--json"))
    (folder / "row.txt").write_text(_driftline(lab, "audit", "show", risky["id"]))
    again = _driftline(lab, "trace", "replay", str(recording), "--time-scale", str(DAY / SECONDS), "--json")
    same = json.loads(again) == lab.findings
    return Outcome(lab.findings, risky, row, **told, same=same, left=lab.left(), bundle=bundle, key=key)


def _driftline(lab: Lab, *words: str) -> str:
    """What a command prints.

    Raises:
        LabError: It failed.
    """
    command = [sys.executable, "-m", "console.cli.main", "--config", str(lab.config), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"driftline {' '.join(words[:2])}: {done.stderr.strip()[:300]}")
    return done.stdout
