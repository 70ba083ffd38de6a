"""A call in a second thread, beside the one in this."""

from __future__ import annotations

import threading
from collections.abc import Callable

from nbroute.dispatch import Answered, Call


class Beside:
    """A call in a second thread, whose text is not shown as it comes."""

    def __init__(self, ask: Callable[[Call], Answered], call: Call) -> None:
        self._cancel = _Linked(call.cancel)
        self._ended = threading.Event()
        self._answers: list[Answered] = []
        self._errors: list[BaseException] = []
        self._call = call.beside(self._cancel)
        threading.Thread(target=self._work, args=(ask,), daemon=True).start()

    def answer(self) -> Answered:
        """The answer, when it is there; raises what the call raised."""
        try:
            self._ended.wait()  # not `join`: see deadline.py
        except BaseException:
            self.stop()
            raise
        if self._errors:
            raise self._errors[0]
        return self._answers[0]

    def stop(self) -> None:
        """Stop it and wait until it has written down what it cost."""
        self._cancel.set()
        self._ended.wait()

    def _work(self, ask: Callable[[Call], Answered]) -> None:
        try:
            self._answers.append(ask(self._call))
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            self._errors.append(error)
        finally:
            self._ended.set()


class _Linked(threading.Event):
    """An event that is set too where the caller's is; to set it leaves that one alone."""

    def __init__(self, other: threading.Event | None) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        return super().is_set() or (self._other is not None and self._other.is_set())
