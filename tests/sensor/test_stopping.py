"""A request to end is kept from before the load until the loop looks."""

import os
import signal
import threading

from sensor.stopping import Stop


def test_a_request_is_kept_whichever_thread_the_kernel_gives_it_to():
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = Stop().listen()
        other = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
        other.start()
        other.join()
        assert (stop.asked, stop.ended, stop.again) == (True, True, False)
        again = Stop().listen()
        os.kill(os.getpid(), signal.SIGINT)
        assert again.ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_reload_is_no_end():
    stop = Stop()
    stop.reload()
    assert stop.asked and not stop.ended
