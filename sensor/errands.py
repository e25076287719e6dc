"""Jobs that the sensor's loop never waits for: one after the other, in a thread that begins with the first."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger("driftline.sensor")
NICEST = 19
Job = TypeVar("Job")


class Errands(Generic[Job]):
    """A queue and its thread.

    Args:
        name: Of the thread.
        do: One job, in the thread.
        passes: Errors of a job that are nobody's fault: it has gone, or is none of what is read. Others are logged.
        urgent: Not of lowest priority, and what waits at the end is done before it.
    """

    def __init__(
        self,
        name: str,
        do: Callable[[Job], object],
        *,
        passes: tuple[type[Exception], ...] = (),
        urgent: bool = False,
    ) -> None:
        self._name, self._do, self._passes, self._urgent = name, do, passes, urgent
        self._jobs: deque[Job] = deque()
        self._later: deque[Job] = deque()
        self._changed = threading.Condition()
        self._busy = 0
        self.thread: threading.Thread | None = None
        self.closed = False

    def __len__(self) -> int:
        """Jobs that are not done, but for those that were put off."""
        with self._changed:
            return len(self._jobs) + self._busy

    @property
    def put_off(self) -> int:
        """Jobs that wait until there is no other."""
        return len(self._later)

    def put(self, job: Job) -> None:
        """A job behind those that wait."""
        with self._changed:
            if self.closed:
                return
            self._jobs.append(job)
            self._changed.notify()
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self.thread.start()

    def close(self, timeout: float = 2.0) -> None:
        """Ends the thread; a file on a stuck mount may hold it longer, and then it dies with the process."""
        with self._changed:
            self.closed = True
            self._changed.notify()
        if self.thread is not None:
            self.thread.join(timeout)

    # in the thread --------------------------------------------------------------------------------------------------

    def put_later(self, job: Job) -> None:
        """A long job, which waits until there is no other. Asked for in the thread."""
        self._later.append(job)

    def catch_up(self) -> None:
        """Does what has come meanwhile: for a long job, every now and then."""
        while self._jobs and not self.closed:
            self._one(self._jobs.popleft())

    def _run(self) -> None:
        if not self._urgent:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICEST)
        while (job := self._next()) is not None:
            self._one(job)
            self._busy = 0

    def _next(self) -> Job | None:
        with self._changed:
            while not (self._jobs or self._later or self.closed):
                self._changed.wait()
            if self.closed and not (self._urgent and self._jobs):
                return None
            self._busy = int(bool(self._jobs))
            return (self._jobs or self._later).popleft()

    def _one(self, job: Job) -> None:
        try:
            self._do(job)
        except self._passes:
            return
        except Exception:
            log.exception("%s: %.200s failed", self._name, job)
