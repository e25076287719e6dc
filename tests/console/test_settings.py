"""File and environment to the settings of each program."""

from pathlib import Path

import pytest

from classifier.settings import ClassifierSettings
from console.configuration.keys import KEYS
from console.configuration.nodes import LIMIT
from console.configuration.sections import parse
from console.configuration.values import SettingsError
from console.settings import Settings, cgroup_directory, from_environment, load
from sensor.settings import OriginalsSettings, SensorSettings

RULE = 'identity:\n  rules:\n  - match: "/lab/(?P<name>[a-z]+)"\n    workload: "lab/shop/Job/{name}/main"\n'


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
