"""`make kernel`: boots every kernel, as many at a time as there are cores, asks each the same, and writes docs/kernels.md.

python -m tests.vm [--folder /tmp] [--only 6.1] [--tree DIR] [--page FILE] [--keep]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.vm import boots, command, machine, report
from tests.vm.boots import Boot
from tests.vm.machine import ROOT, Machine, Outcome
from tests.vm.packages import SERIES

Answers = dict[tuple[str, str], Outcome]  # series and name of a boot → what came of it


def main() -> int:
    options, begun = _options(), time.monotonic()
    folder = options.folder / "driftline-vm"

    def work() -> int:
        machines = [machine.make(series, folder, options.tree) for series in options.only]
        _say("all", f"packages: {time.monotonic() - begun:.0f} s")
        columns = _asked(machines)
        if options.page:
            options.page.write_text(report.page(columns))
        return _verdict(columns, time.monotonic() - begun)

    return command.run("kernel", folder, work, keep=options.keep)


def _options() -> argparse.Namespace:
    parser = command.parser("python -m tests.vm", "Ask every kernel the same.")
    parser.add_argument("--only", nargs="+", choices=SERIES, default=list(SERIES), help="series of kernels")
    return parser.parse_args()


def _asked(machines: list[Machine]) -> list[report.Column]:
    """One guest for each core, the longest boots first; this machine's own part is done beside them."""
    jobs = [(m, boot) for m in machines for boot in boots.of(m.kernel.series)]
    jobs.sort(key=lambda job: job[1].weight, reverse=True)
    with ThreadPoolExecutor(min(len(jobs), os.cpu_count() or 1)) as pool:
        try:
            begun = [pool.submit(_boot, m, boot) for m, boot in jobs]
            here = _here()
            done = [job.result() for job in begun]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            [m.over.set() for m in machines]
            raise
    answers = {(m.kernel.series, boot.name): outcome for (m, boot), outcome in zip(jobs, done, strict=True)}
    return [here, *(_column(m, answers) for m in machines)]


def _boot(made: Machine, boot: Boot) -> Outcome:
    def say(what: str) -> None:
        _say(f"{made.kernel.release}: {boot.name}", what)

    outcome = made.run(boot.script, seconds=boot.seconds, say=say, systemd=boot.systemd)
    end = "done" if outcome.ok else f"code {outcome.code}"
    say(f"{end} after {outcome.seconds:.0f} s, {outcome.cpu:.0f} s of CPU, {outcome.compiled} programs compiled for it")
    if not outcome.ok:
        print(outcome.output, flush=True)
    return outcome


def _here() -> report.Column:
    """The kernel of this machine, in cgroups of our own only."""
    begun, python = time.monotonic(), str(ROOT / ".venv/bin/python")
    doctor = subprocess.run(
        [ROOT / ".venv/bin/driftline", "doctor", "--json"], cwd=ROOT, capture_output=True, text=True
    )
    facts = Path(os.environ.get("TMPDIR", "/tmp")) / f"driftline-facts-{os.getpid()}.json"
    subprocess.run([python, "-m", "tests.vm.facts", facts], cwd=ROOT, check=False)
    found = json.loads(facts.read_text()) if facts.exists() else {"facts": []}
    facts.unlink(missing_ok=True)
    _say("this machine", f"{len(found['facts'])} facts: {time.monotonic() - begun:.0f} s")
    return report.Column("this machine", platform.release(), json.loads(doctor.stdout), tuple(found["facts"]))


def _column(made: Machine, answers: Answers) -> report.Column:
    mine = {name: outcome for (series, name), outcome in answers.items() if series == made.kernel.series}
    plain, units = mine[boots.PLAIN_NAME], mine[boots.UNITS_NAME]
    tests = plain.files.get("tests.txt", b"").decode(errors="replace").strip().splitlines()
    return report.Column(
        made.kernel.series,
        made.kernel.release,
        _json(plain, "doctor.json", {"rows": []}),
        tuple(_json(plain, "facts.json", {}).get("facts", ())),
        tuple(_json(plain, "hooks.json", {}).get("hooks", ())),
        report.sum_of(tests, ended=plain.code is not None),
        tuple(_json(units, "services.json", {}).get("services", ())),
        tuple(f"boot for {name}" for name, outcome in mine.items() if outcome.code is None),
        guest=True,
    )


def _json(outcome: Outcome, name: str, default: dict) -> dict:
    try:
        return json.loads(outcome.files[name])
    except (KeyError, ValueError):  # the guest ended before it was written; the table says so
        return default


def _say(kernel: str, what: str) -> None:
    print(f"kernel: {kernel}: {what}", flush=True)


def _verdict(columns: list[report.Column], seconds: float) -> int:
    red = [(c.release, what) for c in columns for what in c.red]
    for release, what in red:
        _say(release, f"RED {what}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    _say("all", f"{len(columns)} kernels in {seconds:.0f} s, {cpu:.0f} s of CPU, {len(red)} red")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
