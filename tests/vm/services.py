"""Both units under a real systemd, as docs/install.md installs them: one line per claim, with what was seen.

Runs as root inside a guest that booted with systemd. python -m tests.vm.services OUT.json [short]
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from console.cli.main import root

ROOT = Path(__file__).parents[2]
HOME = Path("/opt/driftline")
COMMAND = HOME / ".venv/bin/driftline"
LENT = Path("/opt/driftline-packages")
SENSOR, CLASSIFIER = "driftline-sensor", "driftline-classifier"
PINS = Path("/sys/fs/bpf/driftline")
AGENT = "unit:demo-agent.service"
NOTES = "/srv/demo/notes.csv"
ROUND = 0.25  # seconds between two rounds of the agent
INTERVAL = 1.0  # seconds of a window here
PATIENCE = 600.0  # seconds that one step may take, on a machine that does other things too
SHIPPED = ("bpf", "classifier", "console", "guard", "sensor", "systemd", "wire")  # what runs
CAPABILITIES = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}

# Does the same thing again and again and counts it itself, so that what was seen can be held against it.
PROGRAM = f"""
import pathlib, socket, sys, time
done = 0
while True:
    open("{NOTES}").close()
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as c:
        c.sendall(b"x" * 100)
    done += 1
    pathlib.Path("/run/demo.count").write_text(str(done))
    time.sleep({ROUND})
"""


class Claim(Exception):
    """It does not hold; the text says what was seen."""


def hold(condition: object, seen: object) -> object:
    if not condition:
        raise Claim(str(seen)[:300])
    return seen


def until(found: Callable[[], object], what: str, seconds: float = PATIENCE) -> object:
    end = time.monotonic() + seconds
    while not (answer := found()):
        hold(time.monotonic() < end, f"waited {seconds:.0f} s for {what}")
        time.sleep(0.2)
    return answer


def run(*command: object, check: bool = True) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=PATIENCE)
    hold(done.returncode == 0 or not check, f"{command[0]} {command[1:]}: {done.returncode} {done.stderr.strip()}")
    return done.stdout


def ask(*words: str) -> object:
    """What the command line says, without a start of Python for each look, which takes some seconds here. Raises Claim."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            root.main([*words, "--json"], prog_name="driftline", standalone_mode=False)
        return json.loads(said.getvalue())
    except Exception as e:  # the classifier is not there yet, or does not know the workload
        raise Claim(f"{' '.join(words)}: {e}") from e


def shown(unit: str, what: str) -> str:
    return run("systemctl", "show", "-P", what, unit).strip()


def pid_of(unit: str) -> int:
    return int(shown(unit, "MainPID"))


def active(unit: str) -> bool:
    return shown(unit, "ActiveState") == "active"


def status(unit: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+):\s*(.*)$", Path(f"/proc/{pid_of(unit)}/status").read_text(), re.M))


def links() -> set[int]:
    """Ids of the links that are pinned: the same ids mean that nothing was detached meanwhile."""
    answer = json.loads(run("bpftool", "-j", "-f", "link"))
    return {link["id"] for link in answer if any(p.startswith(f"{PINS}/") for p in link.get("pinned", ()))}


def epoch() -> str:
    return json.loads(Path("/run/driftline-sensor/default.json").read_text())["epoch"]


def behaviours() -> dict[str, int]:
    return {b["behaviour"]: b["count"] for b in ask("envelope", "show", AGENT)["behaviours"]}


def own_count() -> int:
    return int(until(Path("/run/demo.count").read_text, "a count"))  # empty while it is written


def opens() -> int:
    return sum(n for name, n in behaviours().items() if name.endswith(NOTES))


# -- the claims, in order: each goes on where the one before ended ---------------------------------------------------------


