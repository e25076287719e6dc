"""Which kernel is taken."""

import pytest

from tests.vm import packages
from tests.vm.packages import PackageError, newest

NAMES = [
    "linux-image-6.1.0-9-cloud-amd64",
    "linux-image-6.1.0-50-cloud-amd64",
    "linux-image-6.1.0-50-cloud-amd64-dbg",
    "linux-image-6.1.0-51-amd64",
    "linux-image-6.12.9+deb12-cloud-amd64",
    "linux-image-6.12.117+deb12-cloud-amd64",
    "linux-image-6.12.200+deb12-cloud-amd64-unsigned",
]


@pytest.mark.parametrize(
    "series, wanted",
    [("6.1", "linux-image-6.1.0-50-cloud-amd64"), ("6.12", "linux-image-6.12.117+deb12-cloud-amd64")],
)
def test_the_newest_signed_cloud_kernel_of_a_series_is_taken_by_number(series, wanted):
    assert newest(NAMES, series) == wanted


def test_a_series_that_no_repository_has_is_an_error_with_a_remedy():
    with pytest.raises(PackageError, match="apt-get update"):
        newest(NAMES[:4], "6.12")


@pytest.fixture
def apt(monkeypatch):
    """Commands that were given; `failing` words in them fail."""
    given, failing = [], set()

    def run(*command, cwd=None):
        given.append(command[-1])
        if failing & set(command):
            failing.discard("once")
            raise PackageError("E: 404 Not Found")
        return ""

    monkeypatch.setattr(packages, "_run", run)
    return given, failing


def test_old_lists_of_packages_are_fetched_anew_once(apt):
    given, failing = apt
    failing.add("once")
    packages._with_new_lists(lambda: packages._run("apt-get", "once") and None)
    assert given == ["once", "update", "once"]


def test_a_mirror_that_is_down_is_an_error_with_apts_words(apt):
    given, failing = apt
    failing |= {"download", "update"}
    with pytest.raises(PackageError, match="404"):
        packages._with_new_lists(lambda: packages._run("apt-get", "download"))
    assert given == ["download", "update"]
