"""Class baselines and priors: what at least three share, as shapes; no team's host is ever in them."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.classes.baselines import LEAST, Baseline, Shape, of_envelopes
from classifier.classes.priors import Prior, prior
from classifier.classes.table import CLASSES, UNKNOWN
from classifier.classes.templates import DIMENSIONS, dimension, template
from tests.classes.agents import lived, peer, run
from tests.factories import use

TEAMS = ("alpha", "beta", "gamma", "delta")


def crm(team: str) -> str:
    return f"crm.{team}-secret.example"


def envelopes(name: str = "tool-user", teams=TEAMS, **changes):
    """One agent of a class per team, each with a private host, a private tool and a private folder."""
    return [
        lived(
            name,
            days=4,
            replicas=2,
            workload=f"prod/{team}/Deployment/{team}-agent/agent",
            more=(
                peer(crm(team)),
                run(f"/opt/{team}-secret/bin/{team}-secret"),
                use(f"open:data:/{team}-secret/x.csv"),
            ),
            **changes,
        )
        for team in teams
    ]


FOUR = envelopes()


def test_what_three_workloads_share_is_the_baseline_with_its_support():
    found = of_envelopes("tool-user", FOUR)
    support = {s.template: s.support for s in found.shapes}
    assert support["egress:tcp:(llm):443"] == support["egress:tcp:(tool):443"] == support["ingress:tcp:8080"] == 4
    assert support["exec:(own)<python"] == 4 and found.workloads == 4


def test_two_workloads_make_no_baseline():
    assert of_envelopes("tool-user", FOUR[: LEAST - 1]).shapes == ()


def test_no_host_program_or_folder_of_a_team_is_in_a_baseline_or_prior():
    found = of_envelopes("tool-user", FOUR)
    text = json.dumps([s.template for s in found.shapes]) + repr(prior("tool-user", found))
    assert "secret" not in text and not any(team in text for team in TEAMS)


def test_a_workload_copied_into_three_namespaces_counts_once():
    copies = [lived("tool-user", days=4, replicas=2, workload=f"prod/{team}/Deployment/agent/agent") for team in TEAMS]
    found = of_envelopes("tool-user", copies)
    assert found.workloads == 1 and found.shapes == ()


def test_a_workload_moved_to_another_namespace_changes_no_digest():
    moved = envelopes()
    moved[0].workload = "other/place/Deployment/alpha-agent/agent"
    assert of_envelopes("tool-user", moved).digest == of_envelopes("tool-user", FOUR).digest
    assert (
        of_envelopes("tool-user", [*FOUR, *envelopes("tool-user", ("epsilon",))]).digest
        == of_envelopes("tool-user", FOUR).digest
    )


def test_three_classes_have_three_baselines():
    digests = {of_envelopes(n, envelopes(n)).digest for n in ("tool-user", "code-execution", "read-only-retrieval")}
    assert len(digests) == 3


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_workloads_does_not_matter(rng: random.Random):
    assert of_envelopes("tool-user", rng.sample(FOUR, 4)) == of_envelopes("tool-user", FOUR)


def test_what_is_not_admitted_or_held_for_sign_off_does_not_count():
    raw = envelopes()
    for e in raw:
        e.items["egress:tcp:crm.example.com:443"].state = "provisional"
        e.items["ingress:tcp:8080"].suspect = True
        for team in TEAMS:
            e.items.pop(f"egress:tcp:{crm(team)}:443", None)
        e.items["egress:tcp:desk.example.com:443"].state = "dormant"
    support = {s.template for s in of_envelopes("tool-user", raw).shapes}
    assert "egress:tcp:(tool):443" not in support and "ingress:tcp:8080" not in support


@pytest.mark.parametrize(
    ("behaviour", "shape"),
    [
        ("exec:/usr/bin/python3.11<containerd-shim-runc-v2", "exec:python<(launcher)"),
        ("exec:/usr/bin/curl<sh", "exec:curl<sh"),
        ("exec:/srv/acme/bin/acme<python3", "exec:(own)<python"),
        ("exec:/tmp/x/acme<python3", "exec:(writable place)<python"),
        ("exec:/app/mcp-files<node", "exec:(tool server)<node"),
        ("egress:tcp:api.openai.com:443", "egress:tcp:(llm):443"),
        ("egress:tcp:db.acme.svc:5432", "egress:tcp:(store):5432"),
        ("egress:tcp:10.1.2.3:8080", "egress:tcp:(internal without a name):8080"),
        ("egress:tcp:8.8.4.4:443", "egress:tcp:(tool without a name):443"),
        ("egress:udp:10.0.0.2:53", "egress:udp:(names):53"),
        ("egress:tcp:acme.example:51000", "egress:tcp:(tool):*"),
        ("ingress:tcp:8080", "ingress:tcp:8080"),
        ("open:code:/usr/lib/python3/x.py", "open:code:/usr/*.py"),
        ("open:data:/acme/private/x", "open:data:(own)/*"),
        ("write:data:/tmp/run-*/x.csv", "write:data:(writable place)/*.csv"),
        ("identity:token:/var/run/secrets/acme", "identity:token"),
        ("identity:acme:/x", "identity:(other)"),
        ("syscall:bpf", "syscall:bpf"),
        ("io_uring:connect", "io_uring:connect"),
        ("gram:a>b>c", ""),
        ("egress:broken", ""),
        ("", ""),
    ],
)
def test_a_shape_says_what_for_and_not_where(behaviour, shape):
    assert template(behaviour) == shape
    assert not shape or dimension(behaviour) in DIMENSIONS


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["exec:", "egress:", "ingress:", "open:", "write:", "identity:", "syscall:", ""]),
    st.text(max_size=40),
)
def test_any_name_has_a_shape_or_none(kind, rest):
    assert isinstance(template(kind + rest), str)


@settings(max_examples=100, deadline=None)
@given(
    st.from_regex(r"[a-z]{9,12}", fullmatch=True),
    st.sampled_from(["egress:tcp:{}.example:443", "egress:tcp:x.{}.svc:80"]),
)
def test_no_label_of_a_host_survives(label, form):
    assert label not in template(form.format(label))


# priors --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*CLASSES, UNKNOWN, "toaster"])
def test_every_class_has_a_prior_for_every_dimension(name):
    found = prior(name)
    assert found.novelty.keys() == found.tolerated.keys() == set(DIMENSIONS) and found.templates == {}


def test_a_code_agent_is_expected_to_run_new_things_and_a_reader_is_not():
    assert prior("code-execution").novelty["exec"] > 100 * prior("read-only-retrieval").novelty["exec"]


def test_observed_novelty_takes_the_place_of_the_written_figure():
    quiet = dict.fromkeys(DIMENSIONS, 0.0)
    rates = [prior("code-execution", Baseline("code-execution", n, (), quiet)).novelty["exec"] for n in (0, 3, 30, 300)]
    assert rates[:2] == [4.0, 2.0] and rates == sorted(rates, reverse=True) and rates[-1] < 0.05


def known(name: str, *templates: str) -> Prior:
    shapes = tuple(Shape(t, dimension(t), 3, 1) for t in templates)
    return prior(name, Baseline(name, 3, shapes, dict.fromkeys(DIMENSIONS, 0.0)))


@pytest.mark.parametrize(
    ("name", "behaviour", "tolerated"),
    [
        pytest.param("tool-user", "egress:tcp:crm.new.example:443", True, id="another-host-of-a-known-shape"),
        pytest.param("tool-user", "egress:tcp:crm.new.example:8443", False, id="another-port"),
        pytest.param("tool-user", "egress:tcp:203.0.113.9:443", False, id="an-address-without-a-name"),
        pytest.param("code-execution", "exec:/bin/sh<python3", True, id="a-shell-of-a-code-agent"),
        pytest.param("tool-user", "exec:/bin/sh<python3", False, id="a-shell-of-another"),
        pytest.param("code-execution", "identity:token:/var/run/secrets/x", False, id="a-credential-never"),
        pytest.param("code-execution", "open:secret:/etc/x", False, id="a-secret-never"),
    ],
)
def test_what_is_ordinary_for_a_class(name, behaviour, tolerated):
    shapes = ("egress:tcp:(tool):443", "exec:sh<python", "identity:token", "open:secret:/etc/*")
    assert known(name, *shapes).tolerates(behaviour) is tolerated


def test_a_baseline_of_another_class_says_nothing():
    assert prior("tool-user", of_envelopes("web-service", FOUR)).templates == {}
