"""A set of headers from what a distribution installs."""

import pytest

from sensor.probes import headers


@pytest.fixture
def usr_src(tmp_path, monkeypatch):
    def path(text):
        return tmp_path / text.lstrip("/")

    monkeypatch.setattr(
        headers,
        "Path",
        lambda text: path(text) if str(text).startswith(("/usr/src", "/lib/modules")) else original(text),
    )
    original = __import__("pathlib").Path
    (tmp_path / "usr/src").mkdir(parents=True)
    return tmp_path / "usr/src"


def test_no_headers_at_all_has_a_remedy(usr_src, tmp_path):
    with pytest.raises(headers.HeadersError, match="make setup"):
        headers.find(tmp_path / "into")


def test_two_halves_become_one_set_without_touching_them(usr_src, tmp_path):
    common, own = usr_src / "linux-headers-6.1-common", usr_src / "linux-headers-6.1-cloud"
    (common / "include/linux").mkdir(parents=True)
    (common / "include/linux/kconfig.h").write_text("")
    (common / "arch/x86/include/asm").mkdir(parents=True)
    (own / "include/generated").mkdir(parents=True)
    (own / "include/config").mkdir()
    (own / "Makefile").write_text(f"include {common}/Makefile\n")
    found = headers._merge(own, common, tmp_path / "into")
    assert {p.name for p in (found / "include").iterdir()} == {"linux", "generated", "config"}
    assert (found / "include/linux/kconfig.h").exists()
    assert headers._common(own) == common
    assert headers._common(common) is None


def test_one_whole_set_is_taken_as_it_is(usr_src):
    whole = usr_src / "linux-headers-6.12"
    (whole / "include/generated").mkdir(parents=True)
    (whole / "include/linux").mkdir()
    (whole / "include/linux/kconfig.h").write_text("")
    assert headers._common(whole) == whole
