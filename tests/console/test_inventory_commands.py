"""`driftline inventory`: at three moments, from a trace and from the running classifier."""

import csv
import io
import json

import pytest
import yaml
from click import BadParameter

from classifier.inventory.view import listed, one, read
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from console.cli.instant import NOW, Instant
from console.cli.inventory_declared import MAP
from console.cli.inventory_showing import ITEMS
from tests.factories import SHOP, event, head, identity, window
from tests.fixtures import fx7
from tests.fixtures.fx7 import OTHER, WORKLOAD
from wire.records import Pin, Tick
from wire.trace import Writer


@pytest.fixture(scope="module")
def seven(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fx7")
    with Writer(folder / "fx7.trace") as writer:
        for record in fx7.fx7():
            writer.add(record)
    (folder / "agent.yaml").write_text(yaml.safe_dump(fx7.MANIFEST))
    (folder / "agent.json").write_text(json.dumps(fx7.MANIFEST))
    return folder


@pytest.fixture
def ask(driftline, seven):
    return lambda verb, *rest: driftline("inventory", verb, *rest, "--trace", seven / "fx7.trace")


def models(result) -> dict[str, int]:
    found = json.loads(result.stdout)["items"]
    return {i["name"]: len(i["replicas"]) for i in found if i["kind"] == "model" and i["basis"] == "verified"}


def test_three_moments_around_a_change_give_three_answers(ask):
    at = [models(ask("show", WORKLOAD, "--at", f"2026-11-17T14:{m}", "--json")) for m in ("29", "32", "41")]
    assert at == [{"model-b": 2}, {"model-b": 1, "model-c": 1}, {"model-b": 1, "model-c": 1}]
    servers = [
        ask("show", WORKLOAD, "--at", f"2026-11-17T14:{m}").stdout.count("mcp-files") for m in ("29", "32", "41")
    ]
    assert servers[:2] == [0, 0] and servers[2] > 0


def test_show_says_how_it_knows_and_what_it_does_not(ask):
    shown = ask("show", WORKLOAD).stdout
    for words in ("model-b", "verified", "inferred", "unknown(not_captured)", "some-mcp", "n1/e1/", "complete"):
        assert words in shown
    assert "leftpad" not in shown and "leftpad" in ask("show", WORKLOAD, "--all").stdout
    rows = list(csv.DictReader(io.StringIO(ask("show", WORKLOAD, "--csv").stdout)))
    assert list(rows[0]) == list(ITEMS) and len(rows) > 10


def test_diff_lists_exactly_what_changed_and_nothing_where_nothing_did(ask):
    found = json.loads(ask("diff", WORKLOAD, "--from", "2026-11-17T14:31", "--to", "2026-11-17T14:41", "--json").stdout)
    assert [(r["change"], r["name"]) for r in found] == [("added", "mcp-files")]
    same = ask("diff", WORKLOAD, "--from", "2026-11-17T13:00", "--to", "2026-11-17T14:00")
    assert same.exit_code == 0 and "nothing changed" in same.stderr


def test_one_command_shows_a_moment_and_what_changed_since(ask):
    found = json.loads(ask("show", WORKLOAD, "--at", "2026-11-17T14:32", "--diff", "now", "--json").stdout)
    assert [(r["change"], r["name"]) for r in found["diff"]] == [("added", "mcp-files")] and found["items"]
    assert (
        "from then until 2026-11-17 15:00:00Z"
        in ask("show", WORKLOAD, "--at", "2026-11-17T14:32", "--diff", "now").stdout
    )


def test_changes_are_a_timeline(ask):
    shown = ask("changes", WORKLOAD, "--since", "2026-11-17T11:00").stdout
    assert shown.index("lora-1") < shown.index("model-c") < shown.index("mcp-files") and "some-mcp" not in shown


def test_discover_finds_the_agent_and_not_the_web_server(ask):
    found = json.loads(ask("discover", "--json").stdout)
    assert [f["workload"] for f in found] == [WORKLOAD] and found[0]["state"] == "unregistered_agent"
    assert any("api.openai.com" in r for r in found[0]["reasons"]) and any("MCP" in r for r in found[0]["reasons"])
    assert {f["workload"] for f in json.loads(ask("discover", "--all", "--json").stdout)} == {WORKLOAD, OTHER}


def test_who_has_a_pin_is_registered():
    pipeline = Pipeline(Policy())
    for record in [*fx7.fx7(), Pin(fx7.END, WORKLOAD, "class", "tool-user", "ann")]:
        pipeline.feed(record)
    assert {row["workload"]: row["state"] for row in listed(pipeline.known())} == {
        WORKLOAD: "registered",
        OTHER: "no_agent",
    }


@pytest.mark.parametrize("name", ["agent.yaml", "agent.json"])
def test_check_reads_both_kinds_of_manifest(ask, seven, name):
    found = json.loads(ask("check", WORKLOAD, "--manifest", seven / name, "--json").stdout)
    assert {r["loaded"] for r in found if r["status"] == "undeclared"} == {
        "model-b",
        "model-c",
        "lora-2",
        "some-mcp",
        "mcp-files",
    }
    assert ask("check", WORKLOAD, "--manifest", seven / name, "--exit-code").exit_code == 1


def test_of_a_workload_that_nobody_saw_everything_is_only_declared_and_the_command_fails(ask, seven):
    result = ask("check", "nobody", "--manifest", seven / "agent.yaml", "--json")
    assert result.exit_code == 4 and "only declared" in result.stderr
    assert {r["status"] for r in json.loads(result.stdout)} == {"declared_only"}


def test_capability_map_says_of_each_row_whether_it_was_declared_and_whether_it_was_loaded(ask, seven):
    """D029."""
    found = json.loads(ask("capmap", WORKLOAD, "--manifest", seven / "agent.yaml", "--json").stdout)["capabilities"]
    flags = {(r["kind"], r["name"]): (r["declared"], r["loaded"]) for r in found}
    assert flags["model", "model-b"] == (False, True) and flags["mcp", "some-mcp"] == (False, True)
    assert flags["model", "model-a"][0] is True and flags["model", "model-a"][1] is not True
    assert any(kind == "destination" and flag == (None, True) for (kind, _), flag in flags.items())
    assert not any(name.endswith(":53") for _, name in flags)


def test_capability_map_without_a_manifest_knows_nothing_of_declarations(ask):
    plain = json.loads(ask("capmap", WORKLOAD, "--json").stdout)["capabilities"]
    assert {r["declared"] for r in plain} == {None} and all(r["loaded"] for r in plain)
    told = ask("capmap", WORKLOAD).stdout
    assert "model-b" in told and "unknown" in told
    rows = list(csv.DictReader(io.StringIO(ask("capmap", WORKLOAD, "--csv").stdout)))
    assert {r["loaded"] for r in rows} == {"yes"} and len(rows) == len(plain) and list(rows[0]) == list(MAP)


@pytest.mark.parametrize("verb", ["show", "capmap", "changes"])
def test_json_and_csv_exclude_each_other(ask, verb):
    """The map of capabilities gave CSV."""
    assert ask(verb, WORKLOAD, "--json", "--csv").exit_code == 2


def test_export_writes_a_bill_of_materials(ask, tmp_path):
    document = json.loads(ask("export", WORKLOAD, "--at", "2026-11-17T14:32").stdout)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    result = ask("export", WORKLOAD, "--output", tmp_path / "a.json")
    said = json.loads(ask("export", WORKLOAD, "--output", tmp_path / "b.json", "--json").stdout)
    assert said["components"] == len(json.loads((tmp_path / "b.json").read_text())["components"])
    assert "components" in result.stdout and json.loads((tmp_path / "a.json").read_text())["metadata"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["show", "nobody"], 1, "the trace holds no workload nobody", id="unknown-workload"),
        pytest.param(
            ["show", WORKLOAD, "--at", "2025-01-01"], 1, "it is known from 2026-11-17 09:00:00Z", id="too-early"
        ),
        pytest.param(["show", WORKLOAD, "--at", "2030-01-01"], 1, "has not been observed yet", id="too-late"),
        pytest.param(["show", WORKLOAD, "--at", "last Tuesday"], 2, "write one like", id="no-time"),
        pytest.param(["diff", WORKLOAD], 2, "--from", id="diff-without-a-moment"),
        pytest.param(["export", WORKLOAD, "--format", "spdx"], 2, "spdx", id="another-format"),
    ],
)
def test_what_cannot_be_answered_says_why(seven, arguments, code, words):
    import subprocess
    import sys

    command = [sys.executable, "-m", "console.cli.main", "inventory", *arguments, "--trace", str(seven / "fx7.trace")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, words in done.stderr) == (code, True) and "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [b"a: [", b"\x00\xff", b"", b"- a", b"models: x", b"a: &a [*a]"])
def test_a_broken_manifest_is_refused_with_a_remedy(ask, tmp_path, content):
    (tmp_path / "m.yaml").write_bytes(content)
    result = ask("check", WORKLOAD, "--manifest", tmp_path / "m.yaml")
    assert result.exit_code == 1 and "Hint:" in result.stderr


def test_the_running_classifier_is_asked_the_same(driftline, classifier):
    pipeline = Pipeline(Policy())
    for record in fx7.fx7():
        pipeline.feed(record)
    known = pipeline.known()
    classifier.answers[f"/inventory/{WORKLOAD.replace('/', '%2F')}"] = (200, one(known, WORKLOAD))
    classifier.answers["/inventory"] = (200, listed(known))
    assert models(driftline("inventory", "show", WORKLOAD, "--at", "2026-11-17T14:29", "--json")) == {"model-b": 2}
    assert WORKLOAD in driftline("inventory", "discover").stdout
    assert read(json.loads(json.dumps(one(known, WORKLOAD)))).workload == WORKLOAD


def test_an_answer_of_another_shape_is_refused(driftline, classifier):
    classifier.answers["/inventory/w"] = (200, {"workload": 3})
    result = driftline("inventory", "show", "w")
    assert result.exit_code == 1 and "holds no inventory" in result.stderr


def test_hostile_names_reach_no_terminal_raw(driftline, tmp_path):
    pod = fx7.agent(1)
    pod.open(fx7.START + 60, "/models/\x1b[2Jx\u202e/model.safetensors")
    with Writer(tmp_path / "h.trace") as writer:
        for record in fx7.records(pod):
            writer.add(record)
    result = driftline("inventory", "show", WORKLOAD, "--trace", tmp_path / "h.trace")
    assert "\\x1b[2Jx" in result.stdout and "\x1b" not in result.stdout and "\u202e" not in result.stdout


def test_a_moment_without_a_zone_is_utc():
    assert Instant().convert("2026-11-17T14:32", None, None) == Instant().convert("2026-11-17T15:32+01:00", None, None)
    assert Instant().convert("now", None, None) == NOW
    with pytest.raises(BadParameter):
        Instant().convert("14:32", None, None)


def test_show_says_what_a_workload_tells_of_itself_and_where_that_was_not_so(driftline, tmp_path):
    told = {
        "source": "otlp",
        "basis": "self_reported",
        "model_asked": "gpt-5\x1b[31m",
        "response_id": "r",
        "conflict": "service.name",
    }
    seen = {"source": "tls", "basis": "verified", "model_asked": "other", "response_id": "r"}
    with Writer(tmp_path / "t.trace") as writer:
        for record in (
            head(),
            identity(),
            event(1, "llm", time=9.0, id="n1/e1/1", **seen),
            event(1, "llm", time=10.0, id="n1/otlp/1", **told),
            window(1, "open:x:/a", start=0.0),
            window(1, "open:x:/a", start=2000.0),
            Tick("n1", 2010.0),
        ):
            writer.add(record)
    shown = driftline("inventory", "show", SHOP, "--trace", tmp_path / "t.trace").stdout
    for words in (
        "quiet, 1 calls told, 1 of them seen, too",
        "conflict: model_asked",
        "conflict: service.name",
        "known by id",
    ):
        assert words in shown
    assert "\x1b" not in shown
    found = json.loads(driftline("inventory", "show", SHOP, "--trace", tmp_path / "t.trace", "--json").stdout)["feed"]
    assert found["conflicts"] == {"model_asked": 1, "service.name": 1} and found["recent"][1]["evidence"] == [
        "n1/otlp/1",
        "n1/e1/1",
    ]


def test_the_day_that_the_manual_asks_about_is_made_by_its_command(driftline, tmp_path):
    fx7.main(str(tmp_path))
    shown = [
        driftline("inventory", "show", WORKLOAD, "--trace", tmp_path / "fx7.trace", "--at", f"2026-11-17T14:{m}").stdout
        for m in ("29", "32", "41")
    ]
    assert len(set(shown)) == 3 and ["mcp-files" in s for s in shown] == [False, False, True]
    checked = driftline(
        "inventory",
        "check",
        WORKLOAD,
        "--trace",
        tmp_path / "fx7.trace",
        "--manifest",
        tmp_path / "manifest.json",
        "--json",
    )
    status = {r["declared"] or r["loaded"]: r["status"] for r in json.loads(checked.stdout)}
    assert (status["model-b"], status["some-mcp"], status["lora-2"]) == ("undeclared",) * 3