def installs() -> object:
    """The steps of docs/install.md; pip is not reached from here, so the checkout's packages are lent to the copy."""
    HOME.mkdir(parents=True)
    run("cp", "-r", *(ROOT / name for name in SHIPPED), HOME)
    run("/usr/bin/python3", "-m", "venv", "--without-pip", HOME / ".venv")
    [packages] = (ROOT / ".venv/lib").glob("python3*/site-packages")
    LENT.mkdir()
    run("mount", "--bind", packages, LENT)  # by a place that the units see, whose /tmp is their own
    (HOME / packages.relative_to(ROOT) / "lent.pth").write_text(f"{HOME}\n{LENT}\n")
    script = (ROOT / ".venv/bin/driftline").read_text()
    COMMAND.write_text(script.replace(f"{ROOT}/.venv", f"{HOME}/.venv", 1))
    COMMAND.chmod(0o755)
    run("install", "-D", "-m", "644", HOME / "systemd/driftline.sysusers", "/usr/lib/sysusers.d/driftline.conf")
    run("systemd-sysusers")
    units = [HOME / f"systemd/{name}.service" for name in (SENSOR, CLASSIFIER)]
    run("install", "-D", "-m", "644", "-t", "/etc/systemd/system", *units)
    client = HOME / "sensor/probes/client.py"  # how soon a unit is up is no claim, and this machine is emulated
    client.write_text(re.sub(r"^TIMEOUT = \d+", "TIMEOUT = 600", client.read_text(), flags=re.M))
    for unit in (SENSOR, CLASSIFIER):
        Path(f"/etc/systemd/system/{unit}.service.d").mkdir()
        Path(f"/etc/systemd/system/{unit}.service.d/slow.conf").write_text("[Service]\nTimeoutStartSec=600\n")
    Path("/etc/driftline").mkdir(exist_ok=True)
    Path("/etc/driftline/driftline.yaml").write_text(f"sensor:\n  interval: {INTERVAL}\n")
    run("systemctl", "daemon-reload")
    return "as docs/install.md says"


def starts() -> object:
    run("systemctl", "start", CLASSIFIER, SENSOR)
    hold(active(SENSOR) and active(CLASSIFIER), run("systemctl", "status", SENSOR, CLASSIFIER, check=False))
    return "active after their READY=1"


def all_probes() -> object:
    names = {p.name for p in PINS.iterdir() if p.name.startswith("link_")}
    state = json.loads(Path("/run/driftline-sensor/default.json").read_text())["probes"]
    hold(set(state.values()) == {"on"}, state)
    run(COMMAND, "workload", "list", "--json")  # as installed; the other looks are taken without its start
    return f"{len(names)} links of {', '.join(sorted(state))}"


