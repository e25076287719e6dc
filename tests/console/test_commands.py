"""Every command: help, exit codes, errors with a remedy, and nothing that a name could do to a terminal."""

import json
import os
import re
import subprocess
import sys

import click
import pytest

from console.cli import failure
from console.cli.main import COMMANDS, root
from console.cli.manual import commands
from tests.console.nobody import NOBODY

ALL = list(commands(root, "driftline"))
DRIFTLINE = [sys.executable, "-m", "console.cli.main"]


def real(*arguments, **options):
    """The command as its own process."""
    return subprocess.run([*DRIFTLINE, *map(str, arguments)], capture_output=True, timeout=60, **options)


@pytest.mark.parametrize(("path", "command"), ALL, ids=[path for path, _ in ALL])
def test_help_is_one_imperative_sentence_and_one_example(path, command, driftline):
    result = driftline(*path.split()[1:], "--help")
    assert result.exit_code == 0
    first = click.Context(command).command.help.split("\n\n")[0]
    assert re.match(r"[A-Z][a-z]+\b", first) and first.strip().endswith(".") and first.count(". ") == 0
    assert len(re.findall(r"^\s*Example:$", result.stdout, re.M)) == 1
    assert re.search(r"^\s+driftline ", result.stdout, re.M)


@pytest.mark.parametrize(("path", "command"), ALL, ids=[path for path, _ in ALL])
def test_every_option_says_what_it_does(path, command):
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []


@pytest.mark.parametrize(("path", "command"), ALL, ids=[path for path, _ in ALL])
def test_what_prints_has_json_and_lists_have_csv(path, command):
    silent = ("driftline run", "driftline sensor", "driftline classifier", "driftline completion")
    if isinstance(command, click.Group) or path in silent:
        return
    options = {name for p in command.params for name in p.opts}
    assert "--json" in options
    assert path.split()[-1] != "list" or "--csv" in options


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["fnding"], "did you mean finding?", id="typo"),
        pytest.param(["finding", "triage", "x", "maybe"], "maybe", id="choice"),
        pytest.param(["trace", "replay", "/nowhere.trace"], "/nowhere.trace", id="no-file"),
        pytest.param(["trace", "import", "-o", "/nowhere.trace"], "FILE", id="no-argument"),
        pytest.param(["--wrong"], "--wrong", id="option"),
    ],
)
def test_a_mistake_in_the_command_line_is_2_with_the_way_to_help(arguments, message):
    done = real(*arguments, text=True)
    assert done.returncode == failure.USAGE
    assert done.stderr.startswith("Error: ") and message in done.stderr
    assert re.search(r'^Hint: run "driftline.* --help"$', done.stderr, re.M)


def test_a_wrong_configuration_is_2_with_line_and_remedy(tmp_path):
    (tmp_path / "d.yaml").write_text("sensor:\n  intervall: 3\n")
    done = real("--config", tmp_path / "d.yaml", "finding", "list", text=True)
    assert done.returncode == 2
    assert done.stderr == (
        f"Error: {tmp_path}/d.yaml:2: unknown key sensor.intervall\nHint: did you mean sensor.interval?\n"
    )


def test_a_missing_configuration_is_said_without_a_stack_trace(tmp_path):
    done = real("--config", tmp_path / "none.yaml", "finding", "list", text=True)
    assert done.returncode == failure.USAGE
    assert done.stderr.splitlines() == [
        f"Error: {tmp_path}/none.yaml: No such file or directory",
        "Hint: check the path and who may read it",
    ]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["trace", "replay", "TRACE", "--time-scale"], id="scale"),
        pytest.param(["trace", "replay", "TRACE", "--until"], id="until"),
        pytest.param(["trace", "import", "TRACE", "-o", "/nowhere.trace", "--interval"], id="interval"),
        pytest.param(["deploy", "mark", "a/b", "--time"], id="time"),
    ],
)
def test_what_is_no_finite_number_is_a_mistake_of_the_command_line(arguments, number, trace, driftline):
    """NaN passed every range; replay ended in "this is a mistake in driftline" (#2)."""
    result = driftline(*(trace if a == "TRACE" else a for a in arguments), number)
    assert result.exit_code == failure.USAGE and "Invalid value for '--" in result.stderr


def test_the_stack_trace_is_there_for_those_who_ask(tmp_path):
    done = real(
        "--config", tmp_path / "none.yaml", "finding", "list", env=os.environ | {"DRIFTLINE_DEBUG": "1"}, text=True
    )
    assert "Traceback" in done.stderr and "Error: " in done.stderr


def test_nobody_at_the_control_socket_is_1_with_the_remedy(tmp_path):
    environment = os.environ | {"DRIFTLINE_CLASSIFIER_CONTROL": str(tmp_path / "none.sock")}
    done = real("workload", "list", env=environment, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Error: no classifier answers at {tmp_path}/none.sock",
        'Hint: start it with "driftline run"',
    ]


@pytest.mark.parametrize(
    "arguments", [["run"], ["sensor"], ["sensor", "--unload"], ["trace", "record", "-o", "/nowhere.trace"]]
)
def test_without_root_the_kernel_cannot_be_observed_and_that_is_3(arguments):
    done = real(*arguments, text=True, **NOBODY)
    assert (done.returncode, done.stderr.splitlines()[0].endswith("needs root")) == (failure.CANNOT_HONOUR, True)


def test_a_reader_that_has_seen_enough_is_no_failure(trace):
    command = f"{' '.join(DRIFTLINE)} trace show {trace} --json | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_of_the_shell(shell, driftline):
    result = driftline("completion", shell)
    assert result.exit_code == 0 and "_DRIFTLINE_COMPLETE" in result.stdout


def test_the_bash_script_completes_nouns_and_verbs():
    script = real("completion", "bash", text=True).stdout
    environment = os.environ | {
        "_DRIFTLINE_COMPLETE": "bash_complete",
        "COMP_WORDS": "driftline tra",
        "COMP_CWORD": "1",
    }
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    assert real(env=environment, text=True).stdout.split() == ["plain,track", "plain,trace"]
    environment |= {"COMP_WORDS": "driftline trace re", "COMP_CWORD": "2"}
    assert real(env=environment, text=True).stdout.split() == ["plain,record", "plain,replay"]


def test_version_is_json_too(driftline):
    assert set(json.loads(driftline("version", "--json").stdout)) == {"driftline", "python", "kernel"}


def test_the_overview_names_every_noun_and_loads_none():
    code = (
        "import sys; from console.cli.main import root; root(['-h'], standalone_mode=False); print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert all(noun in done.stdout for noun in COMMANDS)
    loaded = {noun for noun in COMMANDS if f"'console.cli.{noun}'" in done.stdout}
    assert loaded == set()


def test_the_sensor_command_loads_nothing_heavy():
    code = "import sys; import console.cli.sensor, sensor.settings; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    heavy = {"rich", "sklearn", "sqlite3", "aiohttp", "http.client", "yaml", "scipy"}
    assert heavy & set(done.stdout.split()) == set()
