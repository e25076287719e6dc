from __future__ import annotations

import pytest

from sensor.identity.systemd import Units


@pytest.fixture
def host(tmp_path):
    put(tmp_path, "usr/bin/cart", "binary 1")
    put(tmp_path, "usr/lib/systemd/system/cart.service", "[Service]\nExecStart=-/usr/bin/cart --serve\n")
    return tmp_path


def put(host, path, text):
    file = host / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.write_text(text)


def revision(host, unit="cart.service"):
    return Units(str(host)).revision(unit)


CHANGES = [
    pytest.param("usr/lib/systemd/system/cart.service", "[Service]\nExecStart=/usr/bin/cart --debug\n", id="unit-file"),
    pytest.param("etc/systemd/system/cart.service", "[Service]\nExecStart=/usr/bin/cart\n", id="unit-file-replaced"),
    pytest.param("etc/systemd/system/cart.service.d/10.conf", "[Service]\nEnvironment=A=1\n", id="drop-in"),
    pytest.param("etc/systemd/system/service.d/10.conf", "[Service]\nUMask=077\n", id="drop-in-of-the-type"),
    pytest.param("usr/bin/cart", "binary 2", id="program"),
]


@pytest.mark.parametrize(("path", "text"), CHANGES)
def test_revision_changes_with_what_makes_the_unit(host, path, text):
    before = revision(host)
    put(host, path, text)
    assert before.startswith("sha256:")
    assert revision(host) not in (before, None)


def test_revision_stays_over_a_reboot_and_a_new_copy(host):
    before = revision(host)
    put(host, "usr/bin/cart", "binary 1")
    put(host, "etc/systemd/system/other.service.d/10.conf", "[Service]\n")
    put(host, "run/systemd/system/cart.service", "[Service]\nExecStart=-/usr/bin/cart --serve\n")
    assert revision(host) == before


def test_unit_without_a_file_has_no_revision(host):
    (host / "etc/systemd/system").mkdir(parents=True)
    (host / "etc/systemd/system/masked.service").symlink_to("/dev/null")
    assert revision(host, "run-r1234.scope") is None
    assert revision(host, "masked.service") is None
    assert revision(host, "../../../usr/bin/cart") is None
    assert revision(host, "") is None


def test_instance_takes_its_templates_file(host):
    put(host, "usr/lib/systemd/system/cart@.service", "[Service]\nExecStart=cart --name %i\n")
    assert revision(host, "cart@blue.service") == revision(host, "cart@green.service")
    put(host, "etc/systemd/system/cart@blue.service.d/x.conf", "[Service]\nNice=5\n")
    assert revision(host, "cart@blue.service") != revision(host, "cart@green.service")


def test_drop_in_of_the_nearer_directory_wins(host):
    put(host, "etc/systemd/system/cart.service.d/10.conf", "[Service]\nNice=1\n")
    before = revision(host)
    put(host, "usr/lib/systemd/system/cart.service.d/10.conf", "[Service]\nNice=2\n")
    assert revision(host) == before


def test_script_of_an_interpreter_counts(host):
    put(host, "usr/bin/python3", "interpreter")
    put(host, "opt/agent.py", "print(1)")
    put(host, "usr/lib/systemd/system/cart.service", "[Service]\nExecStart=/usr/bin/python3 -u \\\n /opt/agent.py\n")
    before = revision(host)
    put(host, "opt/agent.py", "print(2)")
    assert revision(host) != before


def test_empty_exec_start_begins_anew(host):
    put(host, "etc/systemd/system/cart.service.d/10.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/other\n")
    before = revision(host)
    put(host, "usr/bin/cart", "binary 2")
    assert revision(host) == before


def test_links_are_followed_within_the_host_and_not_for_ever(host):
    (host / "usr/lib/systemd/system/alias.service").symlink_to("/usr/lib/systemd/system/cart.service")
    (host / "usr/lib/systemd/system/loop.service").symlink_to("loop.service")
    assert revision(host, "alias.service") == revision(host)
    assert revision(host, "loop.service") is None


def test_program_is_hashed_once_until_it_changes(host):
    units = Units(str(host))
    units.revision("cart.service")
    units.revision("cart.service")
    assert len(units._programs) == 1
    put(host, "usr/bin/cart", "binary 2")
    units.revision("cart.service")
    assert len(units._programs) == 2