def capabilities() -> object:
    wanted = sum(1 << bit for bit in CAPABILITIES.values())
    unit = (HOME / "systemd/driftline-sensor.service").read_text()
    hold(
        set(re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.M)[1].split()) == set(CAPABILITIES),
        "the unit asks for others",
    )
    seen = status(SENSOR)
    for key in ("CapEff", "CapPrm", "CapBnd"):
        hold(int(seen[key], 16) == wanted, f"{key} {seen[key]}, wanted {wanted:x}")
    hold((seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2"), seen)
    return "exactly the six named; no new privileges; seccomp"


def classifier_is_nobody() -> object:
    seen = status(CLASSIFIER)
    hold(int(seen["CapEff"], 16) == 0 and int(seen["CapBnd"], 16) == 0, seen["CapEff"])
    hold(seen["Uid"].split()[0] != "0" and seen["Seccomp"] == "2", seen["Uid"])
    devices = run("nsenter", "-t", pid_of(CLASSIFIER), "-n", "cat", "/proc/net/dev").splitlines()[2:]
    hold([d.split(":")[0].strip() for d in devices] == ["lo"], devices)
    return f"uid {seen['Uid'].split()[0]}, no capability, only lo"


def read_only() -> object:
    for unit in (SENSOR, CLASSIFIER):
        for place in ("/usr", "/etc", "/opt/driftline"):
            done = subprocess.run(
                ["nsenter", "-t", str(pid_of(unit)), "-m", "touch", f"{place}/driftline-was-here"], capture_output=True
            )
            hold(b"Read-only" in done.stderr, f"{unit} may write {place}")
    return "/usr, /etc and /opt/driftline are read-only for both"


def sees_a_unit() -> object:
    run("systemctl", "start", "demo-agent")
    wanted = {"exec:/usr/bin/python", "open:data:/srv/demo", "egress:tcp:127.0.0.1"}
    until(lambda: not {w for w in wanted if not any(name.startswith(w) for name in seen())}, wanted)
    return f"exec, open and egress of {AGENT}"


def seen() -> dict[str, int]:
    try:
        return behaviours()
    except Claim:  # it does not know the workload yet
        return {}


def whole_guest() -> object:
    for number in range(5):
        run("systemd-run", "--quiet", "--wait", f"--unit=short-{number}", "/bin/true")
    short = {f"unit:short-{n}.service" for n in range(5)}
    found: set[str] = set()

    def all_short() -> bool:
        found.update(w["workload"] for w in ask("workload", "list"))
        return short <= found

    until(all_short, short)
    unknown = sorted(w for w in found if "unknown" in w)
    hold(not unknown, unknown)
    hold({"unit:systemd-journald.service", AGENT} <= found, sorted(found))
    return f"{len(found)} workloads, none unknown; five units of one process each among them"


def survives(act: Callable[[], object], *, same_links: bool = True) -> object:
    """What was learned before stays, and the kernel side counted on."""
    before, pinned, life = behaviours(), links(), epoch()
    act()
    until(lambda: active(SENSOR) and active(CLASSIFIER), "both units")
    hold((links() == pinned) == same_links, f"links {sorted(pinned)} -> {sorted(links())}")
    hold((epoch() == life) == same_links, f"epoch {life} -> {epoch()}")
    mark = own_count()
    until(lambda: own_count() > mark + 4, "the agent to go on")
    after = until(lambda: (b := seen()) and len(b) >= len(before) and b, "its envelope")
    lost = {b for b, n in before.items() if after.get(b, 0) < n}
    hold(not lost, f"less than before: {sorted(lost)}")
    return f"{len(before)} behaviours before, {len(after)} after"


def restart() -> object:
    return survives(lambda: run("systemctl", "restart", SENSOR))


def restart_classifier() -> object:
    return survives(lambda: run("systemctl", "restart", CLASSIFIER))


def kill(*units: str) -> Callable[[], object]:
    def act() -> None:
        pids = {unit: pid_of(unit) for unit in units}
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        until(
            lambda: all(active(u) and pid_of(u) not in (0, pids[u]) for u in units), f"systemd to start {units} again"
        )

    return lambda: survives(act)


def upgrade_python() -> object:
    with (HOME / "sensor/agent.py").open("a") as file:
        file.write("\n# a newer version\n")
    return survives(lambda: run("systemctl", "restart", CLASSIFIER, SENSOR))


def counted_all() -> object:
    """Rounds that the agent made by its own count, through all restarts and kills, and rounds that the envelope holds."""
    run("systemctl", "stop", "demo-agent")
    own = own_count()
    with contextlib.suppress(Claim):
        until(lambda: opens() == own, "the last window", 12)
    seen, kills = opens(), 3
    hold(own - kills * INTERVAL / ROUND <= seen <= own, f"the agent counted {own}, the envelope {seen}")
    return f"{seen} of {own} rounds"


def upgrade_probes() -> object:
    """Other programs: the old ones are taken out, so their counters end; what was learned from them stays."""
    run("systemctl", "restart", "demo-agent")
    until(lambda: 4 < own_count() < 40, "the agent")
    with (HOME / "bpf/common.h").open("a") as file:
        file.write("\n/* a newer version */\n")
    return survives(lambda: run("systemctl", "restart", CLASSIFIER, SENSOR), same_links=False)


def no_finding() -> object:
    found = [f for f in ask("finding", "list") if f.get("workload") == AGENT]
    hold(not found, found)
    return "no finding about the agent"


def stops() -> object:
    """Within the seconds of the units: whoever takes longer is killed by systemd, which keeps that as the result."""
    hold([shown(u, "TimeoutStopUSec") for u in (SENSOR, CLASSIFIER)] == ["5s", "5s"], "the units give another time")
    run("systemctl", "stop", SENSOR, CLASSIFIER)
    hold([shown(u, "Result") for u in (SENSOR, CLASSIFIER)] == ["success", "success"], "the stop was not clean")
    hold(PINS.is_dir(), "the pins are gone")
    return "cleanly, pins kept"


def removes() -> object:
    run(COMMAND, "sensor", "--unload")
    left = [p.name for p in PINS.parent.iterdir() if p.name.startswith("driftline")]
    hold(not left, left)
    until(lambda: not json.loads(run("bpftool", "-j", "link")), "the links to go", 10)
    return "nothing of ours in bpffs, no link in the kernel"


CLAIMS: tuple[tuple[str, Callable[[], object]], ...] = (
    ("installed", installs),
    ("both units start and say that they are ready", starts),
    ("every probe is on inside the sandbox", all_probes),
    ("the sensor has its named capabilities only", capabilities),
    ("the classifier has none, and no network", classifier_is_nobody),
    ("neither can write the system", read_only),
    ("a unit is observed by name", sees_a_unit),
    ("the whole guest is observed, everything has a name", whole_guest),
    ("the sensor restarts: what was learned stays", restart),
    ("the classifier restarts", restart_classifier),
    ("the sensor is killed", kill(SENSOR)),
    ("the classifier is killed", kill(CLASSIFIER)),
    ("both are killed at once", kill(SENSOR, CLASSIFIER)),
    ("upgraded in place, same probes", upgrade_python),
    ("through all of it, every round was counted once", counted_all),
    ("upgraded in place, other probes", upgrade_probes),
    ("none of it is taken for drift", no_finding),
    ("both stop within five seconds", stops),
    ("removed", removes),
)

# What the kernel has a part in; the rest is systemd's and ours, and asked of one kernel only.
SHORT = (installs, starts, all_probes, capabilities, sees_a_unit, whole_guest, restart, upgrade_probes, stops, removes)


def prepare() -> None:
    """An agent as a unit, and somebody for it to talk to."""
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_swallow, args=(server,), daemon=True).start()
    Path(NOTES).parent.mkdir(parents=True)
    Path(NOTES).write_text("x")
    Path("/srv/demo/agent.py").write_text(PROGRAM)
    Path("/run/demo.count").write_text("0")
    command = f"/usr/bin/python3 -S -E /srv/demo/agent.py {server.getsockname()[1]}"
    Path("/etc/systemd/system/demo-agent.service").write_text(f"[Service]\nExecStart={command}\n")


def _swallow(server: socket.socket) -> None:
    while True:
        with server.accept()[0] as c:
            while c.recv(65536):
                pass


def main(out: str, how: str = "") -> None:
    prepare()
    rows = []
    for claim, check in (c for c in CLAIMS if how != "short" or c[1] in SHORT):
        print(f"@@ {claim}", flush=True)
        try:
            row = {"claim": claim, "holds": True, "seen": check()}
        except Exception as e:  # the later claims are worth a look all the same
            row = {"claim": claim, "holds": False, "seen": f"{type(e).__name__}: {e}"[:400]}
        rows.append(row)
        print(rows[-1], flush=True)
        Path(out).write_text(json.dumps({"kernel": os.uname().release, "services": rows}, indent=1))
        if not rows[-1]["holds"]:
            print(
                run("journalctl", "-q", "--no-pager", "-n", "40", "-u", SENSOR, "-u", CLASSIFIER, check=False),
                flush=True,
            )
            if check is starts:  # nothing that follows could be answered
                break


if __name__ == "__main__":
    main(*sys.argv[1:])
