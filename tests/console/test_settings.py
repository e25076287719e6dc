"""Strict configuration: what is wrong is said with its line and the nearest right key."""

import re
from pathlib import Path

import pytest

from classifier.settings import ClassifierSettings
from console.settings import (
    KEYS,
    LIMIT,
    Settings,
    SettingsError,
    cgroup_directory,
    from_environment,
    load,
    parse,
    variable,
)
from sensor.settings import OriginalsSettings, SensorSettings

RULE = 'identity:\n  rules:\n  - match: "/lab/(?P<name>[a-z]+)"\n    workload: "lab/shop/Job/{name}/main"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "sensor:\n  intervall: 5", "c:2: unknown key sensor.intervall; did you mean sensor.interval?", id="typo"
        ),
        pytest.param("interval: 5", "c:1: unknown key interval; did you mean sensor.interval?", id="misplaced"),
        pytest.param("zzz: 5", "c:1: unknown key zzz; docs/configuration.md lists the keys", id="far-from-all"),
        pytest.param("sensor:\n  interval: 0", "c:2: sensor.interval is 0; it must be 0.1 or more", id="too-small"),
        pytest.param("sensor:\n  interval: .nan", "c:2: sensor.interval takes a number", id="yaml-nan"),
        pytest.param("sensor:\n  interval: nan", "c:2: sensor.interval is nan; it must be", id="nan"),
        pytest.param("sensor:\n  interval: soon", "c:2: sensor.interval takes a number, not 'soon'", id="no-number"),
        pytest.param("sensor:\n  digest: maybe", "c:2: sensor.digest takes true or false", id="no-flag"),
        pytest.param("sensor:\n  scope: here", "c:2: sensor.scope takes an absolute path", id="relative-path"),
        pytest.param(
            "sensor:\n  sizes: {fact_pages: 3}", "c:2: sensor.sizes.fact_pages takes a power of two", id="three"
        ),
        pytest.param("sensor:\n  sizes: {slots: " + "9" * 400 + "}", "takes a whole number", id="huge-number"),
        pytest.param("sensor: 5", "c:1: sensor holds keys", id="value-for-a-section"),
        pytest.param(
            "sensor: {capture: {agents: aut}}", "c:1: sensor.capture.agents takes auto, all, none", id="no-pattern"
        ),
        pytest.param("sensor: {interval: [5]}", "c:1: sensor.interval takes one value", id="list-for-a-value"),
        pytest.param("node: a\nnode: b", "c:2: node is set twice", id="twice"),
        pytest.param("a: &x [1]\nb: *x", "c:2: references", id="reference"),
        pytest.param("[" * 3000, "nested more than", id="deep"),
        pytest.param("node: [", "c:1: ", id="broken-yaml"),
        pytest.param("node: \x00", "c: ", id="nul"),
        pytest.param("- a", "c:1: the file holds keys", id="list"),
        pytest.param("node: !!python/object/apply:os.system [id]", "c:1: node takes one value", id="object"),
        pytest.param("identity: {rules: 5}", "c:1: identity.rules is a list", id="rules-no-list"),
        pytest.param("identity: {rules: [{match: a}]}", "c:1: has no 'workload'", id="half-a-rule"),
        pytest.param(RULE + "    revison: x", "unknown key revison in a rule; did you mean revision?", id="rule-typo"),
        pytest.param(
            RULE.replace("{name}", "{nam}"),
            "c:3: workload uses {nam}, but the pattern has no group",
            id="unknown-group",
        ),
        pytest.param(RULE.replace("(?P<name>", "("), "the pattern has no group (?P<name>", id="group-without-name"),
        pytest.param(RULE.replace("[a-z]+", "[a-z"), "c:3: unterminated character set", id="broken-pattern"),
        pytest.param(RULE.replace("[a-z]+", "a" * 600), "more than 512 characters", id="long-pattern"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, message):
    with pytest.raises(SettingsError, match=re.escape(message)):
        parse(text, "c")


@pytest.mark.parametrize("text", ["", "# only a comment", "sensor:", "identity: {rules: }"])
def test_an_empty_section_changes_nothing(text):
    assert all(value == KEYS[name].default for name, value in parse(text).items())


def test_file_and_environment_override_the_defaults_in_this_order(tmp_path):
    file = tmp_path / "d.yaml"
    file.write_text("sensor: {interval: 5, name: left}\n" + RULE)
    found = load(file, {"DRIFTLINE_SENSOR_INTERVAL": "2", "DRIFTLINE_SERVICE_HOST": "10.0.0.1"})
    assert (found["sensor.interval"], found["sensor.name"], found["sensor.digest"]) == (2.0, "left", True)
    assert found["identity.rules"][0].workload == "lab/shop/Job/{name}/main"


def test_an_empty_variable_means_the_default():
    assert from_environment({"DRIFTLINE_SENSOR_SCOPE": ""}) == {"sensor.scope": None}


def test_a_variable_is_as_strict_as_the_file():
    with pytest.raises(SettingsError, match=r"DRIFTLINE_SENSOR_INTERVAL: sensor\.interval takes a number"):
        from_environment({"DRIFTLINE_SENSOR_INTERVAL": "x"})


def test_a_large_or_binary_file_is_refused(tmp_path):
    file = tmp_path / "d.yaml"
    file.write_text("#" * (LIMIT + 1))
    with pytest.raises(SettingsError, match="larger than 256 KiB"):
        load(file, {})
    file.write_bytes(b"node: \xff")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load(file, {})


