"""A restart of a unit is news; what changed with it makes its kind."""

import subprocess

import pytest

from classifier.deploys.systemd import Units, blocks, timestamp

NOW = 1_795_234_500.0


class Systemd:
    """systemctl and dpkg-query of a machine with one unit."""

    def __init__(self, folder):
        self.unit = folder / "a.service"
        self.unit.write_text("[Service]\nExecStart=/usr/bin/a\n")
        self.invocation, self.version, self.up, self.fails = "i1", "1.0", True, False

    def __call__(self, command):
        if self.fails:
            raise subprocess.CalledProcessError(1, command)
        if command[0] == "dpkg-query":
            return "a:amd64: /usr/bin/a\n" if command[1] == "--search" else self.version
        assert command[-1] == "a.service" and command[-2] == "--"
        started = "Sat 2026-11-21 04:13:04 UTC" if self.up else "n/a"
        return (
            f"Id=a.service\nExecMainStartTimestamp={started}\nFragmentPath={self.unit}\nDropInPaths=\n"
            f"ExecStart={{ path=/usr/bin/a ; argv[]=/usr/bin/a }}\nInvocationID={self.invocation}\n"
        )


@pytest.fixture
def systemd(tmp_path):
    return Systemd(tmp_path)


def units(systemd, tmp_path, state=None):
    return Units(lambda workload: "sha256:new", state or {}, run=systemd, running=tmp_path)


def look(watched):
    return [(d.kind, d.revision, d.workload, d.time, d.trust) for d in watched.look({"a.service"}, NOW)]


def nothing(systemd):
    """It stays as it is."""


def restart(systemd):
    systemd.invocation = "i2"


def reconfigure(systemd):
    systemd.unit.write_text("[Service]\nExecStart=/usr/bin/a --new\n")
    restart(systemd)


def edit(systemd):
    systemd.unit.write_text("[Service]\nExecStart=/usr/bin/a --new\n")


def update(systemd):
    systemd.version = "1.1"
    restart(systemd)


def stop(systemd):
    systemd.up = False


STARTED = 1795234384.0


@pytest.mark.parametrize(
    ("change", "news"),
    [
        pytest.param(nothing, [], id="nothing"),
        pytest.param(restart, [("restart", None, "unit:a.service", STARTED, "local")], id="restart"),
        pytest.param(reconfigure, [("config", "sha256:new", "unit:a.service", STARTED, "local")], id="unit-file"),
        pytest.param(update, [("dependency", "sha256:new", "unit:a.service", STARTED, "local")], id="package"),
        pytest.param(edit, [], id="edited-but-not-restarted"),
        pytest.param(stop, [], id="stopped"),
    ],
)
def test_what_changed_between_two_looks_is_told_once(systemd, tmp_path, change, news):
    watched = units(systemd, tmp_path)
    assert look(watched) == []
    change(systemd)
    assert look(watched) == news
    assert look(watched) == []


def test_a_restart_while_the_classifier_was_away_is_seen(systemd, tmp_path):
    watched = units(systemd, tmp_path)
    look(watched)
    reconfigure(systemd)
    assert [kind for kind, *_ in look(units(systemd, tmp_path, watched.state))] == ["config"]


def test_the_same_start_has_the_same_id_whenever_it_is_seen(systemd, tmp_path):
    ids = set()
    for _ in range(2):
        watched = units(systemd, tmp_path)
        systemd.invocation = "i1"
        look(watched)
        restart(systemd)
        ids |= {d.id for d in watched.look({"a.service"}, NOW)}
    assert ids == {"systemd:a.service:i2"}


def test_a_machine_without_systemd_is_a_blind_spot(systemd, tmp_path):
    watched = Units(lambda workload: None, {}, run=systemd, running=tmp_path / "none")
    assert look(watched) == [] and watched.blind_spot == "no systemd: restarts of units are not seen"


def test_a_systemd_that_does_not_answer_is_a_blind_spot_until_it_does(systemd, tmp_path):
    watched = units(systemd, tmp_path)
    systemd.fails = True
    assert look(watched) == [] and "does not answer" in watched.blind_spot
    systemd.fails = False
    assert look(watched) == [] and watched.blind_spot == ""


def test_nobody_is_asked_about_no_units(systemd, tmp_path):
    systemd.fails = True
    watched = units(systemd, tmp_path)
    assert watched.look(set(), NOW) == [] and not watched.blind_spot


@pytest.mark.parametrize("text", ["", "n/a", "0", "Sat 2026-99-21 04:13:04 UTC", "Sat 2026-11-21 04:13:04 CET"])
def test_what_is_no_time_is_none(text):
    assert timestamp(text) is None


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("junk\n\n\nmore", [], id="junk"),
        pytest.param("Id=a\nExecStart={ path=/b ; x=1 }", [{"Id": "a", "ExecStart": "{ path=/b ; x=1 }"}], id="equals"),
    ],
)
def test_answers_are_read_by_blocks(answer, found):
    assert list(blocks(answer)) == found
