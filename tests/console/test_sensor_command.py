"""`driftline sensor` as far as it needs no kernel: requests that come at the wrong moment."""

import os

from console.cli import sensor as command


def test_a_reload_that_comes_while_the_file_is_read_is_not_lost(driftline, monkeypatch):
    """It was forgotten when the next run began, with the settings from before it."""
    asked, read = [], command._reread

    def reread(ctx, wanted, before):
        found = read(ctx, wanted, before)
        asked[-1].reload()
        monkeypatch.setattr(command, "_reread", read)
        return found

    def run(chosen, stop):
        seen.append(stop.again)
        asked.append(stop)
        stop.reload()
        return len(seen) < 3

    seen = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)  # nothing of it is needed here
    monkeypatch.setattr(command, "run_once", run)
    monkeypatch.setattr(command, "_reread", reread)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr("console.cli.service.log_to_stderr", lambda: None)
    assert driftline("sensor").exit_code == 0
    assert seen == [False, True, False]