def test_the_sensor_gets_what_the_command_line_wants_before_the_file(tmp_path):
    file = tmp_path / "d.yaml"
    file.write_text("node: n1\nrun_dir: /run/x\nsensor: {interval: 5, sizes: {slots: 7}}\n" + RULE)
    found = load(file, {}).sensor(interval=1.0, name=None)
    assert (found.node, found.interval, found.name, found.sizes.slots) == ("n1", 1.0, "default", 7)
    assert found.address == Path("/run/x/classifier.sock")
    assert found.identity.rules[0].workload == "lab/shop/Job/{name}/main"


def test_defaults_here_are_the_defaults_there():
    """A program that is started without a configuration gets what its own settings say."""
    mine = load(None, {}).sensor(node="n1")
    theirs = SensorSettings(node="n1", run_dir=mine.run_dir, socket=mine.socket)
    assert mine == theirs


def test_the_classifier_has_the_defaults_of_its_own_settings():
    mine = load(None, {}).classifier()
    places = {"state_dir": mine.state_dir, "socket_path": mine.socket_path, "control_path": mine.control_path}
    assert mine == ClassifierSettings(**places, stop_within=4.0)


def test_the_classifier_gets_addresses_lists_and_a_scaled_policy():
    text = "classifier: {time_scale: 86400, sensor_uids: [0, 7], http: {address: '[::1]:8443'}, systemd: 0}"
    found = Settings({k: v.default for k, v in KEYS.items()} | parse(text)).classifier()
    assert (found.policy.day, found.sensor_uids, found.http_address) == (1.0, (0, 7), ("::1", 8443))
    assert found.systemd is None


def test_a_variable_holds_a_list_with_commas():
    found = from_environment({"DRIFTLINE_CLASSIFIER_SENSOR_UIDS": "0,7", "DRIFTLINE_SENSOR_PROBES": "process, files"})
    assert found == {"classifier.sensor_uids": (0, 7), "sensor.probes": ("process", "files")}


@pytest.mark.parametrize("text", ["8080", ":8080", "host:", "host:0", "host:70000", "host:x"])
def test_an_address_has_a_host_and_a_port(text):
    with pytest.raises(SettingsError, match="takes HOST:PORT"):
        parse(f"classifier: {{metrics_address: '{text}'}}")


def test_a_scope_is_a_directory_or_a_path_below_the_hierarchy(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text("35 24 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n")
    assert cgroup_directory("/lab/a", mounts) == Path("/sys/fs/cgroup/unified/lab/a")
    assert cgroup_directory("/sys/fs/cgroup/unified/lab", mounts) == Path("/sys/fs/cgroup/unified/lab")


@pytest.mark.parametrize(
    ("text", "agents"),
    [
        pytest.param("all", ("all",), id="word"),
        pytest.param("[auto, 'unit:support-*']", ("auto", "unit:support-*"), id="list"),
        pytest.param("'lab/shop/*, unit:a'", ("lab/shop/*", "unit:a"), id="commas"),
    ],
)
def test_agents_are_a_word_or_patterns(text, agents):
    found = Settings({k: v.default for k, v in KEYS.items()} | parse(f"sensor: {{capture: {{agents: {text}}}}}"))
    assert found.sensor(node="n1").capture.agents == agents


def test_every_key_is_documented_with_its_variable():
    page = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
    missing = [
        name
        for name in KEYS
        if f"| `{name}` |" not in page or (KEYS[name].kind != "rules" and variable(name) not in page)
    ]
    assert not missing


@pytest.mark.parametrize(
    ("text", "doors"),
    [
        pytest.param("node: n1", (), id="none"),
        pytest.param("otlp: {enabled: true}", (), id="loopback-only"),
        pytest.param("otlp: {enabled: true, address: '0.0.0.0:4318'}", (4318,), id="every-address"),
        pytest.param("otlp: {address: '0.0.0.0:4318'}", (), id="off"),
        pytest.param("otlp: {enabled: true, address: '[fd00::1]:4318'}\nclassifier: {http: {address: 'node1:8080'}}", (4318, 8080),
                     id="both"),
        pytest.param("classifier: {http: {address: 'localhost:8080'}}", (), id="a-name-for-loopback"),
    ],
)  # fmt: skip
def test_the_sensor_watches_the_doors_that_another_network_namespace_reaches(text, doors):
    assert Settings({k: v.default for k, v in KEYS.items()} | parse(text)).sensor(node="n1").doors == doors


def test_originals_are_off_until_a_recipient_is_named_who_is_none_by_mistake():
    from sensor.originals.sealing import new_key

    private, public = new_key()
    off = Settings({k: v.default for k, v in KEYS.items()}).sensor(node="n1").capture.originals
    assert off == OriginalsSettings() and off.recipients == ()
    text = "sensor: {capture: {originals: {recipients: [%s], workloads: ['prod/*'], days: 7, dir: /srv/o}}}"
    found = Settings({k: v.default for k, v in KEYS.items()} | parse(text % public)).sensor(node="n1").capture.originals
    assert (found.recipients, found.workloads, found.days, str(found.folder)) == ((public,), ("prod/*",), 7.0, "/srv/o")
    with pytest.raises(SettingsError, match="recipients: the text is no public key of age") as refused:
        Settings({k: v.default for k, v in KEYS.items()} | parse(text % private)).sensor(node="n1")
    assert private not in str(refused.value)
