"""`driftline track`: who is only observed, staging baselines from export to divergence, and what is refused."""

import csv
import io
import json

import pytest

from classifier.tracks import staging, view
from console.cli import track
from tests.fixtures import fx12
from tests.tracks.signing import OTHER, key_file, keys_file
from wire.trace import Writer


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The fixture's day, not today: validity is of the clock."""
    monkeypatch.setattr("console.cli.staging._now", lambda: fx12.START)


def test_the_command_knows_the_modes_of_the_classifier():
    assert track.MODES == (view.OBSERVATION, view.ENFORCED, view.UNSEEN) and track.OBSERVATION == view.OBSERVATION


def written(path, records):
    with Writer(path) as writer:
        for record in records:
            writer.add(record)
    return path


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    open_ = [fx12.pin("data", "cardholder")]
    return {
        "staging": written(folder / "staging.trace", fx12.staging()),
        "enforced": written(folder / "enforced.trace", fx12.production(fx12.laid_down("sha256:x"))),
        "observed": written(folder / "observed.trace", fx12.production(open_)),
    }


@pytest.fixture
def signed(driftline, traces, tmp_path):
    """A baseline as a person makes it, and the keys that vouch for it."""
    file = tmp_path / "kyc.json"
    where = ["--for", fx12.PRODUCTION, "--start-up", "--trace", traces["staging"]]
    assert driftline("track", "staging", "export", fx12.STAGING, file, *where).exit_code == 0
    done = driftline("track", "staging", "sign", file, "--key", key_file(tmp_path))
    assert done.exit_code == 0 and "public: whpk_" in done.stdout
    return file, keys_file(tmp_path)


def test_who_is_observed_is_one_command_and_a_regulated_one_among_them_exits_with_3(driftline, traces):
    result = driftline("track", "list", "--mode", "observation", "--trace", traces["observed"], "--csv")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert (row["workload"], row["data"], row["exposure_hours"]) == (fx12.PRODUCTION, "cardholder", "144.0")
    assert result.exit_code == 3 and "regulated, but only observed" in result.stderr


def test_nobody_observed_exits_with_0(driftline, traces):
    result = driftline("track", "list", "--mode", "observation", "--trace", traces["enforced"], "--json")
    assert result.exit_code == 0 and json.loads(result.stdout) == []
    everyone = driftline("track", "list", "--trace", traces["enforced"], "--json")
    assert everyone.exit_code == 0 and [t["mode"] for t in json.loads(everyone.stdout)] == ["enforced"]


def test_an_unlabelled_workload_is_standard_with_a_warning(driftline, traces):
    (row,) = json.loads(driftline("track", "list", "--trace", traces["staging"], "--json").stdout)
    assert (row["track"], row["warnings"]) == ("standard", ["unclassified"])


def test_show_says_why_and_who_said_so(driftline, traces):
    shown = driftline("track", "show", fx12.PRODUCTION, "--trace", traces["enforced"]).stdout
    for words in ("set by compliance; its inputs give regulated: data=cardholder", "enforcement", "sha256:x"):
        assert words in shown


def test_a_baseline_that_was_signed_is_verified(driftline, signed):
    file, keys = signed
    found = json.loads(driftline("track", "staging", "verify", file, "--keys", keys, "--json").stdout)
    assert (found["signed_by"], found["for"], found["source"]) == ("compliance", fx12.PRODUCTION, fx12.STAGING)


def test_divergence_names_what_staging_never_did(driftline, signed, traces):
    file, keys = signed
    arguments = ["track", "divergence", fx12.PRODUCTION, "--staging", file, "--keys", keys]
    found = json.loads(driftline(*arguments, "--trace", traces["enforced"], "--json").stdout)
    assert {r["behaviour"] for r in found if r["kind"] == "staging_gap"} == {fx12.SCREENING, fx12.DB}
    assert {r["behaviour"] for r in found if r["kind"] == "unused"} >= {fx12.SCAN, fx12.STAGING_DB}
    assert "2 only in production" in driftline(*arguments, "--trace", traces["enforced"]).stdout


def tampered(file):
    whole = json.loads(file.read_text())
    whole["baseline"]["behaviours"][0]["behaviour"] = "egress:tcp:evil.example:443"
    file.write_text(json.dumps(whole))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(tampered, "changed after it was signed", id="changed"),
        pytest.param(lambda f: f.write_text("{}"), "no staging baseline", id="empty"),
        pytest.param(lambda f: f.write_text("[" * 99_999), "no JSON", id="deep"),
        pytest.param(lambda f: f.write_text('{"baseline": NaN}'), "no JSON", id="nan"),
        pytest.param(lambda f: f.write_bytes(b"\xff\x00"), "no JSON", id="bytes"),
    ],
)
@pytest.mark.parametrize("command", ["verify", "divergence", "set"])
def test_a_bad_baseline_is_refused_everywhere(driftline, classifier, signed, traces, spoil, words, command):
    file, keys = signed
    spoil(file)
    arguments = {
        "verify": ["staging", "verify", file],
        "divergence": ["divergence", fx12.PRODUCTION, "--trace", traces["enforced"], "--staging", file],
        "set": ["set", fx12.PRODUCTION, "regulated", "--staging", file],
    }
    result = driftline("track", *arguments[command], "--keys", keys)
    assert result.exit_code == 1 and words in str(result.exception or "") + result.stderr
    assert not classifier.asked


def test_an_unknown_signer_and_no_keys_are_refused(driftline, signed, tmp_path):
    file, keys = signed
    assert "nobody's signature counts" in driftline("track", "staging", "verify", file).stderr
    driftline("track", "staging", "sign", file, "--key", key_file(tmp_path, OTHER))
    result = driftline("track", "staging", "verify", file, "--keys", keys)
    assert result.exit_code == 1 and "bad signature" in str(result.exception)


def test_a_baseline_for_another_workload_is_refused(driftline, signed):
    file, keys = signed
    result = driftline("track", "staging", "verify", file, "--keys", keys, "--for", "prod/other")
    assert result.exit_code == 1 and "it is for" in str(result.exception)


def test_set_sends_one_pin_per_label(classifier, driftline, signed):
    file, keys = signed
    classifier.answers = {"/pins": (200, {})}
    labels = ["--data", "cardholder", "--reversibility", "irreversible", "--staging", file, "--keys", keys]
    assert driftline("track", "set", fx12.PRODUCTION, "regulated", *labels, "--note", "PCI").exit_code == 0
    sent = {body["what"]: body["value"] for _, _, body in classifier.asked}
    assert sent.keys() == {"track", "data", "reversibility", "staging"} and sent["track"] == "regulated"
    assert sent["staging"].startswith("sha256:") and sent["staging"].endswith("signed by compliance")


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        pytest.param(["auto"], {"track": ""}, id="track-taken-back"),
        pytest.param(["--data", ""], {"data": ""}, id="label-taken-back"),
        pytest.param(["--enforcement", "on"], {"enforcement": "on"}, id="enforcement"),
    ],
)
def test_labels_and_tracks_can_be_taken_back(classifier, driftline, arguments, sent):
    classifier.answers = {"/pins": (200, {})}
    assert driftline("track", "set", "w", *arguments).exit_code == 0
    assert {body["what"]: body["value"] for _, _, body in classifier.asked} == sent


def test_nothing_to_set_is_a_mistake_of_usage(classifier, driftline):
    assert driftline("track", "set", "w").exit_code == 2 and not classifier.asked


def test_the_file_is_canonical_and_complete(signed):
    file, _ = signed
    text = file.read_bytes()
    assert text == staging.canonical(json.loads(text)) + b"\n"


@pytest.mark.parametrize(("more", "days"), [([], 30), (["--days", "2"], 2), (["--revoke"], 0)])
def test_allow_sends_one_behaviour_with_an_end(classifier, driftline, monkeypatch, more, days):
    classifier.answers = {"/pins": (200, {})}
    monkeypatch.setattr("time.time", lambda: 1000.0)
    result = driftline("track", "allow", "w", fx12.SCREENING, "--note", "ticket 9", "--actor", "ann", *more)
    plain = {"workload": "w", "what": "allow", "value": fx12.SCREENING, "note": "ticket 9", "actor": "ann"}
    assert result.exit_code == 0
    assert [body for _, _, body in classifier.asked] == [plain | {"until": 1000.0 + days * 86400}]
