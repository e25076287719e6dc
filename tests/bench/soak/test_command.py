"""`python -m bench.soak --from`: a result from what a run has kept, without root and without a new run."""

import json

import pytest

from bench.soak import __main__ as command
from tests.bench.soak.test_result import raw, rest
from tests.bench.soak.test_tally import OWN


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    def with_words(*words, **files):
        for name, value in files.items():
            (tmp_path / name).write_text(value if isinstance(value, str) else json.dumps(value))
        told = [str(tmp_path / w) if w in files else w for w in words]
        monkeypatch.setattr("sys.argv", ["soak", *told, "--output", str(tmp_path / "out/soak.json")])
        try:
            code = command.main()
        except SystemExit as e:
            code = e.code
        return code, *capsys.readouterr(), tmp_path / "out/soak.json"

    return with_words


def test_a_good_run_is_a_table_and_a_file(run):
    code, out, _, kept = run("--from", "raw", "--beside", "steady", raw=raw(), steady=raw())
    assert code == 0
    assert "no replica comes or goes" in out
    assert json.loads(kept.read_text())["wrong"] == []


def test_a_counter_that_differs_ends_with_one_and_is_named(run):
    code, out, err, _ = run("--from", "raw", "--json", raw=raw(rests=[rest(600.0, own=OWN | {"opens": 7})]))
    assert code == 1
    assert "opens, calls: -1 of 7" in err
    assert json.loads(out)["checks"]


@pytest.mark.parametrize("text", ["", "[1]", '{"samples": {}}'], ids=["empty", "list", "a-kept-one"])
def test_what_is_no_raw_result_is_refused_with_a_remedy(run, text):
    code, _, err, kept = run("--from", "raw", raw=text)
    assert code == 2
    assert "Hint: --folder" in err
    assert not kept.exists()
