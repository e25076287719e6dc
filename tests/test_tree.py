"""The tree keeps its rules: import contracts, a docstring and a test for every module, every command in the manual."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli.main import root
from console.cli.manual import commands, manual, with_keys

ROOT = Path(__file__).parents[1]
PACKAGES = ("wire", "sensor", "classifier", "console")
MODULES = sorted(
    p.relative_to(ROOT) for package in PACKAGES for p in (ROOT / package).rglob("*.py") if "__pycache__" not in p.parts
)
INITS = sorted(p for p in MODULES if p.name == "__init__.py")
PLAIN = sorted(p for p in MODULES if p.name not in ("__init__.py", "__main__.py"))

# Modules without a test file that imports them, each with the reason.
UNTESTED = {
    "sensor/probes/loader.py": "runs under the system's Python; the kernel tests load with it",
    "console/cli/doctor.py": "a shell over sensor/doctor.py; help and errors are checked for every command",
    "console/cli/demo.py": "a shell over console/demo/story.py",
}


def test_imports_keep_their_contracts():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_says_in_its_docstring_what_it_is(module):
    found = ast.get_docstring(ast.parse((ROOT / module).read_text()))
    assert found and len(found) > 10


@pytest.mark.parametrize("init", INITS, ids=str)
def test_a_package_holds_its_rule_and_no_code(init):
    assert len(ast.parse((ROOT / init).read_text()).body) == 1


def test_every_module_has_a_test_that_imports_it():
    names = set()
    for tree in (ast.parse(p.read_text()) for p in (ROOT / "tests").rglob("*.py")):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    missing = [str(m) for m in PLAIN if str(m) not in UNTESTED and str(m)[:-3].replace("/", ".") not in names]
    # A command's module is reached through the command line, by name.
    missing = [m for m in missing if not is_reached_by_command(m)]
    assert not missing


def is_reached_by_command(module):
    """Whether a test runs this noun of the command."""
    if not module.startswith("console/cli/"):
        return False
    noun = Path(module).stem
    tests = "\n".join(p.read_text() for p in (ROOT / "tests/console").glob("test_*.py"))
    return f'"{noun}"' in tests


def test_what_is_listed_as_untested_exists():
    assert [name for name in UNTESTED if not (ROOT / name).exists()] == []


def test_the_manual_is_current():
    assert (ROOT / "docs/cli.md").read_text() == manual(), "run `make manual`"


def test_the_table_of_keys_is_current():
    page = (ROOT / "docs/configuration.md").read_text()
    assert page == with_keys(page), "run `make manual`"


@pytest.mark.parametrize("path", [path for path, _ in commands(root, "driftline")])
def test_every_command_is_in_the_manual(path):
    assert f"# `{path}`\n" in (ROOT / "docs/cli.md").read_text()


def test_pages_link_to_files_that_exist():
    import re

    broken = []
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken
