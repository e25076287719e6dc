"""Questions become answers in a thread that may wait, so that the sensor's loop never does."""

from __future__ import annotations

import heapq
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sensor.identity.facts import Facts, Key, NotYetError
from sensor.identity.paths import Place

log = logging.getLogger(__name__)
FIRST_PAUSE = 0.05  # seconds; a runtime tells of a container some 100 ms after its cgroup is there
LONGEST_PAUSE = 0.8


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """One question and when to ask it (again), in monotonic seconds."""

    due: float
    number: int
    key: Key = field(compare=False)
    place: Place = field(compare=False)
    until: float = field(compare=False)
    pause: float = field(compare=False, default=FIRST_PAUSE)


class Fetcher:
    """A bounded queue of questions and the thread that asks them; the thread begins with the first question."""

    def __init__(
        self, fetch: Callable[..., Facts | None], *, queue: int, patience: float, end: Callable[[], None]
    ) -> None:
        self._fetch, self._queue, self._patience, self._end = fetch, queue, patience, end
        self._open: list[Question] = []
        self._answers: deque[tuple[Key, Facts | None]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._count, self._busy, self._closed = 0, 0, False

    def ask(self, key: Key, place: Place) -> bool:
        """Puts a question; False where too many wait already."""
        with self._changed:
            if self._closed or len(self._open) + self._busy + len(self._answers) >= self._queue:
                return False
            now = time.monotonic()
            self._count += 1
            heapq.heappush(self._open, Question(now, self._count, key, place, now + self._patience))
            self._changed.notify()
            self._begin()
        return True

    def answers(self) -> list[tuple[Key, Facts | None]]:
        """Answers since the last time; None: nobody knew, until patience ran out."""
        with self._changed:
            found = list(self._answers)
            self._answers.clear()
        return found

    def close(self, timeout: float = 3.0) -> None:
        """Ends the thread; questions still open get no answer."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="identity", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (question := self._next()) is not None:
            last = time.monotonic() >= question.until
            facts, again = self._asked(question, last)
            with self._changed:
                self._busy = 0
                if again is not None:
                    heapq.heappush(self._open, again)
                else:
                    self._answers.append((question.key, facts))
        self._end()

    def _asked(self, question: Question, last: bool) -> tuple[Facts | None, Question | None]:
        """The answer, and the question where it is to be asked again."""
        try:
            facts = self._fetch(question.place, last=last)
        except NotYetError:
            return None, _again(question, math.inf)
        except Exception:
            log.exception("identity of %s failed", question.place.base)
            facts = None
        return facts, _again(question, question.until) if facts is None and not last else None

    def _next(self) -> Question | None:
        """The next question that is due; waits for it. None: closed."""
        with self._changed:
            while not self._closed:
                wait = self._open[0].due - time.monotonic() if self._open else None
                if wait is not None and wait <= 0:
                    self._busy = 1
                    return heapq.heappop(self._open)
                self._changed.wait(wait)
        return None


def _again(question: Question, until: float) -> Question:
    due = min(time.monotonic() + question.pause, until)
    return replace(question, due=due, pause=min(question.pause * 2, LONGEST_PAUSE))
