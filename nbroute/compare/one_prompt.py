"""One prompt on several contenders, all asked at the same time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any

from nbroute.batch.workers import checked_workers
from nbroute.compare.comparison import Column, Comparison, NotSent, column_of, unpicked
from nbroute.compare.contenders import Systems, find_contenders
from nbroute.engine.attempts import new_id
from nbroute.engine.context import Spec
from nbroute.engine.engine import Engine
from nbroute.errors import (
    BudgetExceeded,
    Interrupted,
    NbrouteError,
    PromptError,
    ProviderError,
    RecordError,
    ReplayMiss,
    SettingsError,
    named,
)
from nbroute.types import Decision, Event

#: Called with the place of a contender and an event of its call.
Watcher = Callable[[int, Event], object]

#: Options that also say how a classifier is asked.
CLASSIFYING = ("feature", "cache", "max_cost", "over_budget", "comparison")
#: Contenders asked at once by default.
_AT_ONCE = 8
#: Seconds between two looks at the caller's `cancel`, and that stopped calls have to end.
_LOOK_EVERY, _PATIENCE_S = 0.05, 2.0
#: Options of `route` that make no sense here, and why.
_REFUSED = {
    "strategy": "every contender answers by itself",
    "tier": "name those to compare in tiers",
    "model": "name it in tiers, as 'TIER:model' where the ladder does not have it",
    "start": "name the tiers to compare in tiers",
    "agreement": "mark differences with comparison.differences",
    "by": "mark differences with comparison.differences",
    "thread": "each answer would become a turn of that one conversation",
    "comparison": "a comparison has an id of its own",
}
_BEFORE_SENDING = (SettingsError, PromptError, BudgetExceeded, ReplayMiss, RecordError)

_log = logging.getLogger("nbroute")


def compare_prompt(
    router: Engine,
    prompt: str,
    tiers: Sequence[str] | None = None,
    *,
    systems: Systems | None = None,
    observe: Watcher | None = None,
    cancel: threading.Event | None = None,
    workers: int | None = None,
    classifier: Spec | None = None,
    **options: Any,
) -> Comparison:
    """The answers of several contenders to one prompt, asked at the same time.

    `tiers` names them: tiers, models on the ladder, and any other model as "TIER:model", with
    that tier's prompt and budget; None is every tier. `systems` are system prompts, by name or
    in a list: each tier is asked with each of them. The options are those of `route`, without
    `strategy` and `thread`, and apply to each contender (`max_cost`, too). Each is asked afresh,
    and so paid for, unless `cache="use"` is given here.

    The prompt is classified first, so that each column says whether routing would have picked
    it. A contender that fails is a column with its `error`, which is raised if all fail the same
    way before anything is sent. `observe(place, event)` gets each contender's events, one at a
    time and on this thread; if it has a `start(contenders, decision)`, that comes first.

    Raises SettingsError, PromptError and BudgetExceeded, and Interrupted on Ctrl-C or once
    `cancel` is set; its `result` is the comparison so far, and the ledger has every call.
    """
    contenders = find_contenders(router.ladder, tiers, systems)
    options = checked_options(options, systems)
    at_once = checked_workers(workers, min(len(contenders), _AT_ONCE))
    router.explain(prompt, tier=contenders[0].tier, **options)
    name = new_id()
    options["comparison"] = name

    def compared(decision: Decision, error: NbrouteError | None = None) -> Comparison:
        columns = [column_of(one, decision, router.ladder) for one in contenders]
        ended = tuple(replace(column, error=error) for column in columns)
        return Comparison(name, prompt, decision, ended, router)

    try:
        asked = {key: options[key] for key in CLASSIFYING if key in options}
        try:
            decision = router.classify(prompt, classifier, cancel=cancel, **asked)
        except (ProviderError, BudgetExceeded, ReplayMiss, RecordError) as error:
            decision = unpicked(f"not known: {named(error)}")
        _tell(getattr(observe, "start", None), contenders, decision)
    except KeyboardInterrupt as raised:
        stopped = Interrupted("stopped before any contender was asked")
        blank = unpicked("not known: it was stopped")
        stopped.result = compared(blank, NotSent("stopped before it was sent"))
        raise stopped from raised.__cause__
    asked = fresh_answers(router, options)
    comparison = _Answers(router, compared(decision), asked, observe, cancel).collect(at_once)
    unsent = [column.error for column in comparison.columns if column.result is None]
    alike = len(unsent) == len(contenders) and len(set(map(type, unsent))) == 1
    if alike and isinstance(unsent[0], _BEFORE_SENDING):
        raise unsent[0]  # all failed the same way, and nothing was sent
    return comparison


def checked_options(options: Mapping[str, Any], systems: Systems | None) -> dict[str, Any]:
    """The options for every contender; SettingsError for one that makes no sense here."""
    if systems is not None and options.get("system") is not None:
        raise SettingsError("system and systems are both given; put them all into systems")
    for name, why in _REFUSED.items():
        if options.get(name) not in (None, "direct" if name == "strategy" else None):
            raise SettingsError(f"{name} = {options[name]!r:.60} is not for a comparison: {why}")
    return {name: value for name, value in options.items() if name not in _REFUSED}


def fresh_answers(router: Engine, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, with each answer asked for afresh unless they say something else.

    An answer from the cache costs nothing and takes no time: next to a fresh one it misleads.
    """
    mode = router.parts.cache_mode
    return {**options, "cache": options.get("cache") or ("refresh" if mode == "use" else mode)}


