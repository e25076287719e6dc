"""The better hook is taken where its trial says so, and why not is said otherwise."""

import pytest

from sensor.probes import choice, fexit
from sensor.probes.catalogue import BY_NAME, FEXIT, PROBES, RAW


@pytest.mark.parametrize(
    "hooks,refused,variant,why",
    [
        pytest.param("auto", "", FEXIT, None, id="tried"),
        pytest.param("auto", "no such function", RAW, "no such function", id="refused"),
        pytest.param("raw", "", RAW, choice.BY_SETTING, id="by-setting"),
    ],
)
def test_a_probe_with_two_variants_has_one_and_a_reason(monkeypatch, hooks, refused, variant, why):
    asked = []
    monkeypatch.setattr(fexit, "refused", lambda names: asked.extend(names) or refused)
    taken, reasons = choice.of(PROBES, hooks)
    assert taken == {"files": variant}
    assert reasons == ({"files": why} if why else {})
    assert asked == ([] if hooks == "raw" else ["do_sys_openat2", "do_handle_open"])


def test_probes_with_one_variant_are_not_asked_about():
    assert choice.of([BY_NAME["syscalls"]], "auto") == ({}, {})


@pytest.mark.parametrize("variant", [RAW, FEXIT])
def test_links_of_one_set_have_names_of_their_own(variant):
    links = [h.link for p in PROBES for h in p.hooks_of(variant if p.fexit else RAW)]
    assert len(set(links)) == len(links)


def test_a_place_in_words_names_every_hook():
    files, network = BY_NAME["files"], BY_NAME["network"]
    assert (files.place(RAW), files.place(FEXIT)) == ("raw tracepoint sys_exit", "fexit do_sys_openat2, do_handle_open")
    assert network.place(RAW).endswith("connect6; raw tracepoint inet_sock_set_state")
