"""Which of its names a tracepoint has here, and whether it hands over what the program takes."""

import pytest

from sensor.probes import btf, tracepoints
from sensor.probes.catalogue import BY_NAME, PROBES

NEW, OLD = "io_uring_submit_req", "io_uring_submit_sqe"
RING = BY_NAME["io_uring"]


class Kernel:
    """Types of a kernel that has these tracepoints."""

    def __init__(self, has):
        self._has = has

    def handed(self, tracepoint):
        return self._has.get(tracepoint)

    def close(self):
        pass


@pytest.mark.parametrize(
    ("has", "name"),
    [
        pytest.param({NEW: "io_kiocb"}, NEW, id="since 6.3"),
        pytest.param({OLD: "io_kiocb"}, OLD, id="6.0 to 6.2"),
        pytest.param({NEW: "io_kiocb", OLD: "io_kiocb"}, NEW, id="both"),
        pytest.param({NEW: "io_ring_ctx", OLD: "io_kiocb"}, OLD, id="a later kernel that changed its mind"),
    ],
)
def test_the_first_name_that_hands_over_a_request_is_taken(monkeypatch, has, name):
    monkeypatch.setattr(btf, "Kernel", lambda: Kernel(has))
    found, why = tracepoints.found(RING)
    assert (found.hooks[0].target, why) == (name, "")
    assert found.place("raw") == f"raw tracepoint {name}, io_uring_complete"


@pytest.mark.parametrize(
    "has", [pytest.param({}, id="no io_uring"), pytest.param({OLD: ""}, id="before 6.0: a ring, as void")]
)
def test_without_one_the_probe_is_off_and_says_what_is_not_seen(monkeypatch, has):
    monkeypatch.setattr(btf, "Kernel", lambda: Kernel(has))
    _, why = tracepoints.found(RING)
    assert why == (
        f"this kernel has no tracepoint {NEW} or {OLD} that hands over a io_kiocb, so work inside io_uring is not seen"
    )


def test_other_probes_are_as_they_are_and_ask_nothing(monkeypatch):
    monkeypatch.setattr(btf, "Kernel", None)
    assert [tracepoints.found(p) for p in PROBES if p is not RING] == [(p, "") for p in PROBES if p is not RING]
