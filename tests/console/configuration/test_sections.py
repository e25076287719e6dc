"""A text of configuration: what is wrong is said with its line and the nearest right key."""

import re
from pathlib import Path

import pytest

from console.configuration.keys import KEYS, variable
from console.configuration.sections import parse
from console.configuration.values import SettingsError

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
        pytest.param(
            "audit: {max_bytes: 1048575}",
            "is 1048575; it must be 1048576 or more, at most 1125899906842624",
            id="a-byte-too-few",
        ),
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


@pytest.mark.parametrize("text", ["8080", ":8080", "host:", "host:0", "host:70000", "host:x"])
def test_an_address_has_a_host_and_a_port(text):
    with pytest.raises(SettingsError, match="takes HOST:PORT"):
        parse(f"classifier: {{metrics_address: '{text}'}}")


def test_every_key_is_documented_with_its_variable():
    page = (Path(__file__).parents[3] / "docs/configuration.md").read_text()
    missing = [
        name
        for name in KEYS
        if f"| `{name}` |" not in page or (KEYS[name].kind != "rules" and variable(name) not in page)
    ]
    assert not missing
