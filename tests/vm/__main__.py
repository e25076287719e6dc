"""`make kernel`: boots every kernel one after the other, asks each the same, and writes docs/kernels.md.

python -m tests.vm [--folder /tmp] [--only 6.1] [--tree DIR] [--page FILE] [--keep]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.vm import machine, report
from tests.vm.machine import ROOT, Machine, Outcome
from tests.vm.packages import SERIES, PackageError

PLAIN_SECONDS = 420  # the longest a boot may take; then it is ended and what it said is shown
SYSTEMD_SECONDS = 600
FULL = "6.12"  # the kernel under which the units are asked everything; systemd is the same under the others
# What a kernel decides: compiling, loading, verifying, counting. The rest of the suite would say the same on every kernel.
TESTS = """
tests/probes/test_btf.py tests/probes/test_headers.py tests/probes/test_pins.py
tests/kernel/test_processes.py tests/kernel/test_files.py tests/kernel/test_network.py tests/kernel/test_syscalls.py
tests/kernel/test_scripts.py
""".split()

PLAIN = f"""
cd {ROOT}; set -o pipefail; export PYTHONDONTWRITEBYTECODE=1
export DRIFTLINE_REQUIRE_KERNEL=1 DRIFTLINE_TEST_INTERVAL=0.6 DRIFTLINE_TEST_ONE_SENSOR=1
.venv/bin/driftline doctor --json > /share/doctor.json
/usr/bin/python3 -m tests.vm.hooks /share/hooks.json
.venv/bin/python -m tests.vm.facts /share/facts.json
.venv/bin/python -m pytest {" ".join(TESTS)} --timeout 300 --tb short 2>&1 | tee /share/tests.txt
"""
SERVICES = f"""
cd {ROOT}; export PYTHONDONTWRITEBYTECODE=1
.venv/bin/python -m tests.vm.services /share/services.json """


def main() -> int:
    options = _options()
    if os.geteuid():
        print("Error: a guest's root is made of mounts, which needs root\nHint: sudo make kernel", file=sys.stderr)
        return 2
    begun, folder = time.monotonic(), options.folder / "driftline-vm"  # removed as a whole, so a name of our own
    try:
        columns = [_here(), *(_guest(machine.make(s, folder, options.tree)) for s in options.only)]
    except PackageError as e:
        print(f"Error: {e}", file=sys.stderr)
        return 1
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if options.page:
        options.page.write_text(report.page(columns))
    return _verdict(columns, time.monotonic() - begun)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.vm", description="Ask every kernel the same.")
    parser.add_argument("--folder", type=Path, default=Path("/tmp"), help="where packages are unpacked")
    parser.add_argument("--only", nargs="+", choices=SERIES, default=list(SERIES), help="series of kernels")
    parser.add_argument("--tree", type=Path, default=ROOT, help="a checkout that the guests see in place of this one")
    parser.add_argument("--page", type=Path, help="where the tables are written")
    parser.add_argument("--keep", action="store_true", help="leave the folder, so that the next run fetches nothing")
    return parser.parse_args()


def _here() -> report.Column:
    """The kernel of this machine, in cgroups of our own only."""
    python = str(ROOT / ".venv/bin/python")
    doctor = subprocess.run(
        [ROOT / ".venv/bin/driftline", "doctor", "--json"], cwd=ROOT, capture_output=True, text=True
    )
    facts = Path(os.environ.get("TMPDIR", "/tmp")) / f"driftline-facts-{os.getpid()}.json"
    subprocess.run([python, "-m", "tests.vm.facts", facts], cwd=ROOT, check=False)
    found = json.loads(facts.read_text()) if facts.exists() else {"facts": []}
    facts.unlink(missing_ok=True)
    _say("this machine", f"{len(found['facts'])} facts")
    return report.Column("this machine", platform.release(), json.loads(doctor.stdout), tuple(found["facts"]))


def _guest(made: Machine) -> report.Column:
    plain = made.run(PLAIN, seconds=PLAIN_SECONDS)
    _show(made, "kernel tests", plain)
    how = "" if made.kernel.series == FULL else "short"
    services = made.run(SERVICES + how, seconds=SYSTEMD_SECONDS, systemd=True)
    _show(made, "units under systemd", services)
    tests = plain.files.get("tests.txt", b"").decode(errors="replace").strip().splitlines()
    return report.Column(
        made.kernel.series,
        made.kernel.release,
        _json(plain, "doctor.json", {"rows": []}),
        tuple(_json(plain, "facts.json", {}).get("facts", ())),
        tuple(_json(plain, "hooks.json", {}).get("hooks", ())),
        report.sum_of(tests, ended=plain.code is not None),
        tuple(_json(services, "services.json", {}).get("services", ())),
        tuple(what for what, boot in (("the tests' boot", plain), ("systemd's boot", services)) if boot.code is None),
        guest=True,
    )


def _json(outcome: Outcome, name: str, default: dict) -> dict:
    try:
        return json.loads(outcome.files[name])
    except (KeyError, ValueError):  # the guest ended before it was written; the table says so
        return default


def _show(made: Machine, what: str, outcome: Outcome) -> None:
    _say(made.kernel.release, f"{what}: {outcome.seconds:.0f} s, {'done' if outcome.ok else f'code {outcome.code}'}")
    if not outcome.ok:
        print(outcome.output)


def _say(kernel: str, what: str) -> None:
    print(f"kernel: {kernel}: {what}", flush=True)


def _verdict(columns: list[report.Column], seconds: float) -> int:
    red = [(c.release, what) for c in columns for what in c.red]
    for release, what in red:
        _say(release, f"RED {what}")
    _say("all", f"{len(columns)} kernels in {seconds:.0f} s, {len(red)} red")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
