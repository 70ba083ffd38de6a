"""Threads, and what a fork does to them: it leaves them behind, with whatever they hold.

A forked process finds every `Lock` free, and no fork happens in the middle of what is `unforked`.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import NoReturn, TypeVar

from nbroute.errors import SettingsError

Outcome = TypeVar("Outcome")


def thread_for(work: Callable[[], Outcome]) -> tuple[Future[Outcome], threading.Thread]:
    """The future outcome, and a thread that the caller starts; it does not outlive the process.

    Wait for the outcome, never in `join`: Ctrl-C in there makes Python 3.11 believe that the
    thread has ended. Start it inside the `try` that stops it: Ctrl-C may come as it starts,
    and nobody is working on an outcome that can still be cancelled.
    """
    outcome: Future[Outcome] = Future()

    def run() -> None:
        if not outcome.set_running_or_notify_cancel():
            return
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            outcome.set_exception(error)

    return outcome, threading.Thread(target=run, daemon=True)


class Lock:
    """A lock that the thread holding it can take again."""

    def __init__(self) -> None:
        self._renew()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._lock.release()

    def __reduce__(self) -> NoReturn:
        raise SettingsError(
            "what a Router works with (its ledger, cache, providers) can be neither pickled nor "
            "copied: make a Router where you need one, or keep its results"
        )

    def _renew(self) -> None:
        self._lock = threading.RLock()


_locks: weakref.WeakSet[Lock] = weakref.WeakSet()


class _Unforked:
    """While a thread is in here, a fork on another thread waits.

    For locks that are not ours and that no fork renews: SQLite's, one on a file, and an import's
    (in Python 3.11 a module's lock would stay taken in the child for ever).
    """

    def __init__(self) -> None:
        self._renew()

    def __enter__(self) -> None:
        with self._changed:
            self._inside.append(threading.get_ident())

    def __exit__(self, *exc_info: object) -> None:
        with self._changed:
            self._inside.remove(threading.get_ident())
            self._changed.notify_all()

    def before_fork(self) -> None:
        """Wait for the others to leave, and let nobody in."""
        self._changed.acquire()
        self._changed.wait_for(lambda: {*self._inside} <= {threading.get_ident()})

    def after_fork(self, *, in_child: bool) -> None:
        """Let the others in again; in a child, with locks that are free."""
        if not in_child:
            self._changed.release()
            return
        self._renew()
        for lock in list(_locks):
            lock._renew()  # noqa: SLF001 - of this module

    def _renew(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._inside: list[int] = []


unforked = _Unforked()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=unforked.before_fork,
        after_in_parent=lambda: unforked.after_fork(in_child=False),
        after_in_child=lambda: unforked.after_fork(in_child=True),
    )
