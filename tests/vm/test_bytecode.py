"""Compiled files lie where Python looks for them, and are made anew when their source changes."""

import subprocess
import sys

from tests.vm.bytecode import write


def test_what_was_compiled_is_what_python_takes_also_after_a_copy_and_not_after_a_change(tmp_path):
    tree, layer = tmp_path / "tree", tmp_path / "layer"
    source = tree / "wire/word.py"
    source.parent.mkdir(parents=True)
    source.write_text("word = 'old'")
    assert (write(tree, layer, tree), write(tree, layer, tree)) == (1, 0)
    cached = next(layer.rglob("*.pyc"))
    assert cached == layer / str(tree).lstrip("/") / f"wire/__pycache__/word.{sys.implementation.cache_tag}.pyc"
    (source.parent / "__pycache__").mkdir()
    (source.parent / "__pycache__" / cached.name).write_bytes(cached.read_bytes())
    source.touch()
    run = [sys.executable, "-S", "-B", "-v", "-c", "from wire.word import word; print(word)"]
    found = subprocess.run(run, cwd=tree, capture_output=True, text=True)
    assert found.stdout == "old\n" and "matches" in found.stderr
    source.write_text("word = 'new'")
    assert subprocess.run(run, cwd=tree, capture_output=True, text=True).stdout == "new\n"
    assert write(tree, layer, tree) == 1


def test_a_file_that_does_not_compile_is_left_to_who_imports_it(tmp_path):
    (tmp_path / "wire").mkdir()
    (tmp_path / "wire/broken.py").write_text("def (")
    assert write(tmp_path, tmp_path / "layer", tmp_path) == 0
