"""Packages of servers start nothing: Debian's policy says so while they are installed, and what they enabled is switched off."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "bench/packages.sh"
STUBS = {
    "dpkg-query": '[ "$3" = there ] && echo installed || true',
    "id": "echo 0",
    "apt-get": """case "$*" in *install*) [ -x "$POLICY" ] && echo "policy $("$POLICY"; echo $?)" >> "$LOG" || echo none >> "$LOG"
                  for word; do last=$word; done; echo "install $last" >> "$LOG"; echo nginx > "$ENABLED"
                  [ "$last" != refused ];; esac""",
    "systemctl": """case "$1" in is-enabled) grep -qs "^$3$" "$ENABLED";; disable) echo "disable $3" >> "$LOG";; esac""",
}


@pytest.fixture
def run(tmp_path):
    """Runs the script where every command that changes something only notes it."""
    stubs = tmp_path / "bin"
    stubs.mkdir()
    for name, body in STUBS.items():
        (stubs / name).write_text(f"#!/bin/sh\n{body}\n")
        (stubs / name).chmod(0o755)
    places = {name: str(tmp_path / name.lower()) for name in ("POLICY", "LOG", "ENABLED")}
    environment = os.environ | places | {"PATH": f"{stubs}:{os.environ['PATH']}"}

    def call(*packages):
        done = subprocess.run(["sh", SCRIPT, *packages], env=environment, capture_output=True, text=True)
        log = tmp_path / "log"
        return done, log.read_text().splitlines() if log.exists() else []

    return call


def test_what_is_there_installs_nothing(run):
    done, log = run("there")
    assert done.returncode == 0 and not log and not done.stdout


def test_a_policy_forbids_starts_while_packages_are_installed_and_goes_with_it(run, tmp_path):
    done, log = run("there", "nginx-light")
    assert done.returncode == 0, done.stderr
    assert log == ["policy 101", "install nginx-light", "disable nginx"]
    assert not (tmp_path / "policy").exists()


def test_a_policy_of_the_machine_is_left_as_it_is(run, tmp_path):
    (tmp_path / "policy").write_text("#!/bin/sh\nexit 104\n")
    (tmp_path / "policy").chmod(0o755)
    _, log = run("nginx-light")
    assert log[0] == "policy 104" and (tmp_path / "policy").read_text() == "#!/bin/sh\nexit 104\n"


def test_a_service_that_was_enabled_before_stays_so(run, tmp_path):
    (tmp_path / "enabled").write_text("nginx\n")
    _, log = run("nginx-light")
    assert not any(line.startswith("disable") for line in log)


def test_a_package_that_a_distribution_does_not_have_costs_no_other(run):
    done, log = run("refused", "bpftrace")
    assert done.returncode == 0 and "no package refused here" in done.stdout
    assert "install bpftrace" in log