@dataclass
class _Answers:
    """The columns of one comparison, which fill as the answers end.

    Each contender is asked on its own thread; events are passed on, on the caller's.
    """

    router: Engine
    comparison: Comparison
    options: Mapping[str, Any]
    observe: Watcher | None
    cancel: threading.Event | None

    def __post_init__(self) -> None:
        self._columns = list(self.comparison.columns)
        self._waiting = deque(range(len(self._columns)))
        self._stop = threading.Event()
        self._inbox: SimpleQueue[tuple[int, Event | None]] = SimpleQueue()

    def collect(self, workers: int) -> Comparison:
        """Ask all, `workers` at once. Interrupted has the comparison so far as its `result`."""
        try:
            for _ in range(min(workers, len(self._columns))):
                threading.Thread(target=self._work, daemon=True).start()
            self._listen()
        except KeyboardInterrupt:
            self._wind_up()
            came = sum(column.error is None for column in self._columns)
            error = Interrupted(f"stopped; {came} of {len(self._columns)} answers are there")
            error.result = self._so_far()
            raise error from None
        return self._so_far()

    def _so_far(self) -> Comparison:
        comparison = replace(self.comparison, columns=tuple(self._columns))
        self.router.history.arrange(one.result.id for one in comparison.columns if one.result)
        return comparison

    def _work(self) -> None:
        with suppress(IndexError):
            while not self._stop.is_set():
                place = self._waiting.popleft()
                # Kept here, not by the listener, which Ctrl-C may hit at any moment.
                self._columns[place] = self._asked(place)
                self._inbox.put((place, None))

    def _asked(self, place: int) -> Column:
        column = self._columns[place]
        try:
            result = self.router.route(
                self.comparison.prompt,
                observe=lambda event: self._inbox.put((place, event)),
                cancel=self._stop,
                **{**self.options, **column.contender.options},
            )
            return replace(column, result=result)
        except NbrouteError as error:
            return replace(column, result=error.result, error=error)
        except BaseException as error:  # noqa: BLE001 - a column, not the end of the others
            wrapped = NbrouteError(named(error))
            wrapped.__cause__ = error
            return replace(column, error=wrapped)

    def _listen(self) -> None:
        left = len(self._columns)
        while left:
            if self.cancel is not None and self.cancel.is_set():
                raise KeyboardInterrupt
            with suppress(Empty):
                place, event = self._inbox.get(timeout=_LOOK_EVERY)
                if event is None:
                    left -= 1
                else:
                    _tell(self.observe, place, event)

    def _wind_up(self) -> None:
        """Stop what runs, wait a little for it, and mark the rest as stopped."""
        self._stop.set()
        ends = time.monotonic() + _PATIENCE_S
        with suppress(KeyboardInterrupt):
            while self._unended() - set(self._waiting) and time.monotonic() < ends:
                time.sleep(_LOOK_EVERY)
        for place in self._unended():
            error = Interrupted("stopped; what it cost is in the ledger")
            if place in self._waiting:
                error = NotSent("stopped before it was sent")
            self._columns[place] = replace(self._columns[place], error=error)

    def _unended(self) -> set[int]:
        return {place for place, one in enumerate(self._columns) if one.status == "running"}


def _tell(watch: Callable[..., object] | None, *told: object) -> None:
    """Call the watcher, if there is one; if it fails, that is logged and breaks nothing."""
    if watch is None:
        return
    try:
        watch(*told)
    except Exception:  # noqa: BLE001 - watchers do not steer
        _log.exception("an observer of a comparison failed")
