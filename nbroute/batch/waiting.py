"""For users with an event loop: the same calls, in threads, and cancelled with their task."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from nbroute.errors import SettingsError

_Found = TypeVar("_Found")

#: Calls at once over all tasks of the process; more of them wait.
AT_ONCE = 64


async def in_thread(work: Callable[[threading.Event], _Found]) -> _Found:
    """What `work` returns or raises, done in a thread.

    Where the task is cancelled, the event that `work` was given is set, its end is waited for
    (what was paid is written down by then), and the cancellation goes on.
    """
    cancel = threading.Event()
    context = contextvars.copy_context()
    ended = _threads().submit(context.run, _kept, work, cancel)
    waiting = asyncio.wrap_future(ended)
    try:
        outcome = await asyncio.shield(waiting)
    except asyncio.CancelledError:
        cancel.set()
        await asyncio.wait([waiting])
        raise
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def on_loop(observe: Callable[[Any], None] | None) -> Callable[[Any], None] | None:
    """The observer, called on the running loop's own thread."""
    if observe is None:
        return None
    loop = asyncio.get_running_loop()

    def tell(event: Any) -> None:
        loop.call_soon_threadsafe(observe, event)

    return tell


def refuse_cancel(options: dict[str, Any]) -> None:
    """SettingsError for `cancel`: a task has its own way."""
    if "cancel" in options:
        raise SettingsError("cancel is for threads; cancel the task instead: task.cancel()")


def _kept(
    work: Callable[[threading.Event], _Found], cancel: threading.Event
) -> _Found | BaseException:
    """A KeyboardInterrupt that a future raises would end the event loop, so it is handed over."""
    try:
        return work(cancel)
    except BaseException as error:  # noqa: BLE001 - raised again by the task
        return error


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, "nbroute-async")
