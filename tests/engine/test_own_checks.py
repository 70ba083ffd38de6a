"""Checks that a user wrote: whatever they do is a verdict, and none runs for ever."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from nbroute import errors
from nbroute.checks import own


def loop(_):
    while True:
        time.sleep(0.001)


@pytest.mark.parametrize("check", [loop, own(loop), lambda _: threading.Event().wait(1)])
def test_a_check_that_never_ends_is_given_up_and_its_thread_ends(router, check):
    router.parts = replace(router.parts, check_timeout_s=0.2)
    # The server keeps a thread for the connection; a check may return a bool.
    assert router.route("hello", checks=[lambda reply: True]).verdicts[0].passed
    before = {*threading.enumerate()}
    result = router.route("hello", checks=[check])

    assert "did not end within 0.2 s" in result.verdicts[-1].reason
    for thread in {*threading.enumerate()} - before:
        thread.join(10)
        assert not thread.is_alive()


def test_ctrl_c_in_a_check_that_never_ends_keeps_what_was_paid_for(router):
    ended = threading.Event()

    def endless(text):
        os.kill(os.getpid(), signal.SIGINT)
        try:
            loop(text)
        finally:
            ended.set()

    with pytest.raises(errors.Interrupted):
        router.route("hello", checks=[own(endless)])
    assert ["ok"] == [row["status"] for row in router.ledger.rows()]
    assert ended.wait(10)
    assert "ok" == router.route("hello again").text
