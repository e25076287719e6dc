"""Samples of programs that run: here of this one."""

import os

from bench.soak.sampling import program, sizes, smaps


def test_a_program_has_memory_threads_and_descriptors():
    found = program(os.getpid())
    assert found["rss"] >= found["anonymous"] > 0
    assert found["threads"] >= 1 and found["fds"] >= 3


def test_no_mappings_are_no_memory():
    assert set(smaps("").values()) == {0}


def test_folders_count_as_one_file(tmp_path):
    (tmp_path / "a").write_bytes(bytes(3))
    (tmp_path / "b/c").mkdir(parents=True)
    (tmp_path / "b/c/d").write_bytes(bytes(5))
    assert sizes(tmp_path) == {"a": 3, "b": 5}
    assert sizes(tmp_path / "gone") == {}
