"""The tree keeps its rules: import contracts, a docstring and a test for every module, every command in the manual."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli.main import COMMANDS, root
from console.cli.manual import commands, manual, with_keys

ROOT = Path(__file__).parents[1]
PACKAGES = ("wire", "sensor", "classifier", "guard", "console")
MODULES = sorted(
    p.relative_to(ROOT) for package in PACKAGES for p in (ROOT / package).rglob("*.py") if "__pycache__" not in p.parts
)
INITS = sorted(p for p in MODULES if p.name == "__init__.py")
PLAIN = sorted(p for p in MODULES if p.name not in ("__init__.py", "__main__.py"))

# Modules that no test imports, not even through one that uses them; each with the reason.
UNTESTED = {
    "sensor/probes/loader.py": "runs under the system's Python; every kernel test loads with it",
    "sensor/identity/cri_child.py": "a process of its own, which sensor/identity/cri.py starts",
    "console/demo/stage.py": "a process of its own, which the demo starts",
    "console/demo/apps/report.py": "an agent of the demo, run in its own cgroup",
    "console/demo/apps/support.py": "an agent of the demo, run in its own cgroup",
    "console/demo/breach/apps/agent.py": "the agent of week seven, run in its own cgroup",
    "console/demo/breach/apps/export.py": "the export of week seven, run by its agent",
    "console/demo/breach/apps/tools.py": "the tool server of week seven, run by its agent",
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


def imports_of(path):
    """Dotted names that a file imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def nouns_that_tests_run():
    """Modules of commands that tests call by their noun."""
    texts = "\n".join(p.read_text() for p in (ROOT / "tests").rglob("test_*.py") if p != Path(__file__))
    return {f"console.cli.{noun}" for noun in COMMANDS if f'"{noun}"' in texts}


def test_every_module_is_tested_by_itself_or_through_one_that_uses_it():
    """One step and no more: what is only reached over two others has nobody who looks at it."""
    dotted = {str(m)[:-3].replace("/", "."): m for m in PLAIN}
    named = set().union(*(imports_of(p) for p in (ROOT / "tests").rglob("*.py"))) | nouns_that_tests_run()
    used = set().union(*(imports_of(ROOT / dotted[name]) for name in named & dotted.keys()))
    missing = [str(m) for name, m in dotted.items() if name not in named | used and str(m) not in UNTESTED]
    assert not missing


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
