"""Jobs that the loop never waits for."""

from __future__ import annotations

import os
import threading

import pytest

from sensor.errands import NICEST, Errands
from tests.kernel.lab import until


class Work:
    """Notes what was done; a job that is an error is raised, `hold` waits until it is let go."""

    def __init__(self):
        self.done, self.began, self.go = [], [], threading.Event()

    def __call__(self, job):
        self.began.append(job)
        if job == "hold":
            assert self.go.wait(60)
        if isinstance(job, Exception):
            raise job
        self.done.append(job)


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def errands(work):
    made = []

    def make(do=work, **how):
        made.append(Errands("errands-of-a-test", do, **how))
        return made[-1]

    yield make
    work.go.set()
    for one in made:
        one.close()


def test_jobs_are_done_in_their_order_in_a_thread_of_lowest_priority(errands, work):
    some = errands()
    assert some.thread is None
    for job in range(9):
        some.put(job)
    until(lambda: len(work.done) == 9, "the jobs")
    assert work.done == list(range(9))
    assert os.getpriority(os.PRIO_PROCESS, some.thread.native_id) == NICEST


def test_what_waits_and_what_is_being_done_is_counted(errands, work):
    some = errands()
    some.put("hold")
    some.put("next")
    assert len(some) == 2
    work.go.set()
    until(lambda: len(some) == 0, "the end of both")


def test_a_job_that_fails_is_logged_and_not_the_last(errands, work, caplog):
    some = errands(passes=(OSError,))
    for job in (FileNotFoundError("gone"), KeyError("odd"), "next"):
        some.put(job)
    until(lambda: work.done == ["next"], "the next job")
    assert [r.getMessage() for r in caplog.records] == ["errands-of-a-test: 'odd' failed"]


def test_a_job_that_was_put_off_waits_for_all_others_and_lets_them_pass(errands, work):
    def do(job):
        if job == "begin":
            some.put_later("long")
        if job == "next":
            assert some.put_off == 1
        if job == "long":
            some.put("short")
            some.catch_up()
        work(job)

    some = errands(do)
    for job in ("hold", "begin", "next"):
        some.put(job)
    work.go.set()
    until(lambda: len(work.done) == 5, "the jobs")
    assert work.done == ["hold", "begin", "next", "short", "long"]


@pytest.mark.parametrize(
    ("urgent", "done"), [pytest.param(False, ["hold"], id="usual"), pytest.param(True, ["hold", "next"], id="urgent")]
)
def test_at_the_end_only_what_is_urgent_is_done(errands, work, urgent, done):
    some = errands(urgent=urgent)
    some.put("hold")
    some.put("next")
    until(lambda: work.began, "the first job to begin")
    ending = threading.Thread(target=some.close, args=(60,))
    ending.start()
    until(lambda: some.closed, "the end")
    some.put("too late")
    work.go.set()
    ending.join(60)
    assert work.done == done


def test_who_began_nothing_has_nothing_to_end(errands):
    some = errands()
    some.close()
    some.put("too late")
    assert some.thread is None
