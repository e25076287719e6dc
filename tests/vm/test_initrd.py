"""The first file system of a guest."""

import pytest

from tests.vm.initrd import archive, load_order


@pytest.mark.parametrize(
    "wanted, order",
    [
        pytest.param(
            ("virtio_pci",), ["d/virtio.ko.xz", "d/virtio_ring.ko.xz", "d/virtio_pci.ko.xz"], id="needs-first"
        ),
        pytest.param(
            ("virtio", "virtio_pci"), ["d/virtio.ko.xz", "d/virtio_ring.ko.xz", "d/virtio_pci.ko.xz"], id="once"
        ),
        pytest.param(("overlay",), [], id="built-in"),
    ],
)
def test_modules_are_loaded_after_what_they_need(wanted, order):
    rows = [
        "d/virtio_pci.ko.xz: d/virtio_ring.ko.xz d/virtio.ko.xz",
        "d/virtio_ring.ko.xz: d/virtio.ko.xz",
        "d/virtio.ko.xz:",
    ]
    assert load_order("\n".join(rows) + "\n", wanted) == order


def test_an_archive_holds_folders_files_and_an_end_each_on_a_word():
    data = archive(("bin",), {"bin/x": b"12345"})
    assert data.count(b"070701") == 3
    assert len(data) % 4 == 0
    assert data.index(b"bin/x\0") < data.index(b"12345") < data.index(b"TRAILER!!!")
