"""A check of one's own gets so many seconds and no more."""

from __future__ import annotations

import ctypes
import threading

from nbroute.types import Check, Reply, Verdict


def within(check: Check, seconds: float) -> Check:
    """The check with a time limit; one that does not end in time fails the answer.

    It runs in a thread of its own. What is left of it after the limit is stopped at its next
    line of Python; a call into C that never returns (a `time.sleep`) stays until it ends.
    """
    label: str = getattr(check, "__name__", type(check).__name__)

    def timed(reply: Reply) -> Verdict:
        outcome: list[Verdict | BaseException] = []
        # Not `join`: a Ctrl-C in it makes Python 3.11 take the thread for ended.
        ended = threading.Event()
        thread = threading.Thread(target=_keep, args=(check, reply, outcome, ended), daemon=True)
        try:
            thread.start()
            ended.wait(seconds)
        finally:
            if not ended.is_set():
                _stop(thread)
        if not outcome:
            return Verdict(False, label, f"the check did not end within {seconds:g} s")
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    timed.__name__ = label
    return timed


def _keep(
    check: Check, reply: Reply, outcome: list[Verdict | BaseException], ended: threading.Event
) -> None:
    try:
        outcome.append(check(reply))
    except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
        outcome.append(error)
    finally:
        ended.set()


def _stop(thread: threading.Thread) -> None:
    ident = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(SystemExit))
