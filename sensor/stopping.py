"""A request to end, heard from before anything is loaded: a process that died of it meanwhile would leave pins."""

from __future__ import annotations

import signal


class Stop:
    """Whether somebody asked this process to end, or to begin anew over the same pins. Safe in signal handlers."""

    def __init__(self) -> None:
        self.ended = self.again = False

    @property
    def asked(self) -> bool:
        """Whether a loop has to end now."""
        return self.ended or self.again

    def listen(self) -> Stop:
        """From now on SIGTERM and SIGINT end. Only in the main thread.

        Handlers, not a mask: a mask is one thread's, and the kernel gives a signal to any thread that takes it.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self)
        return self

    def __call__(self, *_: object) -> None:
        self.ended = True

    def reload(self, *_: object) -> None:
        """End the loop, keep the pins."""
        self.again = True
